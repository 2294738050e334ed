# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM's cores as somebody says them: how many, which of the host's, or so many of its own on a NUMA node."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ..errors import Invalid
from ..model import MARK

# Which cores were chosen, and for what: "<count>@<node or *>:<limits.cpu>".
PINNED = f"{MARK}pinned"

_MAP_HINT = "write [2, 3], or {count: 2, numa_node: 0}, where numa_node may be left out"


@dataclasses.dataclass(frozen=True)
class PinningSpec:
    """So many cores of the host for this VM; `node` None: on the NUMA node that suits best."""

    count: int
    node: Optional[int] = None

    def mark(self, limit: str) -> str:
        """What the VM carries once the cores are chosen, so that drift shows without reading the machine."""
        return f"{self.count}@{'*' if self.node is None else self.node}:{limit}"


def build_cores_config(spec: Mapping[str, Any]) -> dict[str, Optional[str]]:
    """`limits.cpu` of `cores` or a list of `pinned_cores`; nothing where neither is declared, or cores are to be
    chosen.
    """
    cores, pinned = spec.get("cores"), spec.get("pinned_cores")
    if cores is not None and pinned is not None:
        raise Invalid("cores: it can't be combined with pinned_cores", "set one of them")
    if cores is not None:
        if not is_count(cores) or cores < 1:
            raise Invalid(f"cores: {cores} is not a number of cores", "1 or more")
        return {"limits.cpu": str(cores)}
    if pinned is None or isinstance(pinned, Mapping):
        return {}
    chosen = parse_core_set(_parse_list(pinned), "pinned_cores", "host cores")
    if not chosen:
        raise Invalid("pinned_cores: the list is empty", "list cores, such as [2, 3], or set cores to their number")
    return {"limits.cpu": format_cpu_set(chosen)}


def parse_pinning(spec: Mapping[str, Any]) -> Optional[PinningSpec]:
    """`pinned_cores` as a map; None where it is a list, or not set."""
    said = spec.get("pinned_cores")
    if not isinstance(said, Mapping):
        return None
    unknown = sorted(str(key) for key in set(said) - {"count", "numa_node"})
    if unknown:
        raise Invalid(f"pinned_cores: {unknown[0]} is not known there", _MAP_HINT)
    count, node = _number(said.get("count")), _number(said.get("numa_node"))
    if not is_count(count) or count < 1:
        raise Invalid(f"pinned_cores: count: {count!r:.40} is not a number of cores", _MAP_HINT)
    if node is not None and (not is_count(node) or node < 0):
        raise Invalid(f"pinned_cores: numa_node: {node!r:.40} is not the number of a node", _MAP_HINT)
    return PinningSpec(count, node)


def format_cpu_set(cores: Iterable[int]) -> str:
    """A set of cores as LXD takes it, which reads "2" as a count and "2-2" as the core."""
    ordered = sorted(cores)
    return f"{ordered[0]}-{ordered[0]}" if len(ordered) == 1 else ",".join(str(core) for core in ordered)


def is_count(value: object) -> bool:
    """Whether it is a whole number: Ansible lets a boolean pass for one."""
    return isinstance(value, int) and not isinstance(value, bool)


def parse_core_set(numbers: Sequence[int], option: str, what: str) -> list[int]:
    """The numbers in order; raises Invalid for what is none, and for one that is listed twice."""
    if not all(is_count(number) and number >= 0 for number in numbers) or len(set(numbers)) != len(numbers):
        raise Invalid(f"{option}: {list(numbers)} is not a set of {what}", "list each once, such as [2, 3]")
    return sorted(numbers)


def _parse_list(said: object) -> list[Any]:
    """The option is a list or a map, so Ansible hands on what it would have made numbers of."""
    if isinstance(said, str):
        said = [part for part in said.split(",") if part.strip()]
    elif is_count(said):
        said = [said]
    if not isinstance(said, (list, tuple)):
        raise Invalid(f"pinned_cores: {said!r:.80} is neither a list of cores nor a map", _MAP_HINT)
    return [_number(each) for each in said]


def _number(value: Any) -> Any:
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else value
