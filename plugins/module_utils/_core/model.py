# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LXD's objects as frozen types, read from its JSON; the fields have LXD's names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import host_ports

OWNER = "user.tenantry.owner"
MARK = "user.tenantry."
COMMISSIONED = "user.tenantry.commissioned"
# The time at which an enlisted VM was recreated with an empty disk.
ERASED = "user.tenantry.erased"
# Set while a managed object is being created, and removed once it is complete and within all limits.
COMPOSING = "user.tenantry.composing"

# Drivers whose storage all members of a cluster share: each member reports the same space.
_SHARED_DRIVERS = frozenset({"alletra", "ceph", "cephfs", "cephobject", "lvmcluster", "linstor", "powerflex", "pure"})


def _map(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    # An instance on a dead cluster member is listed with a null config.
    return body.get(key) or {}


def _tuple(body: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    return tuple(body.get(key) or ())


@dataclasses.dataclass(frozen=True)
class Server:
    """`GET /1.0`: the server, and whether it trusts this connection."""

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
        """Read LXD's JSON; an untrusted client gets little more than the API extensions."""
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
        """Return whether the server has an API extension; the version can't tell, since fixes are backported."""
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
        """Read LXD's JSON."""
        return cls(body["name"], body.get("description") or "", _map(body, "config"), _tuple(body, "used_by"), etag)

    @property
    def owner(self) -> str | None:
        """The owner whose mark the object carries; None without a mark."""
        return self.config.get(OWNER) or None

    def has_own(self, feature: str) -> bool:
        """Return whether `features.<feature>` is on; LXD reads an unset key as off."""
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
        """Read LXD's JSON; LXD lists `projects` in no stable order, so it is a set here."""
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
    """`GET /1.0/instances/<name>`: a VM, or a container, which takes a name and resources too."""

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
        """Read LXD's JSON."""
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
        """The owner whose mark the object carries; None without a mark."""
        return self.config.get(OWNER) or None

    @property
    def is_vm(self) -> bool:
        """Whether it is a virtual machine."""
        return self.type == "virtual-machine"

    @property
    def is_running(self) -> bool:
        """Whether it is Running, or Ready, as newer servers report once the guest has booted."""
        return self.status in ("Running", "Ready")

    @property
    def is_protected(self) -> bool:
        """Whether LXD's key or this collection's mark protects it against deletion."""
        locks = (f"{MARK}protected", "security.protection.delete")
        return any(self.expanded_config.get(key, "").lower() in ("true", "1", "yes", "on") for key in locks)

    @property
    def is_unreachable(self) -> bool:
        """Whether its cluster member doesn't answer: LXD then lists it without a config."""
        return self.status == "Error" and not self.config

    @property
    def is_move_copy(self) -> bool:
        """Whether it is the copy that LXD makes while it moves an instance to another member, marks included.

        LXD 5.0 deletes the original before it renames the copy: to delete the copy would be to delete the VM.
        """
        return self.name.startswith("lxd-move-of-")

    @property
    def was_started(self) -> bool:
        """Whether it was ever started; LXD writes its zero time for never."""
        return bool(self.last_used_at) and not self.last_used_at.startswith(("0001-", "1970-"))

    @property
    def is_complete(self) -> bool:
        """Whether LXD finished creating it.

        A create that a crash interrupts leaves an instance that looks like any stopped one. A finished one has a
        template still to apply, traces of a start, or the vsock id of a first start that has begun. (LXD 5.0.2 removes
        the template key early in the first start, and writes the traces at its end.)
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
        """Read LXD's JSON."""
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
        """The owner whose mark the object carries; None without a mark."""
        return self.config.get(OWNER) or None


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as a project sees it; LXD keeps a config for `managed` ones only."""

    name: str
    type: str
    managed: bool
    config: Mapping[str, str]

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Network:
        """Read LXD's JSON."""
        return cls(body["name"], body.get("type") or "", bool(body.get("managed")), _map(body, "config"))


@dataclasses.dataclass(frozen=True)
class StoragePool:
    """A storage pool, with its space in bytes where it was read; a restricted certificate gets no config."""

    name: str
    driver: str
    status: str
    total: int | None = None
    used: int | None = None

    @classmethod
    def from_api(cls, body: Mapping[str, Any], resources: Mapping[str, Any] | None = None) -> StoragePool:
        """Read LXD's JSON, and that of `GET /1.0/storage-pools/<name>/resources` if it was requested."""
        space = _map(resources or {}, "space")
        return cls(
            body["name"], body.get("driver") or "", body.get("status") or "", space.get("total"), space.get("used")
        )

    @property
    def shared(self) -> bool:
        """Whether all members of a cluster share its space."""
        return self.driver in _SHARED_DRIVERS


@dataclasses.dataclass(frozen=True)
class Image:
    """An image of a project; LXD downloaded a `cached` one by itself, and it may be deleted when unused."""

    fingerprint: str
    type: str
    aliases: tuple[str, ...]
    cached: bool
    architecture: str
    properties: Mapping[str, str]

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Image:
        """Read LXD's JSON."""
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
    """`GET /1.0/resources`: the hardware of a machine. Memory is in bytes; a node is a NUMA node.

    `virtual_functions`: the SR-IOV virtual functions that each network port offers, by the port's name.
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
        """Read LXD's JSON; `limits.cpu` counts threads."""
        cpu, memory = _map(body, "cpu"), _map(body, "memory")
        cpus: dict[int, list[int]] = {}
        for socket in cpu.get("sockets") or ():
            for thread in (each for core in socket.get("cores") or () for each in core.get("threads") or ()):
                cpus.setdefault(thread.get("numa_node", 0), []).append(thread["id"])
        # A machine with a single node lists no memory nodes: that node has all the memory.
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
    """A machine that runs instances: the server itself, or one member of a cluster.

    - `member`: its name in the cluster; "none" without a cluster, as LXD writes the location of an instance.
    - `resources`: None if the machine doesn't answer.
    - `pools`: the storage pools, with the space that this machine has in each.
    - `groups`: its cluster groups.
    - `status`: its status in the cluster ("Online", "Offline", "Evacuated", ...).
    """

    member: str
    resources: Resources | None
    pools: tuple[StoragePool, ...] = ()
    groups: frozenset[str] = frozenset()
    status: str = "Online"
    architecture: str = ""
