# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the files that the report should have to what changes in its folder; what isn't ours there is never touched."""

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

# The files that we made and the moment of each; what is not in it is somebody else's.
LIST = ".tenantry-report.json"
_FORM = re.compile(
    r"(index|vms)\.html|vms\.js|report\.(css|js|json)|metrics\.prom"
    r"|hosts/[A-Za-z0-9_][A-Za-z0-9._-]*\.html|certificates/[A-Za-z0-9_][A-Za-z0-9._-]*\.(crt|html)"
)


@dataclasses.dataclass(frozen=True)
class Found:
    """The folder: our files with their moments, and what files hold (None: there is none of that name)."""

    made: Mapping[str, str]
    texts: Mapping[str, Optional[str]]


def made_by_us(text: Optional[str], path: str) -> dict[str, str]:
    """What the list of files says; a name in it that no file of ours has is nobody's leave to remove that file."""
    if text is None:
        return {}
    try:
        files = json.loads(text)["files"]
        return {name: str(moment) for name, moment in files.items() if _FORM.fullmatch(name)}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise errors.Conflict(
            f"{path}: it is no list of a report's files", "remove the folder's files and run again, or say another path"
        ) from None


def plan(path: str, wanted: Mapping[str, str], moment: str, found: Found) -> Plan:
    """Write what is new or other, remove what has no host any more."""
    _refuse_foreign(path, wanted, found)
    other = [name for name in sorted(wanted, key=_order) if not _same(name, wanted[name], found)]
    gone = [name for name in sorted(found.made) if name not in wanted and found.texts.get(name) is not None]
    if not other and not gone:
        return Plan()
    kept = {name: found.made.get(name, moment) for name in wanted}
    after = {**kept, **dict.fromkeys(other, moment)}
    # Before any of them: what is written and not listed would be somebody else's at the next run.
    listing = WriteFile(f"{path}/{LIST}", _listed({**after, **{name: found.made[name] for name in gone}}))
    first: tuple[Step, ...] = (listing,)
    changes = []
    for name in other:
        text = as_of.filled(wanted[name], moment)
        before = found.texts.get(name)
        steps = (*first, WriteFile(f"{path}/{name}", text))
        changes.append(Change(_verb(before), "file", f"{path}/{name}", steps, _view(before), _view(text)))
        first = ()
    for name in gone:
        steps = (*first, RemoveFile(f"{path}/{name}"))
        if name == gone[-1]:
            steps += (WriteFile(f"{path}/{LIST}", _listed(after)),)
        changes.append(Change("remove", "file", f"{path}/{name}", steps, _view(found.texts.get(name)), None))
        first = ()
    return Plan(tuple(changes))


def _same(name: str, text: str, found: Found) -> bool:
    return name in found.made and found.texts.get(name) == as_of.filled(text, found.made[name])


def _order(name: str) -> tuple[bool, str]:
    """The overview last: what it leads to is there by then."""
    return name == "index.html", name


def _refuse_foreign(path: str, wanted: Mapping[str, str], found: Found) -> None:
    foreign = [name for name in sorted(wanted) if found.texts.get(name) is not None and name not in found.made]
    if foreign:
        shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise errors.Conflict(f"{path}: {shown}: there already, and not of a report", "say the path of an empty folder")


def _listed(files: Mapping[str, str]) -> str:
    return json.dumps({"files": dict(sorted(files.items()))}, indent=1) + "\n"


def _verb(before: Optional[str]) -> str:
    return "create" if before is None else "update"


def _view(text: Optional[str]) -> Optional[dict[str, Any]]:
    """A page's size and digest: the pages themselves would be a difference that nobody reads."""
    if text is None:
        return None
    data = text.encode("utf-8")
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()[:16]}
