# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project as declared: the options of lxd_project, checked and translated into LXD's keys before a server
is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .. import units
from ..errors import Invalid, TenantryError
from ..model import MARK
from .keys import OWN_WHEN_CONFINED, check_value, to_lxd_name
from .restrictions import DEVICES_NIC, NETWORKS_ACCESS

_PREFIXES = {"features.": "features", "limits.": "limits", "restricted.": "restrictions"}
_INVALID_IN_NAMES = frozenset("/ _'\"*")


@dataclasses.dataclass(frozen=True)
class DefaultProfileSpec:
    """The root disk's storage pool and the network of the project's default profile; None: not set, and kept."""

    storage_pool: str | None
    network: str | None


@dataclasses.dataclass(frozen=True)
class ProjectSpec:
    """The declaration of one project; None: not set, and kept.

    In `limits`, `restrictions` and `config`, None as a value removes the key. `limits` and `restrictions` have whole
    LXD keys, `features` has names without their prefix.
    """

    name: str
    owner: str
    state: str
    description: str | None
    isolation: str | None
    features: Mapping[str, bool]
    limits: Mapping[str, str | None]
    restrictions: Mapping[str, str | None]
    config: Mapping[str, str | None]
    networks: tuple[str, ...] | None
    bridges: tuple[str, ...] | None
    default_profile: DefaultProfileSpec | None
    adopt: bool

    @property
    def usable_networks(self) -> tuple[str, ...] | None:
        """The networks or bridges that instances may use; None: not set."""
        return self.bridges if self.networks is None else self.networks

    @property
    def networks_option(self) -> str:
        """The option that sets them."""
        return "bridges" if self.networks is None else "networks"

    @property
    def has_restrictions(self) -> bool:
        """Whether an option is set that has an effect in a restricted project only."""
        return self.usable_networks is not None or any(value is not None for value in self.restrictions.values())


def parse_project_spec(params: Mapping[str, Any], owner: str | None) -> ProjectSpec:
    """Check the options; raises Invalid that names the project and the option."""
    name = str(params.get("name") or "")
    try:
        _check_name(name)
        maps = _sort_keys(params)
        spec = ProjectSpec(
            name=name,
            owner=_check_owner(owner),
            state=params.get("state") or "present",
            description=params.get("description"),
            isolation=params.get("isolation"),
            features={key: _parse_boolean(value, f"features.{key}") for key, value in maps["features"].items()},
            limits=_parse_texts("limits", maps["limits"], "limits."),
            restrictions=_parse_texts("restrictions", maps["restrictions"], "restricted."),
            config=_parse_texts("config", maps["config"], ""),
            networks=_parse_networks(params.get("networks"), "networks"),
            bridges=_parse_networks(params.get("bridges"), "bridges"),
            default_profile=_parse_default_profile(params.get("default_profile")),
            adopt=bool(params.get("adopt")),
        )
        if spec.state == "present":
            _check_together(spec)
    except TenantryError as error:
        raise error.about(f"project {name}") from None
    return spec


def _check_name(name: str) -> None:
    if not name or name in (".", "..") or not name.isprintable() or _INVALID_IN_NAMES & set(name):
        raise Invalid(
            f"name: {name!r:.80} can't be a project's name",
            "LXD takes no empty name, and none with a space, slash, underscore, quote or asterisk",
        )


def _check_owner(owner: str | None) -> str:
    if not owner:
        raise Invalid(
            "owner: it is required for every write",
            "set owner or LXD_OWNER, or set vmhost to a VM host of the registry",
        )
    if not owner.isprintable() or owner != owner.strip() or len(owner) > 255:
        raise Invalid("owner: it is not one line of plain text", "write 1 to 255 printable characters")
    return owner


