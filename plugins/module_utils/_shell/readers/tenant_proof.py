# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Showing that a certificate does what it should and nothing else: by reading alone, no write is ever tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from ..._core import errors
from ..._core.model import Project
from ..._lxd.port import Port
from ..._lxd.reader import Reader

_DEFAULT = "default"


def check_confined(port: Port, projects: Optional[frozenset[str]], restricted: bool) -> Sequence[Project]:
    """The projects that this connection reads; raises NotTrusted where it reads too few, and Conflict where too much.

    An unrestricted certificate is an admin's: for it there is nothing to be refused.
    """
    check_trusted(port)
    seen = Reader(port).projects()
    names = {project.name for project in seen}
    wanted = names if projects is None else projects
    if wanted - names:
        raise errors.NotTrusted(
            f"proof: the certificate is trusted, but can't read project {', '.join(sorted(wanted - names))}",
            "is the project there?",
        )
    if not restricted:
        return [project for project in seen if project.name in wanted]
    if names - wanted:
        raise errors.Conflict(f"proof: the certificate also reads project {', '.join(sorted(names - wanted))}", _OPEN)
    _refused_elsewhere(port, wanted)
    return seen


_OPEN = "ask the server's admin who changed it; nothing was written by this proof"


def check_trusted(port: Port) -> None:
    """The server answers to this certificate as to one it knows."""
    if not port.server.trusted:
        raise errors.NotTrusted(
            "proof: the server doesn't trust the certificate that was just added to its trust store",
            "is the server's clock right? a certificate from its future is refused",
        )


def _refused_elsewhere(port: Port, projects: frozenset[str] | set[str]) -> None:
    if _DEFAULT in projects:
        # Then an unscoped request is one for its own project; all-projects listings show no more than its own (5.0.2).
        return
    questions: Mapping[str, tuple[Optional[str], Mapping[str, str]]] = {
        "the instances of project default": (_DEFAULT, {}),
        "instances without naming a project": (None, {}),
        "the instances of all projects": (None, {"all-projects": "true"}),
    }
    for what, (project, params) in questions.items():
        try:
            port.call("GET", ("instances",), project=project, params=params)
        except (errors.NotTrusted, errors.NotFound, errors.Invalid):
            # 403; newer servers hide what one may not see, or refuse the listing as such.
            continue
        raise errors.Conflict(f"proof: the certificate is answered when it asks for {what}", _OPEN)
