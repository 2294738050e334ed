# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disks, interfaces and other devices as said, and what LXD changes in them while a VM runs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Network
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.devices import (
    NIC_TYPES,
    changed_device,
    check_kind,
    is_live,
    is_same_device,
    parse_disks,
    parse_interfaces,
    parse_other_devices,
)
from hypothesis import given
from hypothesis import strategies as st

DISKS: list[Any] = [
    pytest.param([{}], {"root": {"type": "disk", "pool": "p", "path": "/"}}, id="least"),
    pytest.param(
        [{"size": "20 GiB", "boot_priority": 0}],
        {"root": {"type": "disk", "pool": "p", "path": "/", "size": "20GiB", "boot.priority": "0"}},
        id="root",
    ),
    pytest.param(
        [{"name": "sys"}, {"size": "1GiB"}, {"name": "data", "config": {"limits.read": "10MB", "io.cache": None}}],
        {
            "sys": {"type": "disk", "pool": "p", "path": "/"},
            "disk1": {"type": "disk", "pool": "p", "source": "vm-disk1"},
            "data": {"type": "disk", "pool": "p", "source": "vm-data", "limits.read": "10MB"},
        },
        id="further ones are volumes",
    ),
]


@pytest.mark.parametrize(("said", "devices"), DISKS)
def test_disks(said: list[dict[str, Any]], devices: dict[str, dict[str, str]]) -> None:
    found = parse_disks("vm", said) or ()
    assert {disk.name: changed_device(None, disk.device("p")) for disk in found} == devices
    assert [disk.root for disk in found] == [True] + [False] * (len(found) - 1)


def test_unsaid_and_none() -> None:
    assert parse_disks("vm", None) is None and parse_disks("vm", []) == ()
    assert parse_interfaces(None) is None and parse_interfaces([]) == ()


def test_a_disk_that_goes() -> None:
    _root, gone = parse_disks("vm", [{}, {"name": "data", "state": "absent", "delete_volume": True}]) or ()
    assert gone.absent and gone.delete_volume and gone.volume == "vm-data"


BAD_DISKS = [
    ([{}, {"name": "root"}], "disks: two disks are called root", "name of its own"),
    ([{"name": "a"}, {"name": "a"}], "disks: two disks are called a", "name of its own"),
    ([{}, {}, {"name": "disk1"}], "disks: two disks are called disk1", "name of its own"),
    ([{"name": "a/b"}], "disks: 'a/b' ", "letters"),
    ([{"name": "a\nb"}], "disks: 'a\\nb' ", "letters"),
    ([{"name": "-a"}], "disks: '-a' ", "letters"),
    ([{"name": "x" * 64}], "disks: 'xxx", "letters"),
    ([{"name": 5}], "disks: 5 ", "letters"),
    ([{"size": "2 gigs"}], "disks: size of root: '2 gigs'", "2GiB"),
    ([{}, {"size": "2 gigs"}], "disks: size of disk1: '2 gigs'", "2GiB"),
    ([{"size": "0"}], "disks: root has no size", "20GiB"),
    ([{"state": "absent"}], "disks: the first disk is the root disk", "first"),
    ([{"boot_priority": -1}], "disks: boot_priority of root: -1", "0 to"),
    ([{"boot_priority": 2**32}], "disks: boot_priority of root: 4294967296", "0 to"),
    ([{"boot_priority": True}], "disks: boot_priority of root: True", "0 to"),
    ([{"config": {"size": "1GiB"}}], "disks: config of root: size ", ""),
    ([{"config": {"boot.priority": "1"}}], "disks: config of root: boot.priority ", ""),
    ([{"config": {"source": "/dev/sda"}}], "disks: config of root: source ", ""),
    ([{"config": {"pool": "x"}}], "disks: config of root: pool ", ""),
    ([{"config": {"path": "/x"}}], "disks: config of root: path ", ""),
    ([{"config": {"type": "nic"}}], "disks: config of root: type ", ""),
    ([{"config": {"io.cache": ["x"]}}], "disks: config of root.io.cache: list", "quote"),
]


