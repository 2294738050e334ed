# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project as spec and as reading, and the plan between them; and what it will look like afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .. import units
from ..errors import Conflict, Invalid, NotOwned, TenantryError
from ..model import OWNER, Image, Project
from ..plan import Change, Plan, Request
from . import profile as project_profile
from .audit import check_limits, check_restrictions
from .config import build_config, find_changed_keys
from .reading import Profile, ProjectReading, ReadingNeeds, format_contents, list_contents
from .spec import ProjectSpec


def find_reading_needs(spec: ProjectSpec, reading: ProjectReading) -> ReadingNeeds:
    """Return what else to read for the plan; nothing if nothing changes. Raises what the plan would raise."""
    project = reading.project
    if spec.state == "absent":
        mine = project is not None and project.owner == spec.owner
        return ReadingNeeds(
            images=mine and any(kind == "image" for kind, _name in list_contents(project.used_by if project else ()))
        )
    if project:
        _check_owner(spec, project)
    before: Mapping[str, str] = project.config if project else {}
    config = build_config(spec, reading)
    keys = find_changed_keys(before, config)
    limits = bool(_new_limits(keys, config))
    devices = project_profile.read_devices(reading.profile[0] if reading.profile else None)
    profile = project_profile.build_devices(spec, reading) != devices
    return ReadingNeeds(
        contents=project is not None and (limits or _tightens(keys, config)),
        state=project is not None and limits,
        places=profile or bool(spec.usable_networks and any(key.startswith("restricted") for key in keys)),
    )


def plan_project(spec: ProjectSpec, reading: ProjectReading, host: str) -> Plan:
    """Plan the changes; everything that can be refused is refused here, before the first write."""
    if spec.state == "absent":
        return _plan_absent(spec, reading, host)
    project = reading.project
    if project:
        _check_owner(spec, project)
    config = build_config(spec, reading)
    keys = find_changed_keys(project.config if project else {}, config)
    required = find_reading_needs(spec, reading)
    if required.places and not reading.unread:
        project_profile.check_names(spec, reading)
    if project and _tightens(keys, config):
        check_restrictions(spec.name, config, reading)
    if project and required.state:
        check_limits(spec.name, _new_limits(keys, config), reading)
    changes = [_plan_config(spec, reading, config, host), project_profile.plan_profile(spec, reading, host)]
    return Plan(tuple(change for change in changes if change), warnings=_warnings(spec, project))


def predict_project(spec: ProjectSpec, reading: ProjectReading) -> tuple[Project, Profile | None] | None:
    """Return the project and its own default profile as they will be; None if the project will not exist."""
    if spec.state == "absent":
        return None
    config = build_config(spec, reading)
    description = _description(spec, reading.project)
    own = units.is_true(config.get("features.profiles"))
    default = f"/1.0/profiles/default?project={quote(spec.name, safe='')}"
    others = tuple(url for url in (reading.project.used_by if reading.project else ()) if url != default)
    used_by = (*others, default) if own else others
    profile = {"devices": project_profile.build_devices(spec, reading)} if own else None
    return Project(spec.name, description, config, used_by), profile


def _check_owner(spec: ProjectSpec, project: Project) -> None:
    if project.owner == spec.owner:
        return
    if project.owner:
        raise NotOwned(
            f"project {spec.name}: it belongs to {project.owner}, not to {spec.owner}",
            "choose another name; to hand it over, its owner or an administrator runs "
            f"`lxc project unset {spec.name} {OWNER}`, and then adopt: true takes it over",
            owner=project.owner,
        )
    if not spec.adopt or spec.state == "absent":
        do = "not deleted" if spec.state == "absent" else "not changed"
        raise NotOwned(
            f"project {spec.name}: it exists and carries no owner's mark, so it is {do}",
            "choose another name, or set adopt: true (with state: present) to take it over",
        )


def _description(spec: ProjectSpec, project: Project | None) -> str:
    if spec.description is not None:
        return spec.description
    return project.description if project else ""


def _tightens(keys: Sequence[str], config: Mapping[str, str]) -> bool:
    return units.is_true(config.get("restricted")) and any(key.startswith("restricted") for key in keys)


