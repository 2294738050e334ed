# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces of every kind on a real LXD: made as said, changed while the VM runs, refused before the first write.

What starts here hangs on bridges. LXD 5.0.2 wants /dev/tapN from udev for macvlan, a kernel with VLANs for those, and
hardware for SR-IOV: interfaces of these kinds are made and never started.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Network
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.devices import is_live

from tests.integration.tenancy import Tenant
from tests.lxd.admin import ApiError
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.place import BRIDGES
from tests.lxd.world import differences

SMALL = {"image": "micro", "memory": "160MiB", "secure_boot": False}
ROOT = {"type": "disk", "path": "/", "pool": "default"}


@dataclasses.dataclass(frozen=True)
class Wires:
    """What interfaces hang on: two networks of LXD's (a bridge with IPv6, macvlan), a bridge and a card of the host.

    No card that there is on any machine has virtual functions, so that SR-IOV is only seen to be refused.
    """

    network: str
    macvlan: str
    bridge: str
    card: str
    subnet: str


def free_name() -> str:
    return f"{BRIDGES}{secrets.token_hex(4)}"


@pytest.fixture
def wires(lxd: Daemon) -> Iterator[Wires]:
    """Made for one test, removed afterwards. One end of a veth pair does for a card: macvlan asks for no more."""
    # A subnet of IPv6's private range, by chance nobody else's.
    subnet = f"fd42:7e57:{secrets.token_hex(2).lstrip('0') or '1'}::"
    found = Wires(free_name(), free_name(), free_name(), free_name(), subnet)
    address = f"{found.subnet}1/64"
    of_bridge = {"ipv4.address": "none", "ipv6.address": address, "ipv6.nat": "false", "ipv6.dhcp.stateful": "true"}
    networks = [
        {"name": found.network, "type": "bridge", "config": of_bridge},
        {"name": found.macvlan, "type": "macvlan", "config": {"parent": found.card}},
    ]
    with contextlib.ExitStack() as removed:
        for link, kind in ((found.bridge, ["bridge"]), (found.card, ["veth", "peer", "name", free_name()])):
            subprocess.run(["ip", "link", "add", link, "type", *kind], check=True)
            removed.callback(subprocess.run, ["ip", "link", "delete", link], check=True)
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
        for network in networks:
            lxd.api("POST", "/1.0/networks", network)
            removed.callback(lxd.api, "DELETE", f"/1.0/networks/{network['name']}")
        removed.callback(_without_users, lxd, found)
        yield found


def _without_users(lxd: Daemon, wires: Wires) -> None:
    """LXD deletes no network that a VM is on, and the VMs of a test go after it."""
    networks = [lxd.api("GET", f"/1.0/networks/{name}") for name in (wires.network, wires.macvlan)]
    for url in {url for network in networks for url in network["used_by"] or ()}:
        path, _mark, project = url.partition("?project=")
        query = {"project": project}
        if lxd.api("GET", path, query=query)["status"] != "Stopped":
            lxd.api("PUT", f"{path}/state", {"action": "stop", "timeout": -1, "force": True}, query)
        lxd.api("DELETE", path, None, query)


@pytest.fixture
def opened(tenant: Tenant, wires: Wires) -> Tenant:
    """A confined project that may use all wires of this test."""
    path = f"/1.0/projects/{tenant.project}"
    found = tenant.lxd.api("GET", path)
    names = ",".join([tenant.lxd.bridge, *(wires.network, wires.macvlan, wires.bridge, wires.card)])
    more = {"restricted.devices.nic": "allow", "restricted.networks.access": names}
    tenant.lxd.api("PUT", path, {**found, "config": {**found["config"], **more}})
    return roomy(tenant)


def bare(name: str, *interfaces: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "state": "present", "memory": "160MiB", "interfaces": list(interfaces), **more}


