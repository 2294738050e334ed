# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each kind of wait needs from a VM, and what is still missing, as words."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from .. import errors
from ..model import Instance
from .cloud_init import CloudInitStatus
from .view import list_addresses

WAIT_KINDS = ("none", "running", "address", "agent", "cloud_init")
# What a VM is waited for in; in the others its power is left alone, or it is off.
POWERED = ("started", "restarted")

# An image's agent is up before its network, or soon after. One that is still not there a minute after the guest was
# heard of on the network isn't in the image.
AGENT_GRACE = 60

_NOT_THERE = {
    "running": "doesn't run",
    "address": "no address",
    "agent": "no agent",
    "cloud_init": "cloud-init isn't done",
}
_HINTS = {
    "running": "look at its console, or give it a longer wait_timeout",
    "address": "does the guest ask for an address by DHCP? give it a longer wait_timeout, or set wait: running",
    "agent": "is lxd-agent in its image? wait: address does without",
    "cloud_init": "give it a longer wait_timeout; in the guest: cloud-init status --long",
}


def asks_guest(wait: str) -> bool:
    """Whether the wait is for something that only LXD's state of a VM tells, and no plain listing."""
    return wait not in ("none", "running")


def missing(wait: str, instance: Instance, cloud_init: Optional[CloudInitStatus] = None) -> str:
    """What keeps a VM from being there, empty when nothing does.

    `instance` carries its state where `asks_guest(wait)`; `cloud_init` is what the guest was heard to say of it.
    """
    if not instance.is_running:
        return f"it is {instance.status}"
    if wait == "address":
        return "" if proven_addresses(instance) else _no_address(instance)
    if wait == "agent":
        return "" if agent_answers(instance) else _no_agent(instance)
    if wait == "cloud_init":
        return _cloud_init_missing(instance, cloud_init)
    return ""


def hopeless(wait: str, instance: Optional[Instance]) -> Optional[errors.TenantryError]:
    """Why waiting longer would be in vain."""
    if instance is None:
        return errors.NotFound("it is gone", "somebody deleted it meanwhile; run again")
    if wait == "address" and not _nics(instance):
        return errors.Unsupported("it has no interface, so there is no address to wait for", "set wait: running")
    return None


# Seconds for which a VM must have a status before the wait for it ends. While QEMU ends, LXD gives a VM that it stops
# status Error for moments; a guest that reboots can be Stopped for moments.
_GRACE = {"Error": 2.0, "Stopped": 10.0}


def find_grace(instance: Instance) -> Optional[float]:
    """Return for how many seconds a VM may have its status before the wait fails; None for any length of time.

    A VM on a cluster member that doesn't answer has status Error too, and may be running all the same.
    """
    return None if instance.is_unreachable else _GRACE.get(instance.status)


def failed_status_error(name: str, status: str, log_line: str, project: str) -> errors.OperationFailed:
    """Return the error for a VM that failed or stopped while it was waited for; `log_line`: of QEMU's log."""
    happened = "it has stopped" if status == "Stopped" else f"it has status {status}"
    return errors.OperationFailed(
        f"{happened}: {log_line}" if log_line else happened,
        f"read its log: lxc info {name} --show-log --project {project}",
    )


def agent_answers(instance: Instance) -> bool:
    """Whether LXD's agent in the guest is there: LXD counts the guest's processes through it, and says -1 without."""
    return int((instance.state or {}).get("processes") or -1) > 0


def proven_addresses(instance: Instance) -> list[str]:
    """The addresses that the guest has, as far as anybody knows.

    With an agent: those of the VM's own interfaces, and not of a bridge that the guest made for itself. Without one LXD
    tells leases and its neighbours, and two things that prove nothing: an IPv6 address that it works out from the MAC,
    and a lease that the guest had before it was started again. So there the guest must have been heard since.
    """
    found = []
    agent = agent_answers(instance)
    for network in _networks(instance):
        told = list_addresses({"network": {"nic": network}})
        if not agent:
            told = [each for each in told if not _worked_out(each, network)] if _heard(network) else []
        found += told
    return found