def _new_limits(keys: Sequence[str], config: Mapping[str, str]) -> dict[str, str]:
    return {key: config[key] for key in keys if key.startswith("limits.") and key in config}


def _plan_config(spec: ProjectSpec, reading: ProjectReading, config: dict[str, str], host: str) -> Change | None:
    project = reading.project
    body = {"description": _description(spec, project), "config": config}
    if project is None:
        step = Request("POST", ("projects",), body={"name": spec.name, **body}, creates=("projects", spec.name))
        return Change("create", "project", spec.name, (step,), after=body, host=host)
    before = {"description": project.description, "config": dict(project.config)}
    if body == before:
        return None
    keys = find_changed_keys(project.config, config)
    verb = "adopt" if project.owner != spec.owner else "change"
    detail = ", ".join(
        [key for key in keys if key != OWNER] + ["description"] * (project.description != body["description"])
    )
    return Change(verb, "project", spec.name, _build_puts(project, body), before, body, detail=detail, host=host)


def _build_puts(project: Project, body: Mapping[str, Any]) -> tuple[Request, ...]:
    """Return the PUT requests; before LXD 5.0.4, a PATCH removes every key that it doesn't name.

    LXD checks new restrictions against the profiles that the project has had so far. If those are the ones of project
    default, the project gets its own first; a run that stops in between is finished by the next one.
    """
    path = ("projects", project.name)
    whole = Request("PUT", path, body=body, etag=project.etag)
    if project.has_own("profiles") or not units.is_true(body["config"].get("restricted")):
        return (whole,)
    before = {key: value for key, value in project.config.items() if not key.startswith("features.")}
    features = {key: value for key, value in body["config"].items() if key.startswith("features.")}
    first = {"description": project.description, "config": {**before, **features}}
    return Request("PUT", path, body=first, etag=project.etag), dataclasses.replace(whole, etag=None, expect=first)


def _warnings(spec: ProjectSpec, project: Project | None) -> tuple[str, ...]:
    if not project or not spec.adopt:
        return ()
    kept = [name for name, own in sorted(spec.features.items()) if project.has_own(name) != own]
    if spec.isolation == "shared":
        own = [key[len("features.") :] for key in sorted(project.config) if key.startswith("features.")]
        kept += [name for name in own if project.has_own(name) and name not in spec.features]
    if not kept:
        return ()
    names = ", ".join(kept)
    return (f"project {spec.name}: adopt: true never changes features, so these keep their values: {names}",)


def _plan_absent(spec: ProjectSpec, reading: ProjectReading, host: str) -> Plan:
    project = reading.project
    if project is None:
        return Plan()
    _check_owner(spec, project)
    if spec.name == "default":
        raise Invalid("project default: LXD never deletes it", "delete its content instead")
    cached = {image.fingerprint: image for image in reading.images if image.cached}
    contents = list_contents(project.used_by)
    remaining = [(kind, name) for kind, name in contents if kind != "image" or name not in cached]
    if remaining:
        raise _not_empty_error(spec, format_contents(remaining))
    changes = [_plan_image_delete(spec, cached[name], host) for _kind, name in contents]
    before = {"description": project.description, "config": dict(project.config)}
    step = Request("DELETE", ("projects", spec.name))
    changes.append(Change("delete", "project", spec.name, (step,), before=before, host=host))
    return Plan(tuple(changes))


def _not_empty_error(spec: ProjectSpec, contents: list[str]) -> TenantryError:
    return Conflict(
        f"project {spec.name}: it isn't empty, so it is not deleted: {units.shorten(contents)}",
        "move or delete these first; nothing in a project is ever deleted with it",
        inside=contents,
    )


def _plan_image_delete(spec: ProjectSpec, image: Image, host: str) -> Change:
    step = Request("DELETE", ("images", image.fingerprint), spec.name)
    before: dict[str, Any] = {"cached": True, "description": image.properties.get("description", "")}
    return Change("delete", "cached image", image.fingerprint[:12], (step,), before=before, host=host)
