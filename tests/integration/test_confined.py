# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of docs/reference/confined.md: this collection refuses what it forbids, and so does LXD by itself."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.vm_arguments import VM

from tests.integration.playing import Site
from tests.integration.tenancy import Tenant, create_confined_project, register_vm_host
from tests.lxd.admin import ApiError
from tests.lxd.daemon import Daemon
from tests.lxd.place import default_root
from tests.lxd.teardown import discard_project
from tests.lxd.world import differences

TABLE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "confined.md"
ROOT = {"type": "disk", "path": "/", "pool": "default"}
LOWLEVEL = "restricted.virtual-machines.lowlevel"
CARD, ACCESS, DISK = "restricted.devices.nic", "restricted.networks.access", "restricted.devices.disk"


@dataclasses.dataclass(frozen=True)
class Row:
    """One forbidden thing: the VM's options, LXD's words for them, the key that opens it, what else the project says.

    NET and PARENT stand for a network and a bridge of this run that the project may not use, BRIDGE for one it may.
    """

    said: Mapping[str, Any]
    key: str
    value: str = "allow"
    config: Mapping[str, str] = dataclasses.field(default_factory=dict)
    device: Mapping[str, str] | None = None
    project: Mapping[str, str] = dataclasses.field(default_factory=dict)
    silent: bool = False


def config(key: str, value: str, opens: str = LOWLEVEL, **more: Any) -> Row:
    return Row({"config": {key: value}}, opens, config={key: value}, **more)


def device(opens: str, value: str = "allow", project: Mapping[str, str] | None = None, **said: str) -> Row:
    return Row({"devices": {"x": said}}, opens, value, device=said, project=project or {})


def hugepages(value: bool) -> Row:
    return Row({"hugepages": value}, LOWLEVEL, config={"limits.memory.hugepages": str(value).lower()})


BRIDGED = {"parent": "PARENT", "type": "bridged"}
ON_PARENT = {"type": "nic", "nictype": "bridged", "parent": "PARENT"}
OF_HOST: dict[str, Any] = {"type": "disk", "source": "/etc", "path": "/mnt"}
FORBIDDEN: dict[str, list[Row]] = {
    "`hugepages`, true or false": [hugepages(True), hugepages(False)],
    "`disks` beyond the root, where `restricted.devices.disk` is `block`": [
        Row(
            {"disks": [{}, {"name": "x", "size": "5MiB"}]},
            DISK,
            "managed",
            device={"type": "disk", "pool": "default", "source": "confined-x"},
            project={DISK: "block"},
        )
    ],
    "`interfaces` on another network": [
        Row({"interfaces": [{"network": "NET"}]}, ACCESS, "BRIDGE,NET", device={"type": "nic", "network": "NET"})
    ],
    "`interfaces` with a `parent`": [
        # Where the project names networks, both keys are needed; the next row is about the second one.
        Row({"interfaces": [BRIDGED]}, CARD, device=ON_PARENT, project={ACCESS: "BRIDGE,PARENT"}),
        device(CARD, project={ACCESS: "BRIDGE,PARENT"}, type="nic", nictype="macvlan", parent="PARENT"),
    ],
    "`interfaces` with a `parent`, where `restricted.networks.access` is set": [
        Row({"interfaces": [BRIDGED]}, ACCESS, "BRIDGE,PARENT", device=ON_PARENT, project={CARD: "allow"})
    ],
    "`interfaces`, where `restricted.devices.nic` is `block`": [
        Row(
            {"interfaces": [{"network": "BRIDGE"}]},
            CARD,
            "managed",
            device={"type": "nic", "network": "BRIDGE"},
            project={CARD: "block"},
        )
    ],
    "`config`: `raw.qemu`, `raw.qemu.conf`, `raw.apparmor`, `raw.idmap`": [
        config("raw.qemu", "-name x"),
        config("raw.qemu.conf", "[x]"),
        config("raw.apparmor", "/x r,"),
        config("raw.idmap", "both 1000 1000"),
    ],
    "`config`: `boot.host_shutdown_timeout`": [config("boot.host_shutdown_timeout", "30")],
    "`config`: `snapshots.schedule`": [config("snapshots.schedule", "@daily", "restricted.snapshots", silent=True)],
    "`devices` of type `disk` without a pool": [device(DISK, **OF_HOST)],
    "`devices` of type `disk`, a path outside `restricted.devices.disk.paths`": [
        device(f"{DISK}.paths", "/srv,/etc", {DISK: "allow", f"{DISK}.paths": "/srv"}, **OF_HOST)
    ],
    "`devices` of type `gpu`": [device("restricted.devices.gpu", type="gpu", gputype="physical")],
    "`devices` of type `infiniband`": [
        device("restricted.devices.infiniband", type="infiniband", nictype="sriov", parent="ib0")
    ],
    "`devices` of type `pci`": [device("restricted.devices.pci", type="pci", address="0000:00:03.0")],
    "`devices` of type `proxy`": [
        device("restricted.devices.proxy", type="proxy", nat="true", listen="tcp:127.0.0.1:9", connect="tcp:10.0.0.9:9")
    ],
    "`devices` of type `usb`": [device("restricted.devices.usb", type="usb", vendorid="1234")],
    "`devices` of type `unix-block`, `unix-char`, `unix-hotplug`": [
        device("", type="unix-block", source="/dev/loop0"),
        device("", type="unix-char", source="/dev/null", path="/dev/x"),
        device("", type="unix-hotplug", vendorid="1234"),
    ],
}
# These want a cluster; test_a_target_in_a_confined_project has one.
OF_A_CLUSTER = {"`target`", "`target`, a group outside `restricted.cluster.groups`"}

