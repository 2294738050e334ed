# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one instance or volume may use by its limits, whether it runs or not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Optional

from .. import units
from ..cpu_limit import count_cores, parse_pinned_cores
from ..errors import Invalid
from ..model import Instance, Volume

# What LXD gives a VM that says nothing: one core, 1 GiB of memory, and a disk of 10 GiB.
_VM_MEMORY = "1GiB"
_VM_DISK = "10GiB"

DEFAULT_DISK = 10 << 30

_SET = re.compile(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")


@dataclasses.dataclass(frozen=True)
class Allocation:
    """The most that an instance may use: cores, bytes of memory, and bytes in each storage pool.

    `cores` and `memory` are None where it has no limit, or one that says no number. `hugepages`: the part of the memory
    that comes from the host's hugepages, in whole pages. `pinned`: the cores of the host that it runs on and no
    others; `nodes`: the NUMA nodes that it is mapped to. `disks`: its root disk, and the volumes that it uses where
    they were given.
    """

    cores: Optional[int]
    memory: Optional[int]
    hugepages: int
    pinned: tuple[int, ...]
    nodes: tuple[int, ...]
    disks: Mapping[str, int]

    @property
    def counted(self) -> bool:
        """Whether both its cores and its memory have a limit."""
        return self.cores is not None and self.memory is not None


def compute_allocation(
    instance: Instance,
    machine_memory: Optional[int] = None,
    page: int = 0,
    volumes: Optional[Mapping[tuple[str, str], Volume]] = None,
) -> Allocation:
    """What an instance is allocated; LXD takes a percentage of `machine_memory`; `page` is the size of a hugepage."""
    config = instance.expanded_config
    limit, memory = (
        config.get("limits.cpu"),
        compute_memory(config.get("limits.memory"), instance.is_vm, machine_memory),
    )
    huge = memory is not None and units.is_true(config.get("limits.memory.hugepages"))
    return Allocation(
        # A container without a limit may use every core.
        cores=count_cores(limit) if limit or instance.is_vm else None,
        memory=memory,
        hugepages=round_to_pages(memory or 0, page) if huge else 0,
        pinned=tuple(parse_pinned_cores(limit) or ()),
        nodes=tuple(parse_pinned_cores(_as_set(config.get("limits.cpu.nodes"))) or ()),
        disks=_disks(instance, volumes or {}),
    )


def get_volume_size(volume: Volume) -> int:
    """The bytes that a custom volume may grow to; a filesystem without a size is allocated nothing."""
    default = _VM_DISK if volume.content_type == "block" else None
    return parse_limit_size(volume.config.get("size") or default) or 0


def parse_limit_size(text: Optional[str]) -> Optional[int]:
    """Bytes, or a plain number; None for what is none."""
    try:
        return units.parse_size(text, "") if text else None
    except Invalid:
        return None


def round_to_pages(count: int, page: int) -> int:
    """Bytes of memory as whole hugepages."""
    return -(-count // page) * page if page else count


def compute_memory(limit: Optional[str], is_vm: bool, machine_memory: Optional[int]) -> Optional[int]:
    """The bytes that `limits.memory` allows on a machine with so much; None for none, or where nobody can tell."""
    limit = limit or (_VM_MEMORY if is_vm else "")
    if limit.endswith("%") and limit[:-1].isdigit():
        return None if machine_memory is None else machine_memory * int(limit[:-1]) // 100
    return parse_limit_size(limit)


def _as_set(nodes: Optional[str]) -> Optional[str]:
    """LXD reads "1" as a node and not as a count there; a set that is no set of numbers maps to nothing."""
    if not nodes or not _SET.fullmatch(nodes):
        return None
    return f"{nodes}-{nodes}" if nodes.isdigit() else nodes


def _disks(instance: Instance, volumes: Mapping[tuple[str, str], Volume]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for device in instance.expanded_devices.values():
        pool = device.get("pool")
        if device.get("type") != "disk" or not pool:
            continue
        if device.get("path") == "/":
            # A container's disk without a size may grow until the pool is full: only what is declared is allocated.
            count = parse_limit_size(device.get("size") or (_VM_DISK if instance.is_vm else None)) or 0
        else:
            volume = volumes.get((pool, device.get("source", "")))
            count = get_volume_size(volume) if volume else 0
        if count:
            found[pool] = found.get(pool, 0) + count
    return found
