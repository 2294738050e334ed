# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan is a value: the changes to make, in an order in which every step may be the last, and what is unknown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Union

from .errors import TenantryError


@dataclasses.dataclass(frozen=True)
class Later:
    """A value that only LXD or a key generator can choose; an earlier step of the same plan stores it under `name`."""

    name: str

    def __str__(self) -> str:
        return KNOWN_AFTER_APPLY


KNOWN_AFTER_APPLY = "(known after apply)"


@dataclasses.dataclass(frozen=True)
class Request:
    """One write to LXD.

    - `path`: unquoted segments behind /1.0.
    - `etag`: the object's ETag when the plan was made. A listing carries no ETags: for a plan made from one, `expect`
      holds the fields that it was made from; the writer reads the object, compares them, and sends that reading's ETag.
    - `creates`: the path of what a POST creates, to look for if the answer is lost.
    - `target_statuses`: the instance statuses that a change of state leads to.
    - `deadline`: seconds that LXD's operation may take.
    - `tries`: how many times a create may be sent, if LXD failed it and cleaned up by itself.
    - `hint`: what the user can do if LXD refuses.
    - `consumes`: what it takes of the project's limits, by name without the prefix (`cpu`: cores, `memory`: bytes).
    - `rollback`: if a create has to be deleted again, the requests that delete what belongs to it, by "kind name".
    - `keeps_operation`: the operation that LXD answers with is itself the result, such as a token, and doesn't end.
    - `slow`: LXD may do all the work before it answers, so the answer gets the whole deadline."""

    method: str
    path: tuple[str, ...]
    project: str | None = None
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = dataclasses.field(default=None, repr=False)
    etag: str | None = None
    expect: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)
    creates: tuple[str, ...] = ()
    target_statuses: tuple[str, ...] = ()
    deadline: int = 300
    tries: int = 1
    hint: str = ""
    consumes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    rollback: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    keeps_operation: bool = False
    slow: bool = False


@dataclasses.dataclass(frozen=True)
class WriteFile:
    """A file to write, put in place by a rename; `vaulted`: encrypted with the vault secret of the run."""

    path: str
    content: str | Later = dataclasses.field(repr=False)
    mode: int = 0o644
    vaulted: bool = False


@dataclasses.dataclass(frozen=True)
class MoveFile:
    """A file to move over another one, in one step."""

    path: str
    to: str


@dataclasses.dataclass(frozen=True)
class RemoveFile:
    """A file to remove, and its folder too once that is empty."""

    path: str


@dataclasses.dataclass(frozen=True)
class WipeDevice:
    """A disk or partition of this machine whose signatures are to be erased, unless it is in use by then."""

    path: str


@dataclasses.dataclass(frozen=True)
class GenerateKeyPair:
    """A key pair to generate; it stores `<result_name>.certificate`, `.key`, `.der` (base64) and `.fingerprint`."""

    result_name: str
    common_name: str
    key_type: str
    valid_for: int


@dataclasses.dataclass(frozen=True)
class Prove:
    """A claim about the server to verify before the next step; `claim` names the check."""

    claim: str
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Publish:
    """A commit to push on top of `tip`: git blob ids by path, None for a path to remove."""

    content: Mapping[str, str | None]
    message: str
    tip: str


Step = Union[Request, WriteFile, MoveFile, RemoveFile, WipeDevice, GenerateKeyPair, Prove, Publish]


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference between the desired and the current state, and the steps that close it.

    `before` and `after` are views for people; None means that the object doesn't exist. The changes of one `group` are
    carried out in order and fail together; groups are independent of each other. `host`: the VM host that it is for."""

    verb: str
    kind: str
    name: str
    steps: tuple[Step, ...] = dataclasses.field(default=(), repr=False)
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    detail: str = ""
    group: str = ""
    host: str = ""

    @property
    def sentence(self) -> str:
        """The change as one line of the result `actions`: "update VM web-1: limits.memory"."""
        said = f"{self.verb} {self.kind} {self.name}"
        return f"{said}: {self.detail}" if self.detail else said


@dataclasses.dataclass(frozen=True)
class Plan:
    """The changes to make, what waits for a restart, and what could not be read.

    `unverified` holds the reasons why a reading is missing. A real run raises the first of them. Check mode shows them
    all and predicts as if the objects didn't exist, since an earlier task of the same play would have created them.
    `failed`: groups that are not carried out, with the reason; the other groups are."""

    changes: tuple[Change, ...] = ()
    needs_restart: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    unverified: tuple[TenantryError, ...] = ()
    failed: Mapping[str, TenantryError] = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.changes)

    def diff(self) -> dict[str, Any]:
        """Return before and after of everything that changes, for `--diff`."""
        return build_diff(self.changes)


def build_diff(changes: tuple[Change, ...]) -> dict[str, Any]:
    """Merge the changes into one `before` and one `after`, keyed by "kind name".

    An object that changes twice shows its first and its last state. Values that aren't known yet show as
    `(known after apply)`.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for change in changes:
        if change.before is None and change.after is None:
            continue
        key = f"{change.kind} {change.name}"
        if key not in after:
            before[key] = to_plain(change.before)
        after[key] = to_plain(change.after)
    return {
        "before": {key: value for key, value in before.items() if value is not None},
        "after": {key: value for key, value in after.items() if value is not None},
    }


def to_plain(value: Any) -> Any:
    """Return plain dicts and lists, with `(known after apply)` in place of values that aren't known yet."""
    if value is None or isinstance(value, (str, int)):
        # Most values are: an isinstance check for Mapping takes ten times as long.
        return value
    if isinstance(value, Later):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(inner) for inner in value]
    return value


def fill_in(value: Any, results: Mapping[str, Any]) -> Any:
    """Return a body with every `Later` replaced by the value that an earlier step stored."""
    if isinstance(value, Later):
        return results[value.name]
    if isinstance(value, Mapping):
        return {key: fill_in(inner, results) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill_in(inner, results) for inner in value]
    return value
