# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What git itself does with keys in a registry: plain ones never get in, vaulted ones travel."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import vaulted
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import durable, file_store, git_ignore
from ansible_collections.tenantry.lxd.plugins.module_utils._registry.file_store import FileStore
from hypothesis import given
from hypothesis import strategies as st

PLAIN = "-----BEGIN PRIVATE KEY-----\nsecret-marker\n-----END PRIVATE KEY-----\n"
VAULTED = vaulted.encrypt(PLAIN, b"pw")
LABELLED = vaulted.encrypt(PLAIN, b"pw", "prod")
# A host may be called like this, and its folder must not be taken for a key.
ODD = "lxd.keys.example.com"


class Repository:
    """A user's repository with a registry in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "vmhosts"
        self.store = FileStore(str(self.root))
        self.git("init", "-q")

    def git(self, *words: str, check: bool = True) -> str:
        """Git, without the settings of whoever runs this."""
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(self.folder)}
        # fmt: off
        done = subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], cwd=self.folder,
                              env={"PATH": os.environ["PATH"], **settings}, check=check, capture_output=True, text=True)
        # fmt: on
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """As a module would."""
        file_store.write_file(str(self.root / path), text)

    def taken(self) -> list[str]:
        """What `git add -A` takes of the registry, from nothing."""
        self.git("read-tree", "--empty")
        self.git("add", "-A")
        return sorted(path.removeprefix("vmhosts/") for path in self.git("ls-files", "vmhosts").splitlines())

    def is_ignored(self, path: str) -> bool:
        """What `git check-ignore` says."""
        return bool(self.git("check-ignore", f"vmhosts/{path}", check=False))


@pytest.fixture
def repository(tmp_path) -> Repository:
    """A fresh repository whose registry keeps keys out."""
    made = Repository(tmp_path)
    made.store.ensure_gitignore()
    return made


@pytest.mark.parametrize("host", ["kvm-01", ODD, "client.key"])
@pytest.mark.parametrize("name", file_store.KEY_FILES)
def test_a_plain_key_stays_and_everything_else_travels(repository, host: str, name: str) -> None:
    for other in ("vmhost.yml", "server.crt", "client.crt", "client.crt.next", "client.crt.old"):
        repository.write(f"{host}/{other}", "x")
    repository.write(f"{host}/{name}", PLAIN)
    assert repository.is_ignored(f"{host}/{name}")
    assert repository.taken() == [".gitignore"] + [
        f"{host}/{other}" for other in ("client.crt", "client.crt.next", "client.crt.old", "server.crt", "vmhost.yml")
    ]


@pytest.mark.parametrize("host", ["kvm-01", ODD])
@pytest.mark.parametrize("name", file_store.KEY_FILES)
@pytest.mark.parametrize("text", [VAULTED, LABELLED, VAULTED.rstrip("\n"), VAULTED.replace("\n", "\r\n")])
def test_a_vaulted_key_travels(repository, host: str, name: str, text: str) -> None:
    repository.write(f"{host}/{name}", text)
    assert not repository.is_ignored(f"{host}/{name}")
    assert repository.taken() == [".gitignore", f"{host}/.gitignore", f"{host}/{name}"]


def test_of_two_hosts_and_two_keys_each_goes_its_own_way(repository) -> None:
    repository.write("a/client.key", VAULTED)
    repository.write("a/client.key.next", PLAIN)
    repository.write("b/client.key", PLAIN)
    repository.write("b/client.key.next", VAULTED)
    assert repository.taken() == [
        ".gitignore", "a/.gitignore", "a/client.key", "b/.gitignore", "b/client.key.next",
    ]  # fmt: skip


@pytest.mark.parametrize("texts", list(itertools.product([PLAIN, VAULTED, None], repeat=3)))
def test_whatever_follows_on_whatever_git_sees_what_is_vaulted(repository, texts) -> None:
    for text in texts:
        if text is None:
            file_store.remove_file(str(repository.root / "a" / "client.key"))
        else:
            repository.write("a/client.key", text)
        expected = ["a/.gitignore", "a/client.key"] if text == VAULTED else []
        assert repository.taken() == [".gitignore", *expected]
        assert (repository.root / "a" / ".gitignore").exists() is (text == VAULTED)


@pytest.mark.parametrize(("old", "new"), list(itertools.product([PLAIN, VAULTED, None], [PLAIN, VAULTED])))
def test_the_next_key_takes_its_way_of_travelling_along(repository, old, new) -> None:
    if old:
        repository.write("a/client.key", old)
    repository.write("a/client.key.next", new)
    file_store.move_file(f"{repository.root}/a/client.key.next", f"{repository.root}/a/client.key")
    expected = ["a/.gitignore", "a/client.key"] if new == VAULTED else []
    assert repository.taken() == [".gitignore", *expected]


class Killed(BaseException):
    """What no `except Exception` catches, like a signal."""


@contextlib.contextmanager
def killed_at(monkeypatch, call_number: int):
    """The nth call that changes the disk doesn't come back; yields whether it came to that."""
    happened: list[str] = []
    numbers = itertools.count(1)

    def counted(real):
        def call(*arguments, **options):
            if next(numbers) == call_number:
                happened.append(real.__name__)
                raise Killed
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patched, contextlib.suppress(Killed):
        for name in ("open", "replace", "unlink", "fsync"):
            patched.setattr(durable.os, name, counted(getattr(os, name)))
        yield happened


