# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The changes to the report's folder; files that the report didn't write are never touched."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from .._core import errors
from .._core.plan import Change, Plan, RemoveFile, Step, WriteFile
from . import as_of

# The report's own files, each with the time of its writing; any other file belongs to somebody else.
LIST = ".tenantry-report.json"
_FORM = re.compile(
    r"(index|vms)\.html|vms\.js|report\.(css|js|json)|metrics\.prom"
    r"|hosts/[A-Za-z0-9_][A-Za-z0-9._-]*\.html|certificates/[A-Za-z0-9_][A-Za-z0-9._-]*\.(crt|html)"
)


@dataclasses.dataclass(frozen=True)
class FolderReading:
    """The folder: the report's own files with their times, and the contents of files (None: no such file)."""

    own_files: Mapping[str, str]
    texts: Mapping[str, Optional[str]]


def parse_file_list(text: Optional[str], path: str) -> dict[str, str]:
    """Parse the list of the report's own files; a name that no report has is ignored, so that its file is kept."""
    if text is None:
        return {}
    try:
        files = json.loads(text)["files"]
        return {name: str(moment) for name, moment in files.items() if _FORM.fullmatch(name)}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise errors.Conflict(
            f"{path}: the file is not a list of a report's files",
            "remove the files of the folder and run again, or set another path",
        ) from None


def plan_files(path: str, wanted: Mapping[str, str], moment: str, reading: FolderReading) -> Plan:
    """Plan to write files that are new or differ, and to remove those of VM hosts that are gone."""
    _check_foreign_files(path, wanted, reading)
    changed = [name for name in sorted(wanted, key=_order) if not _is_unchanged(name, wanted[name], reading)]
    gone = [name for name in sorted(reading.own_files) if name not in wanted and reading.texts.get(name) is not None]
    if not changed and not gone:
        return Plan()
    times = {name: reading.own_files.get(name, moment) for name in wanted}
    after = {**times, **dict.fromkeys(changed, moment)}
    # The list is written first: the next run would take a file that is not in it for somebody else's.
    listing = WriteFile(
        f"{path}/{LIST}", _format_file_list({**after, **{name: reading.own_files[name] for name in gone}})
    )
    first: tuple[Step, ...] = (listing,)
    changes = []
    for name in changed:
        text = as_of.fill_in(wanted[name], moment)
        before = reading.texts.get(name)
        steps = (*first, WriteFile(f"{path}/{name}", text))
        changes.append(Change(_verb(before), "file", f"{path}/{name}", steps, _view(before), _view(text)))
        first = ()
    for name in gone:
        steps = (*first, RemoveFile(f"{path}/{name}"))
        if name == gone[-1]:
            steps += (WriteFile(f"{path}/{LIST}", _format_file_list(after)),)
        changes.append(Change("remove", "file", f"{path}/{name}", steps, _view(reading.texts.get(name)), None))
        first = ()
    return Plan(tuple(changes))


def _is_unchanged(name: str, text: str, reading: FolderReading) -> bool:
    return name in reading.own_files and reading.texts.get(name) == as_of.fill_in(text, reading.own_files[name])


def _order(name: str) -> tuple[bool, str]:
    """Sort the overview last, so that the pages it links to exist by then."""
    return name == "index.html", name


def _check_foreign_files(path: str, wanted: Mapping[str, str], reading: FolderReading) -> None:
    foreign = [name for name in sorted(wanted) if reading.texts.get(name) is not None and name not in reading.own_files]
    if foreign:
        shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise errors.Conflict(f"{path}: {shown}: this file belongs to no report", "set path to an empty folder")


def _format_file_list(files: Mapping[str, str]) -> str:
    return json.dumps({"files": dict(sorted(files.items()))}, indent=1) + "\n"


def _verb(before: Optional[str]) -> str:
    return "create" if before is None else "update"


def _view(text: Optional[str]) -> Optional[dict[str, Any]]:
    """Return a page's size and digest: a diff of whole pages would be unreadable."""
    if text is None:
        return None
    data = text.encode("utf-8")
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()[:16]}