# VMs that together have everything that the table permits.
PERMITTED: list[dict[str, Any]] = [
    {
        "name": "permitted",
        "state": "present",
        "vmhost": "kvm-01",
        "cores": 1,
        "memory": "160MiB",
        "disks": [{}, {"name": "data", "size": "5MiB"}],
        "interfaces": [
            {
                "network": "BRIDGE",
                "mac": "00:16:3e:11:22:33",
                "mac_filter": True,
                "ipv4": "FREE",
                "ipv4_filter": True,
                "ipv6_filter": True,
                "boot": 5,
                "config": {"limits.max": "1Gbit"},
            }
        ],
        "image": "micro",
        "boot": "disk",
        "secure_boot": False,
        "cloud_init": {"user_data": "x"},
        "profiles": ["default"],
        "config": {"boot.autostart": True, "security.devlxd": False, "user.x": "y"},
        "devices": {
            "tpm": {"type": "tpm"},
            "nothing": {"type": "none"},
            "seed": {"type": "disk", "source": "cloud-init:config"},
        },
        "description": "x",
        "pool": "x",
        "zone": "x",
        "tags": ["x"],
        "annotations": {"x": "y"},
        "protected": False,
    },
    {"name": "pinned", "state": "present", "pinned_cores": [0], "interfaces": [{"network": "BRIDGE", "vlan": 5}]},
]


def rows_of_the_table() -> dict[str, tuple[str, str]]:
    """Option: whether it is permitted, and the key that opens it."""
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ") and "| option |" not in line]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("| "): (row[1].strip("| "), row[2].strip("| ") if len(row) > 2 else "") for row in cells}


def test_the_table_and_this_test_have_the_same_rows() -> None:
    found = rows_of_the_table()
    forbidden = {option: key for option, (verdict, key) in found.items() if verdict == "forbidden"}
    assert set(forbidden) == {*FORBIDDEN, *OF_A_CLUSTER}
    assert {verdict for verdict, _key in found.values()} == {"permitted", "forbidden"}
    for option, rows in FORBIDDEN.items():
        for row in rows:
            assert (row.key or "none:") in forbidden[option], option
            assert row.value in forbidden[option] or "with" in forbidden[option] or not row.key, option


def test_the_table_has_every_option_of_a_vm() -> None:
    words = set(re.findall(r"`(\w+)`", "\n".join(rows_of_the_table())))
    assert set(VM) - words == set()
    interface = set(VM["interfaces"]["options"]) - {"name", "state", "type", "network"}
    assert interface - words == set()


@dataclasses.dataclass(frozen=True)
class Wires:
    """A network and a bridge that the tenant may not use."""

    network: str
    parent: str


