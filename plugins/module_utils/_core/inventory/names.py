# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What VMs are called among Ansible's hosts: each by a name that is nobody else's, so that no play meets a stranger."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Optional

# Ansible takes these for its own: a VM of that name would stand in for the controller or for every host.
RESERVED = frozenset({"all", "ungrouped", "localhost", "127.0.0.1", "::1"})

_USABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")


def usable(name: object) -> bool:
    """Whether something can be a host's name: neither a pattern, nor an option of ssh, nor more than one word."""
    return isinstance(name, str) and _USABLE.fullmatch(name) is not None


def full_name(vm: str, project: str, vmhost: str) -> str:
    """The name that says where a VM is."""
    return f"{vm}.{project}.{vmhost}"


def choose_names(wanted: Sequence[str], full: Sequence[str], taken: Collection[str]) -> list[Optional[str]]:
    """For each VM its wanted name, or the full one where that is another's too; None where that is another's as well.

    All VMs that share a name get their full ones. Case makes no difference: it makes none to a resolver, which is who
    is asked for a host without an address.
    """
    others = {name.lower() for name in (*taken, *RESERVED)}
    often = Counter(name.lower() for name in wanted)
    first = [
        name if often[name.lower()] == 1 and name.lower() not in others else whole for name, whole in zip(wanted, full)
    ]
    again = Counter(name.lower() for name in first)
    return [name if again[name.lower()] == 1 and name.lower() not in others else None for name in first]
