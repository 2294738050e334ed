# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM is made of: what a new one gets, what an existing one differs in, and what the server hasn't or forbids."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Image, Network, Server, StoragePool
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import KNOWN_AFTER_APPLY
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import desired as vm_bodies
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import edits as vm_edits
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import (
    VmHostListings,
    VmHostReading,
    find_reading_needs,
)

from tests.unit.plugins.module_utils._core.vm.vm_world import LXD_5_0, NIC, ROOT, World, body, wanted

CONFINED = {"restricted": "true"}
OWNER = "user.tenantry.owner"


def new(host: VmHostReading | None = None, **said: Any) -> vm_edits.InstanceBody:
    return vm_bodies.new(wanted(**said), host or World().host())


def changed(found: dict[str, Any], host: VmHostReading | None = None, **said: Any) -> vm_edits.InstanceBody:
    world = World([found]).host()
    return vm_bodies.build_update(wanted(**said), world.instances[found["name"]], host or world)


# A new VM.


def test_the_least_vm() -> None:
    made = new().create_body()
    assert made == {
        "name": "vm",
        "type": "virtual-machine",
        "source": {"type": "none"},
        "config": {"limits.cpu": "1", "limits.memory": "1GiB", OWNER: "us"},
        "devices": {"root": ROOT, "eth0": {**NIC, "boot.priority": "10"}},
        "profiles": [],
        "description": "",
    }


def test_a_whole_vm() -> None:
    made = new(
        image="debian",
        cores=2,
        memory="2GiB",
        disks=[{"size": "20GiB"}, {"name": "data", "size": "1GiB", "storage_pool": "fast"}],
        interfaces=[{"network": "br1"}],
        secure_boot=False,
        cloud_init={"user_data": "u"},
        config={"boot.autostart": True, "user.gone": None},
        annotations={"a": "1"},
        tags=["t"],
        description="d",
        devices={"tpm": {"type": "tpm"}, "gone": {"state": "absent"}},
    ).create_body()
    assert made["source"] == {"type": "image", "fingerprint": "f" * 64}
    assert made["config"] == {
        "limits.cpu": "2",
        "limits.memory": "2GiB",
        "security.secureboot": "false",
        "cloud-init.user-data": "u",
        "boot.autostart": "true",
        "user.tenantry.annotation.a": "1",
        "user.tenantry.tags": "t",
        OWNER: "us",
    }
    assert made["devices"] == {
        "root": {**ROOT, "size": "20GiB"},
        "data": {"type": "disk", "pool": "fast", "source": "vm-data"},
        "eth0": {**NIC, "network": "br1"},
        "tpm": {"type": "tpm"},
    }
    assert made["description"] == "d"


def test_what_a_profile_gives_is_not_said_again() -> None:
    made = new(profiles=["big"], interfaces=[])
    assert made.create_body()["devices"] == {} and made.create_body()["config"] == {
        "limits.memory": "1GiB",
        OWNER: "us",
    }
    assert made.instance.expanded_config["limits.cpu"] == "4" and "disk0" in made.instance.expanded_devices


def test_what_is_said_of_the_root_disk_goes_over_a_profiles() -> None:
    made = new(profiles=["big"], disks=[{"size": "20GiB"}], interfaces=[])
    assert made.create_body()["devices"] == {"disk0": {**ROOT, "size": "20GiB"}}


def test_disks_without_any_still_make_a_root_disk() -> None:
    assert new(disks=[]).create_body()["devices"]["root"] == ROOT


@pytest.mark.parametrize("interfaces", [[], [{"name": "eth0", "state": "absent"}]])
def test_no_interface(interfaces: list[Any]) -> None:
    assert set(new(interfaces=interfaces).create_body()["devices"]) == {"root"}


BOOT: list[Any] = [
    pytest.param({"image": "debian"}, None, None, id="an image boots from disk, LXD's way"),
    pytest.param({}, None, "10", id="an empty VM boots from the network"),
    pytest.param({"boot": "disk"}, None, None, id="said: disk"),
    pytest.param({"image": "debian", "boot": "network"}, None, "10", id="said: network"),
    pytest.param({"boot": "network", "disks": [{"boot_priority": 20}]}, "20", "29", id="network before a high disk"),
    pytest.param(
        {"boot": "disk", "interfaces": [{"network": "br0", "boot": 5}]}, "14", "5", id="disk before a high interface"
    ),
    pytest.param({"boot": "network", "interfaces": [{"network": "br0", "boot": 5}]}, None, "5", id="holds already"),
]


