# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile holder of the tenant's key may try, as data: each is a row of docs/reference/hostile.md.

Words in capitals stand for names of the run: OWN the project, NEIGHBOUR another tenant's, BRIDGE the network that the
project reaches and OTHER one that it doesn't, IMAGE the default project's image, CERT our own trust entry and THEIRS
the neighbour's, LISTENER an address of the host's that only the server reaches.
"""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

# Where an attempt goes through: in a project as MAAS made it, in a confined one by `networks`, in one by `bridges`.
SHARED, NETWORKS, BRIDGES = "shared", "networks", "bridges"
NOWHERE: frozenset[str] = frozenset()
AS_MAAS = frozenset({SHARED})
CONFIGURED = frozenset({SHARED, NETWORKS})
EVERYWHERE = frozenset({SHARED, NETWORKS, BRIDGES})


@dataclasses.dataclass(frozen=True)
class Step:
    """One request of the holder's: a path with its own `project=` goes there, any other to the own project."""

    method: str
    path: str
    body: Any = None


@dataclasses.dataclass(frozen=True)
class Attempt:
    """It went through when LXD took every step, and the last answer has `shows`; or when the server called LISTENER.

    `told`: the words of the `exposure` that names it where it goes through in a confined project.
    """

    steps: tuple[Step, ...]
    through: frozenset[str] = NOWHERE
    told: str = ""
    shows: str = ""
    calls: bool = False


ROOT = {"type": "disk", "path": "/", "pool": "default"}
CUSTOM = "/1.0/storage-pools/default/volumes/custom"
HERS = "?project=NEIGHBOUR"
_BARE = {"type": "virtual-machine", "source": {"type": "none"}, "profiles": []}


def instance(**said: Any) -> Step:
    """A new instance of our own; devices beside the root disk."""
    devices = {"root": ROOT, **said.pop("devices", {})}
    return Step("POST", "/1.0/instances", {"name": "tool", **_BARE, **said, "devices": devices})


def config(key: str, value: str, kind: str = "virtual-machine", **more: Any) -> Attempt:
    """A key of a new instance's config."""
    return Attempt((instance(type=kind, config={key: value}),), AS_MAAS, **more)


def device(through: frozenset[str] = AS_MAAS, kind: str = "virtual-machine", told: str = "", **said: str) -> Attempt:
    """A device of a new instance."""
    return Attempt((instance(type=kind, devices={"x": said}),), through, told)


def request(method: str, path: str, body: Any = None, **more: Any) -> Attempt:
    """One request."""
    return Attempt((Step(method, path, body),), **more)


