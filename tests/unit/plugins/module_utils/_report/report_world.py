# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""VM hosts as a report reads them, made of LXD's JSON by the code that reads the real one; and a fleet of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import (
    OWNER,
    Instance,
    Machine,
    Network,
    Project,
    Resources,
    Server,
    StoragePool,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import view
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import view as vmhost_view
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost.found import VmHostState
from ansible_collections.tenantry.lxd.plugins.module_utils._report import as_of
from ansible_collections.tenantry.lxd.plugins.module_utils._report.pages import Pages
from ansible_collections.tenantry.lxd.plugins.module_utils._report.site import Settings, Site, render_site

GIB = 1 << 30
ROOT = Path(__file__).resolve().parents[5]
TEMPLATES = str(ROOT / "roles" / "report" / "templates")
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def vm(
    name: str,
    cores: str = "2",
    memory: str = "4GiB",
    status: str = "Running",
    owner: str | None = "team-a",
    addresses: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """A VM as LXD tells of it; `config` is added to it."""
    config = {"limits.cpu": cores, "limits.memory": memory, **({OWNER: owner} if owner else {})}
    config.update(more.pop("config", {}))
    disk = {"type": "disk", "path": "/", "pool": "default", "size": "20GiB"}
    reached = [{"family": "inet", "address": each, "scope": "global"} for each in addresses]
    return {
        "name": name,
        "type": "virtual-machine",
        "status": status,
        "location": "none",
        "config": config,
        "expanded_config": config,
        "expanded_devices": {"root": disk, "eth0": {"type": "nic", "network": "lxdbr0"}},
        "state": {"network": {"eth0": {"addresses": reached}}},
        **more,
    }


def lost(name: str) -> dict[str, Any]:
    """A VM on a member of a cluster that doesn't answer, as LXD tells of it."""
    return {**vm(name, status="Error"), **dict.fromkeys(("config", "expanded_config", "expanded_devices", "state"))}


def machine(cores: int = 16, memory: int = 64 * GIB, nodes: int = 2, used: int = 20 * GIB) -> dict[str, Any]:
    """One machine as LXD tells of it, cores in blocks over its NUMA nodes, a network card on each."""
    threads = [{"id": core, "numa_node": core * nodes // cores} for core in range(cores)]
    memories = [{"numa_node": n, "total": memory // nodes, "used": used // nodes} for n in range(nodes)]
    cards = [
        {
            "numa_node": n,
            "sriov": {"maximum_vfs": 63},
            "ports": [
                {"id": f"eno{n + 1}", "address": f"00:16:3e:00:00:0{n}", "link_detected": True, "link_speed": 10000}
            ],
        }
        for n in range(nodes)
    ]
    return {
        "cpu": {"total": cores, "sockets": [{"cores": [{"threads": threads}]}]},
        "memory": {"total": memory, "used": used, "nodes": memories},
        "network": {"cards": cards},
    }


def row(name: str = "kvm-01", vms: Sequence[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:
    """A VM host's row, as the report's reading makes it; `more` replaces what the row says."""
    entry = {"url": f"https://{name}:8443", "project": "tenant-a", "owner": "team-a", **more.pop("entry", {})}
    config = {OWNER: "team-a", "restricted": "true", **more.pop("config", {})}
    instances = tuple(Instance.from_api(each) for each in vms)
    space = more.pop("space", (1000 * GIB, 100 * GIB))
    pools = (StoragePool("default", "zfs", "Created", *space),)
    found = VmHostState(
        Server.from_api(
            {
                "api_extensions": ["access_management"],
                "environment": {"server_version": "5.21.4", "server": "lxd", "driver": "lxc | qemu"},
            }
        ),
        project=Project("tenant-a", "", config, ()),
        instances=instances,
        networks=(Network("lxdbr0", "bridge", True, {}),),
        pools=pools,
        machines=(Machine("none", Resources.from_api(more.pop("machine", machine())), pools),),
    )
    days = more.pop("days_left", 3000)
    certificate = {
        "fingerprint": "3b5d6e" * 10 + "abcd",
        "subject": "CN=x",
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2036-01-01T00:00:00Z",
        "days_left": days,
        "key_type": "ecdsa-p384",
        "pem": PEM,
        "trusted": True,
    }
    return {
        "vmhost": name,
        **vmhost_view.build_vmhost_view(name, entry, found, certificate),
        "vms": [view.build_vm_row(each, name, "tenant-a", entry["owner"]) for each in found.instances],
        "orphaned_trust": [],
        "server_certificate": {"fingerprint": "ab" * 32, "not_after": "2036-01-01T00:00:00Z", "days_left": 3000},
        "declared": {},
        "project_owner": config.get(OWNER),
        "unused_volumes": [],
        **more,
    }


def unread(name: str = "kvm-dead", code: str = "unreachable") -> dict[str, Any]:
    """A VM host that gave no answer."""
    nothing = dict.fromkeys(("server", "resources", "vms"))
    error = {"code": code, "msg": f"https://{name}:8443: no answer: timed out", "hint": "is LXD listening there?"}
    known = ("url", "urls", "project", "owner", "certificate")
    said = {key: value for key, value in row(name).items() if key in known}
    return {"vmhost": name, "zone": "north", "pool": "production", **said, **nothing, "exposure": [], "error": error}


def made(*rows: Mapping[str, Any], **settings: Any) -> Site:
    """The site of these VM hosts, by our own templates."""
    return render_site(rows, Settings(**{"title": "VM hosts", "expires_within": 30, **settings}), Pages([TEMPLATES]))


def shown(*rows: Mapping[str, Any], **settings: Any) -> dict[str, str]:
    """Its files as they are written."""
    files = made(*rows, **settings).files
    return {name: as_of.fill_in(text, "2026-11-21T12:00:00Z") for name, text in files.items()}


def fleet(hosts: int, vms_each: int) -> list[dict[str, Any]]:
    """Many hosts of all kinds, the same at every run: pinned and enlisted VMs, full hosts, old certificates."""
    dice = random.Random(7)
    found = []
    for number in range(hosts):
        name = f"kvm-{number + 1:03}"
        if number % 29 == 17:
            found.append(unread(name))
            continue
        cores = dice.choice([32, 64, 128])
        vms = [
            _some_vm(f"{dice.choice(['web', 'db', 'ci', 'cache'])}-{place + 1}", place, cores, dice)
            for place in range(vms_each)
        ]
        entry = {
            "zone": ("north", "south", "west")[number % 3],
            "pool": dice.choice(["production", "production", "testing"]),
            "tags": dice.choice([["ssd"], ["ssd", "10g"], []]),
            "cpu_overcommit": "4",
        }
        memory = dice.choice([512, 768, 1024]) * GIB
        config = {"user.tenantry.cpu_overcommit": "4", "user.tenantry.storage_overcommit": "3"}
        if number % 23 == 5:
            config["restricted"] = "false"
        more = {"days_left": 12} if number % 31 == 3 else {}
        found.append(row(name, vms, entry=entry, config=config, machine=machine(cores, memory, 2, memory // 3), **more))
    return found


def _some_vm(name: str, place: int, cores: int, dice: random.Random) -> dict[str, Any]:
    pinned = place < 6
    first = (place * 4 + (cores // 2 if place % 2 else 0)) % cores
    config = {
        "user.tenantry.pool": dice.choice(["production", "testing"]),
        "user.tenantry.tags": dice.choice(["web", "db,ssd", ""]),
    }
    if dice.random() < 0.2:
        config["user.tenantry.annotation.ticket"] = f"OPS-{dice.randrange(999)}"
    return vm(
        name,
        cores=f"{first}-{first + 3}" if pinned else str(dice.choice([1, 2, 4])),
        memory=dice.choice(["2GiB", "4GiB", "8GiB"]),
        status="Running" if dice.random() < 0.85 else "Stopped",
        owner=None if dice.random() < 0.04 else "team-a",
        addresses=[f"10.{dice.randrange(250)}.{dice.randrange(250)}.{dice.randrange(2, 250)}"],
        config=config,
    )
