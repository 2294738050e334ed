# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan is a value: what should change, in an order that is safe to stop anywhere, and what could not be looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Union

from .errors import TenantryError


@dataclasses.dataclass(frozen=True)
class Later:
    """A value that only LXD or a key generator can choose; an earlier step of the same plan leaves it under `name`."""

    name: str

    def __str__(self) -> str:
        return KNOWN_AFTER_APPLY


KNOWN_AFTER_APPLY = "(known after apply)"


@dataclasses.dataclass(frozen=True)
class Request:
    """One write to LXD.

    `path`: unquoted segments behind /1.0. `etag`: of the object as it was planned on; where the plan was made from a
    listing, which carries no ETags, `expect` holds the fields it was made from: the writer reads the object, compares
    them, and sends the ETag of that reading. `made`: what a POST makes, to look for when its answer was lost.
    `goal`: the instance statuses that a state change is for. `deadline`: seconds for LXD's operation. `tries`: how
    often a create that LXD itself cleaned up after may be sent. `hint`: what a person may do when LXD refuses. `takes`:
    of the project's limits, by their names without the prefix (`cpu`: cores, `memory`: bytes). `undone_with`: where a
    create has to be taken back, what else of the plan goes, by its kind and name. `lasting`: the operation that LXD
    answers with is what was asked for, such as a token, and doesn't end. `slow`: LXD may do it all before it answers,
    so that the answer has the whole deadline.
    """

    method: str
    path: tuple[str, ...]
    project: str | None = None
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = dataclasses.field(default=None, repr=False)
    etag: str | None = None
    expect: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)
    made: tuple[str, ...] = ()
    goal: tuple[str, ...] = ()
    deadline: int = 300
    tries: int = 1
    hint: str = ""
    takes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    undone_with: Mapping[str, Request] = dataclasses.field(default_factory=dict)
    lasting: bool = False
    slow: bool = False


@dataclasses.dataclass(frozen=True)
class WriteFile:
    """A file that should hold `content`, put in place by a rename; `vaulted`: encrypted with the run's vault secret."""

    path: str
    content: str | Later = dataclasses.field(repr=False)
    mode: int = 0o644
    vaulted: bool = False


@dataclasses.dataclass(frozen=True)
class MoveFile:
    """A file that takes another's place in one step."""

    path: str
    to: str


@dataclasses.dataclass(frozen=True)
class RemoveFile:
    """A file that should be gone; its folder too, once empty."""

    path: str


@dataclasses.dataclass(frozen=True)
class WipeDevice:
    """A disk or partition of this machine whose signatures should be gone, unless it is in use by then."""

    path: str


@dataclasses.dataclass(frozen=True)
class GenerateKeyPair:
    """A key pair to generate; leaves `<leaves>.certificate`, `.key`, `.der` (base64), `.fingerprint` behind."""

    leaves: str
    common_name: str
    key_type: str
    valid_for: int


@dataclasses.dataclass(frozen=True)
class Prove:
    """A claim about the server to show before the next step: `claim` names it for whoever carries the plan out."""

    claim: str
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Publish:
    """A commit on top of `tip`, pushed: paths and the ids that git has for their content, None for a path that goes."""

    content: Mapping[str, str | None]
    message: str
    tip: str


Step = Union[Request, WriteFile, MoveFile, RemoveFile, WipeDevice, GenerateKeyPair, Prove, Publish]


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference between wanted and found, and the steps that close it.

    `before` and `after` are views for people (null: not there). Changes of one `group` are carried out in order and
    fail together; groups are independent of each other. `host`: which of several VM hosts it is for.
    """

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
        """What is done, as a person would say it."""
        said = f"{self.verb} {self.kind} {self.name}"
        return f"{said}: {self.detail}" if self.detail else said


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to change, what waits for a restart, and what could not be looked at.

    `unverified` holds the reasons why a reading is missing. A real run raises the first one; check mode shows them
    all and predicts as if nothing were there, which is what an earlier task of the same play would have changed.
    `failed`: groups that are not carried out, and why, while the others go on.
    """

    changes: tuple[Change, ...] = ()
    needs_restart: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    unverified: tuple[TenantryError, ...] = ()
    failed: Mapping[str, TenantryError] = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether carrying it out would change anything."""
        return bool(self.changes)

    def diff(self) -> dict[str, Any]:
        """Before and after of everything that changes, for `--diff`."""
        return build_diff(self.changes)


def build_diff(changes: tuple[Change, ...]) -> dict[str, Any]:
    """The changes as one before and one after, keyed by kind and name; a thing changed twice shows its first and last.

    Values that come later show as such.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for change in changes:
        if change.before is None and change.after is None:
            continue
        key = f"{change.kind} {change.name}"
        if key not in after:
            before[key] = shown(change.before)
        after[key] = shown(change.after)
    return {
        "before": {key: value for key, value in before.items() if value is not None},
        "after": {key: value for key, value in after.items() if value is not None},
    }


def shown(value: Any) -> Any:
    """A view with every later value replaced by its placeholder and every container a plain one."""
    if value is None or isinstance(value, (str, int)):
        # Most are: asking whether it is a map takes ten times as long.
        return value
    if isinstance(value, Later):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): shown(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(inner) for inner in value]
    return value


def filled(value: Any, made: Mapping[str, Any]) -> Any:
    """A body with every later value replaced by what an earlier step left."""
    if isinstance(value, Later):
        return made[value.name]
    if isinstance(value, Mapping):
        return {key: filled(inner, made) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(inner, made) for inner in value]
    return value
