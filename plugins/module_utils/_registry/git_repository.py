# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The git repository around the registry, by git's plumbing: a person's own changes and index are never in the way.

A commit is made of a tree and pushed; neither the directory nor what is staged there takes part in it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional

from .._core import errors

_REF = "refs/heads/"
_FILE, _GONE = "100644", "0"
# Seconds for one git command; a remote that says nothing for so long isn't there.
_PATIENCE = 120
# By `git ls-remote --exit-code`: there is no such branch.
_NO_BRANCH = 2
# How git reaches a remote is for people to say. All else, such as GIT_DIR, is about the repository of whoever called
# us, as in a play that one of its hooks starts.
_PASSED_ON = tuple(
    f"GIT_{name}" for name in ("ASKPASS", "CONFIG_", "EXEC_PATH", "HTTP_", "PROXY_", "SSH", "SSL_", "TRACE")
)


class Repository:
    """One checkout, and the branch of a remote that its registry is kept in."""

    def __init__(self, registry: str, remote: str, branch: Optional[str]) -> None:
        self.top = _top(registry)
        # Nobody else may have planted the repository: whoever runs this chose the registry in it.
        self._base = ["git", "-c", f"safe.directory={self.top}", "-C", self.top]
        # A name that nobody has: with somebody's own a push would go to both.
        self._remote = f"tenantry-{secrets.token_hex(8)}" if _is_address(remote) else remote
        self.remote = remote
        # Why the checkout doesn't stand at what was pushed, where it should.
        self.behind = ""
        self._environment = {**_passed_on(os.environ), "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        if _is_address(remote):
            # Not as an argument: every user of the machine may read those.
            self._environment.update(_config(f"remote.{self._remote}.url", remote, self._environment))
        self.head = self._line("rev-parse", "-q", "--verify", "HEAD^{commit}")
        checked_out = self._line("symbolic-ref", "-q", "--short", "HEAD")
        if not branch and not checked_out:
            raise errors.Invalid(f"branch: {self.top} has no branch checked out", "set branch")
        self.branch = branch or checked_out
        self._is_on_branch = not checked_out or checked_out == self.branch

    def path(self, file: str) -> str:
        """A file's name as git has it."""
        return os.path.relpath(os.path.realpath(file), self.top).replace(os.sep, "/")

    def blobs(self, commit: str, folders: Iterable[str]) -> dict[str, str]:
        """Path and id of every file of a commit below these folders; no commit, no files."""
        if not commit:
            return {}
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit, "--", *folders)
        pairs = (line.split("\t", 1) for line in listed.split("\0") if line)
        return {path: about.split()[2] for about, path in pairs}

    def blob(self, text: str) -> str:
        """The id of a content, which is put where git keeps what nothing refers to yet."""
        return self._git("hash-object", "-w", "--no-filters", "--stdin", given=text).strip()

    def tip(self) -> str:
        """The commit that the remote's branch is at, with what it holds fetched; no ref of ours or theirs moves."""
        self._demand_remote()
        asked = self._run(["ls-remote", "--exit-code", self._remote, _REF + self.branch])
        if asked.returncode == _NO_BRANCH:
            raise errors.NotFound(
                f"remote: {self._remote_name} has no branch {self.branch}", "set branch, or push it once"
            )
        self._demand(asked, "can't be asked")
        found = asked.stdout.split()[0]
        if self._run(["cat-file", "-e", f"{found}^{{commit}}"]).returncode:
            fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self._remote, _REF + self.branch]
            self._demand(self._run(fetch), "can't be fetched from")
        return found

    def publish(self, content: Mapping[str, Optional[str]], message: str, tip: str, author: tuple[str, str]) -> str:
        """A commit on top of `tip`, pushed; Stale where the branch has moved on since."""
        new = self._commit(content, message, tip, author)
        pushed = self._run(["push", "--porcelain", "--quiet", self._remote, f"{new}:{_REF}{self.branch}"])
        if pushed.returncode:
            if any(line.startswith("!\t") for line in pushed.stdout.splitlines()) and self.tip() != tip:
                raise errors.Stale(
                    f"remote: {self._remote_name} {self.branch} was pushed to by somebody else at the same moment",
                    "run again",
                )
            self._demand(pushed, f"doesn't take a commit for {self.branch}")
        self._follow(content, new, tip)
        return new

    def _commit(self, content: Mapping[str, Optional[str]], message: str, tip: str, author: tuple[str, str]) -> str:
        names = {"AUTHOR_NAME": author[0], "AUTHOR_EMAIL": author[1]}
        names |= {"COMMITTER_NAME": author[0], "COMMITTER_EMAIL": author[1]}
        with tempfile.TemporaryDirectory(prefix="tenantry-") as place:
            index = {"GIT_INDEX_FILE": os.path.join(place, "index")}
            self._git("read-tree", tip, more=index)
            self._git("update-index", "-z", "--index-info", given=_entries(content), more=index)
            tree = self._git("write-tree", more=index).strip()
        identity = {f"GIT_{name}": value for name, value in names.items()}
        return self._git("commit-tree", tree, "-p", tip, "-F", "-", given=message + "\n", more=identity).strip()

    def _follow(self, content: Mapping[str, Optional[str]], new: str, tip: str) -> None:
        """Where the checkout stood at the commit below, it stands at the new one, as after a commit by hand."""
        if self.head != tip or not self._is_on_branch:
            return
        try:
            # The index first: without it the new commit's files would look as if somebody had staged their removal.
            self._git("update-index", "-z", "--index-info", given=_entries(content))
            self._git("update-ref", "-m", "tenantry: registry", "HEAD", new, tip)
        except errors.TenantryError as failure:
            # Such as a lock of an editor's. It is pushed all the same, and there for everybody.
            self.behind = failure.message
        else:
            self.head = new

    # Running git

    @property
    def _remote_name(self) -> str:
        return self.remote

    def _demand_remote(self) -> None:
        if not _is_address(self.remote) and not self._line("config", "--get", f"remote.{self.remote}.url"):
            raise errors.Invalid(
                f"remote: {self.top} has no remote {self.remote}", "set remote to its name, or to a URL"
            )

    def _demand(self, ended: subprocess.CompletedProcess[str], what: str) -> None:
        if ended.returncode:
            said = " ".join((ended.stderr or ended.stdout).split())[-300:]
            raise errors.Unreachable(
                f"remote: {self._remote_name} {what}: {said}",
                "nothing was pushed; give the job a key that may push there",
            )

    def _line(self, *arguments: str) -> str:
        ended = self._run(list(arguments))
        return ended.stdout.strip() if not ended.returncode else ""

    def _git(self, *arguments: str, given: str = "", more: Optional[Mapping[str, str]] = None) -> str:
        ended = self._run(list(arguments), given, more)
        if ended.returncode:
            said = " ".join(ended.stderr.split())[-300:]
            raise errors.OperationFailed(f"git {arguments[0]}: {said}", f"check the repository {self.top}")
        return ended.stdout

    def _run(
        self, arguments: Sequence[str], given: str = "", more: Optional[Mapping[str, str]] = None
    ) -> subprocess.CompletedProcess[str]:
        # run_command is a module's, and nothing below the edge knows one.
        # pylint: disable=ansible-bad-function
        try:
            return subprocess.run(  # noqa: S603 (no shell; what people say is a name or goes in by the environment)
                [*self._base, *arguments],
                input=given,
                env={**self._environment, **(more or {})},
                capture_output=True,
                # What a remote's hook says may be in any encoding.
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except FileNotFoundError:
            raise errors.Unsupported("git: it isn't on this machine", "install git on the controller") from None
        except subprocess.TimeoutExpired:
            raise errors.TimedOut(f"git {arguments[0]}: no end in {_PATIENCE} s", "is the remote there?") from None


def _entries(content: Mapping[str, Optional[str]]) -> str:
    nothing = "0" * 40
    lines = (f"{_FILE if blob else _GONE} {blob or nothing}\t{path}\0" for path, blob in content.items())
    return "".join(lines)


def _passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environment.items() if not name.startswith("GIT_") or name.startswith(_PASSED_ON)
    }


def _config(key: str, value: str, environment: Mapping[str, str]) -> dict[str, str]:
    """One more setting, behind those that the environment has already."""
    said = environment.get("GIT_CONFIG_COUNT", "")
    number = int(said) if said.isdigit() else 0
    return {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": key,
        f"GIT_CONFIG_VALUE_{number}": value,
    }


def _is_address(remote: str) -> bool:
    return any(mark in remote for mark in (":", "/"))


def _top(registry: str) -> str:
    folder = os.path.realpath(registry)
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            raise errors.Invalid(f"registry: {registry} is in no git repository", "git init, or persist nothing")
        folder = above
    return folder
