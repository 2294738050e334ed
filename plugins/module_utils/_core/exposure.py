# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the holder of a certificate for a project could do beyond it, by reading alone: nothing is attempted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .model import Project, Server
from .project_keys import known_features
from .units import is_true

# What a project without its own borrows from the project `default`, and what that means for everybody else there.
_SHARED = {
    "profiles": "edit and delete the profiles of project default, its profile default included, "
    "which every instance that uses them follows",
    "storage.volumes": "read, attach, change and delete the custom volumes of project default",
    "storage.buckets": "read, change and delete the storage buckets of project default",
    "networks.zones": "change and delete the network zones of project default",
}

# Restrictions and the value that LXD takes an unset key for; anything else opens what the sentence says.
_BLOCKED = {
    "backups": "export backups of its instances and volumes, which use the host's disk beyond the project's limits",
    "snapshots": "take snapshots, which use the storage pool",
    "cluster.target": "choose the cluster members that its instances are on",
    "containers.nesting": "run containers inside containers, which shows them more of the host's kernel",
    "containers.lowlevel": "set raw LXC options, and with them become root on the host",
    "containers.interception": "have the host's kernel carry out intercepted system calls for its containers",
    "virtual-machines.lowlevel": "set raw QEMU options, and with them become root on the host",
    "devices.gpu": "use the host's GPUs",
    "devices.infiniband": "use the host's InfiniBand devices",
    "devices.pci": "take the host's PCI devices away from it",
    "devices.proxy": "open ports on the host's own addresses",
    "devices.unix-block": "read and write the host's block devices, and with them everything on its disks",
    "devices.unix-char": "use the host's character devices",
    "devices.unix-hotplug": "use devices that are plugged into the host",
    "devices.usb": "use the host's USB devices",
}
# These have values between open and closed, or open by naming what they open.
_GRADED = frozenset({"containers.privilege", "devices.disk", "devices.disk.paths", "devices.nic", "networks.access"})
_NAMING = {
    "networks.subnets": "use these subnets of uplink networks",
    "networks.uplinks": "connect networks to these uplinks",
    "idmap.uid": "act as these users of the host from a container",
    "idmap.gid": "act as these groups of the host from a container",
}
_CLOSED = frozenset({"", "block", "false"})

_ADMINISTRATOR = (
    "The certificate is not restricted: its holder is an administrator of the whole server, with every project, the "
    "trust store and, through them, root on the host."
)


def exposure(project: Project, server: Server, *, certificate_restricted: bool = True) -> tuple[str, ...]:
    """A sentence for each thing; empty for a confined project on a server that keeps its trust entries to itself."""
    if not certificate_restricted:
        return (_ADMINISTRATOR,)
    return tuple(_of_project(project, server)) + tuple(_of_server(server))


def _of_project(project: Project, server: Server) -> Iterator[str]:
    restricted = is_true(project.config.get("restricted"))
    if not restricted:
        yield (
            f"Project {project.name} is not restricted (restricted=true): its holder could mount any path of the host "
            "into an instance, set raw.qemu and raw.lxc, run privileged containers, use any device and network "
            "interface of the host, and with most of these become root on the host."
        )
    yield from _borrowed(project, server)
    yield from _networks(project, restricted)
    if restricted:
        yield from _opened(project.config)


def _of_server(server: Server) -> Iterator[str]:
    if not server.has("access_management"):
        yield (
            "This server shows its trust store to every certificate (no access_management): the holder could read the "
            "names, projects and certificates of all other entries."
        )


def _borrowed(project: Project, server: Server) -> Iterator[str]:
    if project.name == "default":
        yield (
            "Project default is the one that other projects borrow from: its holder could change the images, profiles, "
            "volumes and networks that they use."
        )
        return
    for feature in known_features(server):
        if project.has_own(feature):
            continue
        if feature == "images":
            # Since LXD 5.21.3 and 6.2, which brought this extension, each image is checked for the right to change it.
            may = "see and use" if server.has("access_management_tls") else "use, change and delete"
            yield _without(project, feature, f"{may} the images and aliases of project default")
        elif feature in _SHARED:
            yield _without(project, feature, _SHARED[feature])


def _without(project: Project, feature: str, may: str) -> str:
    own = f"Project {project.name} has no {feature.replace('.', ' ')} of its own (features.{feature})"
    return f"{own}: its holder could {may}."


def _networks(project: Project, restricted: bool) -> Iterator[str]:
    if project.has_own("networks") and project.name != "default":
        return
    config = project.config
    if not restricted:
        yield (
            f"Project {project.name} uses the server's networks (features.networks) and nothing limits which: its "
            "holder could create, change and delete the host's bridges and managed networks, and listen on any of them."
        )
        return
    mode = config.get("restricted.devices.nic") or "managed"
    if mode == "block":
        return
    names = [name.strip() for name in config.get("restricted.networks.access", "").split(",") if name.strip()]
    if names:
        yield (
            f"The holder could change the configuration of {_these(names)}: addresses, DHCP, DNS and firewall of "
            "everybody who uses it."
        )
    else:
        yield (
            f"Project {project.name} names no networks (restricted.networks.access): its holder could create, change "
            "and delete the host's managed networks, and connect instances to any of them."
        )
    if mode == "allow":
        yield (
            "restricted.devices.nic is allow: the holder could connect instances to any network interface of the host, "
            "below its firewall."
        )


def _these(names: list[str]) -> str:
    return f"network {names[0]}" if len(names) == 1 else f"networks {', '.join(sorted(names))}"


def _opened(config: Mapping[str, str]) -> Iterator[str]:
    yield from _disks(config)
    if config.get("restricted.containers.privilege") == "allow":
        yield "restricted.containers.privilege is allow: the holder could run containers whose root is the host's root."
    for key, value in sorted(config.items()):
        name = key.partition("restricted.")[2] if key.startswith("restricted.") else ""
        if not name or name in _GRADED:
            continue
        if name in _BLOCKED and value.lower() not in _CLOSED:
            yield f"{key} is {value}: the holder could {_BLOCKED[name]}."
        elif name in _NAMING and value.lower() not in _CLOSED:
            yield f"{key} is {value}: the holder could {_NAMING[name]}."
        elif name not in _BLOCKED and value.lower() == "allow":
            yield f"{key} is allow: it opens what this server's LXD would block otherwise."


def _disks(config: Mapping[str, str]) -> Iterator[str]:
    if config.get("restricted.devices.disk") != "allow":
        return
    paths = config.get("restricted.devices.disk.paths", "").strip()
    where = f"these paths of the host into an instance: {paths}" if paths else "any path of the host into an instance"
    yield f"restricted.devices.disk is allow: the holder could mount {where}."
