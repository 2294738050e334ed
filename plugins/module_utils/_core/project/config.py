# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The config that a project gets: what is declared, merged into the current config, with all other keys kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import units
from ..errors import Conflict, Invalid, Unsupported
from ..model import OWNER, Project, Server
from .keys import LATE_FEATURES, OWN_WHEN_CONFINED, find_extension, known_features
from .reading import ProjectReading, format_contents, list_contents
from .restrictions import DEVICES_NIC, NETWORKS_ACCESS, usable_bridges, usable_networks
from .spec import ProjectSpec, check_default_network, shared_profile_error

_TARGET = "restricted.cluster.target"


def build_config(spec: ProjectSpec, reading: ProjectReading) -> dict[str, str]:
    """Return the whole config that the project gets; raises if the declaration is impossible on this server or
    project.
    """
    before = dict(reading.project.config) if reading.project else {}
    config = {**before, OWNER: spec.owner, **_build_features(spec, reading)}
    if spec.isolation == "shared":
        config = {
            key: value for key, value in config.items() if key not in ("restricted", NETWORKS_ACCESS, DEVICES_NIC)
        }
    for values in (spec.restrictions, spec.limits, spec.config):
        config = _merge(config, values)
    if spec.isolation == "confined":
        config = _merge(config, {"restricted": "true"})
        if reading.server.clustered:
            # Without it a tenant can't choose the cluster member of a VM, nor create further disks.
            config.setdefault(_TARGET, "allow")
    config = _restrict_networks(spec, config, bool(usable_bridges(before)))
    _check(spec, reading, config)
    return config