def _sort_keys(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the four maps with LXD's names; keys in `config` that belong to one of the other three are moved there."""
    maps: dict[str, dict[str, Any]] = {"config": {}}
    for option in ("features", "limits", "restrictions"):
        maps[option] = {}
        for key, value in (params.get(option) or {}).items():
            _add(maps[option], to_lxd_name(option, str(key)), value, f"{option}.{key}")
    for key, value in (params.get("config") or {}).items():
        option = next((option for prefix, option in _PREFIXES.items() if str(key).startswith(prefix)), "config")
        name = str(key) if option == "config" else str(key).partition(".")[2]
        if name.startswith(MARK):
            raise Invalid(
                f"config.{key}: it is a mark of this collection", "set owner; lxd_vmhost writes the other marks"
            )
        _add(maps[option], name, value, f"config.{key}")
    return maps


def _add(values: dict[str, Any], name: str, value: Any, what: str) -> None:
    if name in values:
        raise Invalid(f"{what}: it is set twice", "keep one of the spellings: LXD has one key for it")
    values[name] = value


def _parse_boolean(value: object, what: str) -> bool:
    text = units.to_text(value, what)
    if text is not None and units.is_same_value("", text, "true"):
        return True
    if text is not None and units.is_same_value("", text, "false"):
        return False
    raise Invalid(f"{what}: {value!r:.80} is not a boolean", "write true or false")


def _parse_texts(option: str, values: Mapping[str, Any], prefix: str) -> dict[str, str | None]:
    texts = {}
    for name, value in values.items():
        text = units.to_text(value, f"{option}.{name}")
        if text:
            check_value(option, name, text)
        # LXD removes a key whose value is empty.
        texts[prefix + name] = text or None
    return texts


def _parse_networks(names: Sequence[str] | None, option: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    for name in names:
        if not name or "," in name or name != name.strip():
            raise Invalid(f"{option}: {name!r:.80} can't be a network's name", "write a list of names")
    return tuple(dict.fromkeys(names))


def _parse_default_profile(options: Mapping[str, Any] | None) -> DefaultProfileSpec | None:
    if not options or not (options.get("storage_pool") or options.get("network")):
        return None
    return DefaultProfileSpec(options.get("storage_pool"), options.get("network"))


def _check_together(spec: ProjectSpec) -> None:
    """Refuse options that contradict each other, whatever the server and the project hold."""
    if spec.isolation and "restricted" in spec.config:
        raise Invalid(f"config.restricted: isolation: {spec.isolation} sets that key", "omit one of them")
    if spec.usable_networks is not None:
        _check_networks(spec, spec.usable_networks)
    if spec.isolation == "confined":
        _check_confined(spec)
    if spec.isolation == "shared":
        if spec.has_restrictions:
            option = spec.networks_option if spec.usable_networks is not None else "restrictions"
            raise Invalid(
                f"{option}: it has no effect with isolation: shared, which restricts nothing",
                "set isolation: confined, or omit the option",
            )
        if spec.default_profile and not spec.features.get("profiles"):
            raise shared_profile_error()


def shared_profile_error() -> Invalid:
    """Return the error for a default_profile that would be the one of the project `default`."""
    return Invalid(
        "default_profile: without profiles of its own, this project uses the profile default of project default",
        "set isolation: confined (or features: {profiles: true}), or omit default_profile",
    )


def _check_networks(spec: ProjectSpec, networks: tuple[str, ...]) -> None:
    if spec.networks is not None and spec.bridges is not None:
        raise Invalid("bridges: it can't be combined with networks", "omit one of them")
    if spec.bridges and spec.features.get("networks") is False:
        raise Invalid("features.networks: false contradicts bridges", "omit one of them")
    option = spec.networks_option
    if spec.networks is not None and spec.features.get("networks"):
        raise Invalid(
            "networks: with features.networks, the project has networks of its own and can use none of the server's",
            "omit one of them",
        )
    if NETWORKS_ACCESS in spec.restrictions:
        raise Invalid(f"restrictions.networks.access: {option} sets the same key", "omit one of them")
    nic = spec.restrictions.get(DEVICES_NIC)
    if nic and ((nic == "block") == bool(networks) or (spec.bridges and nic != "allow")):
        raise Invalid(f"restrictions.devices.nic: {nic} contradicts {option}: {list(networks)}", "omit it")
    check_default_network(spec, networks)


def check_default_network(spec: ProjectSpec, networks: Sequence[str] | None) -> None:
    """Refuse a default profile with a network that the project may not use; `networks` None: it may use all."""
    network = spec.default_profile.network if spec.default_profile else None
    if network and networks is not None and network not in networks:
        may = f"may use {', '.join(networks)} only" if networks else "may use no network"
        raise Invalid(
            f"default_profile.network: the project {may}, not {network}", f"add {network} to {spec.networks_option}"
        )


def _check_confined(spec: ProjectSpec) -> None:
    for feature, own in spec.features.items():
        if feature == "networks" and own and spec.bridges:
            continue
        if own != (feature in OWN_WHEN_CONFINED) and feature in (*OWN_WHEN_CONFINED, "networks"):
            raise Invalid(
                f"features.{feature}: {str(own).lower()} contradicts isolation: confined",
                "omit it; or omit isolation, and set features and config: {restricted: true}",
            )
    nic = spec.restrictions.get(DEVICES_NIC)
    if nic and nic != "block" and not spec.usable_networks and not spec.restrictions.get(NETWORKS_ACCESS):
        raise Invalid(
            f"restrictions.devices.nic: {nic} without networks permits every network of the host", "set networks"
        )
