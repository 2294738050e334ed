# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What git may see of the registry: plain private keys never, vaulted ones always; as texts of .gitignore files."""

from __future__ import annotations

import re
from collections.abc import Iterable

FILE = ".gitignore"

_ROOT_TOP = "# Written by tenantry.lxd: private keys stay out of git."
# Anchored, since a bare *.key* would also swallow the folder of a host called lxd.keys.example.com, and git can't take
# back a file below an ignored folder.
_ROOT = ("/*.key*", "!/*.key*/", "/*/*.key*")
_FOLDER_TOP = "# Written by tenantry.lxd: plain private keys stay out of git, vaulted ones travel with it."
_FOLDER = "/*.key*"
_VAULTED = re.compile(r"\$ANSIBLE_VAULT;[0-9.]+;AES256(;[^\r\n]*)?\r?\n[0-9a-f\r\n]+\s*")


def is_vaulted_throughout(text: str) -> bool:
    """Whether a text is a vault and nothing else: a plain key behind a vault's first line is a plain key."""
    return _VAULTED.fullmatch(text) is not None


def root_text(existing: str) -> str:
    """The registry's own .gitignore: our rules first, so that rules written by hand win over them."""
    lines = existing.splitlines()
    if covers(existing):
        return existing
    kept = [line for line in lines if line not in _ROOT and line != _ROOT_TOP]
    return _join_lines([_ROOT_TOP, *_ROOT, *kept])


def covers(root: str) -> bool:
    """Whether a registry's .gitignore keeps the keys of its hosts' folders out."""
    return set(_ROOT) <= set(root.splitlines())


def folder_text(existing: str, covered: bool, keys: Iterable[str], travelling: Iterable[str]) -> str:
    """A folder's own .gitignore; empty means that none is needed.

    git asks the deepest file first, so this one overrides the registry's; each host having its own, hosts that are
    written at the same moment can't lose each other's lines. `covered`: the folder above already keeps keys out.
    """
    ours = [_FOLDER] if not covered and any(keys) else []
    ours += [f"!/{name}" for name in sorted(travelling)]
    kept = [line for line in existing.splitlines() if not _is_ours(line)]
    return _join_lines([_FOLDER_TOP, *ours, *kept] if ours else kept)


def without(existing: str, name: str, covered: bool) -> str:
    """A folder's .gitignore that lets the key `name` out no more."""
    others = [line[2:] for line in existing.splitlines() if line.startswith("!/") and _is_ours(line)]
    return folder_text(existing, covered, [name], [other for other in others if other != name])


def _is_ours(line: str) -> bool:
    return (
        line in (_FOLDER_TOP, _FOLDER) or re.fullmatch(r"!/?(client\.key(\.next)?|first-boot\.key)", line) is not None
    )


def _join_lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