@pytest.mark.parametrize(("said", "message", "hint"), BAD_DISKS)
def test_disks_that_cannot_be(said: list[dict[str, Any]], message: str, hint: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        parse_disks("vm", said)
    assert refused.value.message.startswith(message) and hint in refused.value.hint
    assert "\n" not in str(refused.value)


INTERFACES: list[Any] = [
    pytest.param({"network": "br0"}, {"network": "br0"}, id="network"),
    *[pytest.param({"parent": "e0", "type": kind}, {"parent": "e0", "nictype": kind}, id=kind) for kind in NIC_TYPES],
    pytest.param(
        {"network": "n", "mac": "00-16-3E-AA-BB-CC"}, {"network": "n", "hwaddr": "00:16:3e:aa:bb:cc"}, id="mac"
    ),
    pytest.param({"network": "n", "vlan": 4094}, {"network": "n", "vlan": "4094"}, id="vlan"),
    pytest.param(
        {"network": "n", "ipv4": "10.0.0.9", "ipv6": "FD00:0::1"},
        {"network": "n", "ipv4.address": "10.0.0.9", "ipv6.address": "fd00::1"},
        id="addresses",
    ),
    pytest.param(
        {"network": "n", "ipv4": "none", "ipv6": "none", "boot": 0},
        {"network": "n", "ipv4.address": "none", "ipv6.address": "none", "boot.priority": "0"},
        id="no addresses",
    ),
    pytest.param(
        {"network": "n", "mac_filter": True, "ipv4_filter": False, "ipv6_filter": True},
        {
            "network": "n",
            "security.mac_filtering": "true",
            "security.ipv4_filtering": "false",
            "security.ipv6_filtering": "true",
        },
        id="filters",
    ),
    pytest.param({"parent": "e", "type": "macvlan", "mtu": 9000}, {"parent": "e", "nictype": "macvlan", "mtu": "9000"}),
    pytest.param(
        {"network": "n", "config": {"limits.max": "1Gbit", "security.port_isolation": True, "ipv4.address": None}},
        {"network": "n", "limits.max": "1Gbit", "security.port_isolation": "true"},
        id="config",
    ),
]


@pytest.mark.parametrize(("said", "device"), INTERFACES)
def test_interfaces(said: dict[str, Any], device: dict[str, str]) -> None:
    (nic,) = parse_interfaces([said]) or ()
    assert changed_device(None, nic.device()) == {"type": "nic", "name": "eth0", **device}


def test_interfaces_are_called_by_their_place() -> None:
    found = parse_interfaces([{"network": "n"}, {"network": "n", "name": "lan"}, {"network": "n"}]) or ()
    assert [nic.name for nic in found] == ["eth0", "lan", "eth2"]


def test_an_absent_interface_needs_no_network() -> None:
    (gone,) = parse_interfaces([{"name": "lan", "state": "absent"}]) or ()
    assert gone.absent


BAD_INTERFACES = [
    ({}, "interfaces: eth0 has neither a network nor a parent", "network"),
    ({"network": "", "parent": ""}, "interfaces: eth0 has neither", "network"),
    ({"network": "n", "parent": "p"}, "interfaces: eth0 has both", "network"),
    ({"parent": "p"}, "interfaces: eth0: a parent needs a type", "bridged"),
    ({"parent": "p", "type": "bridge"}, "interfaces: eth0: a parent needs a type", "bridged"),
    ({"network": "n", "type": "bridged"}, "interfaces: eth0: type goes with parent", "type"),
    ({"network": "n", "mac": "00:16:3e:00:00"}, "interfaces: eth0: '00:16:3e:00:00'", "00:16:3e"),
    ({"network": "n", "mac": "01:00:5e:00:00:01"}, "interfaces: eth0: '01:00:5e:00:00:01'", "00:16:3e"),
    ({"network": "n", "mac": ""}, "interfaces: eth0: ''", "00:16:3e"),
    ({"network": "n", "vlan": 0}, "interfaces: eth0: vlan: 0", "4094"),
    ({"network": "n", "vlan": 4095}, "interfaces: eth0: vlan: 4095", "4094"),
    ({"network": "n", "vlan": True}, "interfaces: eth0: vlan: True", "4094"),
    ({"network": "n", "ipv4": "10.0.0.1/24"}, "interfaces: eth0: '10.0.0.1/24' is not an IPv4", "none"),
    ({"network": "n", "ipv4": "fd00::1"}, "interfaces: eth0: 'fd00::1' is not an IPv4", "none"),
    ({"network": "n", "ipv4": ""}, "interfaces: eth0: '' is not an IPv4", "none"),
    ({"network": "n", "ipv6": "10.0.0.1"}, "interfaces: eth0: '10.0.0.1' is not an IPv6", "none"),
    ({"network": "n", "boot": -1}, "interfaces: eth0: boot: -1", "0 to"),
    ({"network": "n", "name": "e th"}, "interfaces: 'e th' ", "letters"),
    ({"network": "n", "mtu": 1279}, "interfaces: eth0: mtu: 1279", "1280 to 16384"),
    ({"network": "n", "mtu": 16385}, "interfaces: eth0: mtu: 16385", "1280 to 16384"),
    ({"network": "n", "config": {"vlan": 5}}, "interfaces: eth0: config: vlan has an option", "use that option"),
    ({"network": "n", "config": {"hwaddr": "x"}}, "interfaces: eth0: config: hwaddr has an option", "use that option"),
    ({"network": "n", "config": {"parent": "x"}}, "interfaces: eth0: config: parent has an option", "use that option"),
    ({"network": "n", "config": {"limits.max": []}}, "interfaces: eth0: config.limits.max: list", "quote"),
]


@pytest.mark.parametrize(("said", "message", "hint"), BAD_INTERFACES)
def test_interfaces_that_cannot_be(said: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        parse_interfaces([said])
    assert refused.value.message.startswith(message) and hint in refused.value.hint


def test_two_interfaces_of_one_name() -> None:
    with pytest.raises(errors.Invalid, match="two interfaces are called eth1"):
        parse_interfaces([{"network": "n", "name": "eth1"}, {"network": "n"}])


def test_other_devices() -> None:
    said = {"tpm": {"type": "tpm", "path": None}, "gone": {"state": "absent"}}
    assert parse_other_devices(said, (), ()) == {"tpm": {"type": "tpm", "path": None}, "gone": None}


@pytest.mark.parametrize("name", ["root", "disk1", "eth0"])
def test_a_device_is_said_in_one_place(name: str) -> None:
    named_disks, named_interfaces = parse_disks("vm", [{}, {}]) or (), parse_interfaces([{"network": "n"}]) or ()
    with pytest.raises(errors.Invalid, match=f"^devices: {name} is also"):
        parse_other_devices({name: {"type": "tpm"}}, named_disks, named_interfaces)


def test_a_disk_and_an_interface_of_one_name() -> None:
    with pytest.raises(errors.Invalid, match=r"^interfaces: lan is also one of disks"):
        parse_other_devices(
            {},
            parse_disks("vm", [{}, {"name": "lan"}]) or (),
            parse_interfaces([{"name": "lan", "network": "n"}]) or (),
        )


BAD_OTHERS = [
    ({"x": "tpm"}, "devices: x is not a map"),
    ({"x": None}, "devices: x is not a map"),
    ({"a b": {}}, "devices: 'a b' "),
    ({5: {}}, "devices: 5 "),
    ({"x": {"type": ["tpm"]}}, "devices.x.type: list"),
]


@pytest.mark.parametrize(("said", "message"), BAD_OTHERS)
def test_devices_that_cannot_be(said: dict[Any, Any], message: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        parse_other_devices(said, (), ())
    assert refused.value.message.startswith(message)


ROOT = {"type": "disk", "path": "/", "pool": "p"}
DATA = {"type": "disk", "source": "vm-data", "pool": "p"}
NIC = {"type": "nic", "network": "n"}


@pytest.mark.parametrize(
    ("option", "found", "fits"),
    [
        *(("disk", None, True), ("disk", DATA, True), ("disk", ROOT, False), ("disk", NIC, False)),
        *(("interface", None, True), ("interface", NIC, True), ("interface", DATA, False), ("interface", ROOT, False)),
    ],
)
def test_a_device_of_another_kind_is_not_touched(option: str, found: dict[str, str] | None, fits: bool) -> None:
    if fits:
        check_kind("x", found, option)
        return
    with pytest.raises(errors.Invalid, match=f"^{option} x: the VM has a "):
        check_kind("x", found, option)


NETWORKS = {
    "n": Network("n", "bridge", True, {}),
    "m": Network("m", "bridge", True, {}),
    "o": Network("o", "ovn", True, {}),
    "v": Network("v", "macvlan", True, {}),
}
MACVLAN = {"type": "nic", "nictype": "macvlan", "parent": "e0"}
BRIDGED = {"type": "nic", "nictype": "bridged", "parent": "br9"}
FOLDER = {"type": "disk", "source": "/srv", "path": "/mnt"}
SEED = {"type": "disk", "source": "cloud-init:config"}

# As seen on LXD 5.0.2: tests/integration/test_vm_interfaces.py asks it again.
LIVE: list[Any] = [
    pytest.param(None, DATA, True, id="a disk comes"),
    pytest.param(None, SEED, True, id="cloud-init's drive comes"),
    pytest.param(None, FOLDER, False, id="a folder comes"),
    pytest.param(None, NIC, True, id="an interface comes"),
    pytest.param(None, MACVLAN, True, id="an interface with a parent comes"),
    pytest.param(DATA, None, True, id="a disk goes"),
    pytest.param(NIC, None, True, id="an interface goes"),
    *[pytest.param(None, {"type": kind}, True, id=f"a {kind} comes") for kind in ("usb", "proxy")],
    *[pytest.param({"type": kind}, None, True, id=f"a {kind} goes") for kind in ("usb", "proxy")],
    *[
        pytest.param(None, {"type": kind}, False, id=f"a {kind} comes")
        for kind in ("tpm", "gpu", "pci", "infiniband", "none")
    ],
    pytest.param({"type": "tpm"}, None, False, id="a tpm goes"),
    pytest.param(ROOT, {**ROOT, "size": "2GiB"}, True, id="the root disk grows"),
    pytest.param(ROOT, {**ROOT, "limits.read": "1MB"}, True, id="the root disk's limit"),
    pytest.param(ROOT, {**ROOT, "boot.priority": "3"}, False, id="the root disk's priority"),
    pytest.param(ROOT, {**ROOT, "size": "2GiB", "boot.priority": "3"}, False, id="the root disk's size and priority"),
    pytest.param(DATA, {**DATA, "limits.read": "1MB"}, False, id="a disk's limit"),
    pytest.param(DATA, {**DATA, "boot.priority": "3"}, False, id="a disk's priority"),
    pytest.param(DATA, {**DATA, "source": "other"}, False, id="a disk's volume"),
    *[
        pytest.param(NIC, {**NIC, key: "x"}, True, id=f"an interface's {key}")
        for key in (
            *("ipv4.address", "ipv6.address", "limits.max", "limits.ingress", "limits.egress", "ipv4.routes"),
            *("security.mac_filtering", "security.ipv4_filtering", "security.ipv6_filtering"),
        )
    ],
    *[
        pytest.param(NIC, {**NIC, key: "m"}, False, id=f"an interface's {key}")
        for key in ("network", "hwaddr", "vlan", "boot.priority", "name", "host_name", "security.port_isolation")
    ],
    pytest.param({**NIC, "limits.max": "1Mbit"}, NIC, True, id="an interface's limit goes"),
    pytest.param(NIC, {**NIC, "limits.max": "1Mbit", "vlan": "5"}, False, id="an interface's limit and vlan"),
    pytest.param(BRIDGED, {**BRIDGED, "security.mac_filtering": "true"}, True, id="a bridged parent's filter"),
    pytest.param(MACVLAN, {**MACVLAN, "mtu": "1400"}, False, id="a macvlan's MTU"),
    pytest.param({**NIC, "network": "v"}, {**NIC, "network": "v", "limits.max": "1"}, False, id="macvlan network"),
    pytest.param({**NIC, "network": "o"}, {**NIC, "network": "o", "ipv4.address": "1"}, False, id="OVN address"),
    pytest.param({**NIC, "network": "o"}, {**NIC, "network": "o", "security.acls": "a"}, True, id="OVN ACLs"),
    pytest.param({**NIC, "network": "?"}, {**NIC, "network": "?", "limits.max": "1"}, True, id="a network not read"),
    pytest.param({"type": "tpm"}, {"type": "tpm", "path": "x"}, False, id="a tpm changes"),
]


@pytest.mark.parametrize(("before", "after", "live"), LIVE)
def test_what_is_live(before: dict[str, str] | None, after: dict[str, str] | None, live: bool) -> None:
    assert is_live(before, after, NETWORKS) is live


@pytest.mark.parametrize(
    ("found", "said", "same"),
    [
        ({"hwaddr": "00:16:3E:00:00:01"}, {"hwaddr": "00:16:3e:00:00:01"}, True),
        ({"hwaddr": "00:16:3e:00:00:02"}, {"hwaddr": "00:16:3e:00:00:01"}, False),
        ({}, {"hwaddr": "00:16:3e:00:00:01"}, False),
        ({"network": "n", "vlan": "5"}, {"network": "n"}, True),
        ({"network": "n"}, {"network": "m"}, False),
        ({"network": "n"}, {"network": None, "parent": "p"}, False),
        ({"network": "n"}, {"network": "n", "parent": None}, True),
        ({"size": "1024MiB"}, {"size": "1GiB"}, True),
    ],
)
def test_only_what_is_said_is_compared(found: dict[str, str], said: dict[str, str | None], same: bool) -> None:
    assert is_same_device(found, said) is same


def test_a_null_takes_away_what_an_option_said() -> None:
    (static,) = parse_interfaces([{"network": "n", "ipv4": "10.0.0.9"}]) or ()
    (moved,) = parse_interfaces([{"parent": "e0", "type": "macvlan", "config": {"ipv4.address": None}}]) or ()
    after = changed_device(changed_device(None, static.device()), moved.said)
    assert after == {"type": "nic", "name": "eth0", "parent": "e0", "nictype": "macvlan"}


def test_from_a_network_to_a_parent_and_back() -> None:
    (on_network,) = parse_interfaces([{"network": "n", "vlan": 5}]) or ()
    (on_parent,) = parse_interfaces([{"parent": "e0", "type": "macvlan"}]) or ()
    device = changed_device(None, on_network.device())
    moved = changed_device(device, on_parent.said)
    assert moved == {"type": "nic", "name": "eth0", "parent": "e0", "nictype": "macvlan", "vlan": "5"}
    assert changed_device(moved, on_network.said) == device


MAPS = st.dictionaries(st.sampled_from(["network", "vlan", "size", "hwaddr"]), st.sampled_from(["1", "2", "a"]))


@given(MAPS, MAPS)
def test_a_changed_device_is_as_said(found: dict[str, str], said: dict[str, str]) -> None:
    after = changed_device(found, dict(said))
    assert is_same_device(after, dict(said))
    assert changed_device(after, dict(said)) == after
    assert {key: value for key, value in after.items() if key not in said} == {
        key: value for key, value in found.items() if key not in said
    }
