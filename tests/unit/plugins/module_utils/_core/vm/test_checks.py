# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an interface refers to and may say on its network; whose addresses it may not take; what a project forbids."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Machine, Network, Project, Resources
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project import restrictions
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import checks as vm_checks
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import desired as vm_bodies
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import (
    VmHostListings,
    VmHostReading,
    find_reading_needs,
)

from tests.unit.plugins.module_utils._core.vm.vm_world import NIC, World, body, wanted

NETWORKS = (
    Network("seen", "bridge", True, {"ipv4.address": "10.0.0.1/24", "ipv6.address": "fd00::1/64"}),
    Network("stateful", "bridge", True, {"ipv6.address": "fd00::1/64", "ipv6.dhcp.stateful": "true"}),
    Network("quiet", "bridge", True, {"ipv4.address": "10.0.0.1/24", "ipv4.dhcp": "false", "ipv6.address": "none"}),
    Network("nameless", "bridge", True, {"dns.mode": "none", "ipv4.address": "10.0.0.1/24"}),
    Network("hidden", "bridge", True, {}),
    Network("empty", "bridge", True, {}),
    Network("mac", "macvlan", True, {}),
    Network("vf", "sriov", True, {}),
    Network("ovn", "ovn", True, {}),
    Network("br9", "bridge", False, {}),
    Network("eno1", "physical", False, {}),
    Network("eno2", "physical", False, {}),
    Network("veth", "unknown", False, {}),
)


def host(*instances: dict[str, Any], project: dict[str, str] | None = None, **more: Any) -> VmHostReading:
    world = World(instances, project=project)
    listings = world.host().listings
    assert listings is not None
    found = VmHostListings(NETWORKS, listings.pools, listings.profiles, listings.images)
    return world.host(listings=found, addresses={"hidden": ("10.0.0.1/24",), "empty": ()}, **more)


def refusal(nics: list[dict[str, Any]], where: VmHostReading, **more: Any) -> errors.TenantryError | None:
    """What is said to a new VM with these interfaces."""
    try:
        vm_bodies.new(wanted(interfaces=nics, **more), where)
    except errors.TenantryError as error:
        return error
    return None


MACVLAN, BRIDGED = {"parent": "eno1", "type": "macvlan"}, {"parent": "br9", "type": "bridged"}
SRIOV, PHYSICAL = {"parent": "eno1", "type": "sriov"}, {"parent": "eno1", "type": "physical"}

# LXD 5.0.2 takes these: tests/integration/test_vm_interfaces.py asks it.
GOOD: list[dict[str, Any]] = [
    {"network": "seen", "vlan": 5, "mac_filter": True, "mac": "00:16:3e:00:00:01"},
    {"network": "seen", "ipv4": "10.0.0.2"},
    {"network": "seen", "ipv4": "10.0.0.254", "ipv4_filter": True},
    {"network": "seen", "ipv4": "none", "ipv4_filter": True},
    {"network": "seen", "ipv6": "fd00::2", "ipv6_filter": True},
    {"network": "stateful", "ipv6": "fd00::2"},
    {"network": "quiet", "ipv4": "10.0.0.2", "ipv4_filter": True},
    {"network": "quiet", "ipv4": "172.16.0.2", "ipv4_filter": True},
    {"network": "quiet", "ipv6": "fd00::2", "ipv6_filter": True},
    {"network": "hidden", "ipv4": "10.0.0.2"},
    # Whether DHCP is off there, where the filter takes any address, only LXD knows.
    {"network": "hidden", "ipv4": "172.16.0.2", "ipv4_filter": True},
    {"network": "empty", "ipv4": "10.0.0.2", "ipv4_filter": True},
    {"network": "mac", "mac": "00:16:3e:00:00:01"},
    {"network": "vf", "mac_filter": True},
    {"network": "ovn", "ipv4": "10.0.0.2"},
    {**BRIDGED, "vlan": 5, "mtu": 1400, "mac_filter": True},
    {**BRIDGED, "ipv4": "10.0.0.2", "ipv4_filter": True},
    {**BRIDGED, "config": {"limits.max": "1Gbit"}},
    {"parent": "seen", "type": "bridged", "ipv4": "10.0.0.2"},
    {**MACVLAN, "vlan": 5, "mtu": 9000, "mac": "00:16:3e:00:00:01"},
    {"parent": "veth", "type": "macvlan"},
    {**SRIOV, "vlan": 5, "mac_filter": True, "mac": "00:16:3e:00:00:01"},
    PHYSICAL,
    {"network": "seen", "name": "a" * 15},
]