def subnet(tenant: Tenant) -> str:
    """The first three numbers of the daemon's bridge."""
    gateway = tenant.lxd.api("GET", f"/1.0/networks/{tenant.lxd.bridge}")["config"]["ipv4.address"]
    return str(gateway.rpartition(".")[0])


def address(tenant: Tenant, last: int) -> str:
    return f"{subnet(tenant)}.{last}"


def roomy(tenant: Tenant) -> Tenant:
    """The same with room for more VMs than the machine has cores."""
    entry = tenant.site.registry / tenant.vmhost / "vmhost.yml"
    entry.write_text(yaml.safe_dump({**yaml.safe_load(entry.read_text()), "cpu_overcommit": 10}))
    return tenant


def test_every_kind_of_interface_is_made_as_said(opened: Tenant, wires: Wires) -> None:
    lxd = opened.lxd
    vms = [
        bare(
            "managed",
            {
                "network": lxd.bridge,
                "mac": "00:16:3E:AA:00:01",
                "ipv4": address(opened, 60),
                "mac_filter": True,
                "ipv4_filter": True,
                "boot": 7,
                "config": {"limits.max": "1Gbit"},
            },
            {"network": wires.network, "ipv6": f"{wires.subnet}60", "boot": 9},
            {"network": wires.macvlan},
        ),
        bare("vlan", {"network": lxd.bridge, "vlan": 5}, {"network": lxd.bridge, "vlan": 6}),
        bare(
            "bridged",
            {"parent": wires.bridge, "type": "bridged", "vlan": 7, "mtu": 1400, "mac_filter": True},
            {"parent": lxd.bridge, "type": "bridged", "ipv4": address(opened, 61)},
        ),
        bare("macvlan", {"parent": wires.card, "type": "macvlan", "vlan": 8, "mtu": 9000, "boot": 3}),
    ]
    predicted = opened.compose(vms, check=True)
    made = opened.compose(vms)
    assert made["diff"] == predicted["diff"]
    found = {name: {k: v for k, v in vm["devices"].items() if k != "root"} for name, vm in opened.instances().items()}
    assert found == {
        "managed": {
            "eth0": {
                "type": "nic",
                "name": "eth0",
                "network": lxd.bridge,
                "hwaddr": "00:16:3e:aa:00:01",
                "ipv4.address": address(opened, 60),
                "security.mac_filtering": "true",
                "security.ipv4_filtering": "true",
                "boot.priority": "7",
                "limits.max": "1Gbit",
            },
            "eth1": {
                "type": "nic",
                "name": "eth1",
                "network": wires.network,
                "ipv6.address": f"{wires.subnet}60",
                "boot.priority": "9",
            },
            "eth2": {"type": "nic", "name": "eth2", "network": wires.macvlan},
        },
        "vlan": {
            "eth0": {"type": "nic", "name": "eth0", "network": lxd.bridge, "vlan": "5", "boot.priority": "10"},
            "eth1": {"type": "nic", "name": "eth1", "network": lxd.bridge, "vlan": "6"},
        },
        "bridged": {
            "eth0": {
                "type": "nic",
                "name": "eth0",
                "parent": wires.bridge,
                "nictype": "bridged",
                "vlan": "7",
                "mtu": "1400",
                "security.mac_filtering": "true",
                "boot.priority": "10",
            },
            "eth1": {
                "type": "nic",
                "name": "eth1",
                "parent": lxd.bridge,
                "nictype": "bridged",
                "ipv4.address": address(opened, 61),
            },
        },
        "macvlan": {
            "eth0": {
                "type": "nic",
                "name": "eth0",
                "parent": wires.card,
                "nictype": "macvlan",
                "vlan": "8",
                "mtu": "9000",
                "boot.priority": "3",
            }
        },
    }
    assert not opened.compose(vms)["changed"]
    with opened.lxd.requests() as seen:
        opened.compose(vms)
    assert len(seen) == 3, "a quiet run reads what only a change needs"