def find_changed_keys(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the keys in which two configs differ, sorted."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def _merge(config: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """Merge keys into a config; a value with the same meaning keeps its spelling, since LXD keeps spellings."""
    merged = dict(config)
    for key, value in values.items():
        if value is None:
            merged.pop(key, None)
        elif not units.is_same_value(key, merged.get(key), value):
            merged[key] = value
    return merged


def _build_features(spec: ProjectSpec, reading: ProjectReading) -> dict[str, str]:
    """Return the features.* keys to write; adopting never changes them, since the project's content would move."""
    project = reading.project
    if project and spec.adopt:
        return {}
    features = {}
    for feature, own in _choose_features(spec, reading.server, project):
        key = f"features.{feature}"
        # LXD reads an unset key of an existing project as off, and would still take a write of it for a change.
        if project and project.has_own(feature) == own:
            continue
        if project and key not in project.config and _is_too_late(spec, project, feature):
            continue
        features[key] = "true" if own else "false"
    return features


def _is_too_late(spec: ProjectSpec, project: Project, feature: str) -> bool:
    """Return whether the server got a feature after the project was filled: then it can't be set any more."""
    return feature in LATE_FEATURES and feature not in spec.features and bool(list_contents(project.used_by))


def _choose_features(spec: ProjectSpec, server: Server, project: Project | None) -> Iterator[tuple[str, bool]]:
    known = known_features(server)
    isolation = spec.isolation or ("" if project else "shared")
    bridges = bool(spec.bridges) or _keeps_bridges(spec, project)
    for feature in known:
        if feature in spec.features:
            yield feature, spec.features[feature]
        elif isolation or (bridges and feature == "networks"):
            own = isolation == "confined" and feature in OWN_WHEN_CONFINED
            yield feature, own or (bridges and feature == "networks")
    for feature, own in spec.features.items():
        if feature in known:
            continue
        extension = find_extension(f"features.{feature}")
        if own and extension and server.extensions:
            raise Unsupported(
                f"project {spec.name}: features.{feature}: this server (LXD {server.version}) doesn't have it",
                f"it needs the API extension {extension}; omit it",
            )
        if not extension or not server.extensions:
            yield feature, own


def _keeps_bridges(spec: ProjectSpec, project: Project | None) -> bool:
    return (
        spec.isolation == "confined"
        and spec.usable_networks is None
        and bool(project and usable_bridges(project.config))
    )


def _restrict_networks(spec: ProjectSpec, config: dict[str, str], was_bridged: bool) -> dict[str, str]:
    """Set the two keys that restrict a project's networks; LXD reads an empty list of networks as all networks."""
    if spec.usable_networks is None:
        if spec.isolation == "confined" and usable_networks(config) is None:
            return {**config, DEVICES_NIC: "block"}
        return config
    if not spec.usable_networks:
        return {**{key: value for key, value in config.items() if key != NETWORKS_ACCESS}, DEVICES_NIC: "block"}
    if spec.bridges:
        config = {**config, DEVICES_NIC: "allow"}
    elif config.get(DEVICES_NIC) == "block" or (was_bridged and DEVICES_NIC not in spec.restrictions):
        config = {key: value for key, value in config.items() if key != DEVICES_NIC}
    listed = set(units.parse_list(config.get(NETWORKS_ACCESS)))
    return (
        config
        if listed == set(spec.usable_networks)
        else {**config, NETWORKS_ACCESS: units.format_list(spec.usable_networks)}
    )


def _check(spec: ProjectSpec, reading: ProjectReading, config: Mapping[str, str]) -> None:
    if reading.project and spec.adopt:
        _check_adopted(spec, reading.project)
    try:
        _check_restricted(spec, config)
        own_profiles = units.is_true(config.get("features.profiles"))
        if spec.default_profile and not own_profiles:
            raise shared_profile_error()
        if spec.networks is not None and units.is_true(config.get("features.networks")):
            raise Invalid("networks: the project has networks of its own (features.networks)", "omit networks")
        if usable_bridges(config) or not units.is_true(config.get("features.networks")):
            check_default_network(spec, usable_networks(config))
    except Invalid as error:
        raise error.about(f"project {spec.name}") from None
    before = reading.project.config if reading.project else {}
    _check_extensions(spec, reading, find_changed_keys(before, config))
    if reading.project:
        _check_features(spec, reading.project, config)


def _check_restricted(spec: ProjectSpec, config: Mapping[str, str]) -> None:
    restricted = units.is_true(config.get("restricted"))
    if spec.has_restrictions and not restricted:
        option = spec.networks_option if spec.usable_networks is not None else "restrictions"
        raise Invalid(f"{option}: it has no effect in a project that isn't restricted", "set isolation: confined")
    if restricted and not units.is_true(config.get("features.profiles")):
        raise Invalid(
            "features.profiles: LXD can't restrict a project without profiles of its own",
            "set features: {profiles: true}",
        )


def _check_extensions(spec: ProjectSpec, reading: ProjectReading, keys: list[str]) -> None:
    for key in keys:
        extension = find_extension(key)
        if extension and reading.server.extensions and not reading.server.has(extension):
            raise Unsupported(
                f"project {spec.name}: this server (LXD {reading.server.version}) doesn't know {key}",
                f"it needs the API extension {extension}",
            )


def _check_features(spec: ProjectSpec, project: Project, config: Mapping[str, str]) -> None:
    """Refuse a change of features of a project in use: LXD 5.0 takes one with volumes for empty, and would
    lose them.
    """
    changed = [key for key in find_changed_keys(project.config, config) if key.startswith("features.")]
    if changed and project.name == "default":
        raise Invalid("project default: LXD never changes its features", "omit isolation and features")
    contents = format_contents(list_contents(project.used_by))
    if changed and contents:
        raise Conflict(
            f"project {spec.name}: {', '.join(changed)} can't change while the project holds something: "
            f"{units.shorten(contents)}",
            "empty it first, create another project, or omit isolation and features",
            inside=contents,
        )


def _check_adopted(spec: ProjectSpec, project: Project) -> None:
    lacking = [feature for feature in ("images", "profiles", "storage.volumes") if not project.has_own(feature)]
    networks = project.has_own("networks") and not usable_bridges(project.config)
    if spec.isolation == "confined" and (lacking or networks):
        problems = [f"features.{feature} is off" for feature in lacking]
        problems += ["features.networks is on"] if networks else []
        raise Conflict(
            f"project {spec.name}: it can't be confined: {', '.join(problems)}, and adopting never changes features",
            "adopt it without isolation, or have an administrator change its features while it is empty",
        )
