# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One world read twice, by who places VMs and by who tells of VM hosts: what is free is one figure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import OWNER, Project, Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.room import HostLedger
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import VmHostReading
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost.resources import count_resources
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.readers import vm_hosts
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.readers import vmhost as vmhost_reading

from tests.unit.plugins.module_utils._core.placement.placement_world import GIB, instance, machine
from tests.unit.plugins.module_utils._core.vm.vm_world import wanted

SHARED = {OWNER: "us", "features.storage.volumes": "false"}
OWN = {OWNER: "us", "features.storage.volumes": "true"}


def volume(name: str, size: str, owner: str = "us") -> dict[str, Any]:
    return {"name": name, "content_type": "block", "config": {"size": size, OWNER: owner}}


@dataclasses.dataclass
class World:
    """LXD's answers: one pool of 100 GiB, 1 GiB of it used, since volumes are thin; counts what it is asked."""

    volumes: list[dict[str, Any]]
    instances: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    config: Mapping[str, str] = dataclasses.field(default_factory=lambda: OWN)
    usage: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection = Connection(("https://one",))
        self.server = Server.from_api(
            {"api_extensions": ["project_usage"], "environment": {"architectures": ["x86_64"]}}
        )
        self.asked: Counter[str] = Counter()

    def call(self, _method: str, path: Any, **_rest: Any) -> Answer:
        self.asked["/".join(path)] += 1
        return Answer(self._answer("/".join(path)))

    def _answer(self, path: str) -> Any:
        if path == "projects/p/state":
            return {"resources": {kind: {"Limit": -1, "Usage": count} for kind, count in self.usage.items()}}
        used_by = [f"/1.0/storage-pools/default/volumes/custom/{each['name']}?project=p" for each in self.volumes]
        pool = {"name": "default", "driver": "zfs", "status": "Created"}
        return {
            "projects/p": {"name": "p", "config": dict(self.config), "used_by": used_by},
            "instances": self.instances,
            "storage-pools/default/volumes/custom": self.volumes,
            "storage-pools": [pool],
            "storage-pools/default/resources": {"space": {"total": 100 * GIB, "used": GIB}},
            "resources": machine(),
        }.get(path, [])

    def close(self) -> None:
        """Nothing is open."""


def host_of(world: World) -> VmHostReading:
    """As placement reads it, before it looks closer."""
    reader = Reader(world)
    project = reader.project("p")
    assert isinstance(project, Project)
    found = {each.name: each for each in reader.instances("p")}
    return VmHostReading("kvm", "us", project, world.server, found, {}, ratios={"storage": "1"})


WORLDS = {
    "a thin volume of ours": (World([volume("a-data", "80GiB")]), 20),
    "beside a root disk": (World([volume("a-data", "60GiB")], [instance("a", disk="15GiB")]), 25),
    "of a project that shares its volumes only ours count": (
        World([volume("a-data", "30GiB"), volume("alien", "50GiB", "them")], config=SHARED),
        70,
    ),
    "LXD counts more under its limit than we do": (
        World([], [instance("a", disk="10GiB")], {**OWN, "limits.disk": "50GiB"}, {"disk": 12 * GIB}),
        38,
    ),
    "LXD counts less": (
        World([volume("a-data", "20GiB")], [], {**OWN, "limits.disk": "50GiB"}, {"disk": GIB}),
        30,
    ),
}


@pytest.mark.parametrize(("world", "free"), WORLDS.values(), ids=WORLDS)
def test_what_is_free_is_the_same_to_placement_and_to_the_info_modules(world: World, free: int) -> None:
    host = vm_hosts._with_room(Reader(world), host_of(world))
    told = count_resources(vmhost_reading.read_vm_host(Reader(world), "kvm", "p"), host.ratios)
    placing = HostLedger(host).figures
    assert placing is not None
    assert told.pools["default"].free == free * GIB, "what lxd_vmhost_info shows"
    assert placing.pools == told.pools and placing.limits == told.limits
    assert (placing.cores, placing.memory, placing.rooms) == (told.cores, told.memory, told.rooms)


def test_a_pool_is_read_once_and_what_was_read_is_kept() -> None:
    world = World([volume("a-data", "80GiB"), volume("b-data", "1GiB")], [instance("a")])
    host = vm_hosts._with_needed(Reader(world), host_of(world), [wanted(name="a", disks=[{}, {"name": "data"}])])
    host = vm_hosts._with_room(Reader(world), host)
    host = vm_hosts._with_needed(Reader(world), host, [wanted(name="new")])
    assert sorted(name for _pool, name in host.volumes) == ["a-data", "b-data"]
    assert world.asked["storage-pools/default/volumes/custom"] == 1


def test_without_limits_nobody_asks_how_much_of_them_is_used() -> None:
    world = World([])
    vm_hosts._with_room(Reader(world), host_of(world))
    vmhost_reading.read_vm_host(Reader(world), "kvm", "p")
    assert "projects/p/state" not in world.asked
