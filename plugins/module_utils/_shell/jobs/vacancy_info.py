# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of lxd_vacancy_info: what is on a server, whosever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._access.targets import Target
from ..._core import errors
from ..._core.model import Project
from ..._core.vmhost import vacancy
from ..._lxd.reader import Reader

_DEFAULT = "default"


def read_rows(to: Target, reader: Reader) -> Sequence[Mapping[str, Any]]:
    """One row; only whoever opens the socket sees all projects, and an answer about some would be worse than none."""
    if not to.local:
        raise errors.Invalid(
            f"{to.name}: over https not everything may be seen", "run it on the host, as root, with url: unix:"
        )
    pools = [pool.name for pool in reader.pools()]
    found = [_inside(reader, project, pools) for project in reader.projects()]
    members = [str(member["server_name"]) for member in reader.members()]
    inside = vacancy.find_remaining_objects(found, reader.server.clustered, members)
    return [{"vacant": not inside, "inside": inside}]


def _inside(reader: Reader, project: Project, pools: Sequence[str]) -> vacancy.ProjectContents:
    """What is the project's own: one without a feature shows what the default project has."""

    def has(feature: str) -> bool:
        return project.name == _DEFAULT or project.has_own(feature)

    name, volumes, buckets = project.name, [], []
    for pool in pools if has("storage.volumes") else ():
        volumes += [f"{pool}/{volume.name}" for volume in reader.volumes(name, pool)]
        buckets += [f"{pool}/{bucket}" for bucket in reader.buckets(name, pool)]
    instances = [instance.name for instance in reader.instances(name)]
    return vacancy.ProjectContents(name, instances, volumes, buckets, reader.images(name) if has("images") else ())
