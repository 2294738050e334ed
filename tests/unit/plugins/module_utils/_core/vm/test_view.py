# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a VM shows: everything people ask for, nothing that a guest is told in confidence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import KNOWN_AFTER_APPLY, build_diff, to_plain
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import plan as vm_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import view
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils._core.vm.vm_world import NIC, ROOT, World, body, volume, wanted

DATA = {"type": "disk", "pool": "default", "source": "vm-data", "boot.priority": "2"}


def viewed(found: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    host = World([found or body()], [volume()]).host()
    instance = host.instances["vm"]
    if state:
        instance = Instance.from_api({**(found or body()), "expanded_config": instance.expanded_config, "state": state})
    return dict(to_plain(view.build_vm_view(instance, "kvm", "p", host.volumes)))


def test_everything_people_ask_for() -> None:
    config = {
        "user.tenantry.pool": "prod",
        "user.tenantry.zone": "north",
        "user.tenantry.tags": "a,b",
        "user.tenantry.annotation.team": "red",
        "user.tenantry.protected": "true",
        "volatile.eth0.hwaddr": "00:16:3e:00:00:01",
        "image.os": "Debian",
        "boot.autostart": "true",
    }
    assert viewed(body(config=config, devices={"data": DATA, "root": {**ROOT, "size": "9GiB"}, "eth0": NIC})) == {
        "name": "vm",
        "vmhost": "kvm",
        "project": "p",
        "location": "none",
        "status": "Stopped",
        "type": "virtual-machine",
        "description": "",
        "architecture": "",
        "owner": "us",
        "cores": 1,
        "pinned_cores": None,
        "memory": "1GiB",
        "disks": [
            {"name": "root", "root": True, "size": "9GiB", "storage_pool": "default", "volume": None}
            | {"boot_priority": None},
            {"name": "data", "root": False, "size": "5MiB", "storage_pool": "default", "volume": "vm-data"}
            | {"boot_priority": "2"},
        ],
        "interfaces": [
            {"name": "eth0", "network": "br0", "parent": None, "type": None, "mac": "00:16:3e:00:00:01"}
            | {"vlan": None, "ipv4": None, "ipv6": None, "boot": None}
        ],
        "addresses": [],
        "profiles": [],
        "pool": "prod",
        "zone": "north",
        "tags": ["a", "b"],
        "annotations": {"team": "red"},
        "protected": True,
        "commissioned": None,
        "config": {"boot.autostart": "true", "limits.cpu": "1", "limits.memory": "1GiB"},
    }


def test_a_mac_that_lxd_will_choose() -> None:
    (nic,) = viewed()["interfaces"]
    assert nic["mac"] == KNOWN_AFTER_APPLY


def test_addresses_that_others_reach() -> None:
    network = {
        "lo": {"addresses": [{"address": "127.0.0.1", "scope": "global"}]},
        "eth0": {
            "addresses": [{"address": "fe80::1", "scope": "link"}, {"address": "10.0.0.9", "scope": "global"}],
        },
        "eth1": {"addresses": None},
    }
    assert viewed(body(), network=network)["addresses"] == ["10.0.0.9"]
    for state in (None, {}, {"network": None}):
        assert view.list_addresses(state) == []


def test_a_profiles_part_shows_too() -> None:
    assert viewed(body(profiles=["big"], config={"limits.cpu": "2"}))["cores"] == 2
    found = body(profiles=["big"], devices={})
    del found["config"]["limits.cpu"]
    assert viewed(found)["cores"] == 4 and viewed(found)["disks"][0]["name"] == "disk0"


GUEST_KEYS = [
    f"{start}.{text}"
    for start in ("cloud-init", "user")
    for text in ("user-data", "network-config", "vendor-data", "meta-data")
]


@pytest.mark.parametrize("key", GUEST_KEYS)
def test_of_what_a_guest_is_told_only_the_length_shows(key: str) -> None:
    one, other = (viewed(body(config={key: text})) for text in ("sesame 1", "sesame 2"))
    assert one["config"][key] == other["config"][key] == "8 characters"
    assert view.show_new_texts(other, [key])["config"][key] == "8 characters, changed"
    assert view.show_new_texts(other, ["limits.cpu"]) == other


@given(st.text("abcXYZ019", min_size=12, max_size=30), st.sampled_from(["user_data", "network_config", "vendor_data"]))
def test_no_secret_is_in_any_view(secret: str, option: str) -> None:
    """Neither of a VM that is made, nor of one that changes, nor of one that goes."""
    told = {"cloud_init": {option: f"#cloud-config\npassword: {secret}\n"}}
    key = "cloud-init." + option.replace("_", "-")
    holder = body(config={key: f"old {secret}"})
    policy = vm_plan.RestartPolicy()
    plans = [
        vm_plan.plan_vm(wanted(**told), World().host(), policy),
        vm_plan.plan_vm(wanted(**told), World([holder]).host(), policy),
        vm_plan.plan_vm(wanted(state="absent"), World([holder]).host(), policy),
        vm_plan.plan_vm(wanted(**told), World([{**holder, "status": "Running"}]).host(), policy),
    ]
    for plan in plans:
        assert plan.changes
        everything = [to_plain(change.before) for change in plan.changes], build_diff(plan.changes), repr(plan)
        assert secret not in json.dumps(everything)


def row(found: dict[str, Any], network: dict[str, Any] | None = None, owner: str | None = "us") -> dict[str, Any]:
    instance = Instance.from_api({**found, "expanded_devices": found["devices"], "state": {"network": network or {}}})
    return view.build_vm_row(instance, "kvm", "p", owner)


def leased(mac: str, *addresses: str) -> dict[str, Any]:
    return {"hwaddr": mac, "addresses": [{"address": each, "scope": "global"} for each in addresses]}


def test_each_interface_has_the_addresses_of_its_mac() -> None:
    devices = {"eth0": NIC, "eth1": {**NIC, "hwaddr": "00:16:3E:00:00:02"}}
    found = body(config={"volatile.eth0.hwaddr": "00:16:3e:00:00:01"}, devices=devices)
    network = {
        "lo": leased("", "127.0.0.1"),
        "enp5s0": leased("00:16:3e:00:00:01", "10.0.0.1"),
        "enp6s0": leased("00:16:3e:00:00:02", "10.0.0.2", "fd42::2"),
        "docker0": leased("02:42:00:00:00:01", "172.17.0.1"),
    }
    shown_row = row(found, network)
    assert [each["addresses"] for each in shown_row["interfaces"]] == [["10.0.0.1"], ["10.0.0.2", "fd42::2"]]
    assert shown_row["addresses"] == ["10.0.0.1", "10.0.0.2", "fd42::2", "172.17.0.1"]


def test_an_interface_without_a_known_mac_has_what_no_other_has() -> None:
    found = body(devices={"eth0": {"type": "nic", "nictype": "physical", "parent": "ens1"}})
    [interface] = row(found, {"ens1": leased("aa:bb:cc:00:00:01", "10.0.0.9")})["interfaces"]
    assert interface["mac"] is None and interface["addresses"] == ["10.0.0.9"]


def test_composed_enlisted_and_nobody_can_tell() -> None:
    assert row(body())["enlisted"] is False
    assert row(body(), owner="others")["enlisted"] is True
    lost = {**body(), "status": "Error", "config": None, "expanded_config": None, "devices": {}}
    assert row(lost)["enlisted"] is None
    assert row(lost)["cores"] is None, "a VM of which LXD tells no config has one core at most by chance"
    assert row(body(), owner=None)["enlisted"] is None, "nobody said who we are"
    assert row(body(config={"user.tenantry.owner": None}), owner=None)["enlisted"] is None
