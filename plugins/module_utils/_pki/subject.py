# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose certificate it is, by its subject; read with the standard library alone, since a VM host has nothing else."""

from __future__ import annotations

from .._core import errors
from . import pem

# What we write into a subject: O=Tenantry, CN=<name>@<owner>. The numbers are 2.5.4.10 and 2.5.4.3 as DER has them.
ORGANIZATION = "Tenantry"
_ORGANIZATION, _COMMON_NAME = b"\x55\x04\x0a", b"\x55\x04\x03"
_SEQUENCE, _SET, _OID, _VERSION = 0x30, 0x31, 0x06, 0xA0


def owner_of(certificate: str) -> str:
    """The tenant that a certificate of our making names; empty for any other, damaged ones too."""
    try:
        names = _subject(pem.der_of(certificate))
    except (errors.Invalid, ValueError):
        return ""
    if names.get(_ORGANIZATION) != ORGANIZATION:
        return ""
    return names.get(_COMMON_NAME, "").partition("@")[2]


def _subject(der: bytes) -> dict[bytes, str]:
    """The names of a subject by their number; before it stand version, serial, algorithm, issuer and dates."""
    parts = _parts(_parts(_parts(der)[0][1])[0][1])
    if parts[0][0] == _VERSION:
        parts = parts[1:]
    if len(parts) < 5 or parts[4][0] != _SEQUENCE:
        raise ValueError("no subject")
    found: dict[bytes, str] = {}
    for tag, relative in _parts(parts[4][1]):
        for inner, pair in _parts(relative) if tag == _SET else ():
            pieces = _parts(pair) if inner == _SEQUENCE else []
            if len(pieces) == 2 and pieces[0][0] == _OID:
                found[pieces[0][1]] = pieces[1][1].decode("utf-8", "replace")
    return found


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    """The elements of a DER content, each as tag and content; ValueError where one reaches beyond the end."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(content):
        head = content[at : at + 2]
        if len(head) < 2:
            raise ValueError("cut off")
        start, size = at + 2, head[1]
        if size >= 0x80:
            width = size & 0x7F
            size = int.from_bytes(content[start : start + width], "big")
            start += width
        if start + size > len(content):
            raise ValueError("cut off")
        found.append((head[0], content[start : start + size]))
        at = start + size
    if not found:
        raise ValueError("empty")
    return found
