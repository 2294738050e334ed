# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LXD's answers as frozen types, made once at the border; fields are what LXD calls them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import host_ports

OWNER = "user.tenantry.owner"
MARK = "user.tenantry."
COMMISSIONED = "user.tenantry.commissioned"
# When an enlisted VM was made anew with nothing on its disk.
ERASED = "user.tenantry.erased"
# Set while something of ours comes to be, and taken off when it is whole and may stay.
COMPOSING = "user.tenantry.composing"

# One store for all members of a cluster: each of them tells of the same space.
_SHARED_DRIVERS = frozenset({"alletra", "ceph", "cephfs", "cephobject", "lvmcluster", "linstor", "powerflex", "pure"})


def _map(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    # An instance on a dead cluster member is listed with a null config.
    return body.get(key) or {}


def _tuple(body: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    return tuple(body.get(key) or ())


@dataclasses.dataclass(frozen=True)
class Server:
    """`GET /1.0`: what this server is and what this connection may do on it."""

    version: str
    flavour: str
    extensions: frozenset[str]
    trusted: bool
    auth_method: str
    clustered: bool
    name: str
    certificate: str
    architectures: tuple[str, ...]
    drivers: tuple[str, ...]
    config: Mapping[str, Any]

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Server:
        """From LXD's JSON; an untrusted client is told little more than the extensions."""
        environment = _map(body, "environment")
        return cls(
            version=environment.get("server_version", ""),
            flavour=environment.get("server", "lxd"),
            extensions=frozenset(body.get("api_extensions") or ()),
            trusted=body.get("auth") == "trusted",
            auth_method=body.get("auth_user_method", ""),
            clustered=bool(environment.get("server_clustered")),
            name=environment.get("server_name", ""),
            certificate=environment.get("certificate", ""),
            architectures=_tuple(environment, "architectures"),
            drivers=tuple(word.strip() for word in environment.get("driver", "").split("|") if word.strip()),
            config=_map(body, "config"),
        )

    def has(self, extension: str) -> bool:
        """Whether the server says it knows an API extension; versions say nothing, since fixes are backported."""
        return extension in self.extensions


@dataclasses.dataclass(frozen=True)
class Project:
    """`GET /1.0/projects/<name>`."""

    name: str
    description: str
    config: Mapping[str, str]
    used_by: tuple[str, ...]
    etag: str | None = None

    @classmethod
    def from_api(cls, body: Mapping[str, Any], etag: str | None = None) -> Project:
        """From LXD's JSON."""
        return cls(body["name"], body.get("description") or "", _map(body, "config"), _tuple(body, "used_by"), etag)

    @property
    def owner(self) -> str | None:
        """The tenant whose mark it carries."""
        return self.config.get(OWNER) or None

    def has_own(self, feature: str) -> bool:
        """Whether the project keeps its own of a feature's things; LXD takes an unset key for off."""
        return self.config.get(f"features.{feature}", "").lower() in ("true", "1", "yes", "on")


@dataclasses.dataclass(frozen=True)
class TrustEntry:
    """`GET /1.0/certificates/<fingerprint>`: one certificate that the server trusts."""

    fingerprint: str
    name: str
    type: str
    restricted: bool
    projects: frozenset[str]
    pem: str
    etag: str | None = None

    @classmethod
    def from_api(cls, body: Mapping[str, Any], etag: str | None = None) -> TrustEntry:
        """From LXD's JSON; the order of `projects` is not stable there, so it is a set here."""
        return cls(
            body["fingerprint"],
            body.get("name") or "",
            body.get("type") or "client",
            bool(body.get("restricted")),
            frozenset(body.get("projects") or ()),
            body.get("certificate") or "",
            etag,
        )


@dataclasses.dataclass(frozen=True)
class Instance:
    """`GET /1.0/instances/<name>`, containers included: they hold names and room too."""

    name: str
    type: str
    status: str
    location: str
    description: str
    architecture: str
    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]
    expanded_config: Mapping[str, str]
    expanded_devices: Mapping[str, Mapping[str, str]]
    profiles: tuple[str, ...]
    last_used_at: str
    created_at: str = ""
    ephemeral: bool = False
    state: Mapping[str, Any] | None = None

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Instance:
        """From LXD's JSON."""
        return cls(
            name=body["name"],
            type=body.get("type") or "",
            status=body.get("status") or "",
            location=body.get("location") or "",
            description=body.get("description") or "",
            architecture=body.get("architecture") or "",
            config=_map(body, "config"),
            devices=_map(body, "devices"),
            expanded_config=_map(body, "expanded_config"),
            expanded_devices=_map(body, "expanded_devices"),
            profiles=_tuple(body, "profiles"),
            last_used_at=body.get("last_used_at") or "",
            created_at=body.get("created_at") or "",
            ephemeral=bool(body.get("ephemeral")),
            state=body.get("state"),
        )

    @property
    def owner(self) -> str | None:
        """The tenant whose mark it carries."""
        return self.config.get(OWNER) or None

    @property
    def is_vm(self) -> bool:
        """Whether it is a virtual machine."""
        return self.type == "virtual-machine"

    @property
    def is_running(self) -> bool:
        """Running, or what newer servers call Ready: the guest has said that it is up."""
        return self.status in ("Running", "Ready")

    @property
    def is_protected(self) -> bool:
        """Whether it carries LXD's lock against deletion, or ours."""
        locks = (f"{MARK}protected", "security.protection.delete")
        return any(self.expanded_config.get(key, "").lower() in ("true", "1", "yes", "on") for key in locks)

    @property
    def is_unreachable(self) -> bool:
        """Whether it is on a cluster member that doesn't answer: LXD then lists it without a config."""
        return self.status == "Error" and not self.config

    @property
    def is_move_copy(self) -> bool:
        """Whether it is the copy that LXD makes while it moves an instance to another member, our mark and all.

        LXD 5.0 deletes the original before it gives the copy its name: whoever deleted the copy would delete the VM.
        """
        return self.name.startswith("lxd-move-of-")

    @property
    def was_started(self) -> bool:
        """Whether it was ever started; LXD writes the beginning of its time for never."""
        return bool(self.last_used_at) and not self.last_used_at.startswith(("0001-", "1970-"))

    @property
    def is_complete(self) -> bool:
        """Whether LXD finished making it.

        A create that a crash cut short leaves an instance that looks like any stopped one. What a finished one
        carries is a template still to apply, traces of having run, or the vsock id of a first start that was begun
        (LXD 5.0.2; the template's mark goes early in that start, the traces come at its end).
        """
        traces = ("volatile.apply_template", "volatile.last_state.power", "volatile.vsock_id")
        return self.is_running or self.was_started or any(self.config.get(key) for key in traces)


@dataclasses.dataclass(frozen=True)
class Volume:
    """A custom volume of a storage pool."""

    pool: str
    name: str
    content_type: str
    description: str
    config: Mapping[str, str]
    used_by: tuple[str, ...]
    location: str

    @classmethod
    def from_api(cls, pool: str, body: Mapping[str, Any]) -> Volume:
        """From LXD's JSON."""
        return cls(
            pool,
            body["name"],
            body.get("content_type") or "filesystem",
            body.get("description") or "",
            _map(body, "config"),
            _tuple(body, "used_by"),
            body.get("location") or "",
        )

    @property
    def owner(self) -> str | None:
        """The tenant whose mark it carries."""
        return self.config.get(OWNER) or None


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as a project sees it; `managed` ones have a config of LXD's."""

    name: str
    type: str
    managed: bool
    config: Mapping[str, str]

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Network:
        """From LXD's JSON."""
        return cls(body["name"], body.get("type") or "", bool(body.get("managed")), _map(body, "config"))


@dataclasses.dataclass(frozen=True)
class StoragePool:
    """A storage pool; a restricted certificate sees its config as null."""

    name: str
    driver: str
    status: str
    total: int | None = None
    used: int | None = None

    @classmethod
    def from_api(cls, body: Mapping[str, Any], resources: Mapping[str, Any] | None = None) -> StoragePool:
        """From LXD's JSON, with `GET /1.0/storage-pools/<name>/resources` where it was asked for (bytes)."""
        space = _map(resources or {}, "space")
        return cls(
            body["name"], body.get("driver") or "", body.get("status") or "", space.get("total"), space.get("used")
        )

    @property
    def shared(self) -> bool:
        """Whether all members of a cluster have the same space in it."""
        return self.driver in _SHARED_DRIVERS


@dataclasses.dataclass(frozen=True)
class Image:
    """An image of a project; `cached` ones were fetched by LXD itself and may go when unused."""

    fingerprint: str
    type: str
    aliases: tuple[str, ...]
    cached: bool
    architecture: str
    properties: Mapping[str, str]

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Image:
        """From LXD's JSON."""
        aliases: Sequence[Mapping[str, Any]] = body.get("aliases") or ()
        return cls(
            body["fingerprint"],
            body.get("type") or "",
            tuple(alias["name"] for alias in aliases),
            bool(body.get("cached")),
            body.get("architecture") or "",
            _map(body, "properties"),
        )


@dataclasses.dataclass(frozen=True)
class Resources:
    """`GET /1.0/resources`: what the machine has. Memory in bytes; a node is a NUMA node.

    `virtual_functions`: how many each port of a network card can give (SR-IOV), by the port's name; 0 for none.
    """

    threads: int
    memory_total: int
    memory_used: int
    hugepages_total: int
    hugepages_size: int
    nodes: tuple[Mapping[str, Any], ...]
    virtual_functions: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Resources:
        """From LXD's JSON; threads are what LXD calls cores where it counts them (`limits.cpu`)."""
        cpu, memory = _map(body, "cpu"), _map(body, "memory")
        cpus: dict[int, list[int]] = {}
        for socket in cpu.get("sockets") or ():
            for thread in (each for core in socket.get("cores") or () for each in core.get("threads") or ()):
                cpus.setdefault(thread.get("numa_node", 0), []).append(thread["id"])
        # A machine with a single node lists no memory nodes: then the whole memory is its.
        memories = {node.get("numa_node", 0): node for node in memory.get("nodes") or [memory]}
        nodes = tuple(
            {
                "numa_node": number,
                "cores": sorted(cpus.get(number, ())),
                "memory": memories.get(number, {}).get("total", 0),
                "memory_used": memories.get(number, {}).get("used", 0),
                "hugepages": memories.get(number, {}).get("hugepages_total", 0),
                "interfaces": host_ports.read_node_ports(_map(body, "network"), number),
            }
            for number in sorted(set(cpus) | set(memories))
        )
        return cls(
            threads=int(cpu.get("total") or 0),
            memory_total=int(memory.get("total") or 0),
            memory_used=int(memory.get("used") or 0),
            hugepages_total=int(memory.get("hugepages_total") or 0),
            hugepages_size=int(memory.get("hugepages_size") or 0),
            nodes=nodes,
            virtual_functions=host_ports.count_virtual_functions(_map(body, "network")),
        )


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine that runs instances: the server itself, or one member of a cluster.

    `member`: its name in the cluster; "none", as LXD calls the location of an instance, where there is no cluster.
    `resources`: None where it doesn't answer. `pools`: with the space that this machine has in each (bytes).
    `groups`: the cluster groups it is in. `status`: as the cluster tells it ("Online", "Offline", "Evacuated", ...).
    """

    member: str
    resources: Resources | None
    pools: tuple[StoragePool, ...] = ()
    groups: frozenset[str] = frozenset()
    status: str = "Online"
    architecture: str = ""
