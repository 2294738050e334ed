# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project as wanted and as found, and the plan between them; and what it will look like afterwards."""

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
from .config import changed_keys, resulting
from .found import Found, Needs, Profile, inside, said
from .spec import Wanted


def needs(wanted: Wanted, found: Found) -> Needs:
    """What else has to be read for the plan; nothing where nothing changes. Raises what the plan would."""
    project = found.project
    if wanted.state == "absent":
        mine = project is not None and project.owner == wanted.owner
        return Needs(images=mine and any(kind == "image" for kind, _name in inside(project.used_by if project else ())))
    if project:
        _check_owner(wanted, project)
    before: Mapping[str, str] = project.config if project else {}
    config = resulting(wanted, found)
    keys = changed_keys(before, config)
    limits = bool(_new_limits(keys, config))
    devices = project_profile.devices_of(found.profile[0] if found.profile else None)
    profile = project_profile.wanted_devices(wanted, found) != devices
    return Needs(
        contents=project is not None and (limits or _tightens(keys, config)),
        state=project is not None and limits,
        places=profile or bool(wanted.reach and any(key.startswith("restricted") for key in keys)),
    )


def plan(wanted: Wanted, found: Found, host: str) -> Plan:
    """What should change. Everything that can be refused is refused here, before the first write."""
    if wanted.state == "absent":
        return _plan_absent(wanted, found, host)
    project = found.project
    if project:
        _check_owner(wanted, project)
    config = resulting(wanted, found)
    keys = changed_keys(project.config if project else {}, config)
    required = needs(wanted, found)
    if required.places and not found.unread:
        project_profile.check_places(wanted, found)
    if project and _tightens(keys, config):
        check_restrictions(wanted.name, config, found)
    if project and required.state:
        check_limits(wanted.name, _new_limits(keys, config), found)
    changes = [_project_change(wanted, found, config, host), project_profile.change(wanted, found, host)]
    return Plan(tuple(change for change in changes if change), warnings=_warnings(wanted, project))


def predicted(wanted: Wanted, found: Found) -> tuple[Project, Profile | None] | None:
    """The project and its own profile default as they will be; None for one that will not be there."""
    if wanted.state == "absent":
        return None
    config = resulting(wanted, found)
    description = _description(wanted, found.project)
    own = units.is_true(config.get("features.profiles"))
    default = f"/1.0/profiles/default?project={quote(wanted.name, safe='')}"
    others = tuple(url for url in (found.project.used_by if found.project else ()) if url != default)
    used_by = (*others, default) if own else others
    profile = {"devices": project_profile.wanted_devices(wanted, found)} if own else None
    return Project(wanted.name, description, config, used_by), profile


def _check_owner(wanted: Wanted, project: Project) -> None:
    if project.owner == wanted.owner:
        return
    if project.owner:
        raise NotOwned(
            f"project {wanted.name}: it belongs to {project.owner}, and we are {wanted.owner}",
            "choose another name; to hand it over, its owner or the admin runs "
            f"`lxc project unset {wanted.name} {OWNER}`, and then adopt: true takes it",
            owner=project.owner,
        )
    if not wanted.adopt or wanted.state == "absent":
        do = "nothing of it is deleted" if wanted.state == "absent" else "it is left as it is"
        raise NotOwned(
            f"project {wanted.name}: it exists and carries no owner's mark, so {do}",
            "choose another name, or say adopt: true (with state: present) to make it ours",
        )


def _description(wanted: Wanted, project: Project | None) -> str:
    if wanted.description is not None:
        return wanted.description
    return project.description if project else ""


def _tightens(keys: Sequence[str], config: Mapping[str, str]) -> bool:
    return units.is_true(config.get("restricted")) and any(key.startswith("restricted") for key in keys)


def _new_limits(keys: Sequence[str], config: Mapping[str, str]) -> dict[str, str]:
    return {key: config[key] for key in keys if key.startswith("limits.") and key in config}


def _project_change(wanted: Wanted, found: Found, config: dict[str, str], host: str) -> Change | None:
    project = found.project
    body = {"description": _description(wanted, project), "config": config}
    if project is None:
        step = Request("POST", ("projects",), body={"name": wanted.name, **body}, creates=("projects", wanted.name))
        return Change("create", "project", wanted.name, (step,), after=body, host=host)
    before = {"description": project.description, "config": dict(project.config)}
    if body == before:
        return None
    keys = changed_keys(project.config, config)
    verb = "adopt" if project.owner != wanted.owner else "change"
    detail = ", ".join(
        [key for key in keys if key != OWNER] + ["description"] * (project.description != body["description"])
    )
    return Change(verb, "project", wanted.name, _puts(project, body), before, body, detail=detail, host=host)


def _puts(project: Project, body: Mapping[str, Any]) -> tuple[Request, ...]:
    """Never a PATCH: before 5.0.4 it drops every key that it doesn't name, restrictions and features too.

    LXD compares new restrictions with the profiles that the project has had so far. Where those are the default
    project's, it gets its own first; a run that stops in between is finished by the next one.
    """
    path = ("projects", project.name)
    whole = Request("PUT", path, body=body, etag=project.etag)
    if project.has_own("profiles") or not units.is_true(body["config"].get("restricted")):
        return (whole,)
    before = {key: value for key, value in project.config.items() if not key.startswith("features.")}
    features = {key: value for key, value in body["config"].items() if key.startswith("features.")}
    first = {"description": project.description, "config": {**before, **features}}
    return Request("PUT", path, body=first, etag=project.etag), dataclasses.replace(whole, etag=None, expect=first)


def _warnings(wanted: Wanted, project: Project | None) -> tuple[str, ...]:
    if not project or not wanted.adopt:
        return ()
    said_otherwise = [name for name, own in sorted(wanted.features.items()) if project.has_own(name) != own]
    if wanted.isolation == "shared":
        own = [key[len("features.") :] for key in sorted(project.config) if key.startswith("features.")]
        said_otherwise += [name for name in own if project.has_own(name) and name not in wanted.features]
    if not said_otherwise:
        return ()
    stay = ", ".join(said_otherwise)
    return (f"project {wanted.name}: adopt: true never changes features, so these stay as they are: {stay}",)


def _plan_absent(wanted: Wanted, found: Found, host: str) -> Plan:
    project = found.project
    if project is None:
        return Plan()
    _check_owner(wanted, project)
    if wanted.name == "default":
        raise Invalid("project default: LXD never deletes it", "delete what is in it, or leave it")
    cached = {image.fingerprint: image for image in found.images if image.cached}
    things = inside(project.used_by)
    stays = [(kind, name) for kind, name in things if kind != "image" or name not in cached]
    if stays:
        raise _not_empty(wanted, said(stays))
    changes = [_image_change(wanted, cached[name], host) for _kind, name in things]
    before = {"description": project.description, "config": dict(project.config)}
    step = Request("DELETE", ("projects", wanted.name))
    changes.append(Change("delete", "project", wanted.name, (step,), before=before, host=host))
    return Plan(tuple(changes))


def _not_empty(wanted: Wanted, things: list[str]) -> TenantryError:
    return Conflict(
        f"project {wanted.name}: it isn't empty, so it is not deleted: {units.shorten(things)}",
        "move or delete those first; nothing in a project is deleted with it, whoever it belongs to",
        inside=things,
    )


def _image_change(wanted: Wanted, image: Image, host: str) -> Change:
    step = Request("DELETE", ("images", image.fingerprint), wanted.name)
    before: dict[str, Any] = {"cached": True, "description": image.properties.get("description", "")}
    return Change("delete", "cached image", image.fingerprint[:12], (step,), before=before, host=host)
