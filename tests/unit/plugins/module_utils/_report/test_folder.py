# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files are written and removed: only those that differ, only ours, and the time alone is no difference."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Plan, RemoveFile, WriteFile
from ansible_collections.tenantry.lxd.plugins.module_utils._report.folder import (
    LIST,
    FolderReading,
    parse_file_list,
    plan_files,
)

from tests.unit.plugins.module_utils._report.report_world import made, row, unread, vm

NOON, ONE = "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z"
ROOT = "/srv/report"


class Folder:
    """A folder on no disk."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def plan(self, wanted: Mapping[str, str], moment: str) -> Plan:
        listed = parse_file_list(self.files.get(LIST), LIST)
        return plan_files(
            ROOT, wanted, moment, FolderReading(listed, {name: self.files.get(name) for name in {*wanted, *listed}})
        )

    def carry_out(self, found: Plan, steps: int | None = None) -> list[str]:
        todo = [step for change in found.changes for step in change.steps]
        for step in todo[:steps]:
            if isinstance(step, WriteFile):
                self.files[os.path.relpath(step.path, ROOT)] = str(step.content)
            elif isinstance(step, RemoveFile):
                del self.files[os.path.relpath(step.path, ROOT)]
        return [os.path.relpath(change.name, ROOT) for change in found.changes]


def test_a_second_run_writes_nothing_whatever_the_time() -> None:
    folder, files = Folder(), made(row(vms=[vm("a")]), unread()).files
    assert set(folder.carry_out(folder.plan(files, NOON))) == set(files)
    assert "2026-11-21 12:00:00 UTC" in folder.files["index.html"]
    assert json.loads(folder.files["report.json"])["as_of"] == NOON
    assert folder.plan(files, ONE) == Plan()


def test_only_what_differs_is_written_and_says_when() -> None:
    folder = Folder()
    folder.carry_out(folder.plan(made(row("a"), row("b")).files, NOON))
    after = made(row("a", [vm("new")]), row("b")).files
    changed = folder.carry_out(folder.plan(after, ONE))
    assert set(changed) == {"index.html", "vms.html", "vms.js", "report.json", "metrics.prom", "hosts/a.html"}
    assert "13:00:00" in folder.files["hosts/a.html"] and "12:00:00" in folder.files["hosts/b.html"]
    assert folder.plan(after, ONE) == Plan()


def test_pages_of_hosts_that_are_gone_go() -> None:
    folder = Folder()
    folder.carry_out(folder.plan(made(row("a"), row("b")).files, NOON))
    folder.files["hosts/notes.html"] = folder.files["mine.txt"] = "mine"
    folder.carry_out(folder.plan(made(row("a")).files, ONE))
    assert set(folder.files) == {*made(row("a")).files, LIST, "hosts/notes.html", "mine.txt"}
    assert set(parse_file_list(folder.files[LIST], LIST)) == set(made(row("a")).files)


@pytest.mark.parametrize("steps", range(0, 18, 3))
def test_a_run_that_was_cut_short_is_finished_by_the_next(steps: int) -> None:
    folder, files = Folder(), made(row("a")).files
    folder.carry_out(folder.plan(made(row("a", [vm("x")]), row("b")).files, NOON))
    folder.carry_out(folder.plan(files, ONE), steps)
    folder.carry_out(folder.plan(files, ONE))
    assert set(folder.files) == {*files, LIST}
    assert folder.plan(files, ONE) == Plan()


def test_a_first_run_that_was_cut_short_knows_its_own_files() -> None:
    folder, files = Folder(), made(row("a")).files
    folder.carry_out(folder.plan(files, NOON), 3)
    folder.carry_out(folder.plan(files, ONE))
    assert folder.plan(files, ONE) == Plan()


def test_a_file_of_somebody_else_is_refused_before_anything_is_written() -> None:
    folder = Folder()
    folder.files["index.html"] = "my home page"
    with pytest.raises(errors.Conflict, match=r"index\.html"):
        folder.plan(made(row("a")).files, NOON)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "hosts/../../x.html", "notes.txt", "hosts/a.crt"])
def test_a_list_that_was_tampered_with_removes_nothing_of_anybody(name: str) -> None:
    assert parse_file_list(json.dumps({"files": {name: NOON, "hosts/a.html": NOON}}), LIST) == {"hosts/a.html": NOON}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}', "{}"])
def test_a_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(errors.Conflict):
        parse_file_list(text, LIST)


def test_the_overview_is_written_last_and_the_diff_has_no_pages_in_it() -> None:
    found = Folder().plan(made(row("a")).files, NOON)
    assert found.changes[-1].name == f"{ROOT}/index.html"
    assert set(found.diff()["after"]["file /srv/report/index.html"]) == {"bytes", "sha256"}