@pytest.mark.parametrize("nic", GOOD, ids=str)
def test_what_an_interface_may_be(nic: dict[str, Any]) -> None:
    assert refusal([nic], host()) is None


BAD: list[Any] = [
    ({"network": "nothing"}, errors.NotFound, "network 'nothing' is not there", "there: empty, hidden"),
    ({"network": "eno1"}, errors.NotFound, "network 'eno1' is not there", "there: "),
    ({"parent": "nothing", "type": "macvlan"}, errors.NotFound, "parent 'nothing' is not on the host", "eno1"),
    ({"parent": "nothing", "type": "bridged"}, errors.NotFound, "parent 'nothing'", "for bridged there: br9, empty"),
    ({"parent": "eno1", "type": "bridged"}, errors.Invalid, "bridged wants a bridge", "br9"),
    ({"parent": "br9", "type": "sriov"}, errors.Invalid, "sriov wants a network card", "for sriov there: eno1, eno2"),
    ({"parent": "veth", "type": "physical"}, errors.Invalid, "physical wants a network card", "eno1, eno2"),
    ({"network": "seen", "mtu": 1400}, errors.Invalid, "no mtu on network seen", "it takes mac, vlan"),
    ({"network": "mac", "vlan": 5}, errors.Invalid, "no vlan on network mac, which is macvlan", "it takes mac"),
    ({"network": "vf", "vlan": 5}, errors.Invalid, "no vlan on network vf, which is sriov", "mac, mac_filter"),
    ({"network": "mac", "mac_filter": True}, errors.Invalid, "no mac_filter on network mac", "it takes mac"),
    ({"network": "ovn", "mac_filter": True}, errors.Invalid, "no mac_filter on network ovn", "ipv4, ipv6"),
    ({**MACVLAN, "mac_filter": False}, errors.Invalid, "no mac_filter on an interface of type macvlan", "mac, vlan"),
    ({**MACVLAN, "ipv4": "10.0.0.2"}, errors.Invalid, "no ipv4 on an interface of type macvlan", "mac, vlan, mtu"),
    ({**SRIOV, "mtu": 1400}, errors.Invalid, "no mtu on an interface of type sriov", "mac, vlan, mac_filter"),
    ({**PHYSICAL, "vlan": 5}, errors.Invalid, "no vlan on an interface of type physical", "none of these"),
    ({**PHYSICAL, "mac": "00:16:3e:00:00:01"}, errors.Invalid, "no mac on an interface of type physical", "none of"),
    ({"network": "seen", "vlan": 5, "ipv4_filter": True}, errors.Invalid, "ipv4_filter goes with no VLAN", "leave"),
    ({**BRIDGED, "ipv4": "10.0.0.2"}, errors.Invalid, "LXD gives no addresses on parent br9", "ipv4_filter: true"),
    ({**BRIDGED, "ipv6_filter": True}, errors.Invalid, "ipv6_filter: LXD gives no addresses on parent br9", "ipv6"),
    ({"network": "seen", "ipv4": "10.0.1.2"}, errors.Invalid, "10.0.1.2 is not in 10.0.0.0/24", "set an"),
    ({"network": "seen", "ipv4": "10.0.1.2", "ipv4_filter": True}, errors.Invalid, "is not in 10.0.0.0/24", "set an"),
    ({"network": "hidden", "ipv4": "10.0.1.2"}, errors.Invalid, "10.0.1.2 is not in 10.0.0.0/24", "set an"),
    ({"parent": "seen", "type": "bridged", "ipv4": "10.0.1.2"}, errors.Invalid, "is not in 10.0.0.0/24", "set an"),
    ({"network": "seen", "ipv4": "10.0.0.1"}, errors.Invalid, "is the address of network seen itself", "another"),
    ({"network": "seen", "ipv4": "10.0.0.0"}, errors.Invalid, "can't be the address of an interface", "another"),
    ({"network": "hidden", "ipv4": "10.0.0.255"}, errors.Invalid, "can't be the address of an interface", "another"),
    ({"network": "seen", "ipv4": "none"}, errors.Invalid, "none goes with ipv4_filter: true", "any address"),
    ({"network": "seen", "ipv6": "fd00::2"}, errors.Invalid, "no static IPv6 addresses on network seen", "ipv6_filter"),
    ({"network": "stateful", "ipv6": "fd01::2"}, errors.Invalid, "fd01::2 is not in fd00::/64", "set an"),
    ({"network": "quiet", "ipv4": "10.0.0.2"}, errors.Invalid, "no static IPv4 addresses on network quiet", "filter"),
    ({"network": "empty", "ipv4": "10.0.0.2"}, errors.Invalid, "no static IPv4 addresses on network empty", "filter"),
    ({"network": "hidden", "ipv6": "fd00::2"}, errors.Invalid, "no static IPv6 addresses on network hidden", "filter"),
    ({"network": "seen", "name": "a" * 16}, errors.Invalid, "LXD takes no name as long as that", "15"),
]


