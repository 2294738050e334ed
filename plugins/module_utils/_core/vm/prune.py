# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which managed VMs a task may delete because it doesn't list them: few, tagged, unprotected, on hosts it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Optional

from ..errors import Invalid
from ..model import MARK, Instance
from .host import VmHostReading


@dataclasses.dataclass(frozen=True)
class PruneOptions:
    """VMs with this tag that the task doesn't list go, at most so many of them."""

    tag: str
    most: int


def parse_prune_options(params: Mapping[str, Any]) -> Optional[PruneOptions]:
    """The options of the task, checked; None where nothing is pruned."""
    if not params.get("prune"):
        return None
    if not params.get("vms"):
        raise Invalid("prune: vms is empty, which would delete every VM", "list the VMs to keep, or set state: absent")
    if not params.get("vmhosts"):
        raise Invalid("prune: vmhosts is not set", "set the VM hosts on which VMs that aren't listed are deleted")
    if not params.get("prune_tag"):
        raise Invalid(
            "prune: prune_tag is not set", "set it; only VMs with that tag are deleted, so the listed VMs need it too"
        )
    if params["prune_max"] < 1:
        raise Invalid(f"prune_max: {params['prune_max']} is too few", "1 or more")
    return PruneOptions(params["prune_tag"], params["prune_max"])


@dataclasses.dataclass(frozen=True)
class Victims:
    """By VM host, the names of what would go; `warnings`: what has the tag, isn't listed, and stays all the same."""

    names: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def find_prunable_vms(
    prune: PruneOptions, hosts: Sequence[VmHostReading], listed: Mapping[str, Collection[str]]
) -> Victims:
    """What isn't listed for its host; raises Invalid, naming all of them, where it is more than the task allows."""
    going: dict[str, tuple[str, ...]] = {}
    warnings = []
    for host in hosts:
        tagged = [each for each in host.instances.values() if _has_tag(each, host, prune.tag)]
        unlisted = sorted(
            (each for each in tagged if each.name not in listed.get(host.name, ())), key=lambda each: each.name
        )
        going[host.name] = tuple(each.name for each in unlisted if not each.is_protected)
        warnings += [
            f"VM {each.name} on {host.name} isn't listed and stays: it is protected"
            for each in unlisted
            if each.is_protected
        ]
    count = sum(len(names) for names in going.values())
    if count > prune.most:
        names = ", ".join(f"{name} on {host}" for host, those in going.items() for name in those)
        raise Invalid(
            f"prune: {count} VMs aren't listed, and prune_max is {prune.most}: {names}",
            "list what should stay, or raise prune_max if all of these are to go",
        )
    return Victims(going, tuple(warnings))


def _has_tag(instance: Instance, host: VmHostReading, tag: str) -> bool:
    ours = instance.is_vm and instance.owner == host.owner and not instance.is_move_copy
    return ours and tag in instance.config.get(f"{MARK}tags", "").split(",")
