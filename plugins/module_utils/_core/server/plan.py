# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server as wanted and as found, and the plan between them; nothing is ever deleted or replaced."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ..plan import Change, Plan, Request, WipeDevice
from . import settings as server_settings
from .checks import check_server
from .found import ServerReading
from .parts import NETWORK, POOL, Part, Values, merge_values, plan_part
from .pools import SOURCE, PoolSpec
from .settings import mask_secrets
from .spec import ServerSpec


def plan_server(spec: ServerSpec, reading: ServerReading, host: str) -> Plan:
    """What should change. Everything that can be refused is refused here, before the first write."""
    parts = _parts(spec, reading)
    check_server(spec, parts, reading)
    planned: list[Change] = []
    for part in parts:
        if isinstance(part.wanted, PoolSpec) and (part.found is None or part.begun):
            planned += _wipes(part, part.wanted, reading)
        planned += plan_part(part, reading, host)
    settings = _settings(spec, reading, host)
    return Plan((*([settings] if settings else []), *planned))


def _parts(spec: ServerSpec, reading: ServerReading) -> list[Part]:
    pools = [Part(POOL, pool, reading.pools.get(pool.name)) for pool in spec.pools]
    networks = [Part(NETWORK, network, reading.networks.get(network.name)) for network in spec.networks]
    return [*(_find_renamed_device(part, reading) for part in pools), *networks]


def _find_renamed_device(part: Part, reading: ServerReading) -> Part:
    """A pool that was made of the device that is declared now: LXD may keep it under another name, which then
    counts.
    """
    pool, there = part.wanted, part.found
    if there is None or part.begun or not isinstance(pool, PoolSpec):
        return part
    if not there.on:
        return dataclasses.replace(
            part, wanted=dataclasses.replace(pool, config=_keep_sources(pool.config, there.config, reading))
        )
    members = {name: _keep_sources(pool.on(name), has.config, reading) for name, has in there.on.items()}
    return dataclasses.replace(part, wanted=dataclasses.replace(pool, members={**pool.members, **members}))


def _keep_sources(wanted: Values, has: Mapping[str, str], reading: ServerReading) -> dict[str, str | None]:
    said, real = wanted.get(SOURCE), reading.resolved
    known = [each for each in (has.get(SOURCE), has.get("volatile.initial_source")) if each]
    if said and any(real.get(each, each) == real.get(said, said) for each in known):
        return {**wanted, SOURCE: has.get(SOURCE)}
    return dict(wanted)


def _settings(spec: ServerSpec, reading: ServerReading, host: str) -> Change | None:
    """A PATCH: LXD answers secrets with no more than that they are there, and a PUT would have to send them all."""
    keys = server_settings.changes(spec.config, reading.server.config)
    if not keys:
        return None
    body = {"config": {key: value or "" for key, value in keys.items()}}
    step = Request("PATCH", (), body=body, etag=reading.etag)
    names = sorted(keys)
    before, after = mask_secrets(reading.server.config, names), mask_secrets(keys, names)
    return Change("change", "server", host, (step,), before, after, detail=", ".join(names), host=host)


def _wipes(part: Part, pool: PoolSpec, reading: ServerReading) -> Iterator[Change]:
    """Of the device of this machine; never where the pool is there already, which the others may still lack."""
    device = reading.devices.get(pool.device(reading.here))
    if part.made_on(reading.here):
        return
    if pool.wipe and device is not None and device.holds:
        step = WipeDevice(device.path)
        before = {"holds": list(device.holds)}
        yield Change("wipe", "device", device.path, (step,), before, {"holds": []}, detail=", ".join(device.holds))


def predicted(spec: ServerSpec, reading: ServerReading) -> dict[str, Any]:
    """The server as it will be: see `view`."""
    config = {**reading.server.config, **spec.config}
    view_of = view(reading)
    view_of["config"] = mask_secrets({key: value for key, value in config.items() if value is not None})
    for part in _parts(spec, reading):
        rows = view_of[_ROWS[part.kind.path]]
        has = part.found.config if part.found else {}
        description = part.wanted.description
        row = {
            "name": part.wanted.name,
            part.kind.field: part.driver_or_type,
            "description": description if description is not None else (part.found.description if part.found else ""),
            "config": mask_secrets(merge_values(has, part.differing() if part.found else part.wanted.config)),
        }
        rows[:] = sorted([*(each for each in rows if each["name"] != part.wanted.name), row], key=_by_name)
    return view_of


_ROWS = {POOL.path: "storage_pools", NETWORK.path: "networks"}


def view(reading: ServerReading) -> dict[str, Any]:
    """The server for people: its settings without secrets, all its storage pools and managed networks."""
    server = reading.server
    return {
        "version": server.version,
        "flavour": server.flavour,
        "clustered": server.clustered,
        "members": list(reading.members),
        "config": mask_secrets(server.config),
        "storage_pools": _rows("driver", reading.pools),
        "networks": _rows("type", reading.networks),
    }


def _rows(field: str, parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {"name": part.name, field: part.kind, "description": part.description, "config": mask_secrets(part.config)}
        for part in parts.values()
        if part.managed
    ]
    return sorted(rows, key=_by_name)


def _by_name(row: Mapping[str, Any]) -> str:
    return str(row["name"])
