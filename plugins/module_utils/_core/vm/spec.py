# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM as somebody wants it: options checked and put into LXD's words, before any server is asked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import units
from ..errors import Invalid, TenantryError
from ..model import MARK, OWNER
from . import cores as vm_cores
from . import devices as vm_devices

STATES = ("present", "started", "stopped", "restarted", "released", "absent")
ANNOTATION = f"{MARK}annotation."
PROTECTED = f"{MARK}protected"
LXD_PROTECTED = "security.protection.delete"

# What LXD takes as a host name for an instance.
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")

# Keys of LXD's that an option of ours says; saying them twice would leave it open which one counts.
_SAID_BY_OPTION = {
    "limits.cpu": "cores or pinned_cores",
    "limits.cpu.nodes": "numa_nodes",
    "limits.memory": "memory",
    "limits.memory.hugepages": "hugepages",
    "security.secureboot": "secure_boot",
    "boot.mode": "secure_boot",
    LXD_PROTECTED: "protected",
}

# Saying one of these for a VM unsays the other of the defaults.
_EITHER = ("cores", "pinned_cores")

_CLOUD_INIT = {"user_data": "user-data", "network_config": "network-config", "vendor_data": "vendor-data"}
_GUEST_TEXTS = frozenset(f"cloud-init.{key}" for key in _CLOUD_INIT.values())


