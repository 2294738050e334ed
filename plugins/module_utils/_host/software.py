# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is installed on this machine: LXD or Incus and how, what could be, and the firewall that runs."""

from __future__ import annotations

import os
import re
from typing import Optional

from . import programs


def lxd() -> str:
    """How LXD is there: `snap`, `apt`, or not at all."""
    if os.path.isdir("/snap/lxd/current") or _succeeds("snap", "list", "lxd"):
        return "snap"
    return "apt" if _is_installed("lxd") else ""


def incus() -> bool:
    """Whether Incus is there."""
    return _is_installed("incus") or _is_installed("incus-base") or programs.find("incusd") is not None


def snap_info() -> Optional[str]:
    """What the store says of LXD; None without snapd, nothing where the store doesn't answer."""
    said = programs.run("snap", "info", "lxd")
    return None if said is None else "" if said.code else said.out


def snap_list() -> str:
    """What snapd says of the installed snap of LXD; nothing where there is none."""
    said = programs.run("snap", "list", "lxd")
    return said.out if said and not said.code else ""


def apt_lists() -> bool:
    """Whether apt has been told which packages there are."""
    try:
        return any("Packages" in name for name in os.listdir("/var/lib/apt/lists"))
    except OSError:
        return False


def candidate() -> str:
    """The version that apt would install."""
    said = programs.run("apt-cache", "policy", "lxd")
    match = re.search(r"Candidate: (\S+)", said.out) if said else None
    return match[1] if match and match[1] != "(none)" else ""


def firewall() -> str:
    """The firewall that is in force: `ufw`, `firewalld`, `nftables` with rules that drop, or none."""
    said = programs.run("ufw", "status")
    if said and said.out.startswith("Status: active"):
        return "ufw"
    if _succeeds("firewall-cmd", "--state"):
        return "firewalld"
    rules = programs.run("nft", "list", "ruleset")
    drops = rules is not None and re.search(r"hook input .*policy drop", rules.out) is not None
    return "nftables" if drops else ""


def _is_installed(package: str) -> bool:
    said = programs.run("dpkg-query", "--show", "--showformat=${Status}", package)
    if said is not None:
        return said.code == 0 and said.out.endswith(" installed")
    return _succeeds("rpm", "--query", package)


def _succeeds(name: str, *arguments: str) -> bool:
    said = programs.run(name, *arguments)
    return said is not None and said.code == 0
