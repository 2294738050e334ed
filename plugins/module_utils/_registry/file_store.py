# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The registry on disk: one folder a VM host, made to live in git."""

from __future__ import annotations

import difflib
import os

from .._core import errors
from .._core.vmhost import first_boot
from . import durable, entries, git_ignore, vmhost_yaml
from .durable import tighten

ENTRY_FILE = "vmhost.yml"
SERVER_CERTIFICATE_FILE = "server.crt"
CERTIFICATE_FILE = "client.crt"
KEY_FILE = "client.key"
NEXT_CERTIFICATE_FILE = "client.crt.next"
NEXT_KEY_FILE = "client.key.next"
OLD_CERTIFICATE_FILE = "client.crt.old"
FIRST_BOOT_FILE = first_boot.FILE
GITIGNORE_FILE = git_ignore.FILE
CERTIFICATE_FILES = (CERTIFICATE_FILE, NEXT_CERTIFICATE_FILE, OLD_CERTIFICATE_FILE)
# What only its owner reads, and git only when it is vaulted.
KEY_FILES = (KEY_FILE, NEXT_KEY_FILE, FIRST_BOOT_FILE)
KEY_MODE = durable.KEY_MODE
FILE_MODE = 0o644

__all__ = [
    "CERTIFICATE_FILE",
    "CERTIFICATE_FILES",
    "ENTRY_FILE",
    "FILE_MODE",
    "FIRST_BOOT_FILE",
    "GITIGNORE_FILE",
    "KEY_FILE",
    "KEY_FILES",
    "KEY_MODE",
    "NEXT_CERTIFICATE_FILE",
    "NEXT_KEY_FILE",
    "OLD_CERTIFICATE_FILE",
    "SERVER_CERTIFICATE_FILE",
    "FileStore",
    "folder_gitignore",
    "move_file",
    "remove_file",
    "remove_folder_if_empty",
    "tighten",
    "write_file",
]


class FileStore:
    """The registry directory; it may not be there yet."""

    def __init__(self, root: str) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Every VM host that has an entry, sorted."""
        with durable.name_errors(self.root, "listed"):
            try:
                found = os.listdir(self.root)
            except FileNotFoundError:
                return []
        return sorted(
            name
            for name in found
            if not name.startswith(".") and os.path.isfile(os.path.join(self.root, name, ENTRY_FILE))
        )

    def folder(self, name: str) -> str:
        """A VM host's folder, there or not."""
        entries.validate_name(name)
        return os.path.join(self.root, name)

    def path(self, name: str, file: str) -> str:
        """One of a VM host's files, there or not."""
        return os.path.join(self.folder(name), file)

    def text(self, name: str, file: str) -> str | None:
        """What one of a VM host's files holds; None where there is none."""
        return durable.read(self.path(name, file))

    def read(self, name: str) -> entries.Entry:
        """A VM host's entry."""
        path = self.path(name, ENTRY_FILE)
        text = durable.read(path)
        if text is None:
            raise errors.NotFound(f"vmhost {name}: not in the registry {self.root}", self._suggest_name(name))
        return entries.parse(name, vmhost_yaml.load(text, path))

    def gitignore(self) -> tuple[str, str, str]:
        """Path of the registry's own .gitignore, what it holds, and what it should hold."""
        path = os.path.join(self.root, GITIGNORE_FILE)
        existing = durable.read(path) or ""
        return path, existing, git_ignore.root_text(existing)

    def ensure_gitignore(self) -> bool:
        """Plain keys in any host's folder stay out of git, those put there by hand too; True if that was news."""
        with durable.lock_folder(self.root):
            path, existing, wanted = self.gitignore()
            if wanted == existing:
                return False
            durable.replace(path, wanted, FILE_MODE)
            return True

    def _suggest_name(self, name: str) -> str:
        known = self.names()
        if not known:
            return "the registry is empty; register the host with tenantry.lxd.lxd_vmhost, or check the registry option"
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        more = f" and {len(known) - 20} more" if len(known) > 20 else ""
        return f"{meant}it holds {', '.join(known[:20])}{more}"


def write_file(path: str, text: str, mode: int = FILE_MODE) -> None:
    """The file holds `text`; a private key gets mode 0600 whatever is asked, and git is told whether it may travel."""
    with durable.lock_folder(_folder(path)):
        durable.sweep(path)
        if os.path.basename(path) not in KEY_FILES:
            durable.replace(path, text, mode)
            return
        if not git_ignore.is_vaulted_throughout(text):
            _withhold(path)
        durable.replace(path, text, KEY_MODE)
        _settle(_folder(path))


def move_file(path: str, to: str) -> None:
    """The file takes the other's place in one step."""
    with durable.lock_folder(_folder(to)):
        durable.sweep(path)
        if os.path.basename(to) not in KEY_FILES:
            durable.move(path, to)
            return
        if not _travels(path):
            _withhold(to)
        durable.move(path, to)
        _settle(_folder(to))


def remove_file(path: str) -> None:
    """The file is gone; quiet if it was."""
    durable.remove(path)
    if os.path.basename(path) in KEY_FILES and os.path.isdir(_folder(path)):
        with durable.lock_folder(_folder(path)):
            _settle(_folder(path))


def remove_folder_if_empty(path: str) -> None:
    """The folder is gone, unless it holds anything that isn't our own .gitignore."""
    if os.path.isfile(os.path.join(path, GITIGNORE_FILE)):
        with durable.lock_folder(path):
            _settle(path)
    durable.remove_folder(path)


def folder_gitignore(folder: str, covered: bool = True) -> tuple[str, str, str]:
    """Path of a host's own .gitignore, what it holds, and what it should hold, empty for none: people vault keys too.

    `covered`: the registry's own keeps keys out already.
    """
    keys = [name for name in KEY_FILES if os.path.lexists(os.path.join(folder, name))]
    travelling = [name for name in keys if _travels(os.path.join(folder, name))]
    path = os.path.join(folder, GITIGNORE_FILE)
    existing = durable.read(path) or ""
    if existing == git_ignore.folder_text(existing, False, keys, travelling):
        # A rule too many does no harm: where the registry got its own later, nothing changes here.
        return path, existing, existing
    return path, existing, git_ignore.folder_text(existing, covered, keys, travelling)


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def _travels(path: str) -> bool:
    try:
        text = durable.read(path)
    except errors.TenantryError:
        # Not ours to read, or no text: whatever it is, it is no vault.
        return False
    return text is not None and git_ignore.is_vaulted_throughout(text)


def _is_covered(folder: str) -> bool:
    above = durable.read(os.path.join(os.path.dirname(folder), GITIGNORE_FILE))
    return git_ignore.covers(above or "")


def _withhold(path: str) -> None:
    """Before a plain key comes: git must not see it for a moment, nor if we are stopped there."""
    folder, name = os.path.split(os.path.abspath(path))
    existing = durable.read(os.path.join(folder, GITIGNORE_FILE)) or ""
    _ignore(folder, existing, git_ignore.without(existing, name, _is_covered(folder)))


def _settle(folder: str) -> None:
    """Git sees the keys that are vaulted and no others, as the folder stands now."""
    _path, existing, wanted = folder_gitignore(folder, _is_covered(folder))
    _ignore(folder, existing, wanted)


def _ignore(folder: str, existing: str, wanted: str) -> None:
    path = os.path.join(folder, GITIGNORE_FILE)
    if not wanted:
        durable.remove(path)
    elif wanted != existing:
        durable.replace(path, wanted, FILE_MODE)
