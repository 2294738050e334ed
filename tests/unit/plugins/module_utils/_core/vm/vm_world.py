# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM host as plain data: what tests plan on, and what carries a plan's requests out as LXD would."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import (
    OWNER,
    Image,
    Instance,
    Network,
    Project,
    Server,
    StoragePool,
    Volume,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Request
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import plan as vm_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import VmHostListings, VmHostReading
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.spec import VmSpec, parse_vm_spec
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.volumes import VM

NOW = "2026-05-06T07:08:09Z"
NEVER = "1970-01-01T00:00:00Z"
LXD_5_0 = ("virtual-machines", "projects", "custom_block_volumes", "cloud_init")
ROOT = {"type": "disk", "path": "/", "pool": "default"}
NIC = {"type": "nic", "name": "eth0", "network": "br0"}
BIG = {"name": "big", "config": {"limits.cpu": "4"}, "devices": {"disk0": ROOT}}
UP = ("Running", "Ready", "Frozen")


def wanted(**said: Any) -> VmSpec:
    """A VM called `vm` unless said otherwise."""
    return parse_vm_spec({"name": "vm", **said})


def body(name: str = "vm", *, owner: str | None = "us", status: str = "Stopped", **fields: Any) -> dict[str, Any]:
    """An instance as LXD tells it: whole, ours, with a root disk, an interface and LXD's least config."""
    config = {"limits.cpu": "1", "limits.memory": "1GiB", **fields.pop("config", {})}
    if fields.pop("whole", True):
        config["volatile.apply_template"] = "create"
    if owner:
        config[OWNER] = owner
    devices = fields.pop("devices", {"root": dict(ROOT), "eth0": {**NIC, "boot.priority": "10"}})
    found = {"name": name, "type": "virtual-machine", "status": status, "location": "none", "description": ""}
    used = NOW if status in UP else NEVER
    return {**found, "profiles": [], "last_used_at": used, "config": config, "devices": devices, **fields}


def volume(
    name: str = "vm-data", pool: str = "default", owner: str | None = "us", vm: str = "vm", **config: str
) -> Volume:
    """A custom volume; ours, made for `vm`, unless said otherwise."""
    marks = {**({OWNER: owner} if owner else {}), **({VM: vm} if vm else {})}
    return Volume(pool, name, "block", "", {"size": "5MiB", **marks, **config}, (), "none")


