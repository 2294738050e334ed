# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of a project's config: which server has which, and how users may spell them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .. import units
from ..errors import Invalid
from ..model import Server

# LXD refuses a key that it doesn't know (5.0.2 has no buckets), and reads one that is unset on creation as on. The
# extension is the one that introduced the key, or the first that every server with the key has (LXD 4.0).
_FEATURES = {
    "images": "projects",
    "profiles": "projects",
    "storage.volumes": "projects_restrictions",
    "networks": "projects_networks",
    "networks.zones": "projects_networks_zones",
    "storage.buckets": "storage_buckets",
}

# The features that a confined project has of its own; zones too, since a borrowed zone is shared with all.
OWN_WHEN_CONFINED = ("images", "profiles", "storage.volumes", "storage.buckets", "networks.zones")
# Servers get these by an upgrade: they can't be set on a project that was created before and is in use.
LATE_FEATURES = frozenset({"networks.zones", "storage.buckets"})

# The limits that are whole numbers, and those that are sizes.
COUNTS = ("containers", "cpu", "instances", "networks", "processes", "virtual-machines")
SIZES = ("disk", "memory")
POOL_SIZES = "disk.pool."
# Followed by the name of an uplink; the only key of LXD's with an underscore.
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

# The restrictions with a fixed set of values.
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

# Keys that LXD 5.0.0 doesn't have, by their beginning.
_LATER_KEYS = {
    "restricted.networks.access": "projects_networks_restricted_access",
    f"limits.{POOL_SIZES}": "projects_limits_disk_pool",
}

_KNOWN = {"features": tuple(_FEATURES), "limits": _LIMITS, "restrictions": RESTRICTIONS}


def known_features(server: Server) -> tuple[str, ...]:
    """Return the features that a project can have of its own; those of LXD 5.0 for a server that wasn't read."""
    if not server.extensions:
        return tuple(feature for feature in _FEATURES if feature not in LATE_FEATURES)
    return tuple(feature for feature, extension in _FEATURES.items() if server.has(extension))


def find_extension(key: str) -> str:
    """Return the API extension that introduced a whole key; empty if every server has it, or it is unknown."""
    if key.startswith("features."):
        return _FEATURES.get(key[len("features.") :], "")
    return next((extension for start, extension in _LATER_KEYS.items() if key.startswith(start)), "")


def check_value(option: str, name: str, value: str) -> None:
    """Raise Invalid for a limit that is no number or size, and for a restriction with a value that LXD doesn't have."""
    what = f"{option}.{name}"
    if option == "limits" and name in COUNTS and not (value.isascii() and value.isdigit()):
        raise Invalid(f"{what}: {value!r:.80} is not a whole number", "write how many, such as 8")
    if option == "limits" and (name in SIZES or name.startswith(POOL_SIZES)):
        units.parse_size(value, what)
    words = _VALUES.get(name, ()) if option == "restrictions" else ()
    if words and value not in words:
        raise Invalid(
            f"{what}: {value!r:.80} is none of {', '.join(words)}", "write one of them, or null for LXD's default"
        )


def to_lxd_name(option: str, name: str) -> str:
    """Return a key of `features`, `limits` or `restrictions` in LXD's spelling; underscores stand for hyphens and dots.

    An unknown key is returned as it is, since a newer LXD may have it, unless it has an underscore, which LXD's keys
    don't.
    """
    known = _KNOWN[option]
    found = _match_letters(name, known)
    if found:
        return found
    if option == "limits" and name.startswith((POOL_SIZES, "disk_pool_")) and len(name) > len(POOL_SIZES):
        return POOL_SIZES + name[len(POOL_SIZES) :]
    if option == "limits" and name.startswith(_UPLINK_COUNTS):
        return name
    if "_" in name or not name or not name.isprintable() or " " in name:
        near = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
        raise Invalid(f"{option}: {name!r:.80} is not a key of LXD", hint)
    return name


def _match_letters(text: str, known: Iterable[str]) -> str:
    letters = text.replace("-", "_").replace(".", "_")
    return next((name for name in known if name.replace("-", "_").replace(".", "_") == letters), "")
