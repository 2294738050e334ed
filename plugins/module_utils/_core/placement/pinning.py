# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cores of a machine a VM is pinned to: the least used ones, and the same ones again while they still fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Optional

from ..capacity.figures import NumaNodeFigures
from ..cpu_limit import parse_pinned_cores
from ..model import Instance
from ..vm.cores import PINNED, PinningSpec, format_cpu_set
from ..vm.spec import VmSpec


def choose_cores(
    said: PinningSpec, nodes: Sequence[NumaNodeFigures], pins: Mapping[int, int], own: Collection[int] = ()
) -> Optional[tuple[int, ...]]:
    """The cores for a VM, by fewest VMs pinned to a core, then by those it has (`own`), then by number.

    `pins`: how many other VMs are pinned to each core. Where no node is declared, the one whose cores are used least;
    where none has as many cores, they are of several. None: there are not so many, or the node doesn't exist.
    """

    def best(cores: Iterable[int]) -> tuple[int, ...]:
        order = sorted(cores, key=lambda core: (pins.get(core, 0), core not in own, core))
        return tuple(sorted(order[: said.count]))

    asked = [node for node in nodes if said.node in (None, node.number)]
    large = [(best(node.cores), node.number) for node in asked if len(node.cores) >= said.count]
    if large:
        return min(
            large, key=lambda each: (sum(pins.get(core, 0) for core in each[0]), -len(set(each[0]) & set(own)), each[1])
        )[0]
    together = [core for node in asked for core in node.cores]
    return best(together) if said.node is None and len(together) >= said.count else None


def satisfies_pinning(said: PinningSpec, has: Collection[int], nodes: Sequence[NumaNodeFigures]) -> bool:
    """Whether a VM that is pinned to these cores has what is declared already."""
    if len(has) != said.count:
        return False
    return said.node is None or any(node.number == said.node and set(has) <= set(node.cores) for node in nodes)


def has_pinned_cores(spec: VmSpec, instance: Instance) -> bool:
    """Whether a VM needs no choice of cores: none is asked for, or its mark says that it was made for just this."""
    said = spec.pinning
    if said is None:
        return True
    limit = instance.expanded_config.get("limits.cpu") or ""
    has = parse_pinned_cores(limit)
    if has is None:
        return False
    return instance.config.get(PINNED) == said.mark(limit) or satisfies_pinning(said, has, ())


def apply_pinning(spec: VmSpec, cores: Sequence[int], instance: Optional[Instance] = None) -> VmSpec:
    """The VM with its chosen cores and the mark of the choice; as it is where it has them.

    `cores` empty: nobody could choose (check mode, of a host that isn't there yet), so their number is all there is.
    """
    said = spec.pinning
    if said is None:
        return _without_mark(spec, instance)
    has = parse_pinned_cores(instance.expanded_config.get("limits.cpu")) if instance else None
    if instance is not None and (set(cores) == set(has or ()) or (not cores and has_pinned_cores(spec, instance))):
        return spec
    limit = format_cpu_set(cores) if cores else str(said.count)
    return dataclasses.replace(
        spec, config={**spec.config, "limits.cpu": limit, PINNED: said.mark(limit) if cores else None}
    )


def _without_mark(spec: VmSpec, instance: Optional[Instance]) -> VmSpec:
    """Cores that are declared themselves leave nothing of an earlier choice."""
    if instance is None or "limits.cpu" not in spec.config or PINNED not in instance.config:
        return spec
    return dataclasses.replace(spec, config={**spec.config, PINNED: None})
