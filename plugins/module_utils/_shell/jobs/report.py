# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a fleet: read, lay out, and put in place what differs from what is there."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from typing import Any, Optional

from ..._core import errors
from ..._core.plan import Plan
from ..._registry import durable
from ..._report import as_of, folder
from ..._report.pages import Pages
from ..._report.problems import SEVERITIES
from ..._report.site import Settings, Site, render_site
from ..carry_out import ExecutionContext, Outcome
from ..readers import report as report_reading

# Beside the registry, as the registry is beside the inventory.
_FOLDER = "report"


class Job:
    """One run of lxd_report."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._path = params["path"] or os.path.join(os.path.dirname(params["registry"]), _FOLDER)
        self._rows: list[Mapping[str, Any]] = []
        self._site: Optional[Site] = None
        if params["expires_within"] < 0:
            raise errors.Invalid(f"expires_within: {params['expires_within']} is no number of days", "set 0 or more")

    def plan(self) -> Plan:
        """Read every VM host, and compare the pages with those in the folder."""
        self._rows = report_reading.read_rows(self._params)
        if not self._rows:
            raise errors.NotFound(
                f"registry {self._params['registry']}: it has no VM host to report on",
                "register one with tenantry.lxd.lxd_vmhost, or check the registry option",
            )
        params = self._params
        published = params["published_at"] or ""
        settings = Settings(params["title"], params["expires_within"], published and f"{published.rstrip('/')}/")
        self._site = render_site(self._rows, settings, Pages(params["templates"]))
        moment = as_of.format_time(datetime.datetime.now(datetime.timezone.utc))
        return folder.plan_files(self._path, self._site.files, moment, self._read_folder(self._site.files))

    def _read_folder(self, files: Mapping[str, str]) -> folder.FolderReading:
        listing = os.path.join(self._path, folder.LIST)
        made = folder.parse_file_list(durable.read(listing), listing)
        names = sorted({*files, *made})
        return folder.FolderReading(made, {name: durable.read(os.path.join(self._path, name)) for name in names})

    def execution_context(self) -> ExecutionContext:
        """Return an empty context: the plan writes files only."""
        return ExecutionContext()

    def result(self, _plan: Plan, _outcome: Outcome | None) -> Mapping[str, Any]:
        """Return a summary of the report."""
        problems = self._site.problems if self._site else ()
        return {
            "report": {
                "path": self._path,
                "index": os.path.join(self._path, "index.html"),
                "files": len(self._site.files) if self._site else 0,
                "vmhosts": len(self._rows),
                "unread": sorted(str(row["vmhost"]) for row in self._rows if "error" in row),
                "vms": sum(len(row.get("vms") or ()) for row in self._rows),
                "problems": {kind: sum(each.severity == kind for each in problems) for kind in SEVERITIES},
            }
        }

    def close(self) -> None:
        """Do nothing: each connection was closed after its VM host was read."""
