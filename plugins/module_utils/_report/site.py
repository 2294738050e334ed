# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole site, from rows to the text of every file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import as_of, commands, data, host_page, overview, prometheus, visible
from .amounts import WIDTH
from .pages import Pages
from .problems import Problem, of_vmhost

ASSETS = ("report.css", "report.js")
_PROBLEM_TEXTS = ("vmhost", "text", "hint", "vm")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a task says of the report. `published_at`: the address of the folder, with a slash at its end, or empty."""

    title: str
    expires_within: int
    published_at: str = ""


@dataclasses.dataclass(frozen=True)
class Site:
    """Every file by its path in the folder, tokens in the place of the moment, and what is wrong."""

    files: Mapping[str, str]
    problems: Sequence[Problem]


def site(rows: Sequence[Mapping[str, Any]], settings: Settings, pages: Pages) -> Site:
    """A page for the fleet and one for each host, the certificates, and the same for programs."""
    rows = sorted(rows, key=lambda row: str(row["vmhost"]))
    problems = {row["vmhost"]: of_vmhost(row, settings.expires_within) for row in rows}
    files = _names([row["vmhost"] for row in rows])
    shown = [visible.deep(row) for row in rows]
    told = {visible.text(host): [_shown(each) for each in found] for host, found in problems.items()}
    paths = {visible.text(host): file for host, file in files.items()}
    common = {
        "title": visible.text(settings.title),
        "as_of": {"date": as_of.DATE, "time": as_of.TIME},
        "published_at": settings.published_at,
        "width": WIDTH,
        "expires_within": settings.expires_within,
    }
    fleet = overview.model(shown, told, paths)
    made = {name: pages.asset(name) for name in ASSETS}
    made["vms.js"] = data.search(shown, paths)
    made["report.json"] = data.report(rows, problems, files, settings.title)
    made["metrics.prom"] = prometheus.text(shown, told)
    made["index.html"] = pages.page("index.html.j2", {**common, "root": "", "here": "fleet", "fleet": fleet})
    made["vms.html"] = pages.page("vms.html.j2", {**common, "root": "", "here": "vms", "fleet": fleet})
    below = {**common, "root": "../"}
    fetch = [commands.of_file(each["file"], settings.published_at) for each in fleet["hosts"] if each["certificate"]]
    made["certificates/index.html"] = pages.page(
        "certificates.html.j2", {**below, "here": "certificates", "fleet": fleet, "fetch": fetch[:1]}
    )
    for raw, row in zip(rows, shown):
        file, found = paths[row["vmhost"]], told[row["vmhost"]]
        host = host_page.model(row, found, file, settings.published_at)
        made[f"hosts/{file}.html"] = pages.page("host.html.j2", {**below, "here": "host", "host": host})
        if raw.get("certificate") and raw["certificate"].get("pem"):
            made[f"certificates/{file}.crt"] = raw["certificate"]["pem"]
    return Site(made, [problem for found in problems.values() for problem in found])


def _names(hosts: Sequence[str]) -> dict[str, str]:
    """The name of each host's files; two hosts never share one, and numbers are for those whose own name is taken."""
    found: dict[str, str] = {}
    taken = {"index"}
    for host in hosts:
        if host_page.slug(host) == host and host.lower() not in taken:
            taken.add(host.lower())
            found[host] = host
    for host in hosts:
        if host in found:
            continue
        name = wanted = host_page.slug(host)
        number = 2
        while name.lower() in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name.lower())
        found[host] = name
    return found


def _shown(problem: Problem) -> Problem:
    texts: dict[str, Any] = {key: visible.text(getattr(problem, key)) for key in _PROBLEM_TEXTS}
    command = "\n".join(visible.text(line) for line in problem.command.split("\n"))
    return dataclasses.replace(problem, command=command, **texts)
