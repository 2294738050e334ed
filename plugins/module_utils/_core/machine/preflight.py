# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine that is to become a VM host: what was found of it, and every problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .. import units
from ..server.networks import NetworkSpec
from ..server.spec import ServerSpec
from . import snap_channel

# The oldest release of each whose kernel, Python and LXD we can use, as numbers.
_OLDEST: Mapping[str, tuple[int, ...]] = {
    "debian": (11,),
    "ubuntu": (22, 4),
    "rhel": (9,),
    "rocky": (9,),
    "almalinux": (9,),
    "centos": (9,),
    "fedora": (38,),
}
# The first releases that have LXD as a package of their own.
_PACKAGED: Mapping[str, tuple[int, ...]] = {"debian": (12,)}
_LEAST_MEMORY = 1 << 30
# Certificates made on one clock have to be valid on the other.
_CLOCK_SECONDS = 300
_DRIVERS: Mapping[str, tuple[str, ...]] = {
    "btrfs": ("btrfs",),
    "zfs": ("zfs",),
    "lvm": ("dm_mod", "dm_thin_pool"),
}
# Networks of LXD's that take an interface of the host for themselves.
_TAKES_INTERFACE = ("bridge.external_interfaces",)
_OVS = "ovs-system"

CHECKS = ("root", "os", "virtualisation", "memory", "time", "package", "kernel", "network", "server")


class Problem(NamedTuple):
    """The problem of a machine. `check`: by which name it can be left out."""

    check: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine as it was found. Memory in bytes, `clock` in seconds since 1970.

    `modules`: of the kernel modules that count, those that are loaded, built in or there to load. `snap`: what
    `snap info lxd` says, None without snapd. `tracking`, `version`: the channel that an installed snap follows, and
    what it has got from there; `held`: whether its updates wait. `apt_lists`: whether apt knows any package, which in a
    fresh image it doesn't; `candidate`: the version of LXD that it would install.
    `lxd`: how one is there already, `snap` or `apt`. `ssh_interface`: the one that Ansible's connection comes in
    by, else that of the default route.
    """

    root: bool
    os: str
    release: tuple[int, ...]
    title: str
    architecture: str
    kvm: bool
    cpu_virtualisation: bool
    vsock: bool
    memory: int
    clock: float
    synchronised: Optional[bool]
    modules: frozenset[str]
    snap: Optional[str]
    tracking: str
    version: str
    held: bool
    apt_lists: bool
    candidate: str
    lxd: str
    incus: bool
    instances: Optional[int]
    ssh_interface: str
    interfaces: Mapping[str, tuple[str, ...]]
    masters: Mapping[str, str]
    firewall: str
    network_manager: str

    def to_result(self) -> dict[str, Any]:
        """The facts for people and roles."""
        facts = dataclasses.asdict(self)
        facts["snap"] = self.snap is not None
        facts["release"] = ".".join(str(number) for number in self.release)
        facts["modules"] = sorted(self.modules)
        facts["interfaces"] = {name: list(addresses) for name, addresses in sorted(self.interfaces.items())}
        facts["masters"] = dict(sorted(self.masters.items()))
        return facts


@dataclasses.dataclass(frozen=True)
class PreflightSpec:
    """What the machine is for. `clock`: the controller's; None where it isn't compared."""

    package: str
    channel: str
    hugepages: int
    clock: Optional[float]
    wanted: ServerSpec


def method(machine: Machine, package: str) -> str:
    """How LXD gets there: what is there stays, else the package that the distribution has, else the snap."""
    if package != "auto":
        return package
    if machine.lxd:
        return machine.lxd
    return "apt" if _packaged(machine) and (machine.candidate or not machine.apt_lists) else "snap"


def problems(
    machine: Machine,
    asked: PreflightSpec,
    of_server: Collection[str],
    skip: Collection[str],
    of_bridges: Collection[tuple[str, str]] = (),
) -> list[Problem]:
    """Every problem. `of_server`: what LXD, the disks and the addresses said of the declaration.

    `of_bridges`: what the host's network said of bridges over its cards, and what to do.
    """
    found = [
        *_of_system(machine),
        *_of_virtualisation(machine),
        *_of_memory(machine, asked),
        *_of_time(machine, asked),
        *_of_package(machine, asked),
        *_of_kernel(machine, asked.wanted),
        *_of_network(machine, asked.wanted),
        *(Problem("network", message, hint) for message, hint in of_bridges),
        *(Problem("server", said, "") for said in of_server),
    ]
    return [problem for problem in found if problem.check not in skip]


def warnings(machine: Machine) -> list[str]:
    """What isn't in the way and worth knowing."""
    if machine.synchronised is False:
        return ["the clock is not kept by NTP: certificates and leases go by it; install systemd-timesyncd or chrony"]
    return []


