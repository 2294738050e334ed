# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LXD's background operations: whether one is still running, how it ended, and which objects it works on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

_RUNNING = range(100, 200)
_SUCCESS = 200


@dataclasses.dataclass(frozen=True)
class Operation:
    """`GET /1.0/operations/<id>`.

    - `status_code`: 100 to 199 while it runs, 200 if it succeeded, 400 and above if it failed or was cancelled.
    - `reason`: why it failed, in LXD's words; empty if it didn't.
    - `objects`: the paths of the objects that it works on, unquoted segments behind /1.0.
    - `metadata`: what it returns, such as the output of a command or a token.
    """

    id: str
    kind: str
    status_code: int
    reason: str
    objects: tuple[tuple[str, ...], ...]
    metadata: Mapping[str, Any]

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> Operation:
        """Read LXD's JSON."""
        code, metadata = int(body["status_code"]), body.get("metadata") or {}
        reason = "" if code in _RUNNING or code == _SUCCESS else body.get("err") or body.get("status") or "failed"
        return cls(
            str(body["id"]), body.get("class") or "", code, str(reason), tuple(_read_objects(body, metadata)), metadata
        )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status_code in _RUNNING

    @property
    def has_succeeded(self) -> bool:
        """Whether it has ended and did what was asked."""
        return self.status_code == _SUCCESS

    def concerns(self, name: str) -> bool:
        """Return whether it works on an object of this name."""
        return any(path[-1] == name for path in self.objects)


def _read_objects(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of an operation's objects: under `resources`, or from LXD 6.7 on in `metadata.entity_url`."""
    # The resources of a token are null.
    urls = [url for urls in (body.get("resources") or {}).values() for url in urls or ()]
    urls += [metadata["entity_url"]] if metadata.get("entity_url") else []
    for url in urls:
        yield tuple(unquote(segment) for segment in urlsplit(str(url)).path.strip("/").split("/")[1:])
