# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pinning: the least used cores, the same ones again, and a mark that tells drift without reading the machine."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.capacity.figures import NumaNodeFigures
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement import pinning
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.cores import PINNED, PinningSpec
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.spec import merge_defaults, parse_vm_spec

from tests.unit.plugins.module_utils._core.placement.placement_world import instance

NODES = (NumaNodeFigures(0, (0, 1, 2, 3), {}, ()), NumaNodeFigures(1, (4, 5, 6, 7), {}, ()))

SAID: list[Any] = [
    ({"count": 2}, PinningSpec(2), {}),
    ({"count": 2, "numa_node": 1}, PinningSpec(2, 1), {}),
    ({"count": "2", "numa_node": "0"}, PinningSpec(2, 0), {}),
    ({"count": 1, "numa_node": None}, PinningSpec(1), {}),
    ([2, 3], None, {"limits.cpu": "2,3"}),
    # What a template hands on, now that Ansible makes no numbers of it.
    (["3", "2"], None, {"limits.cpu": "2,3"}),
    ("2,3", None, {"limits.cpu": "2,3"}),
    ("2", None, {"limits.cpu": "2-2"}),
    (2, None, {"limits.cpu": "2-2"}),
]


@pytest.mark.parametrize(("said", "expected", "config"), SAID)
def test_pinned_cores_as_a_list_or_as_a_map(said: Any, expected: PinningSpec | None, config: dict[str, str]) -> None:
    wanted = parse_vm_spec({"name": "vm", "pinned_cores": said})
    assert wanted.pinning == expected and dict(wanted.config) == config


WRONG: list[Any] = [
    {"count": 0},
    {"count": True},
    {"count": "many"},
    {"numa_node": 0},
    {},
    {"count": 1, "numa_node": -1},
    {"count": 1, "numa_node": True},
    {"count": 1, "cores": 2},
    "two",
    ["x"],
    [1.5],
    3.5,
    True,
]


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_pinning_is_refused_with_the_vms_name(said: Any) -> None:
    with pytest.raises(errors.Invalid) as refused:
        parse_vm_spec({"name": "vm", "pinned_cores": said})
    assert refused.value.message.startswith("VM vm: pinned_cores: ") and refused.value.hint


def test_a_map_is_merged_over_the_defaults_by_key() -> None:
    spec = merge_defaults({"pinned_cores": {"count": 2, "numa_node": 1}}, {"name": "vm", "pinned_cores": {"count": 4}})
    assert parse_vm_spec(spec).pinning == PinningSpec(4, 1)
    anywhere = merge_defaults(
        {"pinned_cores": {"count": 2, "numa_node": 1}}, {"name": "vm", "pinned_cores": {"numa_node": None}}
    )
    assert parse_vm_spec(anywhere).pinning == PinningSpec(2)
    assert parse_vm_spec(merge_defaults({"pinned_cores": {"count": 2}}, {"name": "vm", "cores": 3})).pinning is None


CHOICES: list[Any] = [
    pytest.param(PinningSpec(2, 1), {}, (), (4, 5), id="the lowest of the node that is asked"),
    pytest.param(PinningSpec(2), {0: 1, 1: 1, 2: 1}, (), (4, 5), id="the node that is used least"),
    pytest.param(PinningSpec(2), {0: 1, 4: 1}, (), (1, 2), id="the first of nodes that are alike"),
    pytest.param(PinningSpec(2, 0), {0: 2, 1: 1, 2: 1, 3: 3}, (), (1, 2), id="fewest VMs"),
    pytest.param(PinningSpec(2, 0), {}, (3,), (0, 3), id="what it has already stays"),
    pytest.param(PinningSpec(2), {}, (5, 6), (5, 6), id="the node that it is on already"),
    pytest.param(PinningSpec(2, 0), {3: 1}, (3,), (0, 1), id="unless another VM came there"),
    pytest.param(PinningSpec(6), {0: 1, 1: 1}, (), (2, 3, 4, 5, 6, 7), id="more than a node has"),
    pytest.param(PinningSpec(5, 0), {}, (), None, id="more than the asked node has"),
    pytest.param(PinningSpec(9), {}, (), None, id="more than the machine has"),
    pytest.param(PinningSpec(1, 7), {}, (), None, id="a node that isn't there"),
]