class World:
    """An LXD in memory: one project, its instances, the volumes of two pools, a network, a profile and an image.

    What LXD refuses is refused, and what we promise never to do fails the test.
    """

    def __init__(
        self,
        instances: Iterable[Mapping[str, Any]] = (),
        volumes: Iterable[Volume] = (),
        project: Mapping[str, str] | None = None,
    ) -> None:
        self.instances = {each["name"]: copy.deepcopy(dict(each)) for each in instances}
        self.volumes = {(each.pool, each.name): dict(each.config) for each in volumes}
        self.project = dict(project or {})

    def copy(self) -> World:
        return copy.deepcopy(self)

    # Reading

    def host(self, **changes: Any) -> VmHostReading:
        """What a run reads of it."""
        listings = VmHostListings(
            networks=(
                Network("br0", "bridge", True, {}),
                Network("br1", "bridge", True, {}),
                Network("e0", "physical", False, {}),
            ),
            pools=(StoragePool("default", "dir", "Created"), StoragePool("fast", "dir", "Created")),
            profiles={"big": BIG, "default": {"name": "default", "config": {}, "devices": {}}},
            images=(Image("f" * 64, "virtual-machine", ("debian",), False, "x86_64", {}),),
        )
        host = VmHostReading(
            name="kvm",
            owner="us",
            project=Project("p", "", self.project, ()),
            server=Server.from_api({"api_extensions": LXD_5_0, "environment": {"server_version": "5.0.2"}}),
            instances={name: self._instance(found) for name, found in self.instances.items()},
            volumes={(pool, name): self._volume(pool, name) for pool, name in self.volumes},
            listings=listings,
            default_storage_pool="default",
            default_network="br0",
        )
        return dataclasses.replace(host, **changes)

    def _instance(self, found: Mapping[str, Any]) -> Instance:
        config, devices = self._expanded(found)
        return Instance.from_api({**copy.deepcopy(dict(found)), "expanded_config": config, "expanded_devices": devices})

    @staticmethod
    def _expanded(found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        config: dict[str, str] = {}
        devices: dict[str, Any] = {}
        for name in found["profiles"]:
            profile: Mapping[str, Any] = BIG if name == "big" else {}
            config.update(profile.get("config", {}))
            devices.update(profile.get("devices", {}))
        return {**config, **found["config"]}, {**devices, **found["devices"]}

    def _volume(self, pool: str, name: str) -> Volume:
        users = tuple(f"/1.0/instances/{user}?project=p" for user in self._users(pool, name))
        return Volume(pool, name, "block", "", dict(self.volumes[(pool, name)]), users, "none")

    def _users(self, pool: str, name: str) -> list[str]:
        return [
            vm
            for vm, found in self.instances.items()
            for device in self._expanded(found)[1].values()
            if (device.get("pool"), device.get("source")) == (pool, name)
        ]

    def told(self) -> dict[str, Any]:
        """All of it, without what LXD keeps for itself."""
        instances = {}
        for name, found in self.instances.items():
            config = {key: value for key, value in found["config"].items() if not key.startswith("volatile.")}
            kept = {field: found[field] for field in ("devices", "profiles", "description", "status", "type")}
            instances[name] = {**kept, "config": config}
        return {"instances": instances, "volumes": self.volumes}

    # Carrying out

    def carry_out(self, planned: vm_plan.VmPlan) -> None:
        for request in requests(planned):
            self.apply(request)

    def apply(self, request: Request) -> None:
        """One request, as LXD would do it."""
        assert request.project == "p", "a request left its project"
        if request.path[0] == "instances":
            self._apply_to_instance(request)
        else:
            assert (request.path[0], *request.path[2:4]) == ("storage-pools", "volumes", "custom"), request.path
            self._apply_to_volume(request)

    def begin(self, request: Request) -> None:
        """A create that a crash cuts short: LXD keeps the record, and nothing that says it is whole."""
        self.apply(request)
        if request.path == ("instances",):
            config = self.instances[request.body["name"]]["config"]
            del config["volatile.apply_template"]

    def _apply_to_instance(self, request: Request) -> None:
        if request.method == "POST":
            self._create(request.body)
            return
        found = self.instances[request.path[1]]
        assert found["config"].get(OWNER) == "us", f"{request.method} of an instance that isn't ours"
        if request.path[2:] == ("state",):
            self._power(found, request)
        elif request.method == "PUT":
            self._replace(found, request)
        elif request.method == "PATCH":
            assert found["status"] == "Stopped" and list(request.body) == ["config"]
            found["config"].update(request.body["config"])
        else:
            assert request.method == "DELETE" and found["status"] == "Stopped", "LXD deletes no running instance"
            assert found["config"].get("security.protection.delete") != "true", "LXD deletes no locked instance"
            there = self._instance(found)
            assert not (there.is_protected and there.is_complete), "a protected instance was deleted"
            del self.instances[found["name"]]

    def _create(self, said: Mapping[str, Any]) -> None:
        assert said["name"] not in self.instances, "LXD makes no second instance of a name"
        config = {key: value for key, value in said["config"].items() if value}
        made = {
            **body(said["name"]),
            **copy.deepcopy({key: said[key] for key in ("devices", "profiles", "description")}),
        }
        made["config"] = {**config, "volatile.apply_template": "create"}
        self._check(made, {})
        self.instances[said["name"]] = made

    def _replace(self, found: dict[str, Any], request: Request) -> None:
        for field, value in (request.expect or {}).items():
            assert _said(found[field]) == _said(value), f"{field} isn't what the plan was made from"
        assert request.expect, "a write of what is there, unguarded"
        changed = copy.deepcopy({**found, **{key: request.body[key] for key in request.expect}})
        changed["config"] = {key: value for key, value in changed["config"].items() if value}
        if found["status"] in UP:
            before, after = self._expanded(found)[0], self._expanded(changed)[0]
            for key in (
                "limits.memory",
                "limits.memory.hugepages",
                "security.secureboot",
                "security.protection.delete",
            ):
                assert before.get(key) == after.get(key), f"LXD changes no {key} of a running VM"
            assert int(after["limits.cpu"]) >= int(before["limits.cpu"]), "LXD takes no core from a running VM"
        self._check(changed, self._expanded(found)[1])
        found.update(changed)

    def _check(self, found: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        devices = self._expanded(found)[1]
        assert [device.get("path") for device in devices.values()].count("/") == 1, "a VM has one root disk"
        for name, device in devices.items():
            assert all(isinstance(value, str) for value in device.values()), f"{name}: LXD takes texts only"
            if device["type"] == "disk" and device.get("path") != "/":
                place = (device["pool"], device["source"])
                assert place in self.volumes, f"{name}: LXD attaches no volume that isn't there"
                marks = self.volumes[place]
                ours = (marks.get(OWNER), marks.get(VM)) == ("us", found["name"])
                assert ours or before.get(name) == device, f"{name}: a volume was attached that isn't ours"
            if device["type"] == "nic":
                assert ("network" in device) != ("parent" in device), f"{name}: a network or a parent"

    @staticmethod
    def _power(found: dict[str, Any], request: Request) -> None:
        action, status = request.body["action"], found["status"]
        allowed = {"start": ("Stopped",), "stop": UP, "unfreeze": ("Frozen",)}
        assert status in allowed[action], f"LXD doesn't {action} what is {status}"
        found["status"] = "Stopped" if action == "stop" else "Running"
        assert found["status"] in request.target_statuses, "the goal of a change of power isn't what it leads to"
        found["last_used_at"] = NOW
        found["config"]["volatile.last_state.power"] = found["status"].upper()

    def _apply_to_volume(self, request: Request) -> None:
        pool = request.path[1]
        if request.method == "POST":
            assert (pool, request.body["name"]) not in self.volumes, "LXD makes no second volume of a name"
            assert request.body["config"].get(OWNER) == "us", "a volume was made without our mark"
            self.volumes[(pool, request.body["name"])] = dict(request.body["config"])
            return
        place = (pool, request.path[4])
        assert self.volumes[place].get(OWNER) == "us", f"{request.method} of a volume that isn't ours"
        users = self._users(*place)
        if request.method == "DELETE":
            assert not users, "LXD deletes no volume in use"
            del self.volumes[place]
            return
        assert request.expect == {"config": self.volumes[place]}, "the volume isn't what the plan was made from"
        if request.body["config"]["size"] != self.volumes[place]["size"]:
            assert all(self.instances[user]["status"] == "Stopped" for user in users), "LXD grows no volume in use"
        self.volumes[place] = dict(request.body["config"])


def _said(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: inner for key, inner in value.items() if not key.startswith("volatile.")}


def requests(planned: vm_plan.VmPlan) -> list[Request]:
    """All writes of a plan, in order."""
    found = [step for change in planned.changes for step in change.steps]
    assert all(isinstance(step, Request) for step in found)
    return [step for step in found if isinstance(step, Request)]


def sentences(planned: vm_plan.VmPlan) -> list[str]:
    """What a plan does, as a person reads it."""
    return [change.sentence for change in planned.changes]