@pytest.mark.parametrize(("said", "root", "nic"), BOOT)
def test_boot_order(said: dict[str, Any], root: str | None, nic: str | None) -> None:
    devices = new(**said).create_body()["devices"]
    assert (devices["root"].get("boot.priority"), devices["eth0"].get("boot.priority")) == (root, nic)


def test_the_first_interface_is_the_one_to_boot_from() -> None:
    devices = new(interfaces=[{"network": "br0", "name": "b"}, {"network": "br1", "name": "a"}]).create_body()[
        "devices"
    ]
    assert "boot.priority" in devices["a"] and "boot.priority" not in devices["b"]


def test_secure_boot_in_the_words_of_the_server() -> None:
    newer = World().host(server=Server.from_api({"api_extensions": [*LXD_5_0, "instance_boot_mode"]}))
    for said, old_word, new_word in ((True, "true", "uefi-secureboot"), (False, "false", "uefi-nosecureboot")):
        assert new(secure_boot=said).create_body()["config"]["security.secureboot"] == old_word
        assert new(newer, secure_boot=said).create_body()["config"]["boot.mode"] == new_word


@pytest.mark.parametrize(
    ("image", "source"),
    [
        (None, {"type": "none"}),
        ("debian", {"type": "image", "fingerprint": "f" * 64}),
        ("F" * 12, {"type": "image", "fingerprint": "f" * 64}),
        (
            {"server": "https://x", "alias": "a"},
            {"type": "image", "mode": "pull", "server": "https://x", "protocol": "simplestreams", "alias": "a"},
        ),
    ],
)
def test_sources(image: Any, source: dict[str, str]) -> None:
    assert new(image=image).create_body()["source"] == source


def listings(**changes: Any) -> VmHostListings:
    found = {
        "networks": (Network("br0", "bridge", True, {}), Network("e0", "physical", False, {})),
        "pools": (StoragePool("default", "dir", "Created"), StoragePool("fast", "dir", "Created")),
        "profiles": {"big": {}},
        "images": (
            Image("a" * 64, "container", ("ct",), False, "x86_64", {}),
            Image("ab" * 32, "virtual-machine", ("vm", "both"), False, "x86_64", {}),
            Image("ab" * 31 + "cd", "virtual-machine", ("both",), False, "x86_64", {}),
        ),
        **changes,
    }
    return VmHostListings(**found)


NOT_THERE: list[Any] = [
    ({"interfaces": [{"network": "br7"}]}, errors.NotFound, "interface eth0: network 'br7' is not there", "br0"),
    ({"interfaces": [{"network": "e0"}]}, errors.NotFound, "interface eth0: network 'e0' is not there", "br0"),
    ({"disks": [{"storage_pool": "slow"}]}, errors.NotFound, "disk root: storage pool 'slow'", "default, fast"),
    ({"disks": [{}, {"name": "d", "storage_pool": "slow"}]}, errors.NotFound, "disk d: storage pool 'slow'", "fast"),
    ({"profiles": ["big", "huge"]}, errors.NotFound, "profiles: 'huge' is not there", "big"),
    ({"image": "debian"}, errors.NotFound, "image: 'debian' is not there", "both, ct, vm"),
    ({"image": "both"}, errors.NotFound, "image: 'both' fits several", "server"),
    ({"image": "abababab"}, errors.NotFound, "image: 'abababab' fits several", "server"),
    # Too little of a fingerprint to be one.
    ({"image": "aaaaaaa"}, errors.NotFound, "image: 'aaaaaaa' is not there", "vm"),
    ({"image": "ct"}, errors.Invalid, "image: ct is for containers", "virtual-machine"),
    ({"numa_nodes": [0]}, errors.Unsupported, "numa_nodes: LXD 5.0.2", "numa_cpu_placement"),
    ({"target": "m2"}, errors.Invalid, "target: kvm is not a cluster", "leave target out"),
    ({"devices": {"root": {"type": "disk", "path": "/", "pool": "slow"}}}, errors.NotFound, "disk root:", "fast"),
    ({"devices": {"x": {"type": "nic", "network": "br7"}}}, errors.NotFound, "interface x: network 'br7'", "br0"),
    ({"devices": {"x": ROOT}}, errors.Invalid, "devices: the VM would have two root disks", "disks"),
]


