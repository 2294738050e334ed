# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of Ansible's groups a VM host and a VM are in: each says what it is about first, so that no tag is a zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VMHOSTS, VMS, ENLISTED = "lxd_vmhosts", "lxd_vms", "enlisted"
# Nobody is called like one of them, whether there is anybody in it or not.
ALWAYS = frozenset({VMHOSTS, VMS, ENLISTED})


def of_vmhost(entry: Mapping[str, Any]) -> Iterator[str]:
    """The groups of a VM host, by its registry entry."""
    yield VMHOSTS
    yield from _labels(entry.get("zone"), entry.get("pool"), entry.get("tags"))


def of_vm(vm: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """The groups of a VM; zone and pool are its VM host's where it says none."""
    yield VMS
    yield of_vms_on(vm["vmhost"])
    yield f"project_{vm['project']}"
    yield from _labels(vm["zone"] or entry.get("zone"), vm["pool"] or entry.get("pool"), vm["tags"])
    yield f"status_{vm['status'].lower()}"
    if vm["enlisted"]:
        yield ENLISTED


def of_vms_on(vmhost: str) -> str:
    """The group of the VMs on one VM host."""
    return f"vmhost_{vmhost}"


def _labels(zone: Any, pool: Any, tags: Any) -> Iterator[str]:
    if zone:
        yield f"zone_{zone}"
    if pool:
        yield f"pool_{pool}"
    for tag in tags or ():
        yield f"tag_{tag}"