@pytest.mark.parametrize(("nic", "kind", "message", "hint"), BAD, ids=lambda value: str(value)[:60])
def test_what_an_interface_cannot_be(nic: dict[str, Any], kind: type[Exception], message: str, hint: str) -> None:
    error = refusal([nic], host())
    assert isinstance(error, kind) and error.message.startswith(f"interface {nic.get('name', 'eth0')}: ")
    assert message in error.message and hint in error.hint


@pytest.mark.parametrize(
    ("functions", "refused"),
    [({"eno1": 0, "eno2": 8}, True), ({"eno1": 8}, False), ({"eno2": 0}, False), ({}, False)],
)
def test_a_card_without_virtual_functions(functions: dict[str, int], refused: bool) -> None:
    resources = Resources(1, 1, 0, 0, 0, (), functions)
    error = refusal([SRIOV], host(machines=(Machine("none", resources),)))
    assert (error is not None and "eno1 has no virtual functions" in error.message) is refused
    assert refusal([MACVLAN], host(machines=(Machine("none", resources),))) is None


def test_virtual_functions_as_lxd_tells_of_them() -> None:
    cards = [
        {"ports": [{"id": "eno1"}, {"id": "eno2"}], "sriov": {"current_vfs": 0, "maximum_vfs": 7}},
        {"ports": [{"id": "eth0"}]},
        {},
    ]
    found = Resources.from_api({"network": {"cards": cards}})
    assert found.virtual_functions == {"eno1": 7, "eno2": 7, "eth0": 0}


TWO: list[Any] = [
    ([{"network": "seen"}, {"network": "hidden"}], None),
    ([{"network": "seen"}, {"network": "seen"}], "both on network seen"),
    ([{"network": "seen"}, {"parent": "seen", "type": "bridged"}], "both on network seen"),
    ([{"network": "seen", "vlan": 5}, {"network": "seen", "vlan": 6}], None),
    ([{"network": "seen"}, {"network": "seen", "vlan": 6}], None),
    ([{"network": "nameless"}, {"network": "nameless"}], None),
    ([{"network": "ovn"}, {"network": "ovn"}], None),
    ([BRIDGED, BRIDGED], None),
    ([MACVLAN, MACVLAN], None),
    (
        [{"network": "seen", "mac": "00:16:3e:00:00:01"}, {"network": "hidden", "mac": "00:16:3E:00:00:01"}],
        "eth0 and eth1 have one MAC, 00:16:3e:00:00:01",
    ),
    (
        [{"network": "nameless", "ipv4": "10.0.0.2"}, {"network": "nameless", "ipv4": "10.0.0.2"}],
        "eth0 and eth1 have one address, 10.0.0.2",
    ),
    ([{"network": "seen", "ipv4": "10.0.0.2"}, {"network": "hidden", "ipv4": "10.0.0.2"}], None),
]


