# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a new or changed VM refers to, looked up before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import Conflict, Invalid, NotFound, TenantryError, Unsupported
from ..model import Image as HeldImage
from ..model import Instance, Network
from ..project import restrictions
from . import nics as vm_nics
from . import static_addresses as vm_addresses
from .host import VmHostReading
from .images import find_images
from .spec import ImageSource, VmSpec

Devices = Mapping[str, Mapping[str, str]]


def check_references(
    spec: VmSpec, config: Mapping[str, str], devices: Devices, host: VmHostReading, planned: Devices
) -> None:
    """Raise NotFound, Invalid, Conflict or Unsupported for the first thing that LXD hasn't, or the project forbids.

    `config` and `devices`: what is new or changed; `planned`: all devices of the VM as it will be.
    """
    _check_extensions(spec, host)
    restrictions.check_vm(config, devices, host.project.config)
    listings = host.listings
    networks = {network.name: network for network in listings.networks} if listings else {}
    _check_interfaces(spec.name, devices, host, networks, planned)
    if listings is None:
        return
    pools = {pool.name for pool in listings.pools}
    for name, device in devices.items():
        if device.get("type") == "disk" and device.get("pool"):
            _check_exists(device["pool"], pools, f"disk {name}: storage pool", "")
    for profile in spec.profiles or ():
        _check_exists(profile, listings.profiles, "profiles:", "")


def _check_interfaces(
    vm: str, devices: Devices, host: VmHostReading, networks: Mapping[str, Network], planned: Devices
) -> None:
    brought = vm_nics.select_nics(devices)
    for name, device in brought.items():
        if host.listings is not None:
            _check_attachment(name, device, host, networks)
        vm_nics.check_keys(name, device, networks)
        network = networks.get(vm_nics.get_attachment(device))
        if network and network.managed and vm_nics.get_nic_type(device, networks) == "bridged":
            vm_addresses.check_static_addresses(name, device, network, host.addresses.get(network.name))
        elif network and device.get("nictype") == "bridged":
            vm_nics.check_unmanaged(name, device)
    vm_nics.check_together(vm_nics.select_nics(planned), sorted(brought), networks)
    there = host.instances.get(vm)
    if there and there.is_complete:
        vm_nics.check_moves(brought, vm_nics.select_nics(there.expanded_devices), networks)
    unique = {name: device for name, device in brought.items() if any(device.get(key) for key in vm_nics.UNIQUE)}
    others = {each.name: _with_macs(each) for each in host.instances.values() if each.name != vm} if unique else {}
    for name, device in unique.items():
        vm_nics.check_in_use(name, device, others)


def find_forbidding_hosts(spec: VmSpec, hosts: Mapping[str, VmHostReading]) -> dict[str, TenantryError]:
    """The hosts whose project forbids what is declared of a VM that isn't there yet: more room wouldn't help it."""
    found: dict[str, TenantryError] = {}
    config = vm_nics.drop_unset_keys(spec.config)
    said = {
        **{disk.name: disk.device(disk.pool or "any") for disk in spec.disks or () if not disk.absent},
        **{nic.name: nic.device() for nic in spec.interfaces or () if not nic.absent},
        **{name: device for name, device in spec.devices.items() if device is not None},
    }
    devices = {name: vm_nics.drop_unset_keys(device) for name, device in said.items()}
    for name, host in hosts.items():
        if spec.state == "absent" or spec.name in host.instances:
            continue
        try:
            restrictions.check_vm(config, devices, host.project.config)
            if spec.target and host.server.clustered:
                restrictions.check_target(spec.target, host.project.config)
        except TenantryError as error:
            found[name] = type(error)(f"VM {spec.name} on {name}: {error.message}", error.hint)
    return found


def find_duplicate_addresses(host: str, wanted: Iterable[VmSpec]) -> list[TenantryError]:
    """The VMs of a task to which it gives a MAC or an address that it gives to an earlier one on the same network."""
    first: dict[tuple[str, ...], str] = {}
    refused: list[TenantryError] = []
    for vm in wanted:
        if vm.state == "absent":
            continue
        named = {nic.name: nic.device() for nic in vm.interfaces or () if not nic.absent}
        said = {name: vm_nics.drop_unset_keys(device) for name, device in {**vm.devices, **named}.items() if device}
        for name, device in vm_nics.select_nics(said).items():
            for key in vm_nics.UNIQUE:
                value = device.get(key, "none").lower()
                place = (vm_nics.get_attachment(device), device.get("vlan", ""), key, value)
                if value != "none" and first.setdefault(place, vm.name) != vm.name:
                    what = f"VM {vm.name} on {host}: interface {name}: {vm_nics.OPTIONS[key]} {value}"
                    refused.append(Conflict(f"{what} is also set for VM {first[place]}", "give each VM its own"))
    return refused