@pytest.mark.parametrize(("said", "kind", "message", "hint"), NOT_THERE)
def test_what_the_server_has_not_is_said_before_a_write(
    said: dict[str, Any], kind: type[errors.TenantryError], message: str, hint: str
) -> None:
    with pytest.raises(kind) as refused:
        new(World().host(listings=listings()), **said)
    assert refused.value.message.startswith(message) and hint in refused.value.hint


def test_an_lxd_that_can_what_others_can_not() -> None:
    newer = Server.from_api(
        {"api_extensions": [*LXD_5_0, "numa_cpu_placement"], "environment": {"server_clustered": True}}
    )
    made = new(World().host(server=newer), numa_nodes=[0], target="m2")
    assert made.instance.location == "m2" and made.create_body()["config"]["limits.cpu.nodes"] == "0"


def test_a_pool_that_nobody_says() -> None:
    host = World().host(default_storage_pool=None)
    with pytest.raises(errors.Invalid, match="disk root: no storage_pool is set") as refused:
        new(host)
    assert "default, fast" in refused.value.hint
    only = World().host(default_storage_pool=None, listings=listings(pools=(StoragePool("one", "dir", "Created"),)))
    assert new(only).create_body()["devices"]["root"]["pool"] == "one"


def test_a_network_that_nobody_says() -> None:
    with pytest.raises(errors.Invalid, match="interfaces: not set") as refused:
        new(World().host(default_network=None))
    assert "default_network" in refused.value.hint
    assert new(World().host(default_network=None), interfaces=[]).create_body()


def test_check_mode_on_a_host_that_nobody_could_read() -> None:
    host = World().host(unread=True, listings=None, default_network=None, default_storage_pool=None)
    made = new(host, image="debian", numa_nodes=[0], target="m2").create_body()
    assert made["devices"]["root"]["pool"] == KNOWN_AFTER_APPLY
    assert made["devices"]["eth0"]["network"] == KNOWN_AFTER_APPLY
    assert made["source"] == {"type": "image", "alias": "debian"}


# What a confined project forbids.

PATH = {"type": "disk", "source": "/etc", "path": "/mnt"}
LOWLEVEL = "restricted.virtual-machines.lowlevel"
DISK, CARD = "restricted.devices.disk", "restricted.devices.nic"
MACVLAN = {"parent": "e0", "type": "macvlan"}
FORBIDDEN: list[Any] = [
    pytest.param({"config": {"raw.qemu": "-s"}}, {}, "config raw.qemu", LOWLEVEL, id="raw.qemu"),
    pytest.param({"hugepages": True}, {}, "hugepages", LOWLEVEL, id="hugepages"),
    # LXD looks whether the key is there, not what it says.
    pytest.param({"hugepages": False}, {}, "hugepages", LOWLEVEL, id="no hugepages"),
    pytest.param(
        {"config": {"boot.host_shutdown_timeout": 5}}, {}, "config boot.host_shutdown_timeout", LOWLEVEL, id="timeout"
    ),
    pytest.param({"interfaces": [MACVLAN]}, {}, "interface eth0", CARD, id="macvlan"),
    pytest.param({"interfaces": [{"parent": "br0", "type": "bridged"}]}, {}, "interface eth0", CARD, id="bridged"),
    pytest.param({"devices": {"x": {"type": "nic", "nictype": "p2p"}}}, {}, "interface x", CARD, id="p2p"),
    pytest.param({"interfaces": [{"network": "br0"}]}, {CARD: "block"}, "interface eth0", CARD, id="no interface"),
    pytest.param({"devices": {"etc": PATH}}, {}, "device etc", DISK, id="a path of the host"),
    pytest.param({"devices": {"x": {"type": "disk", "source": "agent:config"}}}, {}, "device x", DISK, id="agent"),
    pytest.param({"disks": [{}, {"name": "data"}]}, {DISK: "block"}, "disk data", DISK, id="no further disk"),
    *[
        pytest.param({"devices": {"x": {"type": kind}}}, {}, f"device x of type {kind}", f"restricted.devices.{kind}")
        for kind in ("gpu", "infiniband", "pci", "proxy", "usb")
    ],
]


