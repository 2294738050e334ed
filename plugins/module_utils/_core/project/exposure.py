# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the holder of a project's certificate could do beyond the project; only read, never tried."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..model import Project, Server
from ..units import is_true, parse_list
from .keys import known_features

# What a project without a feature of its own uses of project `default`, and what its holder could do there.
_SHARED = {
    "profiles": "edit and delete the profiles of project default, its profile default included, "
    "which every instance that uses them follows",
    "storage.volumes": "read, attach, change and delete the custom volumes of project default",
    "storage.buckets": "read, change and delete the storage buckets of project default",
    "networks.zones": "change and delete the network zones of project default",
}

# Restrictions that are off when unset; any other value than "block" permits what the sentence says.
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
# Restrictions with values in between, or with a list of what they permit.
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


def find_exposure(project: Project, server: Server, *, certificate_restricted: bool = True) -> tuple[str, ...]:
    """Return a sentence for each exposure: the gravest of the project first, those of the server last. Never empty."""
    if not certificate_restricted:
        return (_ADMINISTRATOR,)
    return tuple(_find_project_exposure(project, server)) + tuple(_find_server_exposure(server))


def _find_project_exposure(project: Project, server: Server) -> Iterator[str]:
    restricted = is_true(project.config.get("restricted"))
    if not restricted:
        yield (
            f"Project {project.name} is not restricted (restricted=true): its holder could mount any path of the host "
            "into an instance, set raw.qemu and raw.lxc, run privileged containers, use any device and network "
            "interface of the host, and with most of these become root on the host."
        )
    yield from _find_borrowed_features(project, server)
    yield from _find_network_exposure(project, server, restricted)
    if restricted:
        yield from _find_permitted(project.config)


def _find_server_exposure(server: Server) -> Iterator[str]:
    yield from _find_server_holes(server)
    if not server.has("access_management"):
        yield (
            "This server shows its trust store to every certificate (no access_management): the holder could read the "
            "names, projects and certificates of all other entries."
        )
    yield (
        "The holder could have the server ask any address that it reaches for an image, the host's own and internal "
        "ones among them; a firewall on the host's outgoing connections limits that."
    )
    yield "The holder could read what hardware the host has, and how full its storage pools and its memory are."


# The first releases of each series with these fixes; a fix has no API extension, so that only the version tells.
_FIXED_IN: Mapping[tuple[int, ...], tuple[int, ...]] = {(5, 0): (5, 0, 7), (5, 21): (5, 21, 5)}
_FIXED_SINCE = (6, 9)


def _find_server_holes(server: Server) -> Iterator[str]:
    """Find the holes of LXD before June 2026; a distribution may have fixed an older release under the same version."""
    version = tuple(int(part) for part in re.findall(r"\d+", server.version)[:3])
    if server.flavour != "lxd" or not version or version >= _FIXED_IN.get(version[:2], _FIXED_SINCE):
        return
    old = f"LXD {server.version} is older than the fixes in 5.0.7, 5.21.5 and 6.9: unless its packager has fixed it,"
    yield (
        f"{old} the holder could import a backup whose config is not checked against the restrictions (CVE-2026-34178, "
        "CVE-2026-9640), and with it become root on the host; a read-only mount over LXD's folder backups stops that."
    )
    yield (
        f"{old} the holder could copy any instance and volume of any other project, with all its data, by its name "
        "(GHSA-qx75-2p3r-pwm5, GHSA-7mr3-28h5-m5vx)."
    )


def _find_borrowed_features(project: Project, server: Server) -> Iterator[str]:
    if project.name == "default":
        yield (
            "Project default is the one that other projects use: its holder could change the images, profiles, volumes "
            "and networks that they use."
        )
        return
    for feature in known_features(server):
        if project.has_own(feature):
            continue
        if feature == "images":
            # Since LXD 5.21.3 and 6.2, which have this extension, LXD checks for each image whether it may be changed.
            may = "see and use" if server.has("access_management_tls") else "use, change and delete"
            yield _borrowed_feature(project, feature, f"{may} the images and aliases of project default")
        elif feature in _SHARED:
            yield _borrowed_feature(project, feature, _SHARED[feature])


def _borrowed_feature(project: Project, feature: str, may: str) -> str:
    own = f"Project {project.name} has no {feature.replace('.', ' ')} of its own (features.{feature})"
    return f"{own}: its holder could {may}."


def _find_network_exposure(project: Project, server: Server, restricted: bool) -> Iterator[str]:
    config, own = project.config, project.has_own("networks") and project.name != "default"
    if not restricted:
        if not own:
            yield (
                f"Project {project.name} uses the server's networks (features.networks) and nothing limits which: its "
                "holder could create, change and delete the host's bridges and managed networks, and listen on any of "
                "them."
            )
        return
    if not own and not server.has("access_management"):
        yield (
            f"Project {project.name} has no networks of its own (features.networks): its holder could create, change "
            "and delete the network ACLs and DNS zones of project default; bridges instead of networks prevent that."
        )
    mode = config.get("restricted.devices.nic") or "managed"
    if mode == "block":
        return
    names = list(parse_list(config.get("restricted.networks.access")))
    if not own:
        yield _managed_networks_sentence(project, names)
    if mode == "allow" and not names:
        yield (
            "restricted.devices.nic is allow: the holder could connect instances to any network interface of the host, "
            "below its firewall."
        )
    where = f" on {_name_networks(names)}" if names else ""
    yield (
        f"The holder's instances{where} could have the host send any addresses to them (ipv4.routes, ipv6.routes of an "
        "interface), other instances' traffic included; leave networks empty for a tenant that you don't trust so far."
    )


def _managed_networks_sentence(project: Project, names: list[str]) -> str:
    if not names:
        return (
            f"Project {project.name} names no networks (restricted.networks.access): its holder could create, change "
            "and delete the host's managed networks, and connect instances to any of them."
        )
    return (
        f"The holder could change the configuration of {_name_networks(names)}: addresses, DHCP, DNS, firewall and "
        "forwards of everybody who uses it, and delete it while it is unused; bridges instead of networks prevent that."
    )


def _name_networks(names: list[str]) -> str:
    return f"network {names[0]}" if len(names) == 1 else f"networks {', '.join(sorted(names))}"


def _find_permitted(config: Mapping[str, str]) -> Iterator[str]:
    yield from _find_disk_exposure(config)
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
            yield f"{key} is allow: it permits what this server would block otherwise."


def _find_disk_exposure(config: Mapping[str, str]) -> Iterator[str]:
    if config.get("restricted.devices.disk") != "allow":
        return
    paths = config.get("restricted.devices.disk.paths", "").strip()
    where = f"these paths of the host into an instance: {paths}" if paths else "any path of the host into an instance"
    yield f"restricted.devices.disk is allow: the holder could mount {where}."
