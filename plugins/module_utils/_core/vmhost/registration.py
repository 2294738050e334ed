# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM host's registration: what the task says over what the registry has, proven against the server, and the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..errors import Invalid, NotFound, NotOwned, TenantryError, Unsupported
from ..model import Project, Server
from ..plan import Change, Plan
from ..project.restrictions import usable_bridges, usable_networks
from . import overcommit as vmhost_limits
from .found import VmHostState
from .overcommit import RatioSpec

# Without these nothing of the collection works as it documents; every LXD since 5.0.0 has them.
NEEDED = ("virtual-machines", "projects", "certificate_project", "custom_block_volumes", "cloud_init")

_TEXTS = ("zone", "pool", "default_storage_pool", "default_network")
_RATIOS = {f"{kind}_overcommit": kind for kind in vmhost_limits.KINDS}
_SAID = ("project", "owner", "tags", *_TEXTS, *_RATIOS)


@dataclasses.dataclass(frozen=True)
class RegistrationSpec:
    """One VM host as said, over its entry. `before`: the entry's data, None where there is none yet.

    `said`: the keys of the entry that the task itself says. `writes`: this run is where the registry is, so it writes
    files; on another machine it only does what the admin there may do in LXD.
    """

    name: str
    before: Optional[Mapping[str, Any]]
    after: Mapping[str, Any]
    said: frozenset[str]
    enforce: frozenset[str] = frozenset()
    writes: bool = True

    @property
    def ratios(self) -> RatioSpec:
        """What is declared of overcommit, and what was before."""
        return RatioSpec(
            said={kind: self.after[key] for key, kind in _RATIOS.items() if key in self.said and self.after.get(key)},
            before={kind: self.before[key] for key, kind in _RATIOS.items() if self.before and key in self.before},
            enforce=self.enforce,
        )


@dataclasses.dataclass(frozen=True)
class RegistrationPlan:
    """The plan, what waits for the admin, and the project as it will be."""

    plan: Plan
    pending: Sequence[Mapping[str, Any]] = ()
    project: Optional[Project] = None


def merge_entry(
    name: str, before: Optional[Mapping[str, Any]], params: Mapping[str, Any], urls: Sequence[str]
) -> dict[str, Any]:
    """The entry's data with what the task says; what is not set is kept, what is empty is removed. `urls`: said, and
    https ones.
    """
    data = dict(before or {"name": name})
    if urls:
        data.pop("url", None)
        data["urls"] = list(urls)
    for key in _SAID:
        value = params.get(key)
        if value is None:
            continue
        if key in ("project", "owner") and not value:
            raise Invalid(f"{name}: {key}: it is empty", f"set {key}; there is no default")
        data.pop(key, None)
        if value not in ("", []):
            data[key] = value
    for key in ("project", "owner"):
        if key not in data:
            raise Invalid(
                f"{name}: {key}: it is not set, and the registry has no entry for this VM host yet",
                f"set {key}; there is no default",
            )
    return data


def said_keys(params: Mapping[str, Any]) -> frozenset[str]:
    """The keys of the entry that the task says."""
    return frozenset(key for key in _SAID if params.get(key) is not None)


def same_entry(before: Optional[Mapping[str, Any]], after: Mapping[str, Any]) -> bool:
    """Whether two entries mean the same: tags have no order."""
    return before is not None and _plain(before) == _plain(after)


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "tags": sorted(data.get("tags") or ())}


def check_server(host: str, server: Server) -> None:
    """Raise Unsupported for a server that can't be a VM host."""
    missing = [name for name in NEEDED if not server.has(name)]
    if missing:
        raise Unsupported(
            f"{host}: {server.flavour.upper()} {server.version} lacks the API extension {missing[0]}",
            "LXD 5.0 or newer, or Incus, is needed",
        )
    if "qemu" not in server.drivers:
        raise Unsupported(
            f"{host}: it can't run virtual machines (its drivers: {', '.join(server.drivers) or 'none'})",
            "is there /dev/kvm and vhost_vsock on the host? `lxc info | grep driver` must name qemu",
        )


