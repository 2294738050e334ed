# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the registry is, and what one VM host's row holds: its files, its key's source, and its own error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows

KEY = "-----BEGIN PRIVATE KEY-----\nfile\n-----END PRIVATE KEY-----\n"
OTHER = KEY.replace("file", "other")
ENTRY = "url: https://kvm-01\nproject: tenant-a\nowner: us\n"


def plain(path: str) -> str:
    """What the action plugin's reading does, without any vault."""
    return Path(path).read_text(encoding="utf-8")


# Where it is.


def test_the_option_wins_over_all(tmp_path: Path) -> None:
    environment = {"LXD_VMHOST_REGISTRY": "/environment"}
    assert rows.location("/option", environment, str(tmp_path), "/work") == "/option"
    assert rows.location("option", environment, str(tmp_path), "/work") == "/work/option"
    assert rows.location("../option", {}, None, "/work/here") == "/work/option"


def test_the_environment_comes_second(tmp_path: Path) -> None:
    assert rows.location(None, {"LXD_VMHOST_REGISTRY": "there"}, str(tmp_path), "/work") == "/work/there"
    assert rows.location("", {"LXD_VMHOST_REGISTRY": ""}, None, "/work") == "/work/vmhosts"


def test_home_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert rows.location("~/vmhosts", {}, None, "/work") == "/home/me/vmhosts"


