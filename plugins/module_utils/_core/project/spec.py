# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project as somebody wants it: options checked and put into LXD's words, before any server is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .. import units
from ..errors import Invalid, TenantryError
from ..model import MARK
from .keys import OWN_WHEN_CONFINED, check_value, lxd_name

ACCESS = "restricted.networks.access"
NIC = "restricted.devices.nic"

_PREFIXES = {"features.": "features", "limits.": "limits", "restricted.": "restrictions"}
_IN_NO_NAME = frozenset("/ _'\"*")


@dataclasses.dataclass(frozen=True)
class DefaultProfile:
    """What instances of the project get when nobody says otherwise; None is unsaid and kept."""

    storage_pool: str | None
    network: str | None


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One project as said; None is unsaid and kept. In limits, restrictions and config None as a value removes the key.

    `limits` and `restrictions` hold whole LXD keys, `features` names without their prefix.
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
    default_profile: DefaultProfile | None
    adopt: bool

    @property
    def reach(self) -> tuple[str, ...] | None:
        """What instances may be connected to, in either way; None is unsaid."""
        return self.bridges if self.networks is None else self.networks

    @property
    def reach_option(self) -> str:
        """The option that says so."""
        return "bridges" if self.networks is None else "networks"

    @property
    def opens(self) -> bool:
        """Whether anything is said that counts in a restricted project only."""
        return self.reach is not None or any(value is not None for value in self.restrictions.values())


def want(params: Mapping[str, Any], owner: str | None) -> Wanted:
    """The options, checked; raises Invalid that names the project and the option."""
    name = str(params.get("name") or "")
    try:
        _check_name(name)
        said = _sorted_out(params)
        wanted = Wanted(
            name=name,
            owner=_owner(owner),
            state=params.get("state") or "present",
            description=params.get("description"),
            isolation=params.get("isolation"),
            features={key: _boolean(value, f"features.{key}") for key, value in said["features"].items()},
            limits=_texts("limits", said["limits"], "limits."),
            restrictions=_texts("restrictions", said["restrictions"], "restricted."),
            config=_texts("config", said["config"], ""),
            networks=_networks(params.get("networks"), "networks"),
            bridges=_networks(params.get("bridges"), "bridges"),
            default_profile=_default_profile(params.get("default_profile")),
            adopt=bool(params.get("adopt")),
        )
        if wanted.state == "present":
            _check_together(wanted)
    except TenantryError as error:
        error.message = f"project {name}: {error.message}"
        raise
    return wanted


def _check_name(name: str) -> None:
    if not name or name in (".", "..") or not name.isprintable() or _IN_NO_NAME & set(name):
        raise Invalid(
            f"name: {name!r:.80} can't be a project's name",
            "LXD takes no empty name, and none with a space, slash, underscore, quote or asterisk",
        )


def _owner(owner: str | None) -> str:
    if not owner:
        raise Invalid(
            "owner: it is not said, and nothing is written without it",
            "say owner, set LXD_OWNER, or name a vmhost of the registry",
        )
    if not owner.isprintable() or owner != owner.strip() or len(owner) > 255:
        raise Invalid("owner: it is not plain text in one line", "write 1 to 255 printable characters")
    return owner


