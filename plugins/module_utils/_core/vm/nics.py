# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What LXD takes of a VM's interface on each kind of network, and what of it changes while the VM runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from ..errors import Conflict, Invalid, TenantryError
from ..model import Network
from ..units import is_true

Device = Mapping[str, str]
Networks = Mapping[str, Network]

# LXD's keys behind the options of an interface that not every kind of network takes.
OPTIONS = {
    "hwaddr": "mac",
    "vlan": "vlan",
    "mtu": "mtu",
    "ipv4.address": "ipv4",
    "ipv6.address": "ipv6",
    "security.mac_filtering": "mac_filter",
    "security.ipv4_filtering": "ipv4_filter",
    "security.ipv6_filtering": "ipv6_filter",
}

# What two interfaces on one network can't both have.
UNIQUE = ("hwaddr", "ipv4.address", "ipv6.address")

# Which of them LXD takes for a VM (5.0.2; LXD 6 takes the same). A physical or SR-IOV card is the guest's own.
_TAKEN = {
    "bridged": frozenset(OPTIONS),
    "macvlan": frozenset({"hwaddr", "vlan", "mtu"}),
    "sriov": frozenset({"hwaddr", "vlan", "security.mac_filtering"}),
    "physical": frozenset[str](),
    "ovn": frozenset({"hwaddr", "vlan", "ipv4.address", "ipv6.address"}),
}
# A network that LXD manages has said these for all that are on it.
_SETTLED = {"bridged": frozenset({"mtu"}), "macvlan": frozenset({"mtu", "vlan"}), "sriov": frozenset({"vlan"})}

# What a network of LXD's makes of an interface. Of any other type only LXD knows what it takes.
_KINDS = {"bridge": "bridged", "macvlan": "macvlan", "sriov": "sriov", "ovn": "ovn"}

# What the kernel of a guest takes for the name of an interface.
_LONGEST_NAME = 15

# LXD 5.0 changes these in place. For anything else it unplugs the card and plugs another one in, and where the guest
# doesn't let go of the old one it is left without either.
_LIVE = {
    "bridged": frozenset(
        {
            *("ipv4.address", "ipv6.address", "limits.egress", "limits.ingress", "limits.max"),
            *(f"ipv{family}.routes{kind}" for family in (4, 6) for kind in ("", ".external")),
            *("security.mac_filtering", "security.ipv4_filtering", "security.ipv6_filtering"),
        }
    ),
    "ovn": frozenset({"security.acls"}),
}


def get_nic_type(device: Device, networks: Networks) -> str:
    """How an interface is connected, as LXD's `nictype` says it; empty where nobody here can know."""
    if not device.get("network"):
        return device.get("nictype", "")
    network = networks.get(device["network"])
    return _KINDS.get(network.type, "") if network else ""


def is_live(before: Device, after: Device, networks: Networks) -> bool:
    """Whether LXD changes an interface of a running VM without taking it away from the guest."""
    keys = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    # Where networks weren't read, a network of LXD's is taken for what most are.
    return keys <= _LIVE.get(get_nic_type(before, networks) or "bridged", frozenset())


def is_plugged(name: str, before: Mapping[str, Device], after: Mapping[str, Optional[Device]]) -> bool:
    """Whether LXD 5.0 finds a slot for a new interface in a running VM, by its interfaces and what becomes of them.

    It counts the slot off by the place of the name among all names, so that one which isn't last meets a slot in use,
    and so does every one after a removal.
    """
    gone = any(other in after and after[other] is None for other in before)
    return not gone and all(name > other for other in before)


def check_keys(name: str, device: Device, networks: Networks) -> None:
    """Refuse an option that LXD takes on another kind of network only, or not together with another one."""
    if len(device.get("name", "")) > _LONGEST_NAME:
        raise Invalid(f"interface {name}: LXD takes no name as long as that", f"{_LONGEST_NAME} characters at most")
    how = get_nic_type(device, networks)
    if how not in _TAKEN:
        return
    managed = device.get("network")
    taken = _TAKEN[how] - (_SETTLED.get(how, frozenset()) if managed else frozenset())
    for key, option in OPTIONS.items():
        if device.get(key) and key not in taken:
            where = f"network {managed}, which is {how}," if managed else f"an interface of type {how}"
            there = ", ".join(OPTIONS[each] for each in OPTIONS if each in taken) or "none of these options"
            raise Invalid(f"interface {name}: LXD takes no {option} on {where} of a VM", f"it takes {there}")
    if how == "bridged":
        _check_filters(name, device)


