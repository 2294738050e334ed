# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The registry on disk: reading it, and what stands there while and after it is written."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import durable, entries, file_store, vmhost_yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._registry.file_store import FileStore

ENTRY = "url: https://kvm\nproject: p\nowner: o\n"
SECRET = "-----BEGIN PRIVATE KEY-----\nsecret-marker\n"


@pytest.fixture
def root(tmp_path) -> Path:
    """Where a registry may come to be."""
    return tmp_path / "vmhosts"


def put(root: Path, *names: str) -> None:
    """Entries, as a person would write them."""
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "vmhost.yml").write_text(ENTRY)


def mode(path: Path | str) -> int:
    """Permission bits."""
    return stat.S_IMODE(os.stat(path).st_mode)


def inside(folder: Path) -> list[str]:
    """All that is in a folder, hidden things too."""
    return sorted(os.listdir(folder))


# --- reading


def test_names_are_the_folders_with_an_entry(root) -> None:
    put(root, "kvm-02", "kvm-01", "kvm-10", ".hidden")
    (root / "notes").mkdir()
    (root / "README.md").write_text("x")
    (root / "odd" / "vmhost.yml").mkdir(parents=True)
    (root / "link").symlink_to(root / "kvm-01")
    assert FileStore(str(root)).names() == ["kvm-01", "kvm-02", "kvm-10", "link"]


def test_no_registry_has_no_names(root) -> None:
    assert FileStore(str(root)).names() == []


def test_a_registry_that_is_a_file_is_said(root) -> None:
    root.write_text("x")
    with pytest.raises(errors.OperationFailed, match=r"vmhosts: it can't be listed: Not a directory"):
        FileStore(str(root)).names()


def test_an_entry_is_read(root) -> None:
    put(root, "kvm-01")
    store = FileStore(str(root))
    assert store.read("kvm-01") == entries.Entry("kvm-01", ("https://kvm:8443",), "p", "o")
    assert store.text("kvm-01", file_store.ENTRY_FILE) == ENTRY
    assert store.text("kvm-01", file_store.CERTIFICATE_FILE) is None


def test_a_host_that_is_not_there_is_said_with_those_that_are(root) -> None:
    put(root, "kvm-01", "db")
    with pytest.raises(errors.NotFound) as caught:
        FileStore(str(root)).read("kvm-1")
    assert str(root) in caught.value.message
    assert caught.value.hint == "did you mean kvm-01? it holds db, kvm-01"


def test_a_long_registry_is_not_listed_whole(root) -> None:
    put(root, *(f"h{number:03}" for number in range(30)))
    with pytest.raises(errors.NotFound) as caught:
        FileStore(str(root)).read("zzz")
    assert caught.value.hint.endswith("h019 and 10 more")


def test_an_empty_registry_says_what_to_do(root) -> None:
    with pytest.raises(errors.NotFound, match=r"register the host with tenantry\.lxd\.lxd_vmhost"):
        FileStore(str(root)).read("kvm-01")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"url: [\n", "line 2"),
        (b"url: https://a\n", "project: it is missing"),
        (b"", "not a map"),
        (b"owner: \xff\n", "vmhost.yml: it is not UTF-8 text"),
    ],
)
def test_a_broken_entry_is_said(root, content: bytes, said: str) -> None:
    put(root, "kvm-01")
    (root / "kvm-01" / "vmhost.yml").write_bytes(content)
    with pytest.raises(errors.Invalid, match=said):
        FileStore(str(root)).read("kvm-01")


@pytest.mark.parametrize("name", ["../etc", "/etc", "..", "", "a/b"])
def test_no_name_leaves_the_registry(root, name: str) -> None:
    for deed in (FileStore(str(root)).folder, FileStore(str(root)).read, lambda name: FileStore("r").path(name, "f")):
        with pytest.raises(errors.Invalid):
            deed(name)


def test_paths(root) -> None:
    store = FileStore(str(root))
    assert store.folder("kvm-01") == f"{root}/kvm-01"
    assert store.path("kvm-01", file_store.KEY_FILE) == f"{root}/kvm-01/client.key"
    assert not root.exists()