@pytest.mark.parametrize(("said", "project", "option", "key"), FORBIDDEN)
def test_what_a_confined_project_forbids(said: dict[str, Any], project: dict[str, str], option: str, key: str) -> None:
    more: dict[str, Any] = {} if "interfaces" in said else {"interfaces": []}
    world = World(project={**CONFINED, **project})
    for attempt in (
        lambda: new(world.host(), **said, **more),
        lambda: changed(body(devices={"root": ROOT}), world.host(), **said, **more),
    ):
        with pytest.raises(errors.Unsupported) as refused:
            attempt()
        assert refused.value.message.startswith(f"{option}") and f"{key}: " in refused.value.hint
    allowed = "managed" if project else "allow"
    opened = World(project={**CONFINED, key: allowed})
    assert new(opened.host(), **said, **more) and new(World().host(), **said, **more)
    assert f"{key}: {allowed}" in refused.value.hint


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"disks": [{}, {"name": "data"}], "config": {"boot.autostart": True}},
        {"devices": {"seed": {"type": "disk", "source": "cloud-init:config"}, "tpm": {"type": "tpm"}}},
    ],
)
def test_what_a_confined_project_allows(said: dict[str, Any]) -> None:
    assert new(World(project=CONFINED).host(), **said)


def test_what_a_vm_has_had_all_along_is_not_forbidden_now() -> None:
    found = body(config={"raw.qemu": "-s"}, devices={"root": ROOT, "etc": PATH})
    assert changed(found, World(project=CONFINED).host(), tags=["a"]).keys == ("user.tenantry.tags",)


# An existing VM.

FOUND = body(
    config={"user.x": "y", "boot.autostart": "yes", "user.tenantry.annotation.a": "1", "user.tenantry.pool": "prod"},
    devices={
        "root": {**ROOT, "size": "10GiB"},
        "eth0": NIC,
        "data": {"type": "disk", "pool": "default", "source": "vm-data"},
    },
    description="d",
)
# What is said; the labels of what differs; a config key and its value afterwards, or a device and its.
DRIFT: list[Any] = [
    ({}, (), {}),
    ({"cores": 1, "memory": "1024MiB", "description": "d", "config": {"boot.autostart": True}}, (), {}),
    ({"cores": 2}, ("limits.cpu",), {"limits.cpu": "2"}),
    ({"config": {"user.x": None}}, ("user.x",), {"user.x": None}),
    ({"config": {"user.nope": None}}, (), {}),
    ({"config": {"user.x": ""}}, ("user.x",), {"user.x": ""}),
    ({"annotations": {"a": None, "b": "2"}}, ("user.tenantry.annotation.a", "user.tenantry.annotation.b"), {}),
    ({"pool": ""}, ("user.tenantry.pool",), {"user.tenantry.pool": None}),
    ({"description": ""}, ("description",), {}),
    ({"tags": []}, (), {}),
    ({"disks": []}, (), {}),
    ({"interfaces": []}, (), {}),
    ({"disks": [{"size": "10GiB"}, {"name": "data"}]}, (), {}),
    ({"disks": [{"size": "20GiB"}]}, ("device root",), {"root": {**ROOT, "size": "20GiB"}}),
    ({"disks": [{"boot_priority": 3}]}, ("device root",), {}),
    ({"disks": [{}, {"name": "data", "state": "absent"}]}, ("device data",), {"data": None}),
    ({"disks": [{}, {"name": "gone", "state": "absent"}]}, (), {}),
    ({"interfaces": [{"network": "br0", "vlan": 5}]}, ("device eth0",), {"eth0": {**NIC, "vlan": "5"}}),
    (
        {"interfaces": [{"parent": "e0", "type": "macvlan"}]},
        ("device eth0",),
        {"eth0": {"type": "nic", "name": "eth0", "parent": "e0", "nictype": "macvlan"}},
    ),
    ({"interfaces": [{"name": "eth0", "state": "absent"}]}, ("device eth0",), {"eth0": None}),
    ({"devices": {"eth0": {"state": "absent"}}}, ("device eth0",), {"eth0": None}),
    ({"devices": {"eth0": {"vlan": 7}}}, ("device eth0",), {"eth0": {**NIC, "vlan": "7"}}),
    ({"boot": "disk"}, (), {}),
    ({"boot": "network"}, ("device eth0",), {"eth0": {**NIC, "boot.priority": "10"}}),
    ({"boot": "network", "interfaces": [{"state": "absent"}]}, ("device eth0",), {"eth0": None}),
    ({"profiles": []}, (), {}),
    ({"profiles": ["default"]}, ("profiles",), {}),
    ({"image": "anything"}, (), {}),
]


