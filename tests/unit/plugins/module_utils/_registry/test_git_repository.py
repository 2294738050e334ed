# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The registry in git where git is not alone: hooks, settings of people's own, locks, remotes that say odd things."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.carry_out import carry_out
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.registry_push import RegistryPushJob

ENTRY = "vmhosts/kvm-01/vmhost.yml"


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git, without the settings of whoever runs this."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *who, "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout.rstrip()


def bare(path: Path) -> Path:
    path.mkdir()
    git(path, "init", "-q", "--bare")
    return path


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """What a git server has."""
    return bare(tmp_path / "remote.git")


@pytest.fixture
def checkout(remote: Path, tmp_path: Path) -> Path:
    """A checkout at the tip of the remote's branch, with a VM host that nobody has committed."""
    path = tmp_path / "checkout"
    (path / "vmhosts" / "kvm-01").mkdir(parents=True)
    git(path, "init", "-q")
    (path / "README").write_text("ours\n")
    git(path, "add", "README")
    git(path, "commit", "-qm", "Begin")
    git(path, "push", "-q", str(remote), "main")
    (path / ENTRY).write_text("url: https://kvm-01\n")
    return path


def job(checkout: Path, remote: str) -> RegistryPushJob:
    said = {"vmhosts": ["kvm-01"], "registry": str(checkout / "vmhosts"), "state": "present", "remote": remote}
    return RegistryPushJob({**said, "branch": "main", "author_name": "A", "author_email": "a@example.com"})


def push(checkout: Path, remote: str) -> list[str]:
    """Push it; what the result warns of."""
    work = job(checkout, remote)
    plan = work.plan()
    outcome = carry_out(plan, work.execution_context())
    assert not outcome.failed and not outcome.stale, outcome
    return list(work.result(plan, outcome).get("warnings", ()))


def names(repository: Path) -> list[str]:
    return git(repository, "ls-tree", "-r", "--name-only", "main").splitlines()


def test_a_play_that_a_git_hook_starts(
    checkout: Path, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-qm", "Theirs", "--allow-empty")
    before = git(other, "rev-parse", "HEAD")
    # What git gives its hooks.
    for name, value in (("DIR", ".git"), ("INDEX_FILE", ".git/index"), ("WORK_TREE", ".")):
        monkeypatch.setenv(f"GIT_{name}", str(other / value))
    assert push(checkout, str(remote)) == []
    for name in ("DIR", "INDEX_FILE", "WORK_TREE"):
        monkeypatch.delenv(f"GIT_{name}")
    assert names(remote) == ["README", ENTRY]
    assert git(other, "rev-parse", "HEAD") == before and git(other, "status", "--porcelain") == ""
    assert git(checkout, "status", "--porcelain") == ""


def test_settings_of_peoples_own_stay_in_force(checkout: Path, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a CI has its credential helper; here it is what makes the address one that there is.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{remote}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "git@git.example.com:vmhosts.git")
    push(checkout, "git@git.example.com:vmhosts.git")
    assert names(remote) == ["README", ENTRY]


def test_a_remote_of_peoples_own_gets_nothing(checkout: Path, remote: Path, tmp_path: Path) -> None:
    theirs = bare(tmp_path / "theirs.git")
    git(checkout, "remote", "add", "tenantry", str(theirs))
    push(checkout, str(remote))
    assert names(remote) == ["README", ENTRY]
    assert git(theirs, "for-each-ref") == "", "pushed to a remote that nobody said"


@pytest.mark.parametrize("lock", ["index.lock", "HEAD.lock", "refs/heads/main.lock"])
def test_a_checkout_that_is_locked_is_left_behind_and_that_is_no_failure(
    checkout: Path, remote: Path, lock: str
) -> None:
    (checkout / ".git" / lock).touch()
    (warning,) = push(checkout, str(remote))
    assert "left behind main" in warning and "git pull" in warning, warning
    assert names(remote) == ["README", ENTRY]
    assert "D " not in git(checkout, "status", "--porcelain"), "as if somebody had staged the removal"
    (checkout / ".git" / lock).unlink()
    assert not job(checkout, str(remote)).plan().changes


def test_a_remote_that_refuses_in_another_encoding(checkout: Path, remote: Path) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nprintf 'gesch\\374tzt\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    work = job(checkout, str(remote))
    failure = carry_out(work.plan(), work.execution_context()).failed.popitem()[1]
    assert isinstance(failure, errors.Unreachable) and "gesch\ufffdtzt" in failure.message, failure