@pytest.mark.parametrize(("nics", "message"), TWO, ids=str)
def test_two_interfaces_of_one_vm(nics: list[dict[str, Any]], message: str | None) -> None:
    error = refusal(nics, host())
    assert (message is None) == (error is None)
    assert error is None or message in error.message


OTHER = body(
    "other",
    devices={
        "eth0": {"type": "nic", "network": "seen", "hwaddr": "00:16:3E:00:00:01", "ipv4.address": "10.0.0.2"},
        "eth1": {"type": "nic", "network": "hidden", "ipv4.address": "none"},
        "eth2": {"type": "nic", "network": "seen", "vlan": "5"},
    },
    config={"volatile.eth1.hwaddr": "00:16:3e:00:00:07", "volatile.eth2.hwaddr": "00:16:3e:00:00:08"},
)
IN_USE: list[Any] = [
    ({"network": "seen", "mac": "00:16:3e:00:00:01"}, "mac 00:16:3e:00:00:01 is in use by VM other on seen"),
    ({"network": "seen", "ipv4": "10.0.0.2"}, "ipv4 10.0.0.2 is in use by VM other on seen"),
    ({"network": "hidden", "mac": "00:16:3e:00:00:07"}, "mac 00:16:3e:00:00:07 is in use"),
    ({"network": "hidden", "mac": "00:16:3e:00:00:01"}, None),
    ({"network": "hidden", "ipv4": "10.0.0.2"}, None),
    ({"network": "hidden", "ipv4": "none", "ipv4_filter": True}, None),
    ({"network": "seen", "mac": "00:16:3e:00:00:08"}, None),
    ({"network": "seen", "vlan": 5, "mac": "00:16:3e:00:00:08"}, "is in use"),
    ({"network": "seen"}, None),
]


@pytest.mark.parametrize(("nic", "message"), IN_USE, ids=str)
def test_what_another_vm_has(nic: dict[str, Any], message: str | None) -> None:
    error = refusal([nic], host(OTHER))
    assert isinstance(error, errors.Conflict) if message else error is None
    assert error is None or (message or "") in error.message


@pytest.mark.parametrize(
    ("nics", "refused"),
    [
        ([{"network": "hidden"}, {"network": "seen"}], True),
        ([{"state": "absent"}, {"network": "seen"}], True),
        ([{"network": "seen", "boot": 3}, {"network": "hidden"}], False),
        ([{"network": "hidden"}, {"network": "stateful"}], False),
    ],
)
def test_a_place_that_another_interface_leaves_in_the_same_run(nics: list[dict[str, Any]], refused: bool) -> None:
    root = {"type": "disk", "path": "/", "pool": "default"}
    where = host(body(devices={"root": root, "eth0": {**NIC, "network": "seen"}}))
    try:
        vm_bodies.build_update(wanted(interfaces=nics), where.instances["vm"], where)
        said = ""
    except errors.Invalid as error:
        said = error.message
    assert said.startswith("interface eth1 would replace interface eth0 on seen") is refused