@pytest.mark.parametrize(("said", "keys", "after"), DRIFT)
def test_drift(said: dict[str, Any], keys: tuple[str, ...], after: dict[str, Any]) -> None:
    made = changed(FOUND, **said)
    assert made.keys == keys
    put = made.put_body()
    for key, value in after.items():
        held = put["devices"] if isinstance(value, dict) or key in FOUND["devices"] else put["config"]
        assert held.get(key) == value
    said_keys = {key.rpartition(" ")[2] for key in keys}
    for field in ("config", "devices"):
        kept = {key: value for key, value in FOUND[field].items() if key not in said_keys}
        assert {key: value for key, value in put[field].items() if key not in said_keys} == kept


def test_a_swapped_volume_is_swapped_back_wherever_it_is() -> None:
    found = body(devices={"root": ROOT, "data": {"type": "disk", "pool": "fast", "source": "x", "boot.priority": "3"}})
    put = changed(found, disks=[{}, {"name": "data"}]).put_body()
    assert put["devices"]["data"] == {"type": "disk", "pool": "default", "source": "vm-data", "boot.priority": "3"}


WRONG: list[Any] = [
    ({"disks": [{"size": "5GiB"}]}, "disk root has 10GiB", "never shrunk"),
    ({"disks": [{"storage_pool": "fast"}]}, "disk root is in storage pool default, not fast", "moves"),
    ({"disks": [{}, {"name": "data", "storage_pool": "fast"}]}, "disk data is in storage pool default", "moves"),
    ({"disks": [{}, {"name": "eth0"}]}, "disk eth0: the VM has a nic of that name", "another name"),
    ({"disks": [{"name": "sys"}, {"name": "root"}]}, "disk root: the VM has a root disk", "another name"),
    ({"disks": [{"name": "sys"}, {"name": "root", "state": "absent"}]}, "disk root: the VM has a root disk", "name"),
    ({"interfaces": [{"name": "data", "network": "br0"}]}, "interface data: the VM has a disk", "another name"),
    ({"interfaces": [{"name": "root", "state": "absent"}]}, "interface root: the VM has a root disk", "name"),
    ({"devices": {"root": {"state": "absent"}}}, "devices: the VM would have no root disk", "disks"),
    ({"devices": {"root": {"path": None}}}, "devices: the VM would have no root disk", "disks"),
    ({"profiles": ["big"]}, "profiles: the VM would have two root disks", "disks"),
    ({"profiles": ["huge"]}, "profiles: 'huge' is not there", "big"),
]