@pytest.fixture
def wires(lxd: Daemon) -> Iterator[Wires]:
    """Removed afterwards; the network has no address, so that it can't meet one of the host."""
    network, parent = (f"tb{secrets.token_hex(4)}" for _each in range(2))
    none = {"ipv4.address": "none", "ipv6.address": "none"}
    lxd.api("POST", "/1.0/networks", {"name": network, "type": "bridge", "config": none})
    subprocess.run(["ip", "link", "add", parent, "type", "bridge"], check=True)
    try:
        yield Wires(network, parent)
    finally:
        subprocess.run(["ip", "link", "delete", parent], check=True)
        lxd.api("DELETE", f"/1.0/networks/{network}")


def filled(value: Any, tenant: Tenant, wires: Wires) -> Any:
    """What a row says, with the names of this run."""
    if isinstance(value, Mapping):
        return {key: filled(inner, tenant, wires) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, tenant, wires) for inner in value]
    if not isinstance(value, str):
        return value
    gateway = tenant.lxd.api("GET", f"/1.0/networks/{tenant.lxd.bridge}")["config"]["ipv4.address"]
    words = {"NET": wires.network, "PARENT": wires.parent, "BRIDGE": tenant.lxd.bridge}
    words["FREE"] = f"{gateway.rpartition('.')[0]}.77"
    return re.sub("|".join(words), lambda word: words[word[0]], value)


def set_project(tenant: Tenant, said: Mapping[str, str]) -> None:
    """The project confined as the fixture made it, with these keys over it."""
    path = f"/1.0/projects/{tenant.project}"
    found = tenant.lxd.api("GET", path)
    kept = {key: value for key, value in found["config"].items() if not key.startswith("restricted.")}
    confined = {**kept, ACCESS: tenant.lxd.bridge, **said}
    tenant.lxd.api("PUT", path, {**found, "config": confined})


def raw(tenant: Tenant, row: Row) -> str:
    """What LXD itself says to such a VM, asked past the collection; empty when it makes it."""
    devices = {"root": ROOT, **({"x": row.device} if row.device else {})}
    body = {"name": "raw", "type": "virtual-machine", "source": {"type": "none"}, "profiles": []}
    query = {"project": tenant.project}
    try:
        tenant.lxd.api("POST", "/1.0/instances", {**body, "config": row.config, "devices": devices}, query)
    except ApiError as error:
        return error.message
    tenant.lxd.api("DELETE", "/1.0/instances/raw", None, query)
    return ""


def grouped(tenant: Tenant, wires: Wires) -> list[tuple[dict[str, str], list[tuple[str, Row]]]]:
    """All rows by what else their project says, so that one run of the module asks for many."""
    groups: dict[str, tuple[dict[str, str], list[tuple[str, Row]]]] = {}
    for option, rows in FORBIDDEN.items():
        for row in (Row(**filled(dataclasses.asdict(row), tenant, wires)) for row in rows):
            # Which networks there are is read when nothing else is wrong.
            later = option == "`interfaces` on another network"
            key = json.dumps([later, row.project], sort_keys=True)
            groups.setdefault(key, (dict(row.project), []))[1].append((option, row))
    return list(groups.values())


def specs(rows: list[tuple[str, Row]]) -> list[dict[str, Any]]:
    """A VM for each row; none is ever made, so that all that matters of their size is that it is small."""
    bare = {"state": "present", "interfaces": [], "memory": "16MiB"}
    return [{"name": f"vm-{number}", **bare, **row.said} for number, (_option, row) in enumerate(rows)]