def _packaged(machine: Machine) -> bool:
    first = _PACKAGED.get(machine.os)
    return first is not None and machine.release >= first


def _of_system(machine: Machine) -> Iterator[Problem]:
    if not machine.root:
        yield Problem("root", "this user is not root", "set become: true, and give the user that right")
    oldest = _OLDEST.get(machine.os)
    if oldest is not None and machine.release < oldest:
        least = ".".join(f"{number:02}" if place else str(number) for place, number in enumerate(oldest))
        yield Problem("os", f"{machine.title or machine.os} is too old", f"{machine.os} {least} or newer is needed")


def _of_virtualisation(machine: Machine) -> Iterator[Problem]:
    if not machine.kvm:
        hint = (
            "load the module kvm_intel or kvm_amd"
            if machine.cpu_virtualisation
            else "turn it on in the firmware; for a virtual machine allow nested virtualisation on its host"
        )
        yield Problem("virtualisation", "there is no /dev/kvm: this machine can't run virtual machines", hint)
    if not machine.vsock:
        yield Problem(
            "virtualisation",
            "there is no /dev/vhost-vsock and no module vhost_vsock, which LXD's virtual machines want",
            "install the distribution's full kernel",
        )


def _of_memory(machine: Machine, asked: PreflightSpec) -> Iterator[Problem]:
    if machine.memory < _LEAST_MEMORY:
        has = units.format_size(machine.memory)
        yield Problem("memory", f"it has {has} of memory", "a VM host wants 1GiB at the least, beside its VMs")
    if asked.hugepages and asked.hugepages > machine.memory - _LEAST_MEMORY // 2:
        takes = units.format_size(asked.hugepages)
        yield Problem("memory", f"hugepages: {takes} is more than the memory it can spare", "set fewer")


def _of_time(machine: Machine, asked: PreflightSpec) -> Iterator[Problem]:
    if asked.clock is None:
        return
    apart = round(machine.clock - asked.clock)
    if abs(apart) > _CLOCK_SECONDS:
        way = "ahead of" if apart > 0 else "behind"
        yield Problem("time", f"its clock is {abs(apart)} s {way} the controller's", "put the clock right")


def _of_package(machine: Machine, asked: PreflightSpec) -> Iterator[Problem]:
    way = method(machine, asked.package)
    if machine.incus:
        yield Problem(
            "package", "Incus is installed, and LXD beside it would share its networks", "use method existing"
        )
        return
    if machine.lxd and machine.lxd != way:
        holds = f", with {machine.instances} instances" if machine.instances else ""
        yield Problem(
            "package",
            f"LXD is there already as {machine.lxd}{holds}; nothing is ever moved from {machine.lxd} to {way}",
            f"set {machine.lxd} or auto",
        )
        return
    yield from _of_snap(machine, asked.channel) if way == "snap" else _of_apt(machine, asked.channel)