def timeout_error(wait: str, seconds: float, lacking: str) -> errors.TimedOut:
    """The result of a wait that ran out."""
    return errors.TimedOut(f"{_NOT_THERE[wait]} after {seconds:g} s: {lacking}", _HINTS[wait])


def no_agent_error() -> errors.Unsupported:
    """The result of a wait for cloud-init in a guest that can't be asked."""
    return errors.Unsupported(
        f"cloud-init can't be queried: the guest has been on the network for {AGENT_GRACE} s and has no LXD agent",
        "use an image with lxd-agent, or set wait: address",
    )


def cloud_init_error(status: CloudInitStatus) -> errors.OperationFailed:
    """What cloud-init itself calls an error."""
    return errors.OperationFailed(
        f"cloud-init failed: {'; '.join(status.errors) or 'it gives no reason'}",
        "in the guest: cloud-init status --long, /var/log/cloud-init-output.log",
    )


def no_cloud_init_error() -> errors.Unsupported:
    """The result of a wait for cloud-init in a guest without it."""
    return errors.Unsupported("cloud-init isn't installed in the guest", "use an image that has it, or set wait: agent")


def _nics(instance: Instance) -> list[str]:
    return [name for name, device in instance.expanded_devices.items() if device.get("type") == "nic"]


def _networks(instance: Instance) -> Iterator[Mapping[str, Any]]:
    """The state of the VM's own interfaces; those that the guest has beside have another MAC."""
    ours = {
        (instance.expanded_devices[name].get("hwaddr") or instance.config.get(f"volatile.{name}.hwaddr") or "").lower()
        for name in _nics(instance)
    } - {""}
    for name, network in ((instance.state or {}).get("network") or {}).items():
        if name != "lo" and (not ours or str(network.get("hwaddr") or "").lower() in ours):
            yield network


def _heard(network: Mapping[str, Any]) -> bool:
    counters = network.get("counters") or {}
    # From the guest's side, and again at each start. What isn't counted can't be demanded.
    return all(int(counters.get(f"packets_{way}") or 0) > 0 for way in ("sent", "received")) if counters else True


def _worked_out(address: str, network: Mapping[str, Any]) -> bool:
    """Whether it is the address that LXD expects of a guest by SLAAC, made of the network's prefix and the MAC."""
    mac = str(network.get("hwaddr") or "").replace(":", "")
    if ":" not in address or len(mac) != 12:
        return False
    expected = f"{int(mac[:2], 16) ^ 2:02x}{mac[2:6]}fffe{mac[6:]}"
    return f"{int(ipaddress.ip_address(address)) & (2**64 - 1):016x}" == expected.lower()


def _no_address(instance: Instance) -> str:
    if agent_answers(instance):
        return "it runs, and its agent reports none"
    told = [
        (each, network) for network in _networks(instance) for each in list_addresses({"network": {"nic": network}})
    ]
    guessed = [each for each, network in told if _worked_out(each, network)]
    stale = [each for each, network in told if each not in guessed]
    if stale:
        return f"it runs; {', '.join(stale)} was leased before this start, and the guest wasn't heard of since"
    only = f", only {', '.join(guessed)}, which LXD works out from the MAC" if guessed else ""
    return f"it runs; no lease and no agent{only}"


def _no_agent(instance: Instance) -> str:
    known: Sequence[str] = proven_addresses(instance)
    return f"it runs, with the address {', '.join(known)}" if known else "it runs; no address either"


def _cloud_init_missing(instance: Instance, cloud_init: Optional[CloudInitStatus]) -> str:
    if not agent_answers(instance):
        return f"{_no_agent(instance)}; it is asked through LXD's agent, and there is none"
    if cloud_init is None or not cloud_init.status:
        return "the agent is there, and cloud-init didn't answer"
    if cloud_init.ended:
        return ""
    return f"cloud-init reports {cloud_init.status}" + (f", stage {cloud_init.stage}" if cloud_init.stage else "")