@pytest.mark.parametrize(("said", "message", "hint"), WRONG)
def test_what_is_refused_of_an_existing_vm(said: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(errors.TenantryError) as refused:
        changed(FOUND, **said)
    assert refused.value.message.startswith(message) and hint in refused.value.hint


def test_a_profile_that_goes_takes_nothing_along_that_was_said() -> None:
    found = body(profiles=["big"], devices={"eth0": NIC}, config={"limits.memory": "1GiB"})
    del found["config"]["limits.cpu"]
    made = changed(found, profiles=[], cores=4, disks=[{}])
    assert made.keys == ("limits.cpu", "device root", "profiles")
    assert made.offline_keys == ("device root", "profiles")
    assert made.instance.expanded_config["limits.cpu"] == "4"
    assert made.instance.expanded_devices == {"root": ROOT, "eth0": NIC}
    with pytest.raises(errors.Invalid, match="profiles: the VM would have no root disk"):
        changed(found, profiles=[])


def test_what_a_profile_gives_is_not_taken_away_from_one_vm() -> None:
    found = body(profiles=["big"], devices={"root": ROOT})
    nic = {"name": "big", "config": {}, "devices": {"lan": NIC}}
    host = World().host(listings=listings(profiles={"big": nic}))
    instance = vm_edits.InheritedKeys.of(("big",), host).under(World([found]).host().instances["vm"])
    gone = wanted(interfaces=[{"name": "lan", "state": "absent"}])
    with pytest.raises(errors.Invalid, match="device lan comes with a profile"):
        vm_bodies.build_update(gone, instance, host)


def test_the_live_part_leaves_the_rest_as_it_was() -> None:
    made = changed(FOUND, memory="2GiB", tags=["a"], interfaces=[{"network": "br1"}])
    assert made.offline_keys == ("limits.memory", "device eth0")
    live = made.live_part().put_body()
    assert live["config"]["user.tenantry.tags"] == "a" and live["config"]["limits.memory"] == "1GiB"
    assert live["devices"] == FOUND["devices"]


def test_a_profile_that_waits_does_not_show_yet() -> None:
    found = body(devices={"disk0": ROOT})
    made = changed(found, profiles=["big"], tags=["a"])
    assert made.instance.profiles == ("big",) and made.live_part().instance.profiles == ()
    assert made.live_part().instance.expanded_config["limits.cpu"] == "1"


@pytest.mark.parametrize(
    ("before", "after", "live"),
    [("1", 2, True), ("2", 1, False), ("0-1", 2, False), (None, 2, True), ("4", 4, True)],
)
def test_a_running_vm_takes_a_core_and_gives_none_back(before: str | None, after: int, live: bool) -> None:
    found = body(status="Running", config={"limits.cpu": before} if before else {})
    if before is None:
        del found["config"]["limits.cpu"]
    assert (changed(found, cores=after).offline_keys == ()) is live


# What has to be read for all that.


@pytest.mark.parametrize(
    ("found", "said", "listed", "pools"),
    [
        ([], {}, True, set()),
        ([FOUND], {}, False, set()),
        ([FOUND], {"cores": 8, "tags": ["a"], "disks": [{"size": "99GiB"}]}, False, set()),
        ([FOUND], {"disks": [{}, {"name": "data"}]}, False, {"default"}),
        ([FOUND], {"disks": [{}, {"name": "log", "storage_pool": "fast"}]}, True, {"fast"}),
        ([FOUND], {"interfaces": [{"network": "br0"}]}, False, set()),
        ([FOUND], {"interfaces": [{"network": "br1"}]}, True, set()),
        ([FOUND], {"interfaces": [{"name": "eth0", "state": "absent"}]}, False, set()),
        ([FOUND], {"profiles": []}, False, set()),
        ([FOUND], {"profiles": ["big"]}, True, set()),
        ([FOUND], {"devices": {"tpm": {"type": "tpm"}}}, True, set()),
        ([FOUND], {"devices": {"tpm": {"state": "absent"}}}, False, set()),
        ([FOUND], {"state": "absent"}, False, None),
        ([body(whole=False)], {}, True, set()),
    ],
)
def test_only_what_is_needed_is_read(
    found: list[Any], said: dict[str, Any], listed: bool, pools: set[str] | None
) -> None:
    need = find_reading_needs([wanted(**said)], World(found).host())
    assert (need.listings, need.pools) == (listed, pools)


def test_a_volume_that_may_be_anywhere_is_looked_for_everywhere() -> None:
    host = World([body()]).host()
    gone = {"name": "data", "state": "absent", "delete_volume": True}
    assert find_reading_needs([wanted(disks=[{}, gone])], host).pools is None
    assert find_reading_needs([wanted(disks=[{}, {**gone, "storage_pool": "fast"}])], host).pools == {"fast"}
