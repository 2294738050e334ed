# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM with what is to change put over it: what LXD's PUT and POST take, and how it will show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ..model import Instance
from .host import VmHostReading


@dataclasses.dataclass(frozen=True)
class InheritedKeys:
    """What profiles give to a VM, the later ones over the earlier ones."""

    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, profiles: Iterable[str], host: VmHostReading) -> InheritedKeys:
        """From the profiles that the host has."""
        config: dict[str, str] = {}
        devices: dict[str, Mapping[str, str]] = {}
        held = host.listings.profiles if host.listings else {}
        for name in profiles:
            config.update(held.get(name, {}).get("config") or {})
            devices.update(held.get(name, {}).get("devices") or {})
        return cls(config, devices)

    def under(self, instance: Instance) -> Instance:
        """The instance as it would be with these profiles and nothing else changed."""
        config, devices = {**self.config, **instance.config}, {**self.devices, **instance.devices}
        return dataclasses.replace(instance, expanded_config=config, expanded_devices=devices)


@dataclasses.dataclass(frozen=True)
class InstanceEdit:
    """One difference: where it is (config, devices, description, profiles), its key, and the value (None: gone)."""

    where: str
    key: str
    value: Any
    live: bool

    @property
    def label(self) -> str:
        """The edit as a reader knows it."""
        return self.key if self.where in ("config", "description", "profiles") else f"device {self.key}"


@dataclasses.dataclass(frozen=True)
class InstanceBody:
    """A VM as it should be: the instance it was made from with edits put over it.

    `inherited`: what its profiles will give it, where an edit changes them.
    """

    found: Instance
    edits: tuple[InstanceEdit, ...]
    source: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inherited: Optional[InheritedKeys] = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What differs."""
        return tuple(edit.label for edit in self.edits)

    @property
    def offline_keys(self) -> tuple[str, ...]:
        """What differs and waits for the VM to stop."""
        return tuple(edit.label for edit in self.edits if not edit.live)

    def live_part(self) -> InstanceBody:
        """The same without what waits."""
        return dataclasses.replace(self, edits=tuple(edit for edit in self.edits if edit.live))

    @property
    def instance(self) -> Instance:
        """The instance as LXD will show it."""
        found = self.found
        fields: dict[str, Any] = {
            "config": dict(found.config),
            "expanded_config": dict(found.expanded_config),
            "devices": dict(found.devices),
            "expanded_devices": dict(found.expanded_devices),
        }
        for edit in self.edits:
            if edit.where in ("description", "profiles"):
                fields[edit.where] = edit.value
                continue
            for name in (edit.where, f"expanded_{edit.where}"):
                if edit.value is None:
                    fields[name].pop(edit.key, None)
                else:
                    fields[name][edit.key] = edit.value
        if self.inherited and "profiles" in fields:
            fields["expanded_config"] = {**self.inherited.config, **fields["config"]}
            fields["expanded_devices"] = {**self.inherited.devices, **fields["devices"]}
        return dataclasses.replace(found, **fields)

    def put_body(self) -> dict[str, Any]:
        """What a PUT takes."""
        made = self.instance
        return {**select_put_fields(made), "architecture": made.architecture, "ephemeral": made.ephemeral}

    def create_body(self) -> dict[str, Any]:
        """What a POST takes."""
        made = self.instance
        architecture = {"architecture": made.architecture} if made.architecture else {}
        fixed = {"name": made.name, "type": "virtual-machine", "source": dict(self.source), **architecture}
        return {**select_put_fields(made), **fixed}


def select_put_fields(instance: Instance) -> dict[str, Any]:
    """The fields that a PUT replaces."""
    return {
        "config": dict(instance.config),
        "devices": {name: dict(device) for name, device in instance.devices.items()},
        "profiles": list(instance.profiles),
        "description": instance.description,
    }