def backup() -> bytes:
    """A container's backup whose two descriptions differ: LXD checks the first, and makes what the second says."""
    common = {
        "name": "tool",
        "architecture": "x86_64",
        "type": "container",
        "ephemeral": False,
        "stateful": False,
        "created_at": "2024-01-01T00:00:00Z",
        "last_used_at": "2024-01-01T00:00:00Z",
        "profiles": ["default"],
        "status": "Stopped",
        "status_code": 102,
        "location": "none",
        "description": "",
        "expanded_config": {},
        "expanded_devices": {"root": ROOT},
    }
    pool = {"name": "default", "driver": "dir", "config": {}, "description": "", "used_by": [], "status": "Created"}
    volume = {"name": "tool", "type": "container", "content_type": "filesystem", "config": {}, "description": ""}

    def whole(config: Mapping[str, str], devices: Mapping[str, Any]) -> dict[str, Any]:
        container = {**common, "config": config, "devices": {"root": ROOT, **devices}}
        return {"container": container, "pool": pool, "volume": volume, "profiles": [], "snapshots": []}

    shown = {"name": "tool", "backend": "dir", "pool": "default", "type": "container", "snapshots": []}
    meant = whole({"security.privileged": "true"}, {"host": {"type": "disk", "source": "/", "path": "/mnt"}})
    files = {
        "backup/": b"",
        # JSON is YAML.
        "backup/index.yaml": json.dumps({**shown, "config": whole({}, {})}).encode(),
        "backup/container/": b"",
        "backup/container/backup.yaml": json.dumps(meant).encode(),
        "backup/container/rootfs/": b"",
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.mode, entry.size = 0o755, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


UNADDRESSED = {"ipv4.address": "none", "ipv6.address": "none"}
BOOTS = {"security.secureboot": "false", "limits.memory": "160MiB"}
START = Step("PUT", "/1.0/instances/tool/state", {"action": "start", "timeout": 30})
STOP = {"action": "stop", "force": True, "timeout": 30}
ACL = "network ACLs and DNS zones"
CONFIGURATION = "change the configuration of network"
COPY = "copy any instance and volume"
SEND = "have the host send any addresses"
COPIED = {"type": "copy", "source": "victim", "project": "NEIGHBOUR"}
BY_PATH = Step("POST", "/1.0/instances/mine/metadata/templates?path=..%2F..%2Fx.tpl&project=OWN", b"x")

ATTEMPTS: dict[str, Attempt] = {
    # An instance that reaches for the host
    "`raw.qemu`": config("raw.qemu", "-name x"),
    "`raw.qemu.conf`": config("raw.qemu.conf", "[x]"),
    "`raw.apparmor`": config("raw.apparmor", "/x r,"),
    "`raw.lxc` in a container": config("raw.lxc", "lxc.apparmor.profile=unconfined", "container"),
    "`raw.idmap` in a container": config("raw.idmap", "both 0 0", "container"),
    "`raw.seccomp` in a container": config("raw.seccomp", "2", "container"),
    "`security.privileged` in a container": config("security.privileged", "true", "container"),
    "`security.nesting` in a container": config("security.nesting", "true", "container"),
    "`security.syscalls.intercept.mount` in a container": config(
        "security.syscalls.intercept.mount", "true", "container"
    ),
    "`raw.qemu` on an existing VM": request(
        "PATCH", "/1.0/instances/mine", {"config": {"raw.qemu": "-name x"}}, through=AS_MAAS
    ),
    "`volatile.eth0.host_name` set to an interface of the host": request(
        "PATCH", "/1.0/instances/mine", {"config": {"volatile.eth0.host_name": "eth0"}}, through=AS_MAAS
    ),
    "`raw.qemu` through a profile": Attempt(
        (
            Step("POST", "/1.0/profiles", {"name": "tool", "config": {"raw.qemu": "-name x"}, "devices": {}}),
            instance(profiles=["tool"]),
        ),
        AS_MAAS,
    ),
    "a backup with a second config that LXD does not check": request(
        "POST",
        "/1.0/instances?project=OWN",
        backup(),
        through=EVERYWHERE,
        told="import a backup",
    ),
    "a template outside the instance's folder": Attempt((BY_PATH,)),
    "a log outside the instance's folder": request("GET", "/1.0/instances/mine/logs/..%2F..%2F..%2F..%2Fetc%2Fpasswd"),
    "a name with `../`": request("GET", "/1.0/instances/..%2F..%2Fprojects%2Fdefault"),
    # Devices of the host
    "a folder of the host as a disk": device(type="disk", source="/etc", path="/mnt"),
    "a block device of the host as a disk": device(type="disk", source="/dev/loop0"),
    "a volume of another project through `../`": device(
        NOWHERE, type="disk", pool="default", source="../NEIGHBOUR_treasure"
    ),
    "`unix-char`": device(kind="container", type="unix-char", source="/dev/null", path="/dev/x"),
    "`unix-block`": device(kind="container", type="unix-block", source="/dev/loop0", path="/dev/x"),
    "`unix-hotplug`": device(kind="container", type="unix-hotplug", vendorid="1234"),
    "`usb`": device(type="usb", vendorid="1234"),
    "`pci`": device(type="pci", address="0000:00:03.0"),
    "`gpu`": device(type="gpu", gputype="physical"),
    "`infiniband`": device(type="infiniband", nictype="sriov", parent="ib0"),
    "`proxy`": device(kind="container", type="proxy", listen="tcp:127.0.0.1:9", connect="tcp:127.0.0.1:9"),
    "`nic` on a network that isn't the project's": device(type="nic", network="OTHER"),
    "`nic`, bridged, with another parent": device(type="nic", nictype="bridged", parent="OTHER"),
    "`nic`, macvlan, with another parent": device(type="nic", nictype="macvlan", parent="OTHER"),
    "`nic`, physical, with another parent": device(type="nic", nictype="physical", parent="OTHER"),
    "`nic`, sriov, with another parent": device(type="nic", nictype="sriov", parent="OTHER"),
    "routes for foreign addresses on a bridged `nic`": Attempt(
        (
            instance(config=BOOTS, devices={"x": {"type": "nic", "ON": "BRIDGE", "ipv4.routes": "198.51.100.0/24"}}),
            START,
        ),
        EVERYWHERE,
        SEND,
    ),
    "routes for foreign addresses on a routed `nic`": Attempt(
        (
            instance(config=BOOTS, devices={"x": {"type": "nic", "nictype": "routed", "ipv4.address": "198.51.100.9"}}),
            START,
        ),
        frozenset({SHARED, BRIDGES}),
        SEND,
    ),
    # Another tenant's
    "list the instances of another tenant": request("GET", f"/1.0/instances{HERS}"),
    "list the instances of all projects": request("GET", "/1.0/instances?all-projects=true"),
    "list the volumes of all projects": request("GET", "/1.0/storage-pools/default/volumes?all-projects=true"),
    "read a VM of another tenant": request("GET", f"/1.0/instances/victim{HERS}"),
    "read a VM of the default project": request("GET", "/1.0/instances/victim?project=default"),
    "change a VM of another tenant": request("PATCH", f"/1.0/instances/victim{HERS}", {"config": {"user.x": "y"}}),
    "stop a VM of another tenant": request("PUT", f"/1.0/instances/victim/state{HERS}", STOP),
    "stop all VMs of the default project": request("PUT", "/1.0/instances?project=default", {"state": STOP}),
    "delete a VM of another tenant": request("DELETE", f"/1.0/instances/victim{HERS}"),
    "run a command in a VM of another tenant": request(
        "POST", f"/1.0/instances/victim/exec{HERS}", {"command": ["id"]}
    ),
    "open the console of a VM of another tenant": request(
        "POST", f"/1.0/instances/victim/console{HERS}", {"type": "vga"}
    ),
    "read files in a VM of another tenant": request(
        "GET", f"/1.0/instances/victim/files?path=%2Fetc%2Fpasswd&{HERS[1:]}"
    ),
    "create a snapshot of a VM of another tenant": request(
        "POST", f"/1.0/instances/victim/snapshots{HERS}", {"name": "x"}
    ),
    "create a backup of a VM of another tenant": request("POST", f"/1.0/instances/victim/backups{HERS}", {"name": "x"}),
    "create an image of a VM of another tenant": request(
        "POST", "/1.0/images", {"source": {"type": "instance", "name": "victim", "project": "NEIGHBOUR"}}
    ),
    "move a VM of another tenant into the own project": request(
        "POST", f"/1.0/instances/victim{HERS}", {"name": "victim", "project": "OWN", "migration": True}
    ),
    "move a VM of the own project to another tenant": request(
        "POST", "/1.0/instances/mine", {"name": "mine", "project": "NEIGHBOUR", "migration": True}
    ),
    "copy a VM of another tenant with its disk": Attempt((instance(source=COPIED),), EVERYWHERE, COPY),
    "copy a volume of another tenant": request(
        "POST",
        CUSTOM,
        {
            "name": "loot",
            "content_type": "block",
            "source": {"type": "copy", "pool": "default", "name": "treasure", "project": "NEIGHBOUR"},
        },
        through=EVERYWHERE,
        told=COPY,
    ),
    "read a volume of another tenant": request("GET", f"{CUSTOM}/treasure{HERS}"),
    "delete a volume of another tenant": request("DELETE", f"{CUSTOM}/treasure{HERS}"),
    "read a profile of another tenant": request("GET", f"/1.0/profiles/house{HERS}"),
    "move a volume of the own project to another tenant": request(
        "POST", f"{CUSTOM}/stock", {"name": "stock", "project": "NEIGHBOUR"}
    ),
    # What the default project lends
    "attach a volume of the default project": device(type="disk", pool="default", source="treasure"),
    "delete a volume of the default project": request("DELETE", f"{CUSTOM}/treasure", through=AS_MAAS),
    "change a profile of the default project": request(
        "PUT", "/1.0/profiles/house", {"config": {"user.x": "y"}, "devices": {}}, through=AS_MAAS
    ),
    "delete a profile of the default project": request("DELETE", "/1.0/profiles/house", through=AS_MAAS),
    "change an image of the default project": request(
        "PATCH", "/1.0/images/IMAGE", {"properties": {"x": "y"}}, through=AS_MAAS
    ),
    "delete the alias of an image of the default project": request(
        "DELETE", "/1.0/images/aliases/micro", through=AS_MAAS
    ),
    "delete an image of the default project": request("DELETE", "/1.0/images/IMAGE", through=AS_MAAS),
    # Networks
    "change the network that the project uses": request(
        "PATCH", "/1.0/networks/BRIDGE", {"config": {"user.x": "y"}}, through=CONFIGURED, told=CONFIGURATION
    ),
    "create a forward on that network": request(
        "POST",
        "/1.0/networks/BRIDGE/forwards",
        {"listen_address": "198.51.100.7", "config": {}, "ports": []},
        through=CONFIGURED,
        told="forwards",
    ),
    "read the leases of that network": request(
        "GET", "/1.0/networks/BRIDGE/leases", through=CONFIGURED, told=CONFIGURATION
    ),
    "change another network": request("PATCH", "/1.0/networks/OTHER", {"config": {"user.x": "y"}}, through=AS_MAAS),
    "delete another network": request("DELETE", "/1.0/networks/OTHER", through=AS_MAAS),
    "create a bridge on the host": request(
        "POST", "/1.0/networks", {"name": "NEW", "type": "bridge", "config": UNADDRESSED}, through=AS_MAAS
    ),
    "change a network ACL of the default project": request(
        "PUT", "/1.0/network-acls/wall", {"config": {"user.x": "y"}}, through=CONFIGURED, told=ACL
    ),
    "delete a network ACL of the default project": request(
        "DELETE", "/1.0/network-acls/wall", through=CONFIGURED, told=ACL
    ),
    "delete a DNS zone of the default project": request(
        "DELETE", "/1.0/network-zones/wall.example", through=CONFIGURED, told=ACL
    ),
    # The server
    "change the settings of the server": request("PATCH", "/1.0", {"config": {"user.x": "y"}}),
    "turn the server into a cluster": request("PUT", "/1.0/cluster", {"server_name": "x", "enabled": True}),
    "create a join token": request("POST", "/1.0/cluster/members", {"server_name": "x"}),
    "create a storage pool": request("POST", "/1.0/storage-pools", {"name": "tool", "driver": "dir"}),
    "delete a storage pool": request("DELETE", "/1.0/storage-pools/default"),
    "create a project": request("POST", "/1.0/projects", {"name": "tool"}),
    "remove the limits and restrictions of the own project": request("PUT", "/1.0/projects/OWN", {"config": {}}),
    "change the default project": request("PATCH", "/1.0/projects/default", {"description": "x"}),
    "read another project": request("GET", "/1.0/projects/NEIGHBOUR"),
    "trust a certificate": request("POST", "/1.0/certificates", {"type": "client", "name": "x", "certificate": "x"}),
    "create a trust token": request("POST", "/1.0/certificates", {"type": "client", "name": "x", "token": True}),
    "remove the restriction of the own certificate": request("PATCH", "/1.0/certificates/CERT", {"restricted": False}),
    "add projects to the own certificate": request(
        "PATCH", "/1.0/certificates/CERT", {"restricted": True, "projects": ["OWN", "NEIGHBOUR"]}
    ),
    "turn the own certificate into a server certificate": request(
        "PATCH", "/1.0/certificates/CERT", {"type": "server"}
    ),
    "remove another certificate from the trust store": request("DELETE", "/1.0/certificates/THEIRS"),
    "read the trust store": request(
        "GET", "/1.0/certificates?recursion=1", through=EVERYWHERE, told="trust store", shows="NEIGHBOUR"
    ),
    "read the hardware of the host": request(
        "GET", "/1.0/resources", through=EVERYWHERE, told="what hardware the host has"
    ),
    "read the warnings": request("GET", "/1.0/warnings"),
    "read the metrics of another project": request("GET", f"/1.0/metrics{HERS}", shows="victim"),
    "read the internal database of LXD": request("GET", "/internal/sql?database=global"),
    "fetch an image from an address of the server itself": request(
        "POST",
        "/1.0/images",
        {"source": {"type": "url", "url": "LISTENER/x"}},
        through=EVERYWHERE,
        told="ask any address",
        calls=True,
    ),
}
