# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The errors of the collection: each has a `code` that playbooks can branch on, a message and a hint.

The tree, with the codes in brackets; a class without brackets has the code of its parent:

- TenantryError
  - OperationFailed [operation_failed]: LXD tried and reported a failure
  - Invalid [invalid]: an option can't be right, whatever the server holds
  - Unreachable [unreachable]: the server gave no answer
    - AnswerLost: a write was sent and its answer never came
  - NotTrusted [not_trusted]: the server refuses the certificate, or has another certificate than the pinned one
  - NotOwned [not_owned]: the object belongs to somebody else
  - NotFound [not_found]: the object doesn't exist, or this certificate may not see it
  - Conflict [conflict]: an existing object is in the way
    - Stale: the object changed between the reading and the write; the runner plans again
      - OutcomeUnknown: a write was sent, and only a new plan can tell whether LXD did it
  - NoRoom [no_room]: the VM host, the project or the storage pool has too little left
    - RolledBack: LXD created the object although a limit was exceeded, and it was deleted again
  - Protected [protected]: the object is protected against deletion
  - Unsupported [unsupported]: this server can't do it
  - TimedOut [timeout]: it didn't happen within the time allowed
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

_Error = TypeVar("_Error", bound="TenantryError")


class TenantryError(Exception):
    """A failure for the user: `message` is "thing: what happened", `hint` says what to do about it.

    `details`: figures and names for a rescue block; they become keys of the module's result.
    """

    code = "operation_failed"

    def __init__(self, message: str, hint: str = "", **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def about(self: _Error, subject: str) -> _Error:
        """Return the same error with `subject` in front of its message: "VM web-1: …"; the details are kept."""
        error = copy.copy(self)
        error.message = f"{subject}: {self.message}"
        error.args = (error.message,)
        return error


def raise_all(problems: Sequence[TenantryError]) -> None:
    """Raise all errors as one, so that a user can fix the whole list at once; do nothing if the list is empty.

    The code, the hint and the details are those of the first error; `refused` in the details lists every error.
    """
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        raise first
    error = copy.copy(first)
    error.message = f"{len(problems)} VMs are refused: {'; '.join(each.message for each in problems)}"
    error.args = (error.message,)
    error.details = {**first.details, "refused": [str(each) for each in problems]}
    raise error


class OperationFailed(TenantryError):
    """LXD tried and reported a failure."""


class Invalid(TenantryError):
    """An option can't be right, whatever the server holds."""

    code = "invalid"


class Unreachable(TenantryError):
    """The server gave no answer: the connection was refused or reset, timed out, or the name doesn't resolve."""

    code = "unreachable"


class NotTrusted(TenantryError):
    """The server refuses the client certificate for this request, or has another certificate than the pinned one."""

    code = "not_trusted"


class NotOwned(TenantryError):
    """The object exists and carries the mark of another owner, or none."""

    code = "not_owned"


class NotFound(TenantryError):
    """The object doesn't exist, or this certificate may not see it."""

    code = "not_found"


class Conflict(TenantryError):
    """An existing object is in the way."""

    code = "conflict"


class Stale(Conflict):
    """The object changed between the reading and the write (HTTP 412); the runner reads and plans again."""


class OutcomeUnknown(Stale):
    """The write was sent and its answer was lost; only a new plan can tell whether LXD did it."""


class NoRoom(TenantryError):
    """The VM host, the project or the storage pool has less left than was asked for."""

    code = "no_room"


class RolledBack(NoRoom):
    """LXD created the object although a limit was exceeded, and it was deleted again.

    `deleted` and `remaining` name what was deleted, and what could not be: "VM web-1", "volume default/web-1-data".
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        deleted: Sequence[str] = (),
        remaining: Sequence[str] = (),
        /,
        **details: object,
    ) -> None:
        super().__init__(message, hint, **details)
        self.deleted, self.remaining = tuple(deleted), tuple(remaining)


class Protected(TenantryError):
    """The object is protected against deletion."""

    code = "protected"


class Unsupported(TenantryError):
    """This server can't do it; the hint names the API extension or the configuration key that is missing."""

    code = "unsupported"


class TimedOut(TenantryError):
    """It didn't happen within the time allowed; it may still happen."""

    code = "timeout"


class AnswerLost(Unreachable):
    """A write was sent and its answer never came; LXD may have done it, so read the object before anything else."""