# --- writing


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_are_exact_whatever_the_umask(root, umask: int) -> None:
    (root / "kvm-01").mkdir(parents=True)
    before = os.umask(umask)
    try:
        durable.replace(f"{root}/kvm-01/server.crt", "x", 0o644)
        durable.replace(f"{root}/kvm-01/secret", "x", 0o600)
    finally:
        os.umask(before)
    assert mode(root / "kvm-01" / "server.crt") == 0o644
    assert mode(root / "kvm-01" / "secret") == 0o600


@pytest.mark.parametrize("name", file_store.KEY_FILES)
def test_a_key_is_private_even_if_asked_otherwise(root, name: str) -> None:
    file_store.write_file(f"{root}/kvm-01/{name}", SECRET, 0o644)
    assert mode(root / "kvm-01" / name) == 0o600


def test_a_key_takes_the_place_of_one_that_all_could_read(root) -> None:
    (root / "kvm-01").mkdir(parents=True)
    (root / "kvm-01" / "client.key").write_text("old")
    (root / "kvm-01" / "client.key").chmod(0o666)
    file_store.write_file(f"{root}/kvm-01/client.key", SECRET)
    assert (root / "kvm-01" / "client.key").read_text() == SECRET
    assert mode(root / "kvm-01" / "client.key") == 0o600


def test_at_no_moment_is_a_key_wider_or_half_there(root, monkeypatch) -> None:
    """Look at the folder at every system call that could show the key to others."""
    before = os.umask(0)
    try:
        (root / "kvm-01").mkdir(parents=True)
        seen = []

        def watched(deed):
            def call(*arguments, **options):
                made = deed(*arguments, **options)
                for name in inside(root / "kvm-01"):
                    path = root / "kvm-01" / name
                    if "client.key" in name:
                        seen.append((deed.__name__, mode(path)))
                    if name == "client.key":
                        assert path.read_text() == SECRET
                return made

            return call

        for name in ("open", "fchmod", "fsync", "replace"):
            monkeypatch.setattr(durable.os, name, watched(getattr(os, name)))
        file_store.write_file(f"{root}/kvm-01/client.key", SECRET)
    finally:
        os.umask(before)
    assert {"open", "fchmod", "fsync", "replace"} <= {deed for deed, _mode in seen}
    assert {mode for _deed, mode in seen} == {0o600}


def test_it_is_on_the_disk_before_it_is_in_place_and_the_place_is_too(root, monkeypatch) -> None:
    done = []
    monkeypatch.setattr(durable.os, "fsync", lambda handle: done.append(stat.S_ISDIR(os.fstat(handle).st_mode)))
    real = os.replace
    monkeypatch.setattr(durable.os, "replace", lambda *paths: (done.append("rename"), real(*paths)))
    (root / "kvm-01").mkdir(parents=True)
    file_store.write_file(f"{root}/kvm-01/server.crt", "x")
    assert done == [False, "rename", True]


def test_new_folders_can_be_read_by_others_and_are_durable(root, monkeypatch) -> None:
    synced = []
    real = durable._sync_folder
    monkeypatch.setattr(durable, "_sync_folder", lambda path: (synced.append(path), real(path)))
    before = os.umask(0)
    try:
        file_store.write_file(f"{root}/kvm-01/server.crt", "x")
    finally:
        os.umask(before)
    assert (mode(root), mode(root / "kvm-01")) == (0o755, 0o755)
    assert synced == [str(root.parent), str(root), f"{root}/kvm-01"]