@pytest.mark.parametrize("deed", ["write", "move"])
def test_a_run_that_is_killed_anywhere_leaves_no_plain_key_to_git(repository, monkeypatch, deed) -> None:
    key = f"{repository.root}/a/client.key"
    for call_number in itertools.count(1):
        repository.write("a/client.key", VAULTED)
        repository.write("a/client.key.next", PLAIN)
        with killed_at(monkeypatch, call_number) as happened:
            if deed == "write":
                file_store.write_file(key, PLAIN)
            else:
                file_store.move_file(f"{key}.next", key)
        for path in repository.taken():
            assert "secret-marker" not in (repository.root / path).read_text(), (call_number, path)
        if not happened:
            break
    assert call_number > 5


def test_what_a_crash_leaves_of_a_plain_key_stays_out_even_beside_a_vaulted_one(repository) -> None:
    repository.write("a/client.key", VAULTED)
    for name in (".client.key.tmp-0011", ".client.key.next.tmp-0011", "client.key.bak", "client.key~", "my.key"):
        (repository.root / "a" / name).write_text(PLAIN)
    (repository.root / "kvm-01.key").write_text(PLAIN)
    assert repository.taken() == [".gitignore", "a/.gitignore", "a/client.key"]


def test_a_key_put_there_by_hand_stays_out(repository) -> None:
    (repository.root / "a").mkdir()
    (repository.root / "a" / "client.key").write_text(PLAIN)
    assert repository.taken() == [".gitignore"]


@pytest.mark.parametrize(
    "text",
    [
        VAULTED + PLAIN,
        VAULTED.splitlines()[0] + "\n" + PLAIN,
        VAULTED.splitlines()[0],
        "\n" + VAULTED,
        "$ANSIBLE_VAULT;1.1;AES256;" + PLAIN,
    ],
)
def test_a_key_behind_the_first_line_of_a_vault_is_plain(repository, text: str) -> None:
    repository.write("a/client.key", text)
    assert repository.taken() == [".gitignore"]


def test_a_key_that_is_no_text_is_plain(repository) -> None:
    (repository.root / "a").mkdir()
    (repository.root / "a" / "client.key.next").write_bytes(b"\xff\x00")
    repository.write("a/client.key", VAULTED)
    assert repository.taken() == [".gitignore", "a/.gitignore", "a/client.key"]


def test_a_rule_of_the_whole_repository_does_not_hold_a_vaulted_key_back(repository) -> None:
    (repository.folder / ".gitignore").write_text("*.key\n*.key.*\n")
    repository.write("a/client.key", VAULTED)
    assert "a/client.key" in repository.taken()


def test_outside_of_a_registry_the_folder_protects_itself(tmp_path) -> None:
    repository = Repository(tmp_path)
    repository.write("certs/client.key", PLAIN)
    repository.write("certs/client.crt", "x")
    assert repository.taken() == ["certs/.gitignore", "certs/client.crt"]
    repository.write("certs/client.key", VAULTED)
    (repository.root / "certs" / "client.key.bak").write_text(PLAIN)
    assert repository.taken() == ["certs/.gitignore", "certs/client.crt", "certs/client.key"]
    file_store.remove_file(str(repository.root / "certs" / "client.key"))
    assert not (repository.root / "certs" / ".gitignore").exists()


