# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a task may delete because it isn't listed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import prune as vm_prune
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.prune import PruneOptions

from tests.unit.plugins.module_utils._core.vm.vm_world import World, body

SAID = {"prune": True, "prune_tag": "web", "prune_max": 2, "vms": [{"name": "a"}], "vmhosts": ["kvm"]}


def tagged(name: str, tags: str = "web", **more: Any) -> dict[str, Any]:
    config = {"user.tenantry.tags": tags, **more.pop("config", {})}
    return body(name, config=config, **more)


def test_the_options_are_understood() -> None:
    assert vm_prune.parse_prune_options(SAID) == PruneOptions("web", 2)
    assert vm_prune.parse_prune_options({**SAID, "prune": False, "vms": []}) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"vms": []}, "vms is empty"),
        ({"vmhosts": None}, "vmhosts is not set"),
        ({"prune_tag": None}, "prune_tag is not set"),
        ({"prune_tag": ""}, "prune_tag is not set"),
        ({"prune_max": 0}, "prune_max: 0 is too few"),
    ],
)
def test_what_would_delete_more_than_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.Invalid, match=message):
        vm_prune.parse_prune_options({**SAID, **wrong})


def test_only_ours_with_the_tag_that_are_not_listed_go() -> None:
    world = World(
        [
            tagged("listed"),
            tagged("old", "db,web"),
            tagged("other", "website,db"),
            body("plain"),
            tagged("theirs", owner="them"),
            tagged("nobodys", owner=None),
            {**tagged("container"), "type": "container"},
            tagged("kept", config={"user.tenantry.protected": "true"}),
        ]
    )
    found = vm_prune.find_prunable_vms(PruneOptions("web", 5), [world.host()], {"kvm": {"listed"}})
    assert found.names == {"kvm": ("old",)}
    assert found.warnings == ("VM kept on kvm isn't listed and stays: it is protected",)


def test_listed_for_one_host_is_not_listed_for_another() -> None:
    hosts = [World([tagged("web-1")]).host(name=name) for name in ("a", "b")]
    assert vm_prune.find_prunable_vms(PruneOptions("web", 5), hosts, {"a": {"web-1"}}).names == {
        "a": (),
        "b": ("web-1",),
    }


def test_more_than_the_limit_is_refused_by_name() -> None:
    world = World([tagged(name) for name in ("x", "y", "z")])
    with pytest.raises(errors.Invalid, match="3 VMs aren't listed, and prune_max is 2: x on kvm, y on kvm, z on kvm"):
        vm_prune.find_prunable_vms(PruneOptions("web", 2), [world.host()], {})
    assert vm_prune.find_prunable_vms(PruneOptions("web", 3), [world.host()], {}).names == {"kvm": ("x", "y", "z")}