def test_a_relative_path_is_as_good(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    file_store.write_file("vmhosts/kvm-01/client.key", SECRET)
    file_store.write_file("plain", "x")
    file_store.remove_file("plain")
    assert inside(tmp_path) == ["vmhosts"]
    assert (tmp_path / "vmhosts" / "kvm-01" / "client.key").read_text() == SECRET


def test_lines_are_kept_as_they_are(root) -> None:
    file_store.write_file(f"{root}/kvm-01/server.crt", "a\r\nb\nä\n")
    assert (root / "kvm-01" / "server.crt").read_bytes() == "a\r\nb\nä\n".encode()
    assert FileStore(str(root)).text("kvm-01", "server.crt") == "a\r\nb\nä\n"


@pytest.mark.parametrize("failing", ["replace", "fsync", "fchmod"])
def test_a_failure_leaves_the_old_file_and_nothing_else(root, monkeypatch, failing: str) -> None:
    path = root / "kvm-01" / "server.crt"
    file_store.write_file(str(path), "old")

    def refuse(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, failing, refuse)
    with pytest.raises(errors.OperationFailed) as caught:
        file_store.write_file(str(path), "secret-marker")
    assert caught.value.message == f"{path}: it can't be written: No space left on device"
    assert "secret-marker" not in str(caught.value)
    assert inside(path.parent) == ["server.crt"]
    assert path.read_text() == "old"


def test_a_planted_link_is_not_followed(root, tmp_path, monkeypatch) -> None:
    (root / "kvm-01").mkdir(parents=True)
    (tmp_path / "target").write_text("theirs")
    monkeypatch.setattr(durable.secrets, "token_hex", lambda _size: "guessed")
    (root / "kvm-01" / ".client.key.tmp-guessed").symlink_to(tmp_path / "target")
    with pytest.raises(errors.OperationFailed):
        durable.replace(f"{root}/kvm-01/client.key", SECRET, 0o600)
    assert (tmp_path / "target").read_text() == "theirs"
    file_store.write_file(f"{root}/kvm-01/client.key", SECRET)
    assert (tmp_path / "target").read_text() == "theirs" and not list((root / "kvm-01").glob(".*.tmp-*"))


# --- moving and removing


def test_a_file_takes_anothers_place(root) -> None:
    folder = root / "kvm-01"
    file_store.write_file(f"{folder}/client.key", "old")
    file_store.write_file(f"{folder}/client.key.next", SECRET)
    file_store.move_file(f"{folder}/client.key.next", f"{folder}/client.key")
    assert (folder / "client.key").read_text() == SECRET
    assert mode(folder / "client.key") == 0o600
    assert not (folder / "client.key.next").exists()


@pytest.mark.parametrize("name", ["client.crt", "client.key"])
def test_what_is_not_there_can_not_be_moved(root, name: str) -> None:
    (root / "kvm-01").mkdir(parents=True)
    (root / "kvm-01" / name).write_text("kept")
    with pytest.raises(errors.OperationFailed, match="No such file"):
        file_store.move_file(f"{root}/kvm-01/{name}.next", f"{root}/kvm-01/{name}")
    assert (root / "kvm-01" / name).read_text() == "kept"


def test_removing_is_quiet_if_it_is_gone(root) -> None:
    file_store.remove_file(f"{root}/kvm-01/client.key")
    file_store.remove_file(f"{root}/kvm-01/client.crt")
    assert not root.exists()
    file_store.write_file(f"{root}/kvm-01/client.crt", "x")
    for _time in range(2):
        file_store.remove_file(f"{root}/kvm-01/client.crt")
        assert inside(root / "kvm-01") == []


def test_removing_takes_what_a_crash_left_of_the_same_file_along(root) -> None:
    folder = root / "kvm-01"
    file_store.write_file(f"{folder}/client.key", SECRET)
    for name in (".client.key.tmp-0011", ".client.key.next.tmp-0011", ".client.crt.tmp-0011"):
        (folder / name).write_text("left")
    file_store.remove_file(f"{folder}/client.key")
    assert inside(folder) == [".client.crt.tmp-0011", ".client.key.next.tmp-0011"]


def test_writing_and_moving_take_what_a_crash_left_of_the_same_file_along(root) -> None:
    folder = root / "kvm-01"
    folder.mkdir(parents=True)
    for name in (".client.key.tmp-0011", ".client.key.next.tmp-0011", ".client.crt.tmp-0011"):
        (folder / name).write_text("left")
    file_store.write_file(f"{folder}/client.crt", "x")
    assert not (folder / ".client.crt.tmp-0011").exists() and (folder / ".client.key.tmp-0011").exists()
    (folder / "client.key.next").write_text(SECRET)
    file_store.move_file(f"{folder}/client.key.next", f"{folder}/client.key")
    assert not (folder / ".client.key.next.tmp-0011").exists()
    file_store.write_file(f"{folder}/client.key", SECRET)
    assert not list(folder.glob(".*.tmp-*"))


def test_a_folder_goes_only_when_nothing_of_anyones_is_in_it(root) -> None:
    folder = root / "kvm-01"
    file_store.remove_folder_if_empty(str(folder))
    file_store.write_file(f"{folder}/client.key", SECRET)
    file_store.remove_folder_if_empty(str(folder))
    assert (folder / "client.key").exists()
    file_store.remove_file(f"{folder}/client.key")
    file_store.remove_folder_if_empty(str(folder))
    assert not folder.exists()
    assert root.exists()


def test_a_folder_with_rules_of_the_user_stays(root) -> None:
    folder = root / "kvm-01"
    folder.mkdir(parents=True)
    (folder / ".gitignore").write_text("notes\n")
    file_store.write_file(f"{folder}/client.key", SECRET)
    file_store.remove_file(f"{folder}/client.key")
    file_store.remove_folder_if_empty(str(folder))
    assert (folder / ".gitignore").read_text() == "notes\n"


# --- tightening


@pytest.mark.parametrize(
    ("found", "changed"),
    [(0o600, False), (0o400, False), (0o644, True), (0o640, True), (0o604, True), (0o700, True), (0o4600, True)],
)
def test_tighten(tmp_path, found: int, changed: bool) -> None:
    key = tmp_path / "client.key"
    key.write_text(SECRET)
    key.chmod(found)
    assert file_store.tighten(str(key)) is changed
    assert mode(key) == (0o600 if changed else found)
    assert file_store.tighten(str(key)) is False
    assert key.read_text() == SECRET


def test_tighten_nothing(tmp_path) -> None:
    assert file_store.tighten(str(tmp_path / "client.key")) is False


# --- many at once


def register(root: str, name: str, times: int) -> None:
    """What one fork of a run does to one host's folder."""
    store = FileStore(root)
    entry = entries.Entry(name, (f"https://{name}:8443",), "p", "o")
    for _time in range(times):
        store.ensure_gitignore()
        file_store.write_file(store.path(name, file_store.KEY_FILE), SECRET, 0o600)
        file_store.write_file(store.path(name, file_store.ENTRY_FILE), vmhost_yaml.render(entry))
        assert store.read(name) == entry


def test_forks_register_hosts_side_by_side(root) -> None:
    names = [f"kvm-{number:02}" for number in range(6)]
    run_side_by_side([(str(root), name, 5) for name in names])
    store = FileStore(str(root))
    assert store.names() == names
    assert [store.read(name).urls for name in names] == [(f"https://{name}:8443",) for name in names]
    assert inside(root) == [".gitignore", *names]
    assert {tuple(inside(root / name)) for name in names} == {("client.key", "vmhost.yml")}


def test_forks_write_the_same_host_side_by_side(root) -> None:
    run_side_by_side([(str(root), "kvm-01", 10)] * 4)
    assert inside(root / "kvm-01") == ["client.key", "vmhost.yml"]


def test_two_on_one_hosts_key_take_turns(root) -> None:
    path = root / "kvm-01" / "client.key"
    other = multiprocessing.get_context("fork").Process(target=file_store.write_file, args=(str(path), SECRET))
    try:
        with durable.lock_folder(str(path.parent)):
            other.start()
            other.join(0.3)
            assert other.exitcode is None
            assert inside(path.parent) == []
        other.join(20)
        assert other.exitcode == 0
        assert path.read_text() == SECRET
    finally:
        other.kill()


def test_nobody_waits_for_ever(root, monkeypatch) -> None:
    monkeypatch.setattr(durable, "PATIENCE", 0.1)
    path = str(root / "kvm-01" / "client.key")
    with durable.lock_folder(str(root / "kvm-01")), pytest.raises(errors.TimedOut, match="another run"):
        file_store.write_file(path, SECRET)
    file_store.write_file(path, SECRET)
    assert (root / "kvm-01" / "client.key").read_text() == SECRET


def test_a_file_system_without_locks_is_written_all_the_same(root, monkeypatch) -> None:
    def refuse(*_arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(durable.fcntl, "flock", refuse)
    file_store.write_file(str(root / "kvm-01" / "client.key"), SECRET)
    assert (root / "kvm-01" / "client.key").read_text() == SECRET


def run_side_by_side(jobs: list[tuple[str, str, int]]) -> None:
    """Each job in a process of its own; all must end well."""
    workers = [multiprocessing.get_context("fork").Process(target=register, args=job) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        worker.kill()
    assert [worker.exitcode for worker in workers] == [0] * len(workers)