def test_a_vm_is_no_other_vm_and_what_it_had_is_not_looked_at() -> None:
    mine = body(
        devices={
            "root": {"type": "disk", "path": "/", "pool": "default"},
            "eth0": {**NIC, "network": "seen", "hwaddr": "00:16:3e:00:00:01", "ipv4.address": "10.9.9.9"},
        }
    )
    where = host(mine, OTHER)
    same = {"network": "seen", "mac": "00:16:3e:00:00:01"}
    assert vm_bodies.build_update(wanted(interfaces=[same], tags=["a"]), where.instances["vm"], where).edits
    with pytest.raises(errors.Invalid, match=r"10\.9\.9\.9 is not in"):
        vm_bodies.build_update(wanted(interfaces=[{**same, "boot": 3}]), where.instances["vm"], where)


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        (
            {"mac": "00:16:3e:00:00:01"},
            {"mac": "00:16:3E:00:00:01"},
            "VM b on kvm: interface eth0: mac 00:16:3e:00:00:01",
        ),
        ({"ipv4": "10.0.0.2"}, {"ipv4": "10.0.0.2"}, "VM b on kvm: interface eth0: ipv4 10.0.0.2 is also set for VM a"),
        ({"ipv4": "10.0.0.2"}, {"ipv4": "10.0.0.3"}, ""),
        ({"ipv4": "none"}, {"ipv4": "none"}, ""),
        ({"mac": "00:16:3e:00:00:01"}, {"mac": "00:16:3e:00:00:01", "network": "hidden"}, ""),
        ({"mac": "00:16:3e:00:00:01"}, {"mac": "00:16:3e:00:00:01", "vlan": 5}, ""),
    ],
)
def test_what_a_task_says_twice(one: dict[str, Any], two: dict[str, Any], message: str) -> None:
    vms = [wanted(name=name, interfaces=[{"network": "seen", **nic}]) for name, nic in (("a", one), ("b", two))]
    refused = vm_checks.find_duplicate_addresses("kvm", vms)
    assert [error.message.startswith(message) for error in refused] == ([True] if message else [])
    gone = wanted(name="a", state="absent", interfaces=[{"network": "seen", **one}])
    assert vm_checks.find_duplicate_addresses("kvm", [gone, vms[1]]) == []


ACCESS, CARD = "restricted.networks.access", "restricted.devices.nic"


def test_a_network_that_the_project_may_not_use() -> None:
    error = refusal([{"network": "far"}], host(project={"restricted": "true", ACCESS: "seen, hidden"}))
    assert isinstance(error, errors.NotFound) and "network 'far'" in error.message
    assert f"{ACCESS}: seen,hidden,far" in error.hint
    unconfined = refusal([{"network": "far"}], host(project={ACCESS: "seen"}))
    assert unconfined is not None and ACCESS not in unconfined.hint


def test_a_parent_wants_both_keys_where_the_project_names_networks() -> None:
    for project, hint in (
        ({ACCESS: "seen,eno1"}, f"{CARD}: allow"),
        ({CARD: "allow", ACCESS: "seen"}, f"{ACCESS}: seen,eno1"),
    ):
        error = refusal([MACVLAN], host(project={"restricted": "true", **project}))
        assert isinstance(error, errors.Unsupported) and hint in error.hint
    for project in ({CARD: "allow", ACCESS: "seen,eno1"}, {CARD: "allow"}):
        assert refusal([MACVLAN], host(project={"restricted": "true", **project})) is None


FOLDER = {"x": {"type": "disk", "source": "/srv/data", "path": "/mnt"}}
DISK = "restricted.devices.disk"