@dataclasses.dataclass(frozen=True)
class Bad:
    """Interfaces that can't be, the code and words of the refusal, and when LXD itself finds out."""

    nics: list[dict[str, Any]]
    code: str
    words: str
    lxd: str


def bad(code: str, words: str, lxd: str, *nics: dict[str, Any]) -> Bad:
    return Bad(list(nics), code, words, lxd)


# BRIDGE is the daemon's own, NETWORK the one with IPv6 (SUBNET); BR, CARD and MACVLAN the other wires; FAR one that is
# there and that the project may not use. NET stands for the first three numbers of the daemon's subnet.
BAD = [
    bad("not_found", "network 'nothing' is not there", "create", {"network": "nothing"}),
    bad("not_found", "network 'FAR' is not there or isn't one this project may use", "create", {"network": "FAR"}),
    bad("unsupported", "as its parent: the project is confined", "create", {"parent": "nothing", "type": "macvlan"}),
    bad("invalid", "eth0: bridged wants a bridge for a parent", "start", {"parent": "CARD", "type": "bridged"}),
    bad("invalid", "eth0: sriov wants a network card", "start", {"parent": "CARD", "type": "sriov"}),
    bad("invalid", "eth0: physical wants a network card", "start", {"parent": "BR", "type": "physical"}),
    bad("invalid", "ipv4: 192.0.2.5 is not in NET.0/24", "create", {"network": "BRIDGE", "ipv4": "192.0.2.5"}),
    bad("invalid", "NET.1 is the address of network", "create", {"network": "BRIDGE", "ipv4": "NET.1"}),
    bad("invalid", "NET.255 can't be the address of an interface", "", {"network": "BRIDGE", "ipv4": "NET.255"}),
    bad("invalid", "ipv4: none goes with ipv4_filter", "create", {"network": "BRIDGE", "ipv4": "none"}),
    bad("invalid", "gives no static IPv6", "create", {"network": "BRIDGE", "ipv6": "fd00::5"}),
    bad("invalid", "ipv6: fd00::5 is not in SUBNET/64", "create", {"network": "NETWORK", "ipv6": "fd00::5"}),
    bad("invalid", "gives no static IPv4", "create", {"network": "NETWORK", "ipv4": "10.0.0.5"}),
    bad("invalid", "no addresses on parent BR", "create", {"parent": "BR", "type": "bridged", "ipv4": "10.0.0.5"}),
    bad("invalid", "no addresses on parent BR", "create", {"parent": "BR", "type": "bridged", "ipv6_filter": True}),
    bad("invalid", "no ipv4 on an interface", "create", {"parent": "CARD", "type": "macvlan", "ipv4": "10.0.0.5"}),
    bad("invalid", "no mac_filter on an", "create", {"parent": "CARD", "type": "macvlan", "mac_filter": True}),
    bad("invalid", "no mtu on network BRIDGE", "create", {"network": "BRIDGE", "mtu": 1400}),
    bad("invalid", "no vlan on network MACVLAN", "create", {"network": "MACVLAN", "vlan": 5}),
    bad("invalid", "goes with no VLAN", "create", {"network": "BRIDGE", "vlan": 5, "ipv4_filter": True}),
    bad("invalid", "no name as long as that", "create", {"network": "BRIDGE", "name": "a-name-of-sixteen"}),
    bad("invalid", "both on network BRIDGE", "start", {"network": "BRIDGE"}, {"network": "BRIDGE"}),
    bad(
        "invalid",
        "have one MAC, 00:16:3e:aa:00:02",
        "start",
        {"parent": "BR", "type": "bridged", "mac": "00:16:3e:aa:00:02"},
        {"parent": "BR", "type": "bridged", "mac": "00:16:3e:aa:00:02"},
    ),
    bad(
        "conflict",
        "mac 00:16:3e:aa:00:09 is in use by VM there",
        "start",
        {"network": "BRIDGE", "mac": "00:16:3e:aa:00:09"},
    ),
    bad("conflict", "ipv4 NET.90 is in use by VM there", "start", {"network": "BRIDGE", "ipv4": "NET.90"}),
]
KEYS = {
    "network": "network",
    "parent": "parent",
    "type": "nictype",
    "mac": "hwaddr",
    "vlan": "vlan",
    "mtu": "mtu",
    "ipv4": "ipv4.address",
    "ipv6": "ipv6.address",
    "mac_filter": "security.mac_filtering",
    "ipv4_filter": "security.ipv4_filtering",
    "ipv6_filter": "security.ipv6_filtering",
    "name": "name",
}


