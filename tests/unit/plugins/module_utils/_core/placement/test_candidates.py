# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which hosts a VM may be on, and where it is already: as tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement import candidates as vm_candidates
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.candidates import HostFilters, HostLabels
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import VmHostReading

from tests.unit.plugins.module_utils._core.vm.vm_world import World, body

REGISTRY = [
    HostLabels("c", "north", "prod", frozenset({"ssd", "gpu"})),
    HostLabels("a", "north", "prod", frozenset({"ssd"})),
    HostLabels("b", "south", "prod"),
    HostLabels("d", None, None, frozenset({"ssd"})),
]
SILENCE = {"b": errors.Unreachable("b: no answer", "is it up?")}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({}, "abcd"),
        ({"zone": "north"}, "ac"),
        ({"pool": "prod"}, "abc"),
        ({"tags": frozenset({"ssd"})}, "acd"),
        ({"tags": frozenset({"ssd", "gpu"})}, "c"),
        ({"vmhosts": ("b", "a")}, "ab"),
        ({"vmhosts": ("b", "a"), "zone": "south"}, "b"),
        ({"vmhosts": ("unknown",)}, ["unknown"]),
    ],
)
def test_the_registry_says_who_fits(said: dict[str, Any], names: Any) -> None:
    found = vm_candidates.find_candidates(REGISTRY, HostFilters(**said))
    assert found.names == tuple(names)
    assert set(found.against) == {"a", "b", "c", "d"} - set(names)
    assert found == vm_candidates.find_candidates(REGISTRY[::-1], HostFilters(**said)), (
        "the order of the registry matters"
    )


@pytest.mark.parametrize(
    ("said", "host", "reason"),
    [
        ({"zone": "north"}, "b", "zone is south, not north"),
        ({"zone": "north"}, "d", "zone is not set, not north"),
        ({"pool": "prod"}, "d", "pool is not set, not prod"),
        ({"tags": frozenset({"gpu", "ssd"})}, "b", "lacks the tag gpu, ssd"),
        ({"vmhosts": ("a",)}, "b", "not in vmhosts"),
    ],
)
def test_the_reason_against_a_host_is_said(said: dict[str, Any], host: str, reason: str) -> None:
    assert vm_candidates.find_candidates(REGISTRY, HostFilters(**said)).against[host] == reason


def test_where_no_host_fits_every_reason_is_said() -> None:
    with pytest.raises(errors.Invalid, match="a, c: zone is north, not west; b: zone is south"):
        vm_candidates.find_candidates(REGISTRY, HostFilters(zone="west"))
    with pytest.raises(errors.Invalid, match="the registry is empty"):
        vm_candidates.find_candidates([], HostFilters())


def fleet(**instances: list[dict[str, Any]]) -> dict[str, VmHostReading]:
    return {name: World(found).host(name=name) for name, found in instances.items()}


OURS, THEIRS = body("vm"), body("vm", owner="them")
LOST = {**body("vm", owner=None), "config": None, "devices": None, "status": "Error", "type": "container"}


def test_a_vm_is_where_it_is() -> None:
    hosts = fleet(a=[], b=[OURS], c=[THEIRS])
    assert vm_candidates.locate_vm("vm", "abc", hosts, {}, False).host == "b"


def test_a_vm_that_is_nowhere_may_be_made_where_its_name_is_free() -> None:
    there = vm_candidates.locate_vm("vm", "abc", fleet(a=[], b=[THEIRS], c=[body("other")]), {}, False)
    assert (there.host, there.free) == (None, ("a", "c"))
    assert there.taken == {"b": "an instance of that name exists and is not managed"}


def test_ours_on_two_hosts_is_a_conflict() -> None:
    with pytest.raises(errors.Conflict, match="VM vm: it is on a and on c"):
        vm_candidates.locate_vm("vm", "abc", fleet(a=[OURS], b=[], c=[OURS]), {}, False)


def test_a_host_that_can_not_be_read_may_have_it() -> None:
    with pytest.raises(errors.Unreachable, match="VM vm: it may be on b, which can't be read: b: no answer"):
        vm_candidates.locate_vm("vm", "abc", fleet(a=[], c=[]), SILENCE, False)
    assert vm_candidates.locate_vm("vm", "abc", fleet(a=[], c=[]), SILENCE, True).free == ("a", "c")
    assert vm_candidates.locate_vm("vm", "ac", fleet(a=[], c=[]), SILENCE, False).free == ("a", "c"), (
        "b is no candidate"
    )


def test_one_that_was_found_needs_no_other_host() -> None:
    assert vm_candidates.locate_vm("vm", "abc", fleet(a=[], c=[OURS]), SILENCE, False).host == "c"


def test_a_said_host_is_refused_where_another_candidate_has_it() -> None:
    hosts = fleet(a=[], b=[OURS], c=[THEIRS])
    with pytest.raises(errors.Conflict, match="VM vm: its vmhost is a, and it is on b"):
        vm_candidates.check_elsewhere("vm", "a", ["a", "b", "c"], hosts)
    vm_candidates.check_elsewhere("vm", "b", ["a", "b", "c"], hosts)
    vm_candidates.check_elsewhere("vm", "a", ["a", "c"], hosts)


def test_reasons_are_told_by_reason() -> None:
    assert vm_candidates.group_by_reason({"b": "x", "a": "x", "c": "y"}) == {"x": ["a", "b"], "y": ["c"]}
    many = [HostLabels(f"host-{number}") for number in range(9)]
    with pytest.raises(errors.Invalid, match="host-4 and 4 more: zone is not set, not west"):
        vm_candidates.find_candidates(many, HostFilters(zone="west"))
