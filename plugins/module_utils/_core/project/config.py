# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The config that a project should have: what was said, over what is there, with nothing else touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import units
from ..errors import Conflict, Invalid, Unsupported
from ..model import OWNER, Project, Server
from .found import Found, inside, said
from .keys import LATE_FEATURES, OWN_WHEN_CONFINED, extension_of, known_features
from .spec import ACCESS, NIC, Wanted, check_reachable, shared_profile

_TARGET = "restricted.cluster.target"


def resulting(wanted: Wanted, found: Found) -> dict[str, str]:
    """The whole config afterwards; raises where what was said can't be, on this server or in this project."""
    before = dict(found.project.config) if found.project else {}
    config = {**before, OWNER: wanted.owner, **_features(wanted, found)}
    if wanted.isolation == "shared":
        config = {key: value for key, value in config.items() if key not in ("restricted", ACCESS, NIC)}
    for values in (wanted.restrictions, wanted.limits, wanted.config):
        config = _merged(config, values)
    if wanted.isolation == "confined":
        config = _merged(config, {"restricted": "true"})
        if found.server.clustered:
            # Without it a tenant can't say on which member of a cluster a VM is made, and further disks can't be made.
            config.setdefault(_TARGET, "allow")
    config = _reaching(wanted, config, bool(bridged(before)))
    _check(wanted, found, config)
    return config


def access(config: Mapping[str, str]) -> tuple[str, ...] | None:
    """The server's networks that instances may reach; None is all of them."""
    if not units.is_true(config.get("restricted")):
        return None
    if config.get(NIC) == "block":
        return ()
    listed = tuple(name.strip() for name in config.get(ACCESS, "").split(",") if name.strip())
    return listed or None


def bridged(config: Mapping[str, str]) -> tuple[str, ...]:
    """The bridges that instances are connected to by `parent`, which gives no right to their configuration.

    Having networks of its own, a project doesn't see the server's: that is what keeps their configuration from it.
    """
    own = units.is_true(config.get("features.networks"))
    return (access(config) or ()) if own and config.get(NIC) == "allow" else ()