@pytest.mark.parametrize(
    ("devices", "project", "hint"),
    [
        (FOLDER, {}, f"{DISK}: allow"),
        (FOLDER, {DISK: "allow"}, ""),
        (FOLDER, {DISK: "allow", f"{DISK}.paths": "/srv"}, ""),
        (FOLDER, {DISK: "allow", f"{DISK}.paths": "/etc, /srv/data"}, ""),
        (FOLDER, {DISK: "allow", f"{DISK}.paths": "/sr"}, f"{DISK}.paths: /sr,/srv/data"),
        (FOLDER, {DISK: "managed", f"{DISK}.paths": "/srv"}, f"{DISK}: allow"),
        ({"x": {"type": "disk", "source": "cloud-init:config"}}, {DISK: "block"}, ""),
        ({"x": {"type": "disk", "pool": "p", "source": "v"}}, {DISK: "block"}, f"{DISK}: managed"),
        ({"x": {"type": "disk", "pool": "p", "path": "/"}}, {DISK: "block"}, ""),
        ({"x": {"type": "unix-char"}}, {}, "usb or pci"),
        ({"x": {"type": "unix-char"}}, {"restricted.devices.unix-char": "allow"}, "usb or pci"),
    ],
)
def test_disks_and_devices_in_a_confined_project(devices: Any, project: dict[str, str], hint: str) -> None:
    try:
        restrictions.check_vm({}, devices, {"restricted": "true", **project})
        said = ""
    except errors.Unsupported as error:
        said = error.hint
    assert bool(said) == bool(hint) and hint in said
    restrictions.check_vm({}, devices, project)


@pytest.mark.parametrize(
    ("config", "project", "hint"),
    [
        ({"snapshots.schedule": "@daily"}, {}, "restricted.snapshots: allow"),
        ({"snapshots.schedule": "@daily"}, {"restricted.snapshots": "allow"}, ""),
        ({"snapshots.schedule": ""}, {}, ""),
        ({"snapshots.expiry": "1d"}, {}, ""),
    ],
)
def test_config_in_a_confined_project(config: dict[str, str], project: dict[str, str], hint: str) -> None:
    try:
        restrictions.check_vm(config, {}, {"restricted": "true", **project})
        said = ""
    except errors.Unsupported as error:
        said = error.hint
    assert bool(said) == bool(hint) and hint in said


@pytest.mark.parametrize(
    ("target", "project", "hint"),
    [
        ("n1", {}, "restricted.cluster.target: allow"),
        ("@g1", {}, "restricted.cluster.target: allow"),
        ("n1", {"restricted.cluster.target": "allow", "restricted.cluster.groups": "g2"}, ""),
        ("@g1", {"restricted.cluster.target": "allow"}, ""),
        ("@g1", {"restricted.cluster.target": "allow", "restricted.cluster.groups": "g1,g2"}, ""),
        ("@g1", {"restricted.cluster.target": "allow", "restricted.cluster.groups": "g2"}, "groups: g2,g1"),
    ],
)
def test_a_target_in_a_confined_project(target: str, project: dict[str, str], hint: str) -> None:
    try:
        restrictions.check_target(target, {"restricted": "true", **project})
        said = ""
    except errors.Unsupported as error:
        said = error.hint
    assert bool(said) == bool(hint) and hint in said
    restrictions.check_target(target, project)


@pytest.mark.parametrize(
    ("said", "listed", "addressed"),
    [
        ({"interfaces": [{"network": "br0"}]}, False, set()),
        ({"interfaces": [{"network": "br0", "mac": "00:16:3e:00:00:01"}]}, True, set()),
        ({"interfaces": [{"network": "br0", "ipv4": "10.0.0.2"}]}, True, {"br0"}),
        ({"interfaces": [{"network": "br1"}, {"network": "br0", "ipv6": "fd00::1"}]}, True, {"br0"}),
        ({"interfaces": [{"parent": "br9", "type": "bridged", "ipv4": "10.0.0.2"}]}, True, {"br9"}),
        ({"interfaces": [{"state": "absent"}]}, False, set()),
        ({"devices": {"eth0": {"limits.max": "1Gbit"}}}, True, set()),
    ],
)
def test_what_is_read_for_an_interface(said: dict[str, Any], listed: bool, addressed: set[str]) -> None:
    found = World([body()]).host()
    need = find_reading_needs([wanted(**said)], found)
    assert (need.listings, set(need.addressed)) == (listed, addressed)


def test_what_was_not_read_is_not_held_against_a_vm() -> None:
    unread = World().host(unread=True, listings=None, project=Project("p", "", {}, ()))
    assert refusal([{"network": "any", "ipv4": "10.0.0.2"}, {"parent": "any", "type": "bridged"}], unread) is None
