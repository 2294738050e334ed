# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of a project's config: which server knows which feature, and how people may spell the others."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .. import units
from ..errors import Invalid
from ..model import Server

# LXD refuses a key that it doesn't know (5.0.2 doesn't know buckets), and takes an unset one on creation for "on". The
# extension is the one that brought the key, or the first that every server with the key has (LXD 4.0).
_FEATURES = {
    "images": "projects",
    "profiles": "projects",
    "storage.volumes": "projects_restrictions",
    "networks": "projects_networks",
    "networks.zones": "projects_networks_zones",
    "storage.buckets": "storage_buckets",
}

# The ones that a confined project has of its own; zones too, since a borrowed one is everybody's.
OWN_WHEN_CONFINED = ("images", "profiles", "storage.volumes", "storage.buckets", "networks.zones")
# Servers learn these with an upgrade: a project that was made before and is in use can't be told any more.
LATE_FEATURES = frozenset({"networks.zones", "storage.buckets"})

# What LXD takes as a limit: a whole number, or a size.
COUNTS = ("containers", "cpu", "instances", "networks", "processes", "virtual-machines")
SIZES = ("disk", "memory")
POOL_SIZES = "disk.pool."
# Followed by an uplink's name; the one key of LXD's with an underscore of its own.
_UPLINK_COUNTS = "networks.uplink_ips."
_LIMITS = (*COUNTS, *SIZES)

RESTRICTIONS = (
    "backups",
    "cluster.groups",
    "cluster.target",
    "containers.interception",
    "containers.lowlevel",
    "containers.nesting",
    "containers.privilege",
    "devices.disk",
    "devices.disk.paths",
    "devices.gpu",
    "devices.infiniband",
    "devices.nic",
    "devices.pci",
    "devices.proxy",
    "devices.unix-block",
    "devices.unix-char",
    "devices.unix-hotplug",
    "devices.usb",
    "idmap.gid",
    "idmap.uid",
    "images.servers",
    "networks.access",
    "networks.integrations",
    "networks.subnets",
    "networks.uplinks",
    "networks.zones",
    "snapshots",
    "storage-pools.access",
    "virtual-machines.lowlevel",
    "virtual-machines.nesting",
)

# Restrictions that take one of a few words; LXD calls most of them allow and block.
_YES_NO = ("allow", "block")
_VALUES = {
    **{
        name: _YES_NO
        for name in RESTRICTIONS
        if name.startswith(("containers.", "devices.", "backups", "snapshots", "cluster.target", "virtual-machines."))
    },
    "containers.interception": ("allow", "block", "full"),
    "containers.privilege": ("allow", "isolated", "unprivileged"),
    "devices.disk": ("allow", "block", "managed"),
    "devices.nic": ("allow", "block", "managed"),
}
del _VALUES["devices.disk.paths"]

# Keys that came after LXD 5.0.0, by how they begin.
_LATER_KEYS = {
    "restricted.networks.access": "projects_networks_restricted_access",
    f"limits.{POOL_SIZES}": "projects_limits_disk_pool",
}

_KNOWN = {"features": tuple(_FEATURES), "limits": _LIMITS, "restrictions": RESTRICTIONS}


def known_features(server: Server) -> tuple[str, ...]:
    """The features that this server lets a project have of its own; of one that nobody has read, LXD 5.0's."""
    if not server.extensions:
        return tuple(feature for feature in _FEATURES if feature not in LATE_FEATURES)
    return tuple(feature for feature, extension in _FEATURES.items() if server.has(extension))


def extension_of(key: str) -> str:
    """The API extension that a whole key came with; empty where every server has it, or we don't know."""
    if key.startswith("features."):
        return _FEATURES.get(key[len("features.") :], "")
    return next((extension for start, extension in _LATER_KEYS.items() if key.startswith(start)), "")


def check_value(option: str, name: str, value: str) -> None:
    """Refuse what LXD would: a limit that is no number or size, a restriction that is none of its words."""
    what = f"{option}.{name}"
    if option == "limits" and name in COUNTS and not (value.isascii() and value.isdigit()):
        raise Invalid(f"{what}: {value!r:.80} is not a whole number", "write how many, such as 8")
    if option == "limits" and (name in SIZES or name.startswith(POOL_SIZES)):
        units.parse_size(value, what)
    words = _VALUES.get(name, ()) if option == "restrictions" else ()
    if words and value not in words:
        raise Invalid(
            f"{what}: {value!r:.80} is none of {', '.join(words)}", "write one of them, or null for LXD's own"
        )


def lxd_name(option: str, said: str) -> str:
    """A key of `features`, `limits` or `restrictions` as LXD spells it: underscores stand for hyphens and dots.

    What LXD may have learnt since goes through as it is, so long as it can't be a misspelling: LXD has no underscores.
    """
    known = _KNOWN[option]
    found = _by_letters(said, known)
    if found:
        return found
    if option == "limits" and said.startswith((POOL_SIZES, "disk_pool_")) and len(said) > len(POOL_SIZES):
        return POOL_SIZES + said[len(POOL_SIZES) :]
    if option == "limits" and said.startswith(_UPLINK_COUNTS):
        return said
    if "_" in said or not said or not said.isprintable() or " " in said:
        near = difflib.get_close_matches(said.replace("_", "-"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
        raise Invalid(f"{option}: {said!r:.80} is no key of LXD's", hint)
    return said


def _by_letters(said: str, known: Iterable[str]) -> str:
    letters = said.replace("-", "_").replace(".", "_")
    return next((name for name in known if name.replace("-", "_").replace(".", "_") == letters), "")