@pytest.mark.parametrize(("said", "pins", "own", "cores"), CHOICES)
def test_the_least_used_cores(said: PinningSpec, pins: dict[int, int], own: tuple[int, ...], cores: Any) -> None:
    assert pinning.choose_cores(said, NODES, pins, own) == cores
    assert pinning.choose_cores(said, NODES[::-1], pins, own) == cores


def found(cores: str, mark: str | None = None) -> Instance:
    return Instance.from_api(instance("vm", cores=cores, config={PINNED: mark} if mark else {}))


SETTLED: list[Any] = [
    pytest.param({"count": 2, "numa_node": 1}, found("4,5", "2@1:4,5"), True, id="chosen for just this"),
    pytest.param({"count": 2, "numa_node": 1}, found("4,6", "2@1:4,5"), False, id="somebody changed the cores"),
    pytest.param({"count": 2, "numa_node": 0}, found("4,5", "2@1:4,5"), False, id="another node is said now"),
    pytest.param({"count": 3, "numa_node": 1}, found("4,5", "2@1:4,5"), False, id="more are said now"),
    pytest.param({"count": 2}, found("4-5"), True, id="as many as are said, by hand"),
    pytest.param({"count": 2, "numa_node": 1}, found("4-5"), False, id="by hand, on a node that is to be looked up"),
    pytest.param({"count": 2}, found("2"), False, id="any two"),
    pytest.param(None, found("2"), True, id="nothing said"),
]


@pytest.mark.parametrize(("said", "instance_", "settled"), SETTLED)
def test_drift_shows_without_reading_the_machine(said: Any, instance_: Instance, settled: bool) -> None:
    assert pinning.has_pinned_cores(parse_vm_spec({"name": "vm", "pinned_cores": said}), instance_) is settled


def test_the_choice_and_its_mark_come_into_the_config_of_the_vm() -> None:
    wanted = parse_vm_spec({"name": "vm", "pinned_cores": {"count": 2, "numa_node": 1}})
    new = pinning.apply_pinning(wanted, (4, 5))
    assert dict(new.config) == {"limits.cpu": "4,5", PINNED: "2@1:4,5"}
    one = pinning.apply_pinning(parse_vm_spec({"name": "vm", "pinned_cores": {"count": 1}}), (4,))
    assert dict(one.config) == {"limits.cpu": "4-4", PINNED: "1@*:4-4"}
    made = found("4,5", "2@1:4,5")
    assert pinning.has_pinned_cores(wanted, made) and pinning.apply_pinning(wanted, (), made) is wanted
    assert dict(pinning.apply_pinning(wanted, (4, 5), found("0,1", "2@0:0,1")).config)[PINNED] == "2@1:4,5"


def test_a_vm_that_has_the_cores_already_is_left_as_it_is() -> None:
    wanted = parse_vm_spec({"name": "vm", "pinned_cores": {"count": 2, "numa_node": 1}})
    assert pinning.apply_pinning(wanted, (4, 5), found("4-5")) is wanted


def test_where_nobody_could_choose_the_number_is_all_there_is() -> None:
    wanted = parse_vm_spec({"name": "vm", "pinned_cores": {"count": 2}})
    assert pinning.apply_pinning(wanted, ()).config == {"limits.cpu": "2", PINNED: None}


def test_cores_that_are_said_take_the_mark_of_a_choice_away() -> None:
    listed = parse_vm_spec({"name": "vm", "pinned_cores": [4, 5]})
    assert pinning.apply_pinning(listed, (), found("4,5", "2@1:4,5")).config == {"limits.cpu": "4,5", PINNED: None}
    assert pinning.apply_pinning(listed, (), found("4,5")) is listed
    silent = parse_vm_spec({"name": "vm"})
    assert pinning.apply_pinning(silent, (), found("4,5", "2@1:4,5")) is silent
