# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trust entries that look like ours and that no VM host of the registry uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Optional

from ..model import TrustEntry
from .commands import revoke_command


def find_orphans(
    entries: Iterable[TrustEntry],
    used: frozenset[str],
    owner: Optional[str],
    name: Optional[str],
    owner_of: Callable[[str], str],
) -> list[tuple[TrustEntry, str]]:
    """The entries that nobody uses, each with why it is thought ours, sorted by name.

    `used`: fingerprints that the registry knows. `name`: what our own entry is called. `owner_of`: whose mark a
    certificate carries, empty for none. Such a mark is a hint and no proof, so that nothing is ever removed for it.
    """
    found: list[tuple[TrustEntry, str]] = []
    for entry in entries:
        if entry.type != "client" or entry.fingerprint in used:
            continue
        if owner and owner_of(entry.pem) == owner:
            found.append((entry, f"it was made for owner {owner}, and no VM host of the registry uses it"))
        elif name and entry.name == name:
            found.append((entry, "it has the name of this tenant's entry; it may be anybody's"))
    return sorted(found, key=lambda pair: (pair[0].name, pair[0].fingerprint))


def build_orphan_view(entry: TrustEntry, because: str, flavour: str) -> dict[str, Any]:
    """An orphan as people see it, with what a person may run to end the trust in it."""
    return {
        "name": entry.name,
        "fingerprint": entry.fingerprint,
        "projects": sorted(entry.projects),
        "because": because,
        "command": revoke_command(entry.fingerprint, flavour),
    }