def test_a_registry_that_comes_to_keep_keys_out_relieves_its_folders(tmp_path) -> None:
    repository = Repository(tmp_path)
    repository.write("a/client.key", PLAIN)
    assert (repository.root / "a" / ".gitignore").exists()
    repository.store.ensure_gitignore()
    repository.write("a/client.key", PLAIN)
    assert not (repository.root / "a" / ".gitignore").exists()
    assert repository.taken() == [".gitignore"]


def test_a_rule_too_many_is_no_reason_to_write_and_one_that_lets_a_plain_key_out_is(tmp_path) -> None:
    repository = Repository(tmp_path)
    repository.write("a/client.key", PLAIN)
    repository.store.ensure_gitignore()
    path, existing, wanted = file_store.folder_gitignore(str(repository.root / "a"))
    assert wanted == existing != ""
    Path(path).write_text("!/client.key\n")
    assert file_store.folder_gitignore(str(repository.root / "a"))[2] == ""


def test_rules_written_by_hand_stay_and_win(repository) -> None:
    repository.write("a/client.key", VAULTED)
    folder = repository.root / "a" / ".gitignore"
    folder.write_text("notes\n" + folder.read_text() + "!/sample.key\n")
    root = repository.root / ".gitignore"
    root.write_text("!/b/public.key\n")
    assert repository.store.ensure_gitignore() is True
    repository.write("a/client.key", PLAIN)
    for path in ("a/notes", "a/sample.key", "b/public.key", "b/client.key"):
        (repository.root / path).parent.mkdir(exist_ok=True)
        (repository.root / path).write_text("x")
    assert folder.read_text().splitlines()[-2:] == ["notes", "!/sample.key"]
    assert repository.taken() == [".gitignore", "a/.gitignore", "a/sample.key", "b/public.key"]


def test_the_registrys_rules_are_written_once(tmp_path) -> None:
    store = FileStore(str(tmp_path / "vmhosts"))
    path, existing, wanted = store.gitignore()
    assert (path, existing) == (str(tmp_path / "vmhosts" / ".gitignore"), "")
    assert store.ensure_gitignore() is True
    assert Path(path).read_text() == wanted
    assert store.ensure_gitignore() is False
    assert store.gitignore() == (path, wanted, wanted)


def test_a_quiet_write_touches_no_rules(repository) -> None:
    repository.write("a/client.key", VAULTED)
    before = (repository.root / "a" / ".gitignore").stat()
    repository.write("a/client.key", LABELLED)
    after = (repository.root / "a" / ".gitignore").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


LINES = st.lists(
    st.sampled_from(
        ["/*.key*", "!/*.key*/", "/*/*.key*", "!/client.key", "!client.key.next", "# mine", "", "*.pem", "!/*"]
    ),
    max_size=8,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(LINES)
def test_root_rules_are_a_fixed_point_and_lose_nothing(existing: str) -> None:
    text = git_ignore.root_text(existing)
    assert git_ignore.covers(text)
    assert git_ignore.root_text(text) == text
    mine = [line for line in existing.splitlines() if line not in ("/*.key*", "!/*.key*/", "/*/*.key*")]
    assert [line for line in text.splitlines() if line in mine] == mine


@given(LINES, st.booleans(), st.sets(st.sampled_from(file_store.KEY_FILES)), st.data())
def test_folder_rules_are_a_fixed_point_and_let_out_what_travels(existing, covered, keys, data) -> None:
    travelling = data.draw(st.sets(st.sampled_from(sorted(keys)))) if keys else set()
    text = git_ignore.folder_text(existing, covered, keys, travelling)
    assert git_ignore.folder_text(text, covered, keys, travelling) == text
    assert {line[2:] for line in text.splitlines() if line.startswith(("!/client", "!/first-boot"))} == travelling
    for name in file_store.KEY_FILES:
        left = git_ignore.without(text, name, covered).splitlines()
        assert {line[2:] for line in left if line.startswith(("!/client", "!/first-boot"))} == travelling - {name}


@pytest.mark.skipif(not shutil.which("ansible-vault"), reason="ansible-vault is not on the path")
def test_a_key_that_ansible_vaulted_travels(repository) -> None:
    folder = repository.root / "a"
    folder.mkdir()
    (folder / "client.key").write_text(PLAIN)
    (repository.folder / "password").write_text("pw")
    # fmt: off
    subprocess.run(["ansible-vault", "encrypt", "--vault-password-file", str(repository.folder / "password"),
                    str(folder / "client.key")], check=True, capture_output=True)
    # fmt: on
    repository.write("a/client.key", (folder / "client.key").read_text())
    assert "a/client.key" in repository.taken()
