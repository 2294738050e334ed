# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who was made before whom, by clocks that may differ; and which limits are exceeded."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.capacity.over_limits import (
    describe_exceeded_limits,
    find_latest,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance, Project

from tests.unit.plugins.module_utils._core.placement.placement_world import instance

NOON = "2026-11-21T12:00:00"


def made(name: str, stamp: str, member: str = "none") -> Instance:
    return Instance.from_api(instance(name, created_at=stamp, location=member))


ORDERS = [
    pytest.param([("a", f"{NOON}Z", "none"), ("b", "2026-11-21T12:00:01Z", "none")], False, id="seconds"),
    # As texts "…00.12Z" comes after "…00.123Z".
    pytest.param([("a", f"{NOON}.12Z", "none"), ("b", f"{NOON}.123Z", "none")], False, id="short fraction"),
    pytest.param([("a", f"{NOON}.000000001Z", "none"), ("b", f"{NOON}.000000002Z", "none")], False, id="nanoseconds"),
    pytest.param([("a", f"{NOON}Z", "none"), ("b", f"{NOON}Z", "none")], False, id="the same: by name"),
    pytest.param([("a", f"{NOON}+00:00", "none"), ("b", "2026-11-21T14:00:01+02:00", "none")], False, id="zones"),
    pytest.param([("a", f"{NOON}Z", "m1"), ("b", "2026-11-21T12:00:01Z", "m1")], False, id="one member, one clock"),
    pytest.param([("a", f"{NOON}Z", "m1"), ("b", "2026-11-21T12:00:03Z", "m2")], True, id="members: nobody can tell"),
    pytest.param([("a", f"{NOON}Z", "m1"), ("b", "2026-11-21T12:00:11Z", "m2")], False, id="members: long ago"),
]


@pytest.mark.parametrize(("stamps", "tie"), ORDERS)
def test_who_was_made_before_whom(stamps: list[tuple[str, str, str]], tie: bool) -> None:
    first, second = (made(*each) for each in stamps)
    before_first = [each.name for each in find_latest(first, [second, first])]
    before_second = sorted(each.name for each in find_latest(second, [second, first]))
    assert before_first == (["b", "a"] if tie else ["a"]), "what the first sees before it"
    assert before_second == ["a", "b"], "what the second sees before it"


EXCEEDED: list[tuple[dict[str, str], list[str]]] = [
    ({}, []),
    ({"limits.cpu": "6", "limits.memory": "2GiB", "limits.instances": "2"}, []),
    ({"limits.cpu": "5"}, ["limits.cpu is 5, and 6 are allocated to its instances"]),
    ({"limits.memory": "1536MiB"}, ["limits.memory is 1536MiB, and 2GiB are allocated to its instances"]),
    ({"limits.virtual-machines": "1"}, ["limits.virtual-machines is 1, and 2 are allocated to its instances"]),
    ({"limits.cpu": "much"}, []),
]


@pytest.mark.parametrize(("config", "expected"), EXCEEDED)
def test_an_exceeded_limit_is_told(config: dict[str, str], expected: list[str]) -> None:
    vms: list[dict[str, Any]] = [instance("a", cores="2"), instance("b", cores="4")]
    told = describe_exceeded_limits("kvm", Project("p", "", config, ()), [Instance.from_api(each) for each in vms])
    assert len(told) == len(expected)
    assert all(sentence.startswith("kvm: project p: ") and part in sentence for sentence, part in zip(told, expected))