def _sorted_out(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The four maps by LXD's names; what `config` says of the other three is moved there, so that one rule holds."""
    said: dict[str, dict[str, Any]] = {"config": {}}
    for option in ("features", "limits", "restrictions"):
        said[option] = {}
        for key, value in (params.get(option) or {}).items():
            _add(said[option], lxd_name(option, str(key)), value, f"{option}.{key}")
    for key, value in (params.get("config") or {}).items():
        option = next((option for prefix, option in _PREFIXES.items() if str(key).startswith(prefix)), "config")
        name = str(key) if option == "config" else str(key).partition(".")[2]
        if name.startswith(MARK):
            raise Invalid(
                f"config.{key}: it is a mark of ours", "say owner for the owner's; lxd_vmhost writes the others"
            )
        _add(said[option], name, value, f"config.{key}")
    return said


def _add(values: dict[str, Any], name: str, value: Any, what: str) -> None:
    if name in values:
        raise Invalid(f"{what}: it is said twice", "LXD has one key for it; keep one spelling")
    values[name] = value


def _boolean(value: object, what: str) -> bool:
    text = units.to_text(value, what)
    if text is not None and units.is_same_value("", text, "true"):
        return True
    if text is not None and units.is_same_value("", text, "false"):
        return False
    raise Invalid(f"{what}: {value!r:.80} is not a boolean", "write true or false")


def _texts(option: str, values: Mapping[str, Any], prefix: str) -> dict[str, str | None]:
    texts = {}
    for name, value in values.items():
        text = units.to_text(value, f"{option}.{name}")
        if text:
            check_value(option, name, text)
        # LXD drops a key whose value is empty.
        texts[prefix + name] = text or None
    return texts


def _networks(said: Sequence[str] | None, option: str) -> tuple[str, ...] | None:
    if said is None:
        return None
    for name in said:
        if not name or "," in name or name != name.strip():
            raise Invalid(f"{option}: {name!r:.80} can't be a network's name", "write a list of names")
    return tuple(dict.fromkeys(said))


def _default_profile(said: Mapping[str, Any] | None) -> DefaultProfile | None:
    if not said or not (said.get("storage_pool") or said.get("network")):
        return None
    return DefaultProfile(said.get("storage_pool"), said.get("network"))


def _check_together(wanted: Wanted) -> None:
    """Refuse options that contradict each other on every server and for every project."""
    if wanted.isolation and "restricted" in wanted.config:
        raise Invalid(f"config.restricted: isolation: {wanted.isolation} decides that", "leave one of them out")
    if wanted.reach is not None:
        _check_networks(wanted, wanted.reach)
    if wanted.isolation == "confined":
        _check_confined(wanted)
    if wanted.isolation == "shared":
        if wanted.opens:
            option = wanted.reach_option if wanted.reach is not None else "restrictions"
            raise Invalid(
                f"{option}: with isolation: shared nothing is restricted, so it would do nothing",
                "say isolation: confined, or leave it out",
            )
        if wanted.default_profile and not wanted.features.get("profiles"):
            raise shared_profile()


def shared_profile() -> Invalid:
    """A project without its own profiles has the default project's."""
    return Invalid(
        "default_profile: this project has no profiles of its own: its profile default is the default project's",
        "say isolation: confined (or features: {profiles: true}), or leave it out",
    )


def _check_networks(wanted: Wanted, networks: tuple[str, ...]) -> None:
    if wanted.networks is not None and wanted.bridges is not None:
        raise Invalid("bridges: networks says what instances may be connected to in another way", "leave one out")
    if wanted.bridges and wanted.features.get("networks") is False:
        raise Invalid("features.networks: false contradicts bridges", "leave one of them out")
    option = wanted.reach_option
    if wanted.networks is not None and wanted.features.get("networks"):
        raise Invalid(
            "networks: with features.networks the project has networks of its own, and reaches none of the server's",
            "leave one of them out",
        )
    if ACCESS in wanted.restrictions:
        raise Invalid(f"restrictions.networks.access: {option} says the same", "leave one of them out")
    nic = wanted.restrictions.get(NIC)
    if nic and ((nic == "block") == bool(networks) or (wanted.bridges and nic != "allow")):
        raise Invalid(f"restrictions.devices.nic: {nic} contradicts {option}: {list(networks)}", "leave it out")
    check_reachable(wanted, networks)


def check_reachable(wanted: Wanted, networks: Sequence[str] | None) -> None:
    """Refuse a default profile that would connect instances to what the project may not reach; None is any network."""
    network = wanted.default_profile.network if wanted.default_profile else None
    if network and networks is not None and network not in networks:
        may = f"reaches {', '.join(networks)} only" if networks else "reaches no network"
        raise Invalid(
            f"default_profile.network: the project {may}, not {network}", f"add {network} to {wanted.reach_option}"
        )


def _check_confined(wanted: Wanted) -> None:
    for feature, own in wanted.features.items():
        if feature == "networks" and own and wanted.bridges:
            continue
        if own != (feature in OWN_WHEN_CONFINED) and feature in (*OWN_WHEN_CONFINED, "networks"):
            raise Invalid(
                f"features.{feature}: {str(own).lower()} contradicts isolation: confined",
                "leave it out; or leave isolation out, and say features and config: {restricted: true}",
            )
    nic = wanted.restrictions.get(NIC)
    if nic and nic != "block" and not wanted.reach and not wanted.restrictions.get(ACCESS):
        raise Invalid(
            f"restrictions.devices.nic: {nic} without networks would open every network of the host", "say networks"
        )
