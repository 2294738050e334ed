# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading many VM hosts side by side: each is opened, read and closed, and one that fails delays and hides no other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, Union

from .._core import errors
from .._core.vm import view
from .._core.vmhost import view as vmhost_view
from .._lxd.reader import Reader
from . import targets
from .descriptors import raise_open_file_limit

# Reading is waiting, so that many more than the cores go at once: a silent one keeps its place for a whole timeout. But
# all that go at once open TLS in the same moment, and the last of more would wait longer than a connection may take.
_AT_ONCE = 128

Found = TypeVar("Found")
Look = Callable[[targets.Target, Reader], Found]
Row = Mapping[str, Any]


def read_targets(
    rows: Sequence[Row], said: Mapping[str, Any], look: Look[Found]
) -> list[Union[Found, errors.TenantryError]]:
    """What `look` finds on the host of each row of the registry, in their order; in the place of a failure, why.

    An empty row is the host that `said`, the connection options, names by itself.
    """

    def one(row: Row) -> Union[Found, errors.TenantryError]:
        try:
            to = targets.parse_row_target(row, said) if row else targets.parse_target(said)
            with contextlib.closing(targets.open_trusted(to)) as port:
                return look(to, Reader(port))
        except errors.TenantryError as error:
            return error

    together = min(_AT_ONCE, max(1, len(rows)))
    raise_open_file_limit(together)
    with ThreadPoolExecutor(max_workers=together) as workers:
        return list(workers.map(one, rows))


def read_vm_rows(to: targets.Target, reader: Reader, addresses: bool) -> list[dict[str, Any]]:
    """The instances of the tracked project for people, by one request; a copy that LXD is moving is none of them."""
    project = get_tracked_project(to)
    found = reader.instances(project, state=addresses)
    return [view.build_vm_row(each, to.name, project, to.owner) for each in found if not each.is_move_copy]


def read_vmhost_rows(to: targets.Target, reader: Reader, addresses: bool) -> dict[str, Any]:
    """The server and the instances of the tracked project: two requests, and in a cluster a third for its members."""
    return {
        "vms": read_vm_rows(to, reader, addresses),
        "server": vmhost_view.build_server_view(reader.server, reader.members()),
    }


def get_tracked_project(to: targets.Target) -> str:
    """The tracked project, which every tenant's request names."""
    if not to.project:
        raise errors.Invalid(f"{to.name}: no project is set", "set project, or register the VM host")
    return to.project
