# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong, as one tree: every error has a code to branch on, a message and a hint."""

from __future__ import annotations

from collections.abc import Sequence


class TenantryError(Exception):
    """*thing: what happened* as message, what to do as hint, and figures a rescue block may want as details."""

    code = "operation_failed"

    def __init__(self, message: str, hint: str = "", **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def raise_all(refused: Sequence[TenantryError]) -> None:
    """Every refusal at once, so that a list is put right in one go; quiet where there is none."""
    if not refused:
        return
    first = refused[0]
    if len(refused) == 1:
        raise first
    said = "; ".join(error.message for error in refused)
    raise type(first)(f"{len(refused)} VMs are refused: {said}", first.hint, refused=[str(error) for error in refused])


class OperationFailed(TenantryError):
    """LXD tried and said no."""


class Invalid(TenantryError):
    """The input can't be right, whatever the server holds."""

    code = "invalid"


class Unreachable(TenantryError):
    """No answer from the server: refused, reset, silent or not to be found."""

    code = "unreachable"


class NotTrusted(TenantryError):
    """One side refuses the other: our certificate isn't trusted (for this), or theirs isn't the pinned one."""

    code = "not_trusted"


class NotOwned(TenantryError):
    """It exists and isn't ours."""

    code = "not_owned"


class NotFound(TenantryError):
    """It doesn't exist, or may not be seen."""

    code = "not_found"


class Conflict(TenantryError):
    """It exists and stands in the way."""

    code = "conflict"


class Stale(Conflict):
    """It changed between our reading and our writing (HTTP 412): read and plan again."""


class OutcomeUnknown(Stale):
    """It was sent, its answer was lost, and whether it was done is for a new plan to see."""


class NoRoom(TenantryError):
    """The host, the project or the pool has less free than was asked for."""

    code = "no_room"


class RolledBack(NoRoom):
    """It was made, there was no room after all, and it was undone: `gone` is what went, `left` what couldn't."""

    def __init__(
        self, message: str, hint: str = "", gone: Sequence[str] = (), left: Sequence[str] = (), /, **details: object
    ) -> None:
        super().__init__(message, hint, **details)
        self.gone, self.left = tuple(gone), tuple(left)


class Protected(TenantryError):
    """It was marked against deletion."""

    code = "protected"


class Unsupported(TenantryError):
    """This server can't do it; the hint names the API extension or the key."""

    code = "unsupported"


class TimedOut(TenantryError):
    """It didn't happen in the time allowed; it may still."""

    code = "timeout"


class AnswerLost(Unreachable):
    """A write was sent and its answer never came: it may have been done, so look before anything else."""