def _with_macs(instance: Instance) -> list[Mapping[str, str]]:
    """A VM's interfaces with the MACs that LXD chose where none was declared."""
    return [
        {"hwaddr": instance.config.get(f"volatile.{name}.hwaddr", ""), **device}
        for name, device in vm_nics.select_nics(instance.expanded_devices).items()
    ]


def _check_attachment(
    name: str, device: Mapping[str, str], host: VmHostReading, networks: Mapping[str, Network]
) -> None:
    if device.get("network"):
        # The host's own interfaces are listed too; they are a parent, and no network of LXD's.
        managed = {each for each, network in networks.items() if network.managed}
        if device["network"] not in managed:
            raise _network_not_found_error(name, device["network"], managed, host)
    elif device.get("parent"):
        _check_parent(name, device, host, networks)


def _network_not_found_error(name: str, network: str, there: Iterable[str], host: VmHostReading) -> TenantryError:
    hint = f"there: {', '.join(sorted(there)) or 'none'}"
    if network in restrictions.usable_bridges(host.project.config):
        hint = f"the project reaches it as a bridge: set parent: {network} with type: bridged instead of network"
    elif restrictions.usable_networks(host.project.config):
        more = restrictions.add_network(network, host.project.config)
        hint += f"; an administrator can permit another one by restricted.networks.access: {more}"
    return NotFound(f"interface {name}: network {network!r} is not there or isn't one this project may use", hint)


# What a parent must be, as LXD lists it: a bridge to be plugged into, or a card of its own on the PCI bus.
_PARENTS = {"bridged": ("bridge",), "sriov": ("physical",), "physical": ("physical",)}


def _check_parent(name: str, device: Mapping[str, str], host: VmHostReading, networks: Mapping[str, Network]) -> None:
    parent, kind = device["parent"], device.get("nictype", "")
    if host.server.clustered:
        # The listing is of the member that answers, and the VM may come to be on another.
        return
    if parent in restrictions.usable_bridges(host.project.config) and parent not in networks:
        # A project with networks of its own is shown none of the host's.
        return
    fit = _PARENTS.get(kind)
    usable = sorted(each for each, network in networks.items() if network.type in (fit or (network.type,)))
    there = f"for {kind} there: {', '.join(usable) or 'none'}"
    if parent not in networks:
        raise NotFound(f"interface {name}: parent {parent!r} is not on the host", there)
    if fit and networks[parent].type not in fit:
        raise Invalid(
            f"interface {name}: {kind} wants a {'bridge' if kind == 'bridged' else 'network card'} for a parent, "
            f"and {parent} is {networks[parent].type if networks[parent].type != 'unknown' else 'none'}",
            there,
        )
    functions = [each.resources.virtual_functions for each in host.machines if each.resources]
    if kind == "sriov" and functions and not any(each.get(parent, 1) for each in functions):
        raise Invalid(f"interface {name}: {parent} has no virtual functions", "take another parent, or macvlan")


def _check_exists(name: str, known: Iterable[str], what: str, else_: str) -> None:
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise NotFound(f"{what} {name!r} is not there{' ' + else_ if else_ else ''}", f"there: {there}")


def _check_extensions(spec: VmSpec, host: VmHostReading) -> None:
    if "limits.cpu.nodes" in spec.config and not host.unread and not host.server.has("numa_cpu_placement"):
        raise Unsupported(
            f"numa_nodes: LXD {host.server.version} can't place a VM on NUMA nodes",
            "it needs the API extension numa_cpu_placement (LXD 5.0.3); pinned_cores works on this one",
        )
    if spec.target and not host.server.clustered and not host.unread:
        raise Invalid(f"target: {host.name} is not a cluster", "leave target out")
    if spec.target and spec.name not in host.instances:
        restrictions.check_target(spec.target, host.project.config)


def image_source(image: ImageSource | None, host: VmHostReading) -> dict[str, str]:
    """Where LXD takes the first disk's content from, as its API says it; local images by their whole fingerprint."""
    if image is None:
        return {"type": "none"}
    if not image.is_local:
        return {
            "type": "image",
            "mode": "pull",
            "server": image.server or "",
            "protocol": image.protocol or "simplestreams",
            "alias": image.name,
        }
    if host.unread:
        return {"type": "image", "alias": image.name}
    held = _find_local_image(image.name, host.listings.images if host.listings else ())
    if held.type != "virtual-machine":
        raise Invalid(f"image: {image.name} is for containers", "VMs need an image of type virtual-machine")
    return {"type": "image", "fingerprint": held.fingerprint}


def _find_local_image(name: str, images: tuple[HeldImage, ...]) -> HeldImage:
    found = find_images(name, images)
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(alias for image in images for alias in image.aliases)) or "none"
    what = "is not there" if not found else "fits several images"
    raise NotFound(f"image: {name!r} {what}", f"existing aliases: {there}; or set server, protocol and alias")