def test_what_is_forbidden_is_refused_with_the_key_that_opens_it(tenant: Tenant, wires: Wires) -> None:
    wrong: list[str] = []
    entry = tenant.site.registry / tenant.vmhost / "vmhost.yml"
    entry.write_text(yaml.safe_dump({**yaml.safe_load(entry.read_text()), "cpu_overcommit": 10}))
    for project, rows in grouped(tenant, wires):
        set_project(tenant, project)
        before = tenant.lxd.fingerprint_of_world()
        refused = tenant.compose(specs(rows), fails=True)
        wrong += differences(before, tenant.lxd.fingerprint_of_world())
        lines = refused.get("refused") or [f"{refused['msg']}; {refused['hint']}"]
        for number, (option, row) in enumerate(rows):
            wanted = f"{row.key}: {row.value}" if row.key else "containers only"
            if not any(f"VM vm-{number} on kvm-01: " in line and wanted in line for line in lines):
                wrong.append(f"{option}: {wanted} is not in {lines}")
        opened = {row.key: row.value for _option, row in rows if row.key}
        set_project(tenant, {**project, **opened})
        # The machine has no hugepages, whoever allows them.
        takes = [row.key and "hugepages" not in row.said for _option, row in rows]
        allowed = [spec for spec, taken in zip(specs(rows), takes, strict=True) if taken]
        tenant.compose(allowed, check=True)
    assert wrong == []


def test_lxd_forbids_the_same_and_takes_it_with_that_key(tenant: Tenant, wires: Wires) -> None:
    volume = {"name": "confined-x", "type": "custom", "content_type": "block", "config": {"size": "5MiB"}}
    query = {"project": tenant.project}
    tenant.lxd.api("POST", "/1.0/storage-pools/default/volumes/custom", volume, query)
    wrong: list[str] = []
    for project, rows in grouped(tenant, wires):
        for option, row in rows:
            set_project(tenant, project)
            shut = raw(tenant, row)
            if bool(shut) == row.silent:
                wrong.append(f"{option}: LXD says {shut!r} to {row.said}")
            set_project(tenant, {**project, row.key: row.value} if row.key else project)
            opened = raw(tenant, row)
            if bool(opened) == bool(row.key):
                wrong.append(f"{option}: with {row.key}: {row.value}, LXD says {opened!r}")
    assert wrong == []


def test_what_is_permitted_is_made(tenant: Tenant, wires: Wires) -> None:
    made = tenant.compose(filled(PERMITTED, tenant, wires))
    assert made["changed"] and set(tenant.instances()) == {"permitted", "pinned"}
    assert not tenant.compose(filled(PERMITTED, tenant, wires))["changed"]


def test_a_schedule_of_snapshots_is_one_that_lxd_would_not_keep(tenant: Tenant) -> None:
    tenant.compose([{"name": "vm", "state": "present"}])
    with pytest.raises(ApiError, match="snapshot"):
        tenant.lxd.api("POST", "/1.0/instances/vm/snapshots", {"name": "s"}, {"project": tenant.project})
    set_project(tenant, {"restricted.snapshots": "allow"})
    tenant.lxd.api("POST", "/1.0/instances/vm/snapshots", {"name": "s"}, {"project": tenant.project})


def test_a_target_in_a_confined_project(site: Site) -> None:
    daemon = Daemon.new(f"target-{secrets.token_hex(3)}", default_root(), owned=True)
    with daemon:
        daemon.api("PUT", "/1.0/cluster", {"server_name": "n1", "enabled": True})
        for name, members in (("g1", ["n1"]), ("g2", ["n1"])):
            daemon.api("POST", "/1.0/cluster/groups", {"name": name, "description": "", "members": members})
        project = f"test-{secrets.token_hex(4)}"
        create_confined_project(daemon, project)
        tenant = register_vm_host(site, daemon, project)
        try:
            (site.registry / tenant.vmhost / "server.crt").write_text((daemon.directory / "cluster.crt").read_text())
            vm = {"name": "vm", "state": "present", "interfaces": []}
            for target in ("n1", "@g1"):
                refused = tenant.compose([{**vm, "target": target}], fails=True)
                assert refused["code"] == "unsupported" and f"target {target}: the project is conf" in refused["msg"]
                assert "restricted.cluster.target: allow" in refused["hint"] and tenant.instances() == {}
            set_project(tenant, {"restricted.cluster.target": "allow", "restricted.cluster.groups": "g1"})
            outside = tenant.compose([{**vm, "target": "@g2"}], fails=True)
            assert "restricted.cluster.groups: g1,g2" in outside["hint"] and tenant.instances() == {}
            assert tenant.compose([{**vm, "target": "@g1"}])["vms"][0]["location"] == "n1"
        finally:
            discard_project(daemon, project)