def check_project(host: str, project: Project, owner: str) -> None:
    """Raise NotOwned for a project that doesn't carry the owner's mark."""
    if project.owner == owner:
        return
    whose = f"belongs to {project.owner}" if project.owner else "carries no owner's mark"
    raise NotOwned(
        f"{host}: project {project.name} {whose}; it is not the project of {owner}",
        "choose the tenant's own project, or have an administrator hand it over with lxd_project adopt: true",
    )


def check_places(spec: RegistrationSpec, reading: VmHostState) -> None:
    """Raise NotFound for a default that is declared and that VMs of the project could not use."""
    if reading.project is None:
        return
    pool, network = spec.after.get("default_storage_pool"), spec.after.get("default_network")
    if "default_storage_pool" in spec.said and pool:
        allowed = _parse_list(reading.project.config.get("restricted.storage-pools.access"))
        pools = [each.name for each in reading.pools if allowed is None or each.name in allowed]
        _must_be(
            f"{spec.name}: default_storage_pool: project {reading.project.name} has no storage pool {pool}", pool, pools
        )
    if "default_network" in spec.said and network:
        own = reading.project.has_own("networks")
        reach = None if own else usable_networks(reading.project.config)
        networks = [each.name for each in reading.networks if each.managed and (reach is None or each.name in reach)]
        networks += usable_bridges(reading.project.config)
        _must_be(
            f"{spec.name}: default_network: project {reading.project.name} reaches no network {network}",
            network,
            networks,
        )


def _parse_list(value: Optional[str]) -> Optional[list[str]]:
    return [name.strip() for name in value.split(",")] if value else None


def _must_be(message: str, name: str, there: Sequence[str]) -> None:
    if name not in there:
        raise NotFound(message, f"there: {', '.join(sorted(there)) or 'none'}", there=sorted(there))


def project_not_found_error(host: str, name: str, refused: Optional[TenantryError] = None) -> TenantryError:
    """The tracked project can't be read: for a restricted certificate LXD doesn't tell missing from forbidden."""
    if refused is None:
        return NotFound(f"{host}: project {name} is not there", "make it with tenantry.lxd.lxd_project")
    return type(refused)(
        f"{host}: project {name}: it is not there, or the tenant certificate isn't trusted for it",
        "make it with tenantry.lxd.lxd_project, and trust the certificate for it with tenantry.lxd.lxd_tenant_cert",
    )


def plan_registration(spec: RegistrationSpec, reading: VmHostState, files: Sequence[Change]) -> RegistrationPlan:
    """What should change, LXD first and the entry last; everything that can be refused is refused before.

    `files`: what the registry should have of it, in an order that is safe to stop anywhere.
    """
    if reading.project is not None:
        check_project(spec.name, reading.project, spec.after["owner"])
        check_places(spec, reading)
    keys = vmhost_limits.find_key_changes(spec.name, spec.ratios, reading)
    vmhost_limits.check_room(spec.name, spec.ratios, reading, keys)
    pending = () if reading.admin else vmhost_limits.list_pending_limits(keys, spec.ratios)
    if pending:
        return RegistrationPlan(Plan(warnings=(_waits(spec, pending),)), pending, reading.project)
    changes = vmhost_limits.plan_ratio_keys(reading, keys, spec.name) if reading.admin else []
    project = vmhost_limits.predict_project(reading.project, keys) if reading.project and changes else reading.project
    return RegistrationPlan(Plan((*changes, *(files if spec.writes else ()))), (), project)


def _waits(spec: RegistrationSpec, pending: Sequence[Mapping[str, Any]]) -> str:
    what = ", ".join(f"{each['limit']} {each['in_force']} -> {each['wanted']}" for each in pending)
    return (
        f"{spec.name}: nothing is changed: LXD enforces this ratio in project {spec.after['project']}, which only "
        f"its admin may change ({what}); run it with url: unix: on the host with become, or with an admin's certificate"
    )