def _of_snap(machine: Machine, said: str) -> Iterator[Problem]:
    channel = snap_channel.whole(said)
    if said and not (channel and snap_channel.names_track(said)):
        lacks = "names no track, and snapd would take one of its own" if channel else "is no channel"
        yield Problem("package", f"channel: {said!r:.60} {lacks}", "write track/risk, such as 5.21/stable")
        return
    if machine.snap is None:
        if machine.os not in ("debian", "ubuntu"):
            yield Problem("package", "there is no snap on it", "install and enable snapd")
        return
    offered = snap_channel.versions(machine.snap)
    if not offered and not machine.lxd:
        hint = (
            "does snapd run, and reach the store? see `snap info lxd`; behind a proxy `snap set system proxy.https=...`"
        )
        yield Problem("package", "the snap store has no information on LXD", hint)
    elif channel.count("/") == 1 and offered and channel not in offered:
        stable = sorted(name for name in offered if name.endswith("/stable"))
        yield Problem("package", f"channel: there is no {channel}", f"write one of {units.shorten(stable)}")
    elif switches(machine, said) and snap_channel.goes_back(channel, machine.tracking, machine.version, offered):
        has = f"{offered[channel]} in " if channel in offered else ""
        now = f"{machine.version or 'what is installed'} of {machine.tracking}"
        yield Problem("package", f"channel: {has}{channel} is older than {now}", "LXD can't go back; name a newer one")


def switches(machine: Machine, said: str) -> bool:
    """Whether an installed snap is to follow another channel than it does."""
    channel = snap_channel.whole(said)
    return machine.lxd == "snap" and bool(channel) and not snap_channel.same(channel, machine.tracking)


def _of_apt(machine: Machine, channel: str) -> Iterator[Problem]:
    if channel:
        yield Problem("package", f"channel: {channel} is of the snap, and the package has none", "leave channel out")
    if machine.os == "ubuntu":
        yield Problem("package", "Ubuntu's package lxd installs the snap", "set snap or auto")
    elif not machine.lxd and not machine.candidate and machine.apt_lists:
        yield Problem("package", f"{machine.title or machine.os} has no package lxd", "set snap")


def _of_kernel(machine: Machine, spec: ServerSpec) -> Iterator[Problem]:
    for pool in spec.pools:
        lacks = [name for name in _DRIVERS.get(pool.driver, ()) if name not in machine.modules]
        # A package that comes with LXD brings zfs along for some kernels; LXD's snap brings none.
        if lacks:
            yield Problem(
                "kernel",
                f"storage pool {pool.name}: this kernel has no {', '.join(lacks)}, which {pool.driver} wants",
                "install that module, or choose another driver",
            )


def _of_network(machine: Machine, spec: ServerSpec) -> Iterator[Problem]:
    for network in spec.networks:
        for key in _TAKES_INTERFACE if network.type == "bridge" else ("parent",) if network.type == "physical" else ():
            taken = [name.strip() for name in (network.config.get(key) or "").split(",") if name.strip()]
            for name in taken:
                yield from _of_taken(machine, network, key, name)


def _of_taken(machine: Machine, network: NetworkSpec, key: str, name: str) -> Iterator[Problem]:
    what = f"network {network.name}: {key}: {name}"
    master = machine.masters.get(name)
    # The bridge that this network is already; of Open vSwitch all ports have one and the same master.
    own = (network.name, _OVS if network.config.get("bridge.driver") == "openvswitch" else "")
    if name == machine.ssh_interface:
        yield Problem("network", f"{what} carries Ansible's connection, which would be lost", "name another interface")
    elif master and master not in own:
        yield Problem("network", f"{what} is a port of {master}, which would lose it", "name another interface")
    elif machine.interfaces.get(name):
        has = ", ".join(machine.interfaces[name])
        yield Problem("network", f"{what} has the address {has}, which would be lost", "take the address away first")
    elif name not in machine.interfaces and "/" not in name:
        yield Problem("network", f"{what}: there is no such interface", "write one that `ip link` shows")
