# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""VM hosts as LXD's JSON tells of them, to place VMs on: what tests say is raw, so that an oracle can read it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Volume,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.demand import Demand, compute_demand
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.search import Placements, place_vms
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import VmHostListings, VmHostReading
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.spec import parse_vm_spec

GIB = 1 << 30
PAGE = 2 << 20


def machine(
    cores: int = 4,
    memory: int = 8 * GIB,
    member: str = "none",
    nodes: int = 2,
    hugepages: int = 0,
    pools: Sequence[tuple[Any, ...]] = (("default", "zfs", 100 * GIB, 0),),
    **more: Any,
) -> dict[str, Any]:
    """One machine: cores in blocks over its NUMA nodes, and storage pools as (name, driver, total, used)."""
    threads = [{"id": core, "numa_node": core * nodes // cores} for core in range(cores)]
    return {
        "member": member,
        "cpu": {"total": cores, "sockets": [{"cores": [{"threads": threads}]}]},
        "memory": {"total": memory, "used": GIB, "hugepages_total": hugepages, "hugepages_size": PAGE},
        "pools": pools,
        **more,
    }


def instance(
    name: str, cores: str = "1", memory: str = "1GiB", disk: str = "1GiB", pool: str = "default", **more: Any
) -> dict[str, Any]:
    """A VM of ours."""
    config = {"limits.cpu": cores, "limits.memory": memory, OWNER: "us", "volatile.apply_template": "create"}
    config.update(more.pop("config", {}))
    devices = {"root": {"type": "disk", "path": "/", "pool": pool, "size": disk}}
    body = {"name": name, "type": "virtual-machine", "status": "Stopped", "location": "none", **more}
    return {**body, "config": config, "devices": devices, "expanded_config": config, "expanded_devices": devices}


def raw_host(name: str = "kvm", *machines: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A VM host: one machine, or the members of a cluster."""
    default = {"instances": [], "volumes": [], "project": {}, "ratios": {}, "state": {}}
    return {"name": name, "machines": machines or (machine(),), **default, **more}


def host_of(raw: Mapping[str, Any]) -> VmHostReading:
    """The same as a run reads it."""
    machines = tuple(_machine(each) for each in raw["machines"])
    clustered = raw.get("clustered", len(machines) > 1)
    pools = [StoragePool(pool[0], pool[1], "Created") for pool in raw["machines"][0]["pools"]]
    return VmHostReading(
        name=raw["name"],
        owner="us",
        project=Project("p", "", dict(raw["project"]), ()),
        server=Server.from_api({"environment": {"server_clustered": clustered, "architectures": ["x86_64"]}}),
        instances={each["name"]: Instance.from_api(each) for each in raw["instances"]},
        volumes={(each["pool"], each["name"]): Volume.from_api(each["pool"], each) for each in raw["volumes"]},
        listings=VmHostListings((Network("br0", "bridge", True, {}),), tuple(pools), raw.get("profiles", {}), ()),
        default_storage_pool=raw.get("default_storage_pool", "default"),
        machines=machines,
        state=raw["state"],
        ratios=raw["ratios"],
        zone=raw.get("zone"),
        pool=raw.get("pool"),
        tags=frozenset(raw.get("tags", ())),
        unread=raw.get("unread", False),
    )


def _machine(raw: Mapping[str, Any]) -> Machine:
    status = raw.get("status", "Online")
    pools = tuple(StoragePool(name, driver, "Created", total, used) for name, driver, total, used in raw["pools"])
    return Machine(
        member=raw["member"],
        resources=Resources.from_api(raw) if status != "Offline" else None,
        pools=pools,
        groups=frozenset(raw.get("groups", ())),
        status=status,
        architecture=raw.get("architecture", "x86_64"),
    )


def asks(vms: Sequence[Mapping[str, Any]], hosts: Sequence[VmHostReading], **more: Any) -> list[Demand]:
    """What these VMs ask: of the host that they say or are on, else of any."""
    found = []
    for vm in vms:
        on = [host for host in hosts if vm.get("vmhost", host.name) == host.name]
        there = [host for host in on if vm["name"] in host.instances]
        ask = compute_demand(
            vm["name"], parse_vm_spec({key: vm[key] for key in vm if key != "vmhost"}), there or on, **more
        )
        found += [ask] if ask else []
    return found


def placed(vms: Sequence[Mapping[str, Any]], *raw: Mapping[str, Any], strategy: str = "spread") -> Placements:
    """Where these VMs go among these hosts."""
    hosts = [host_of(each) for each in raw]
    return place_vms(asks(vms, hosts), hosts, strategy)


def vm(name: str = "vm", cores: int = 1, memory: str = "1GiB", disk: str = "1GiB", **more: Any) -> dict[str, Any]:
    """A VM as a task says it."""
    sizes = {} if "pinned_cores" in more else {"cores": cores}
    return {"name": name, **sizes, "memory": memory, "disks": [{"size": disk}], **more}