@dataclasses.dataclass(frozen=True)
class ImageSource:
    """Where the first disk's content comes from: an alias or fingerprint of the server's own, or of another server."""

    name: str
    server: str | None = None
    protocol: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the VM host itself holds it, so that it can be looked up before anything is written."""
        return self.server is None


@dataclasses.dataclass(frozen=True)
class VmSpec:
    """One VM as said; None is not set and kept. In `config`, None as a value removes the key.

    `pinning`: so many cores of its own, which ones is for the placement to choose (`pinning.pinned_as`).
    """

    name: str
    state: str
    target: str | None
    architecture: str | None
    config: Mapping[str, str | None]
    secure_boot: bool | None
    annotations: Mapping[str, str | None]
    description: str | None
    profiles: tuple[str, ...] | None
    image: ImageSource | None
    boot: str | None
    disks: tuple[vm_devices.DiskSpec, ...] | None
    interfaces: tuple[vm_devices.InterfaceSpec, ...] | None
    devices: Mapping[str, Mapping[str, str | None] | None]
    pinning: vm_cores.PinningSpec | None = None


def merge_defaults(defaults: Mapping[str, Any] | None, vm: Mapping[str, Any]) -> dict[str, Any]:
    """A VM's options over the defaults; maps are merged by key, lists are not, and not set is None in both."""
    result = {key: value for key, value in (defaults or {}).items() if value is not None}
    for one, other in (_EITHER, _EITHER[::-1]):
        if vm.get(one) is not None and vm.get(other) is None:
            result.pop(other, None)
    for key, value in vm.items():
        if value is None:
            result.setdefault(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            # A null removes a key of config; of cloud_init, whose keys are options, it is what Ansible has for not set.
            said = {k: v for k, v in value.items() if v is not None} if key == "cloud_init" else value
            result[key] = {**result[key], **said}
        else:
            result[key] = value
    return result


def merge_all_defaults(vms: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Every VM's merged options; refuses two of one name on one host."""
    specs = [merge_defaults(defaults, vm) for vm in vms]
    seen: set[tuple[Any, Any]] = set()
    for spec in specs:
        key = (spec.get("vmhost"), spec.get("name"))
        if key in seen:
            raise Invalid(f"vms: {spec.get('name')} is listed twice", "give each VM one entry")
        seen.add(key)
    return specs


def parse_vm_spec(spec: Mapping[str, Any]) -> VmSpec:
    """One VM's merged options, checked; raises Invalid that names the VM and the option."""
    name = str(spec.get("name") or "")
    _check_name(name)
    try:
        state = spec.get("state") or "started"
        if state not in STATES:
            raise Invalid(f"state: {state!r} is none of {', '.join(STATES)}")
        disks, interfaces = (
            vm_devices.parse_disks(name, spec.get("disks")),
            vm_devices.parse_interfaces(spec.get("interfaces")),
        )
        return VmSpec(
            name=name,
            state=state,
            target=spec.get("target"),
            architecture=_architecture(spec.get("architecture")),
            config=_config(spec),
            secure_boot=spec.get("secure_boot"),
            annotations=_annotations(spec.get("annotations") or {}),
            description=spec.get("description"),
            profiles=None if spec.get("profiles") is None else tuple(spec["profiles"]),
            image=_image(spec.get("image")),
            boot=spec.get("boot"),
            disks=disks,
            interfaces=interfaces,
            devices=vm_devices.parse_other_devices(spec.get("devices") or {}, disks or (), interfaces or ()),
            pinning=vm_cores.parse_pinning(spec),
        )
    except TenantryError as error:
        raise type(error)(f"VM {name}: {error.message}", error.hint) from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"vms: name: LXD takes no instance called {name!r:.80}",
            "1 to 63 letters, digits and dashes, beginning with a letter and not ending with a dash",
        )


def _config(spec: Mapping[str, Any]) -> dict[str, str | None]:
    said = units.to_texts(spec.get("config") or {}, "config")
    for key in said:
        if key.startswith(MARK):
            raise Invalid(f"config: {key} is this collection's own mark", "use tags, pool, zone, annotations")
        if key.startswith("volatile."):
            raise Invalid(f"config: {key} is LXD's own", "leave volatile.* to LXD")
        if key in _SAID_BY_OPTION:
            raise Invalid(f"config: {key} has an option of its own", f"use {_SAID_BY_OPTION[key]}")
        if key in _GUEST_TEXTS and said[key] is not None:
            raise Invalid(f"config: {key} has an option of its own", "use cloud_init, whose texts are never shown")
    return {**said, **_sizes(spec), **_cloud_init(spec.get("cloud_init") or {}), **_marks(spec)}


def _sizes(spec: Mapping[str, Any]) -> dict[str, str | None]:
    config = vm_cores.build_cores_config(spec)
    if spec.get("numa_nodes") is not None:
        nodes = vm_cores.parse_core_set(spec["numa_nodes"], "numa_nodes", "NUMA nodes")
        config["limits.cpu.nodes"] = ",".join(str(node) for node in nodes) or None
    if spec.get("memory") is not None:
        count = units.parse_size(spec["memory"], "memory")
        if count < 1:
            raise Invalid("memory: a VM can't start without memory", "set a size such as 2GiB")
        # LXD takes no space before the unit.
        config["limits.memory"] = "".join(str(spec["memory"]).split())
    if spec.get("hugepages") is not None:
        config["limits.memory.hugepages"] = units.to_text(spec["hugepages"], "hugepages")
    return config


def _cloud_init(said: Mapping[str, Any]) -> dict[str, str | None]:
    unknown = sorted(set(said) - set(_CLOUD_INIT))
    if unknown:
        raise Invalid(f"cloud_init: {unknown[0]} is none of {', '.join(_CLOUD_INIT)}")
    return {
        f"cloud-init.{_CLOUD_INIT[key]}": units.to_text(value, f"cloud_init.{key}")
        for key, value in said.items()
        if value is not None
    }


def _marks(spec: Mapping[str, Any]) -> dict[str, str | None]:
    config: dict[str, str | None] = {}
    for option in ("pool", "zone"):
        if spec.get(option) is not None:
            if not _is_plain(spec[option]):
                raise Invalid(f"{option}: {spec[option]!r:.80} can't be a {option}", _PLAIN_HINT)
            config[f"{MARK}{option}"] = spec[option] or None
    if spec.get("tags") is not None:
        for tag in spec["tags"]:
            if not tag or "," in tag or not _is_plain(tag):
                raise Invalid(f"tags: {tag!r:.80} can't be a tag", f"not empty, no comma; {_PLAIN_HINT}")
        config[f"{MARK}tags"] = ",".join(sorted(set(spec["tags"]))) or None
    if spec.get("protected") is not None:
        # LXD changes its own lock only while the VM is stopped; ours holds from the moment it is declared.
        config[PROTECTED] = "true" if spec["protected"] else None
        config[LXD_PROTECTED] = "true" if spec["protected"] else None
    return config


_PLAIN_HINT = "printable characters in one line, without spaces around them"


def _is_plain(text: str) -> bool:
    return text.isprintable() and text == text.strip()


def _annotations(said: Mapping[str, Any]) -> dict[str, str | None]:
    for key in said:
        if not key or re.search(r"[\s=]", str(key)) or not str(key).isprintable():
            raise Invalid(f"annotations: {key!r:.80} can't be a key", "printable, no spaces and no equals sign")
    return {f"{ANNOTATION}{key}": units.to_text(value, f"annotations.{key}") for key, value in said.items()}


def _image(said: Any) -> ImageSource | None:
    if said is None or isinstance(said, str):
        return ImageSource(said) if said else None
    if not isinstance(said, Mapping):
        raise Invalid("image: neither a name nor a map", "write an alias, or server, protocol and alias")
    unknown = sorted(str(key) for key in set(said) - {"server", "protocol", "alias", "fingerprint"})
    names = [str(said[key]) for key in ("alias", "fingerprint") if said.get(key)]
    if unknown or len(names) != 1:
        number = "both alias and fingerprint" if names else "neither alias nor fingerprint"
        raise Invalid(
            f"image: {unknown[0]} is not known there" if unknown else f"image: {number}",
            "write {server: https://…, protocol: simplestreams, alias: …}",
        )
    server = said.get("server")
    if server is not None and not str(server).startswith("https://"):
        raise Invalid(f"image: server {server!r} is no https address", "write server: https://…")
    protocol = said.get("protocol") or ("simplestreams" if server else None)
    if protocol not in (None, "simplestreams", "lxd"):
        raise Invalid(
            f"image: protocol {protocol!r} is neither simplestreams nor lxd", "set the one of the image server"
        )
    return ImageSource(names[0], server, protocol)


def _architecture(said: str | None) -> str | None:
    if said is not None and not re.fullmatch(r"[a-z0-9_]+", said):
        raise Invalid(f"architecture: {said!r:.80} is none of LXD's", "write it as LXD does, such as x86_64 or aarch64")
    return said


def build_owner_mark(owner: str) -> dict[str, str]:
    """The mark that says whose VM or volume it is."""
    return {OWNER: owner}
