# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a VM host's folder as changes: certificates shown by their fingerprints, keys never, the entry last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from ..plan import Change, Later, MoveFile, RemoveFile, WriteFile
from ..tenant_cert.pair import CERTIFICATE, FILES, KEY, NEXT_CERTIFICATE, NEXT_KEY
from . import first_boot

ENTRY = "vmhost.yml"
SERVER_CERTIFICATE = "server.crt"
# What a removal with the files takes; the entry goes before them.
ALL_BUT_ENTRY = (*FILES, first_boot.FILE, SERVER_CERTIFICATE)


def git_ignore(path: str, existing: str, wanted: str) -> list[Change]:
    """A .gitignore that lets vaulted keys travel and no others, before any key is written; empty is none."""
    if existing == wanted:
        return []
    step = WriteFile(path, wanted) if wanted else RemoveFile(path)
    before, after = ({"lines": text.splitlines()} if text else None for text in (existing, wanted))
    return [Change("write" if wanted else "remove", "file", path, (step,), before, after)]


def server_certificate(
    host: str, folder: str, found: Optional[str], wanted: str, text: Union[str, Later]
) -> list[Change]:
    """The pinned certificate; `found` and `wanted` are fingerprints."""
    if found == wanted:
        return []
    step = WriteFile(f"{folder}/{SERVER_CERTIFICATE}", text)
    before = {"fingerprint": found} if found else None
    return [Change("write", "server certificate", host, (step,), before, {"fingerprint": wanted})]


def pair(host: str, folder: str, found: Optional[str], wanted: str, certificate: str, key: str) -> list[Change]:
    """The tenant certificate and its key, whole beside the present ones before they take their places.

    A key that differs for the same certificate can't be: whoever calls has checked that they belong together.
    """
    names = ((KEY, NEXT_KEY, key, 0o600), (CERTIFICATE, NEXT_CERTIFICATE, certificate, 0o644))
    writes = tuple(WriteFile(f"{folder}/{coming}", text, mode) for _name, coming, text, mode in names)
    moves = tuple(MoveFile(f"{folder}/{coming}", f"{folder}/{name}") for name, coming, _text, _mode in names)
    before = {"fingerprint": found} if found else None
    return [Change("write", "tenant certificate", host, (*writes, *moves), before, {"fingerprint": wanted})]


def entry(host: str, folder: str, before: Optional[Mapping[str, Any]], after: Mapping[str, Any], text: str) -> Change:
    """The entry; it makes the host known, so that nothing comes after it."""
    verb = "update" if before else "register"
    keys = sorted(key for key in {*(before or {}), *after} if (before or {}).get(key) != after.get(key))
    detail = ", ".join(keys) if before else ""
    step = WriteFile(f"{folder}/{ENTRY}", text)
    return Change(verb, "VM host", host, (step,), before, after, detail=detail)


def plan_removal(
    host: str, folder: str, before: Optional[Mapping[str, Any]], there: Iterable[str], group: str
) -> list[Change]:
    """The entry's removal, then that of the files; `there` are the names of those that exist."""
    changes = []
    names = sorted(there)
    if before is not None:
        step = RemoveFile(f"{folder}/{ENTRY}")
        changes.append(Change("unregister", "VM host", host, (step,), before, None, group=group))
    if names:
        steps = tuple(RemoveFile(f"{folder}/{name}") for name in names)
        changes.append(
            Change("remove", "files of VM host", host, steps, {"files": names}, None, ", ".join(names), group=group)
        )
    return changes
