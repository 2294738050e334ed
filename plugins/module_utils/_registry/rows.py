# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM host's folder holds, as the row that modules and the inventory plugin get: entry, certificates, key."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from .._core import errors
from . import entries, file_store, vmhost_yaml

ReadText = Callable[[str], str]


def location(said: str | None, environment: Mapping[str, str], inventory_dir: str | None, working_dir: str) -> str:
    """The registry's absolute path: the option, the environment, else `vmhosts` beside the inventory directory.

    In an AWX job it is in the project. Never below a collection, which an upgrade replaces.
    """
    chosen = said or environment.get("LXD_VMHOST_REGISTRY")
    if not chosen:
        chosen = os.path.join(_repository(environment, inventory_dir, working_dir), "vmhosts")
    path = os.path.abspath(os.path.join(working_dir, os.path.expanduser(chosen)))
    if "ansible_collections" in path.split(os.sep):
        raise errors.Invalid(
            f"registry: {path} is inside an installed collection", "set registry or LXD_VMHOST_REGISTRY"
        )
    return path


def _repository(environment: Mapping[str, str], inventory_dir: str | None, working_dir: str) -> str:
    """The folder that has both inventory and registry."""
    if not inventory_dir:
        return working_dir
    inventory, project = os.path.realpath(inventory_dir), os.path.realpath(working_dir)
    if environment.get("AWX_PRIVATE_DATA_DIR") and os.path.commonpath([inventory, project]) != project:
        # AWX writes the inventory that it knows beside the project, and runs the job in the project.
        return working_dir
    # One that is itself the root of a git repository: beside it would be outside of what git keeps.
    inside = os.path.exists(os.path.join(inventory_dir, ".git"))
    return inventory_dir if inside else os.path.dirname(os.path.abspath(inventory_dir))


def row(store: file_store.FileStore, name: str, read_text: ReadText, environment: Mapping[str, str]) -> dict[str, Any]:
    """One VM host's row; what can't be read is its `error`, so that one broken folder doesn't hide the others."""
    found: dict[str, Any] = {"name": name}
    try:
        entries.validate_name(name)
        folder = store.folder(name)
        found["folder"] = folder
        found.update(_files(folder, read_text))
        found.update(_key(name, folder, read_text, environment))
        entry_path = os.path.join(folder, file_store.ENTRY_FILE)
        if os.path.exists(entry_path):
            entry = entries.parse(name, vmhost_yaml.load(read_text(entry_path), entry_path))
            found["entry"] = entries.to_data(entry)
    except errors.TenantryError as error:
        found["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    return found


def opened_keys(folder: str, read_text: ReadText) -> dict[str, str]:
    """The private keys in a folder as `read_text` decrypts them, under the names that a row has for them."""
    names = {"private_key": file_store.KEY_FILE, "next_private_key": file_store.NEXT_KEY_FILE}
    paths = {field: os.path.join(folder, name) for field, name in names.items()}
    return {field: read_text(path) for field, path in paths.items() if os.path.exists(path)}


def first_boot_secret(store: file_store.FileStore, found: Mapping[str, Any], read_text: ReadText) -> dict[str, Any]:
    """What a row has beside while a machine is awaited: the secret that it will be known by, for those who ask."""
    if not found.get("folder"):
        return {}
    path = store.path(found["name"], file_store.FIRST_BOOT_FILE)
    try:
        return {"secret": read_text(path)} if os.path.exists(path) else {}
    except errors.TenantryError as error:
        return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _files(folder: str, read_text: ReadText) -> dict[str, str]:
    names = {
        "certificate": file_store.CERTIFICATE_FILE,
        "next_certificate": file_store.NEXT_CERTIFICATE_FILE,
        "old_certificate": file_store.OLD_CERTIFICATE_FILE,
        "server_cert": file_store.SERVER_CERTIFICATE_FILE,
        "next_private_key": file_store.NEXT_KEY_FILE,
    }
    paths = {field: os.path.join(folder, name) for field, name in names.items()}
    return {field: read_text(path) for field, path in paths.items() if os.path.exists(path)}


def _key(name: str, folder: str, read_text: ReadText, environment: Mapping[str, str]) -> dict[str, str]:
    path = os.path.join(folder, file_store.KEY_FILE)
    if os.path.exists(path):
        found = {"private_key": read_text(path), "key_source": "file"}
        if os.stat(path).st_mode & 0o077 and _is_plain(path):
            found["wide_key"] = path
        return found
    given = _from_environment(name, read_text, environment)
    return {"private_key": given, "key_source": "environment"} if given else {}


def _is_plain(path: str) -> bool:
    with open(path, encoding="ascii", errors="replace") as file:
        return not file.read(15).startswith("$ANSIBLE_VAULT")


def _from_environment(name: str, read_text: ReadText, environment: Mapping[str, str]) -> str:
    """AWX's credential: a folder of keys, a JSON map of them, or the one key there is."""
    folder = environment.get("LXD_CLIENT_KEY_DIR")
    if folder and os.path.exists(os.path.join(folder, f"{name}.key")):
        return read_text(os.path.join(folder, f"{name}.key"))
    if environment.get("LXD_CLIENT_KEYS"):
        try:
            keys = json.loads(content(environment["LXD_CLIENT_KEYS"], read_text))
        except ValueError:
            keys = None
        if not isinstance(keys, dict):
            raise errors.Invalid(
                "LXD_CLIENT_KEYS: not a JSON map of host names to PEM texts, nor the path of one",
                'write {"kvm-01": "…"}',
            )
        if keys.get(name):
            return str(keys[name])
    return content(environment.get("LXD_CLIENT_KEY") or "", read_text)


def content(said: str, read_text: ReadText) -> str:
    """A PEM text as it is, a path as what it holds; a path to nothing stays, for the module to say what it lacks."""
    if not said or "-----BEGIN" in said:
        return said
    path = os.path.abspath(os.path.expanduser(said))
    return read_text(path) if os.path.isfile(path) else said