def raw(tenant: Tenant, nics: list[dict[str, Any]]) -> str:
    """When LXD itself, asked past the collection, refuses such a VM: on create, on start, or never."""
    devices = {
        f"eth{number}": {"type": "nic", **{KEYS[option]: str(value).lower() for option, value in nic.items()}}
        for number, nic in enumerate(nics)
    }
    config = {"limits.memory": "160MiB", "security.secureboot": "false"}
    body = {"name": "raw", "type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "config": config}
    query = {"project": tenant.project}
    try:
        tenant.lxd.api("POST", "/1.0/instances", {**body, "devices": {"root": ROOT, **devices}}, query)
    except ApiError:
        return "create"
    try:
        tenant.lxd.api("PUT", "/1.0/instances/raw/state", {"action": "start", "timeout": -1}, query)
        tenant.lxd.api("PUT", "/1.0/instances/raw/state", {"action": "stop", "timeout": -1, "force": True}, query)
    except ApiError:
        return "start"
    finally:
        tenant.lxd.api("DELETE", "/1.0/instances/raw", None, query)
    return ""


def filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: filled(inner, words) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    for word, found in words.items():
        value = value.replace(word, found)
    return value


def test_what_cannot_be_is_refused_before_the_first_write_and_by_lxd_too(opened: Tenant, wires: Wires) -> None:
    far = free_name()
    opened.lxd.api("POST", "/1.0/networks", {"name": far, "type": "bridge", "config": {"ipv4.address": "none"}})
    try:
        words = {"NETWORK": wires.network, "MACVLAN": wires.macvlan, "BRIDGE": opened.lxd.bridge, "FAR": far}
        words |= {"SUBNET": wires.subnet, "BR": wires.bridge, "CARD": wires.card, "NET": subnet(opened)}
        there = {"network": opened.lxd.bridge, "mac": "00:16:3e:aa:00:09", "ipv4": address(opened, 90)}
        opened.compose([bare("there", there, state="started")])
        cases = [
            dataclasses.replace(case, nics=[filled(n, words) for n in case.nics], words=filled(case.words, words))
            for case in BAD
        ]
        before = opened.lxd.fingerprint_of_world()
        # In two runs: more VMs than the machine has room for would be refused for that.
        for half in (cases[::2], cases[1::2]):
            vms = [bare("good"), *(bare(f"vm-{n}", *case.nics) for n, case in enumerate(half))]
            refused = opened.compose(vms, fails=True)["refused"]
            lines = {line.split(" on ")[0]: line for line in refused}
            missing = [case for n, case in enumerate(half) if case.words not in lines.get(f"VM vm-{n}", "")]
            assert missing == [] and "VM good" not in lines, refused
        assert differences(before, opened.lxd.fingerprint_of_world()) == []
        asked = {case.words: raw(opened, case.nics) for case in cases}
        assert asked == {case.words: case.lxd for case in cases}
    finally:
        opened.lxd.api("DELETE", f"/1.0/networks/{far}")


def test_two_vms_of_one_task_get_no_address_twice(tenant: Tenant) -> None:
    nic = {"network": tenant.lxd.bridge, "mac": "00:16:3e:aa:00:03"}
    refused = roomy(tenant).compose([bare("a", nic), bare("b", nic), bare("c")], fails=True)
    assert refused["code"] == "conflict" and "VM b on kvm-01: interface eth0: mac 00:16:3e:aa:00:03" in refused["msg"]
    assert "is also set for VM a" in refused["msg"] and tenant.instances() == {}


def pid(tenant: Tenant, name: str) -> int:
    return int(tenant.lxd.api("GET", f"/1.0/instances/{name}/state", query={"project": tenant.project})["pid"])


def booted(tenant: Tenant, name: str) -> None:
    """The guest has an address, so that it listens to what LXD plugs and unplugs."""

    def answers() -> bool:
        state = tenant.lxd.api("GET", f"/1.0/instances/{name}/state", query={"project": tenant.project})
        return any(a["family"] == "inet" for nic in (state["network"] or {}).values() for a in nic["addresses"])

    until(answers, 120, "the guest has an address")


def taps(bridge: str) -> set[str]:
    return {path.name for path in Path(f"/sys/class/net/{bridge}/brif").iterdir()}


def test_a_running_vm_is_changed_where_lxd_can_and_the_rest_waits(opened: Tenant, wires: Wires) -> None:
    lan = {"name": "lan", "parent": wires.bridge, "type": "bridged"}
    first = {**SMALL, "name": "vm", "interfaces": [{"network": opened.lxd.bridge}, lan]}
    opened.compose([first])
    booted(opened, "vm")
    before, plugged = pid(opened, "vm"), taps(wires.bridge)
    wanted: dict[str, Any] = {
        **SMALL,
        "name": "vm",
        "tags": ["live"],
        "interfaces": [
            {"network": opened.lxd.bridge, "ipv4": address(opened, 70), "ipv4_filter": True, "mac_filter": True},
            {**lan, "mac": "00:16:3e:aa:00:04", "mac_filter": True},
            {"name": "wan", "network": wires.network, "boot": 4},
        ],
    }
    predicted = opened.compose([wanted], check=True)
    done = opened.compose([wanted])
    waits = [{"name": "vm", "vmhost": opened.vmhost, "keys": ["device lan"]}]
    assert predicted["needs_restart"] == done["needs_restart"] == waits and predicted["diff"] == done["diff"]
    assert done["actions"] == ["update VM vm: user.tenantry.tags, device eth0, device wan"]
    found = opened.instance("vm")
    assert found["devices"]["eth0"]["security.ipv4_filtering"] == "true"
    assert found["devices"]["lan"] == {"type": "nic", "name": "lan", "parent": wires.bridge, "nictype": "bridged"}
    assert found["config"]["volatile.wan.host_name"] in taps(wires.network), "the new interface isn't plugged in"
    assert pid(opened, "vm") == before and taps(wires.bridge) == plugged

    again = opened.compose([wanted])
    assert not again["changed"] and again["needs_restart"] == waits

    gone = opened.compose([{"name": "vm", "interfaces": [{"name": "wan", "state": "absent"}]}])
    assert gone["needs_restart"] == [] and gone["changed"]
    assert "wan" not in opened.instance("vm")["devices"] and taps(wires.network) == set()
    assert pid(opened, "vm") == before

    # LXD 5.0 has no slot for one that isn't last by its name.
    middle = [
        {**SMALL, "name": "vm", "interfaces": [*wanted["interfaces"][:1], {"name": "eth1", "network": wires.network}]}
    ]
    assert opened.compose(middle)["needs_restart"] == [{**waits[0], "keys": ["device eth1"]}]
    found = opened.instance("vm")
    left = free_name()
    nic = {"type": "nic", "network": wires.network, "host_name": left}
    changed = {**found, "devices": {**found["devices"], "eth1": nic}}
    with pytest.raises(ApiError, match="slot 0"):
        opened.lxd.api("PUT", "/1.0/instances/vm", changed, {"project": opened.project})
    # LXD 5.0 leaves the host's end of it behind.
    subprocess.run(["ip", "link", "delete", left], check=False, capture_output=True)
    assert pid(opened, "vm") == before

    opened.compose([wanted], allow_restart=True, force_stop=True)
    assert opened.instance("vm")["devices"]["lan"]["hwaddr"] == "00:16:3e:aa:00:04" and pid(opened, "vm") != before
    assert not opened.compose([wanted], allow_restart=True)["changed"]


def test_an_interface_takes_no_place_that_another_leaves_in_the_same_run(opened: Tenant, wires: Wires) -> None:
    opened.compose([bare("vm", {"network": opened.lxd.bridge})])
    other = {"network": opened.lxd.bridge}
    for first in ({"network": wires.network}, {"state": "absent"}):
        refused = opened.compose([bare("vm", first, other)], fails=True)
        assert refused["code"] == "invalid" and "eth1 would replace interface eth0" in refused["msg"]
        found = opened.instance("vm")
        nic = found["devices"]["eth0"]
        kept = {} if "state" in first else {"eth0": {**nic, "network": wires.network}}
        changed = {**found, "devices": {"root": found["devices"]["root"], **kept, "eth1": {**nic, "name": "eth1"}}}
        with pytest.raises(ApiError, match="already used on network"):
            opened.lxd.api("PUT", "/1.0/instances/vm", changed, {"project": opened.project})
    opened.compose([bare("vm", {"network": wires.network})])
    opened.compose([bare("vm", {"network": wires.network}, other)])
    assert opened.instance("vm")["devices"]["eth1"]["network"] == opened.lxd.bridge


# What LXD does to a running VM with one change: takes it in place, unplugs and plugs in again, or refuses. DATA is a
# block volume, NIC an interface on the daemon's bridge, LAN one on a bridge that isn't LXD's.
PLACE, REPLUG, REFUSED = "in place", "unplugged", "refused"
NIC, LAN = {"type": "nic", "name": "eth0"}, {"type": "nic", "nictype": "bridged", "name": "lan"}
DATA = {"type": "disk", "pool": "default", "source": "vm-data"}
CHANGES: list[tuple[str, str, dict[str, str | None], str]] = [
    ("eth0", "address", {"ipv4.address": "NET.71"}, PLACE),
    ("eth0", "MAC filter", {"security.mac_filtering": "true"}, PLACE),
    ("eth0", "address filter", {"security.ipv4_filtering": "true"}, PLACE),
    ("eth0", "no filters", {"security.mac_filtering": None, "security.ipv4_filtering": None}, PLACE),
    ("lan", "MAC filter without LXD's network", {"security.mac_filtering": "true"}, PLACE),
    ("root", "limit of the root disk", {"limits.read": "40MB"}, PLACE),
    ("root", "size of the root disk", {"size": "11GiB"}, PLACE),
    ("eth0", "boot priority", {"boot.priority": "5"}, REPLUG),
    ("eth0", "port isolation", {"security.port_isolation": "true"}, REPLUG),
    ("eth0", "MAC", {"hwaddr": "00:16:3e:aa:00:05"}, REPLUG),
    ("eth0", "name", {"name": "first"}, REPLUG),
    ("lan", "MTU", {"mtu": "1400"}, REPLUG),
    ("root", "boot priority of the root disk", {"boot.priority": "5"}, REFUSED),
    ("data", "limit of another disk", {"limits.read": "40MB"}, REFUSED),
]
COMES: list[tuple[str, dict[str, str], bool]] = [
    ("interface", {"type": "nic", "network": "NETWORK"}, True),
    ("disk", {"type": "disk", "pool": "default", "source": "vm-more"}, True),
    ("drive of cloud-init", {"type": "disk", "source": "cloud-init:config"}, True),
    ("usb", {"type": "usb", "vendorid": "1234"}, True),
    ("tpm", {"type": "tpm", "path": "/dev/tpm0"}, False),
    ("pci", {"type": "pci", "address": "0000:00:03.0"}, False),
    ("gpu", {"type": "gpu", "gputype": "physical"}, False),
    ("infiniband", {"type": "infiniband", "nictype": "sriov", "parent": "ib0"}, False),
    ("nothing", {"type": "none"}, False),
    ("folder", {"type": "disk", "source": "/etc/ssl", "path": "/mnt"}, False),
]


@pytest.fixture
def running(lxd: Daemon, wires: Wires) -> Iterator[Callable[[str, dict[str, str] | None], str]]:
    """A VM with a guest that listens, made past the collection; sets one device and says whether LXD took it."""
    name = f"vm-{secrets.token_hex(3)}"
    volumes = "/1.0/storage-pools/default/volumes/custom"
    for volume in ("vm-data", "vm-more"):
        lxd.api(
            "POST", volumes, {"name": volume, "type": "custom", "content_type": "block", "config": {"size": "5MiB"}}
        )
    devices = {
        "root": ROOT,
        "eth0": {**NIC, "network": lxd.bridge},
        "lan": {**LAN, "parent": wires.bridge},
        "data": DATA,
    }
    config = {"limits.memory": "160MiB", "security.secureboot": "false"}
    body = {"name": name, "type": "virtual-machine", "profiles": [], "config": config, "devices": devices}
    path = f"/1.0/instances/{name}"

    def change(device: str, said: dict[str, str] | None) -> str:
        found = lxd.api("GET", path)
        changed = {key: value for key, value in {**found["devices"], device: said}.items() if value is not None}
        try:
            lxd.api("PUT", path, {**found, "devices": changed})
        except ApiError as error:
            return error.message
        return ""

    lxd.api("POST", "/1.0/instances", {**body, "source": {"type": "image", "alias": "micro"}})
    try:
        lxd.api("PUT", f"{path}/state", {"action": "start", "timeout": -1})

        def answers() -> bool:
            network = lxd.api("GET", f"{path}/state")["network"] or {}
            return any(a["family"] == "inet" for nic in network.values() for a in nic["addresses"])

        until(answers, 120, "the guest has an address")
        change.path = path  # type: ignore[attr-defined]
        yield change
    finally:
        lxd.api("PUT", f"{path}/state", {"action": "stop", "timeout": -1, "force": True})
        lxd.api("DELETE", path)
        for volume in ("vm-data", "vm-more"):
            lxd.api("DELETE", f"{volumes}/{volume}")


def test_what_we_call_live_is_what_lxd_changes_in_place(
    lxd: Daemon, wires: Wires, running: Callable[[str, dict[str, str] | None], str]
) -> None:
    path = running.path  # type: ignore[attr-defined]
    networks = {
        each["name"]: Network.from_api(each) for each in lxd.api("GET", "/1.0/networks", query={"recursion": 1})
    }
    words = {"NETWORK": wires.network, "NET": lxd.place.subnet}
    process = lxd.api("GET", f"{path}/state")["pid"]
    wrong = []

    def host_names() -> dict[str, str]:
        config = lxd.api("GET", path)["config"]
        return {key: value for key, value in config.items() if key.endswith(".host_name")}

    for device, label, said, verdict in CHANGES:
        before = lxd.api("GET", path)["devices"][device]
        after = {key: value for key, value in {**before, **filled(said, words)}.items() if value is not None}
        plugged = host_names()
        refusal = running(device, after)
        found = REFUSED if refusal else PLACE if host_names() == plugged else REPLUG
        if found != verdict or is_live(before, after, networks) != (verdict == PLACE):
            wrong.append(f"{label}: {found}, {is_live(before, after, networks)}: {refusal}")
    for label, raw_device, takes in COMES:
        device = filled(raw_device, words)
        refusal = running("x", device)
        if bool(refusal) == takes or is_live(None, device, networks) != takes:
            wrong.append(f"{label} comes: {refusal}")
        if takes and not refusal and (running("x", None) or not is_live(device, None, networks)):
            wrong.append(f"{label} doesn't go")
    assert wrong == []
    assert lxd.api("GET", f"{path}/state")["pid"] == process