def test_else_it_is_beside_the_inventory_directory(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    assert rows.location(None, {}, str(inventory), "/work") == str(tmp_path / "vmhosts")
    assert rows.location(None, {}, f"{inventory}/", "/work") == str(tmp_path / "vmhosts")


@pytest.mark.parametrize("kind", ["folder", "file of a worktree"])
def test_an_inventory_directory_that_is_the_root_of_a_repository_holds_it(tmp_path: Path, kind: str) -> None:
    git = tmp_path / ".git"
    _made = git.mkdir() if kind == "folder" else git.write_text("gitdir: elsewhere\n")
    assert rows.location(None, {}, str(tmp_path), "/work") == str(tmp_path / "vmhosts")


def test_in_an_awx_job_it_is_in_the_project(tmp_path: Path) -> None:
    # The job runs in the project; AWX's own inventory is a file beside it.
    job = {"AWX_PRIVATE_DATA_DIR": "/tmp/awx_12_abc"}
    project = tmp_path / "project"
    outside, inside = tmp_path / "inventory", project / "inventory"
    inside.mkdir(parents=True)
    assert rows.location(None, job, str(outside), str(project)) == str(project / "vmhosts")
    assert rows.location("reg", job, str(outside), str(project)) == str(project / "reg")
    # An update of AWX's inventory reads the project's own files.
    assert rows.location(None, job, str(inside), str(project)) == str(project / "vmhosts")
    assert rows.location(None, {}, str(outside), str(project)) == str(tmp_path / "vmhosts")


def test_without_an_inventory_it_is_in_the_working_directory() -> None:
    assert rows.location(None, {}, None, "/work") == "/work/vmhosts"


@pytest.mark.parametrize("said", ["/x/ansible_collections/a/b/vmhosts", None])
def test_never_below_a_collection(said: str | None) -> None:
    with pytest.raises(errors.Invalid, match="is inside an installed collection") as refused:
        rows.location(said, {}, "/x/ansible_collections/a/b/inventory", "/work")
    assert "LXD_VMHOST_REGISTRY" in refused.value.hint


def test_a_folder_that_only_sounds_like_one() -> None:
    assert rows.location("/x/my_ansible_collections/vmhosts", {}, None, "/work") == "/x/my_ansible_collections/vmhosts"


# A row.


@pytest.fixture
def store(tmp_path: Path) -> file_store.FileStore:
    """A registry with one whole VM host."""
    folder = tmp_path / "vmhosts" / "kvm-01"
    folder.mkdir(parents=True)
    for name, text in (("vmhost.yml", ENTRY), ("client.crt", "crt"), ("server.crt", "pin"), ("client.key", KEY)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return file_store.FileStore(str(tmp_path / "vmhosts"))


def row(store: file_store.FileStore, name: str = "kvm-01", **environment: str) -> dict[str, Any]:
    return rows.row(store, name, plain, environment)


def test_a_whole_row(store: file_store.FileStore) -> None:
    assert row(store) == {
        "name": "kvm-01",
        "folder": store.folder("kvm-01"),
        "entry": {"schema": 1, "name": "kvm-01", "url": "https://kvm-01:8443", "project": "tenant-a", "owner": "us"},
        "certificate": "crt",
        "server_cert": "pin",
        "private_key": KEY,
        "key_source": "file",
    }


def test_a_host_that_is_not_there_is_a_row_without_an_entry(store: file_store.FileStore) -> None:
    assert row(store, "kvm-02") == {"name": "kvm-02", "folder": store.folder("kvm-02")}
    assert row(file_store.FileStore("/nowhere"))["folder"] == "/nowhere/kvm-01"


def test_the_files_of_a_rotation_come_along(store: file_store.FileStore) -> None:
    for name in ("client.crt.next", "client.key.next"):
        Path(store.path("kvm-01", name)).write_text(name)
    found = row(store)
    assert (found["next_certificate"], found["next_private_key"]) == ("client.crt.next", "client.key.next")
    assert rows.opened_keys(store.folder("kvm-01"), plain) == {
        "private_key": KEY,
        "next_private_key": "client.key.next",
    }
    assert rows.opened_keys("/nowhere", plain) == {}


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ({"vmhost.yml": "url: [\n"}, "invalid", "vmhost.yml: line"),
        ({"vmhost.yml": "- a\n"}, "invalid", "not a map"),
        ({"vmhost.yml": ENTRY + "zoen: x\n"}, "invalid", "zoen"),
        ({"vmhost.yml": "url: https://x\nowner: us\n"}, "invalid", "project: it is missing"),
        ({"vmhost.yml": ENTRY + "schema: 2\n"}, "invalid", "newer"),
    ],
)
def test_what_is_broken_is_the_rows_error(
    store: file_store.FileStore, files: dict[str, str], code: str, message: str
) -> None:
    for name, text in files.items():
        Path(store.path("kvm-01", name)).write_text(text)
    error = row(store)["error"]
    assert error["code"] == code and message in error["message"] and error["hint"]
    assert "\n" not in error["message"] + error["hint"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-v", "a\nb", "x" * 64])
def test_a_name_that_leaves_the_registry_is_an_error(store: file_store.FileStore, name: str) -> None:
    found = row(store, name)
    assert found["error"]["code"] == "invalid" and "folder" not in found


def test_a_file_that_cannot_be_opened_is_the_rows_error(store: file_store.FileStore) -> None:
    def locked(path: str) -> str:
        raise errors.Invalid(f"{path}: it can't be read", "is the vault password given?")

    found = rows.row(store, "kvm-01", locked, {})
    assert found["error"]["code"] == "invalid" and "entry" not in found


# The key's source.


def given(key: str, folder: Path) -> dict[str, str]:
    (folder / "kvm-01.key").write_text(key)
    return {"LXD_CLIENT_KEY_DIR": str(folder)}


def test_the_folders_key_wins_over_the_environment(store: file_store.FileStore, tmp_path: Path) -> None:
    found = row(store, **given(OTHER, tmp_path), LXD_CLIENT_KEYS=json.dumps({"kvm-01": OTHER}), LXD_CLIENT_KEY=OTHER)
    assert (found["private_key"], found["key_source"]) == (KEY, "file")


@pytest.fixture
def keyless(store: file_store.FileStore) -> file_store.FileStore:
    """A clone, which has no plain key."""
    os.remove(store.path("kvm-01", "client.key"))
    return store


def test_no_key_at_all(keyless: file_store.FileStore) -> None:
    found = row(keyless)
    assert "private_key" not in found and "key_source" not in found and found["entry"]


def test_a_folder_of_keys(keyless: file_store.FileStore, tmp_path: Path) -> None:
    found = row(keyless, **given(OTHER, tmp_path), LXD_CLIENT_KEYS=json.dumps({"kvm-01": KEY}), LXD_CLIENT_KEY=KEY)
    assert (found["private_key"], found["key_source"]) == (OTHER, "environment")


def test_a_map_of_keys(keyless: file_store.FileStore, tmp_path: Path) -> None:
    keys = json.dumps({"kvm-01": OTHER, "kvm-02": KEY})
    for environment in ({}, {"LXD_CLIENT_KEY_DIR": str(tmp_path)}):
        found = row(keyless, **environment, LXD_CLIENT_KEYS=keys, LXD_CLIENT_KEY=KEY)
        assert (found["private_key"], found["key_source"]) == (OTHER, "environment")


def test_the_one_key_there_is(keyless: file_store.FileStore, tmp_path: Path) -> None:
    (tmp_path / "my.key").write_text(OTHER)
    for said in (OTHER, str(tmp_path / "my.key")):
        found = row(keyless, LXD_CLIENT_KEYS=json.dumps({"kvm-02": KEY}), LXD_CLIENT_KEY=said)
        assert (found["private_key"], found["key_source"]) == (OTHER, "environment")


@pytest.mark.parametrize("keys", ["not json", "[]", '"text"', "5"])
def test_a_map_of_keys_that_is_none(keyless: file_store.FileStore, keys: str) -> None:
    error = row(keyless, LXD_CLIENT_KEYS=keys)["error"]
    assert error["message"].startswith("LXD_CLIENT_KEYS: ") and "kvm-01" in error["hint"]


@pytest.mark.parametrize(
    ("mode", "wide"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True), (0o604, True)]
)
def test_a_key_that_others_may_read_is_told(store: file_store.FileStore, mode: int, wide: bool) -> None:
    path = store.path("kvm-01", "client.key")
    os.chmod(path, mode)
    assert row(store).get("wide_key") == (path if wide else None)


def test_a_vaulted_key_may_be_read_by_all(store: file_store.FileStore) -> None:
    path = Path(store.path("kvm-01", "client.key"))
    path.write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    path.chmod(0o644)
    found = rows.row(store, "kvm-01", lambda name: KEY if name == str(path) else plain(name), {})
    assert found["private_key"] == KEY and "wide_key" not in found


# A PEM option.


def test_a_text_a_path_and_a_path_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.key").write_text(KEY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for said in (KEY, "my.key", str(tmp_path / "my.key"), "~/my.key"):
        assert rows.content(said, plain) == KEY
    for said in ("", "nothing.key", str(tmp_path)):
        assert rows.content(said, plain) == said