def changed_keys(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The keys in which two configs differ."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def _merged(config: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """The config with these keys; a value that means the same stays as it is spelled, since LXD keeps spellings."""
    merged = dict(config)
    for key, value in values.items():
        if value is None:
            merged.pop(key, None)
        elif not units.is_same_value(key, merged.get(key), value):
            merged[key] = value
    return merged


def _features(wanted: Wanted, found: Found) -> dict[str, str]:
    """The features.* keys to write. Adopting never changes them: what is in the project would change hands."""
    project = found.project
    if project and wanted.adopt:
        return {}
    features = {}
    for feature, own in _wanted_features(wanted, found.server, project):
        key = f"features.{feature}"
        # To LXD an unset key of a project that is there is an off one; to write it would still be a change of features.
        if project and project.has_own(feature) == own:
            continue
        if project and key not in project.config and _came_too_late(wanted, project, feature):
            continue
        features[key] = "true" if own else "false"
    return features


def _came_too_late(wanted: Wanted, project: Project, feature: str) -> bool:
    """Whether the server learnt a feature after the project was made and filled: then nobody can set it any more."""
    return feature in LATE_FEATURES and feature not in wanted.features and bool(inside(project.used_by))


def _wanted_features(wanted: Wanted, server: Server, project: Project | None) -> Iterator[tuple[str, bool]]:
    known = known_features(server)
    isolation = wanted.isolation or ("" if project else "shared")
    bridges = bool(wanted.bridges) or _stays_bridged(wanted, project)
    for feature in known:
        if feature in wanted.features:
            yield feature, wanted.features[feature]
        elif isolation or (bridges and feature == "networks"):
            own = isolation == "confined" and feature in OWN_WHEN_CONFINED
            yield feature, own or (bridges and feature == "networks")
    for feature, own in wanted.features.items():
        if feature in known:
            continue
        extension = extension_of(f"features.{feature}")
        if own and extension and server.extensions:
            raise Unsupported(
                f"project {wanted.name}: features.{feature}: this server (LXD {server.version}) has no such feature",
                f"it needs the API extension {extension}; leave it out",
            )
        if not extension or not server.extensions:
            yield feature, own


def _stays_bridged(wanted: Wanted, project: Project | None) -> bool:
    return wanted.isolation == "confined" and wanted.reach is None and bool(project and bridged(project.config))


def _reaching(wanted: Wanted, config: dict[str, str], was_bridged: bool) -> dict[str, str]:
    """The two keys that say which networks a restricted project reaches: LXD takes "none named" for "all of them"."""
    if wanted.reach is None:
        if wanted.isolation == "confined" and access(config) is None:
            return {**config, NIC: "block"}
        return config
    if not wanted.reach:
        return {**{key: value for key, value in config.items() if key != ACCESS}, NIC: "block"}
    if wanted.bridges:
        config = {**config, NIC: "allow"}
    elif config.get(NIC) == "block" or (was_bridged and NIC not in wanted.restrictions):
        config = {key: value for key, value in config.items() if key != NIC}
    listed = {name.strip() for name in config.get(ACCESS, "").split(",")}
    return config if listed == set(wanted.reach) else {**config, ACCESS: ",".join(wanted.reach)}


def _check(wanted: Wanted, found: Found, config: Mapping[str, str]) -> None:
    if found.project and wanted.adopt:
        _check_adopted(wanted, found.project)
    try:
        _check_restricted(wanted, config)
        own_profiles = units.is_true(config.get("features.profiles"))
        if wanted.default_profile and not own_profiles:
            raise shared_profile()
        if wanted.networks is not None and units.is_true(config.get("features.networks")):
            raise Invalid("networks: the project has networks of its own (features.networks)", "leave it out")
        if bridged(config) or not units.is_true(config.get("features.networks")):
            check_reachable(wanted, access(config))
    except Invalid as error:
        error.message = f"project {wanted.name}: {error.message}"
        raise
    before = found.project.config if found.project else {}
    _check_known(wanted, found, changed_keys(before, config))
    if found.project:
        _check_features(wanted, found.project, config)


def _check_restricted(wanted: Wanted, config: Mapping[str, str]) -> None:
    restricted = units.is_true(config.get("restricted"))
    if wanted.opens and not restricted:
        option = wanted.reach_option if wanted.reach is not None else "restrictions"
        raise Invalid(f"{option}: the project is not restricted, so it would do nothing", "say isolation: confined")
    if restricted and not units.is_true(config.get("features.profiles")):
        raise Invalid(
            "features.profiles: LXD restricts no project without profiles of its own", "say features: {profiles: true}"
        )


def _check_known(wanted: Wanted, found: Found, keys: list[str]) -> None:
    for key in keys:
        extension = extension_of(key)
        if extension and found.server.extensions and not found.server.has(extension):
            raise Unsupported(
                f"project {wanted.name}: this server (LXD {found.server.version}) doesn't know {key}",
                f"it needs the API extension {extension}",
            )


def _check_features(wanted: Wanted, project: Project, config: Mapping[str, str]) -> None:
    """LXD changes features of empty projects only; 5.0 takes one with volumes for empty, and would lose them."""
    changed = [key for key in changed_keys(project.config, config) if key.startswith("features.")]
    if changed and project.name == "default":
        raise Invalid("project default: LXD never changes its features", "leave isolation and features out")
    things = said(inside(project.used_by))
    if changed and things:
        raise Conflict(
            f"project {wanted.name}: {', '.join(changed)} can't change while the project holds something: "
            f"{units.shorten(things)}",
            "empty it first, make another project, or leave isolation and features out",
            inside=things,
        )


def _check_adopted(wanted: Wanted, project: Project) -> None:
    lacking = [feature for feature in ("images", "profiles", "storage.volumes") if not project.has_own(feature)]
    networks = project.has_own("networks") and not bridged(project.config)
    if wanted.isolation == "confined" and (lacking or networks):
        wrong = [f"features.{feature} is off" for feature in lacking]
        wrong += ["features.networks is on"] if networks else []
        raise Conflict(
            f"project {wanted.name}: it can't be confined: {', '.join(wrong)}, and adopting never changes features",
            "adopt it without isolation, or let the admin change its features while it is empty",
        )
