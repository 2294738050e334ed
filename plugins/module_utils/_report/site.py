# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole website, from the rows of the VM hosts to the text of every file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import as_of, commands, data, host_page, overview, prometheus, visible
from .amounts import WIDTH
from .pages import Pages
from .problems import Problem, find_problems

ASSETS = ("report.css", "report.js")
_PROBLEM_TEXTS = ("vmhost", "text", "hint", "vm")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The options of the report. `published_at`: the URL of the folder, with a slash at its end, or empty."""

    title: str
    expires_within: int
    published_at: str = ""


@dataclasses.dataclass(frozen=True)
class Site:
    """Every file by its path in the folder, with tokens in place of the time, and all problems."""

    files: Mapping[str, str]
    problems: Sequence[Problem]


def render_site(rows: Sequence[Mapping[str, Any]], settings: Settings, pages: Pages) -> Site:
    """Render the overview, a page for each VM host, the certificates, and the files for programs."""
    rows = sorted(rows, key=lambda row: str(row["vmhost"]))
    problems = {row["vmhost"]: find_problems(row, settings.expires_within) for row in rows}
    files = _choose_file_names([row["vmhost"] for row in rows])
    shown = [visible.escape_row(row) for row in rows]
    shown_problems = {
        visible.escape_text(host): [_escape_problem(each) for each in found] for host, found in problems.items()
    }
    paths = {visible.escape_text(host): file for host, file in files.items()}
    common = {
        "title": visible.escape_text(settings.title),
        "as_of": {"date": as_of.DATE, "time": as_of.TIME},
        "published_at": settings.published_at,
        "width": WIDTH,
        "expires_within": settings.expires_within,
    }
    fleet = overview.build_overview(shown, shown_problems, paths)
    made = {name: pages.read_asset(name) for name in ASSETS}
    made["vms.js"] = data.render_search_list(shown, paths)
    made["report.json"] = data.render_report(rows, problems, files, settings.title)
    made["metrics.prom"] = prometheus.render_metrics(shown, shown_problems)
    made["index.html"] = pages.render("index.html.j2", {**common, "root": "", "here": "fleet", "fleet": fleet})
    made["vms.html"] = pages.render("vms.html.j2", {**common, "root": "", "here": "vms", "fleet": fleet})
    below = {**common, "root": "../"}
    fetch = [
        commands.fetch_command(each["file"], settings.published_at) for each in fleet["hosts"] if each["certificate"]
    ]
    made["certificates/index.html"] = pages.render(
        "certificates.html.j2", {**below, "here": "certificates", "fleet": fleet, "fetch": fetch[:1]}
    )
    for raw, row in zip(rows, shown):
        file, found = paths[row["vmhost"]], shown_problems[row["vmhost"]]
        host = host_page.build_page(row, found, file, settings.published_at)
        made[f"hosts/{file}.html"] = pages.render("host.html.j2", {**below, "here": "host", "host": host})
        if raw.get("certificate") and raw["certificate"].get("pem"):
            made[f"certificates/{file}.crt"] = raw["certificate"]["pem"]
    return Site(made, [problem for found in problems.values() for problem in found])


def _choose_file_names(hosts: Sequence[str]) -> dict[str, str]:
    """Choose the file name of each VM host: its own name, or one with a number if that is taken or unsafe."""
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


def _escape_problem(problem: Problem) -> Problem:
    texts: dict[str, Any] = {key: visible.escape_text(getattr(problem, key)) for key in _PROBLEM_TEXTS}
    command = "\n".join(visible.escape_text(line) for line in problem.command.split("\n"))
    return dataclasses.replace(problem, command=command, **texts)