def _check_filters(name: str, device: Device) -> None:
    filters = [family for family in (4, 6) if is_true(device.get(f"security.ipv{family}_filtering"))]
    if filters and (device.get("vlan") or device.get("vlan.tagged")):
        raise Invalid(
            f"interface {name}: ipv{filters[0]}_filter goes with no VLAN",
            "LXD filters addresses on untagged interfaces only; leave one of them out",
        )


def check_unmanaged(name: str, device: Device) -> None:
    """Refuse an address that nobody would give: on a bridge that isn't LXD's there is no DHCP of its own."""
    for family in (4, 6):
        address, filtered = device.get(f"ipv{family}.address"), is_true(device.get(f"security.ipv{family}_filtering"))
        if address and not filtered:
            raise Invalid(
                f"interface {name}: ipv{family}: LXD gives no addresses on parent {device.get('parent')}",
                f"omit it, or set ipv{family}_filter: true to permit the guest this address only",
            )
        if filtered and not address:
            raise Invalid(
                f"interface {name}: ipv{family}_filter: LXD gives no addresses on parent {device.get('parent')}",
                f"set ipv{family} to the address that the guest may use",
            )


def select_nics(devices: Mapping[str, Device]) -> dict[str, Device]:
    """The interfaces among a VM's devices."""
    return {name: device for name, device in devices.items() if device.get("type") == "nic"}


def drop_unset_keys(device: Mapping[str, Optional[str]]) -> dict[str, str]:
    """A device without the keys that it takes away."""
    return {key: value for key, value in device.items() if value is not None}


def get_attachment(device: Device) -> str:
    """The network or parent that an interface is on; a bridge of LXD's may be declared as either."""
    return device.get("network") or device.get("parent") or ""


def clash(one: tuple[str, Device], other: tuple[str, Device], networks: Networks) -> Optional[TenantryError]:
    """Why one VM can't have both interfaces, (name, device) each: LXD 5.0 makes such a VM and doesn't start it."""
    (name, first), (second_name, second) = one, other
    what = f"interfaces {name} and {second_name}"
    mac = first.get("hwaddr")
    if mac and mac.lower() == (second.get("hwaddr") or "").lower():
        return Invalid(f"{what} have one MAC, {mac}", "give each its own, or leave it to LXD")
    if (
        not get_attachment(first)
        or get_attachment(first) != get_attachment(second)
        or first.get("vlan") != second.get("vlan")
    ):
        return None
    for family in (4, 6):
        address = first.get(f"ipv{family}.address")
        if address and address != "none" and address == second.get(f"ipv{family}.address"):
            return Invalid(f"{what} have one address, {address}", "give each its own")
    network = networks.get(get_attachment(first))
    if network and network.managed and network.type == "bridge" and network.config.get("dns.mode") != "none":
        return Invalid(
            f"{what} are both on network {network.name}, which LXD starts no VM with: it has one name in its DNS",
            "put one on another network or another vlan",
        )
    return None


def check_together(found: Mapping[str, Device], brought: Sequence[str], networks: Networks) -> None:
    """Refuse two interfaces of one VM that LXD won't have together, where one of them is new or changed."""
    names = sorted(found)
    for position, name in enumerate(names):
        for other in names[position + 1 :]:
            if name in brought or other in brought:
                error = clash((name, found[name]), (other, found[other]), networks)
                if error:
                    raise error


def check_moves(brought: Mapping[str, Device], before: Mapping[str, Device], networks: Networks) -> None:
    """Refuse an interface that takes the place of one which leaves it in the same change: LXD 5.0 looks at both."""
    for name, device in sorted(brought.items()):
        for other, held in sorted(before.items()):
            if (
                name != other
                and get_attachment(device) == get_attachment(held)
                and clash((name, device), (other, held), networks)
            ):
                raise Invalid(
                    f"interface {name} would replace interface {other} on {get_attachment(device)} in one run",
                    f"LXD refuses that: remove or move {other} in a run of its own first, or keep {other}",
                )


def check_in_use(name: str, device: Device, others: Mapping[str, Sequence[Device]]) -> None:
    """Refuse a MAC or an address that an interface of another VM on the same network has.

    `others`: by VM, its interfaces with the MAC that LXD chose. LXD itself looks only when the VM starts, and then at
    all projects, which we don't see.
    """
    for vm, devices in sorted(others.items()):
        for other in devices:
            if (
                not get_attachment(device)
                or get_attachment(device) != get_attachment(other)
                or device.get("vlan") != other.get("vlan")
            ):
                continue
            for key in UNIQUE:
                said = (device.get(key) or "none").lower()
                if said != "none" and said == (other.get(key) or "").lower():
                    raise Conflict(
                        f"interface {name}: {OPTIONS[key]} {said} is in use by VM {vm} on {get_attachment(device)}",
                        "give each VM its own",
                    )
