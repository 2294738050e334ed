# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP failures as the collection's errors: decided by status codes, never by the text of a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._core import errors

_BY_STATUS: Mapping[int, type[errors.TenantryError]] = {
    400: errors.Invalid,
    401: errors.NotTrusted,
    403: errors.NotTrusted,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.Stale,
    501: errors.Unsupported,
    503: errors.Unreachable,
}

_HINTS: Mapping[int, str] = {
    403: "the server refuses this to the certificate in use: use an administrator's, or another project",
    412: "another client changed it meanwhile; run again",
    503: "the server is starting or stopping; run again",
}


def error_for_status(status: int, text: object, where: str, path: Sequence[str]) -> errors.TenantryError:
    """Return the error for an HTTP status, with LXD's own message; it names the server and the object."""
    kind = _BY_STATUS.get(status, errors.OperationFailed)
    thing = "/".join(path) or "server"
    return kind(
        f"{where}: {thing}: {str(text or '').strip() or f'HTTP {status}'}", _HINTS.get(status, ""), status=status
    )


def error_for_envelope(
    http_status: int, envelope: Mapping[str, Any], where: str, path: Sequence[str]
) -> errors.TenantryError:
    """Return the error for LXD's error envelope; a wait that fails comes with HTTP status 200 and an `error_code`."""
    status = http_status if http_status >= 300 else int(envelope.get("error_code") or 500)
    return error_for_status(status, envelope.get("error"), where, path)


def not_lxd_error(where: str) -> errors.TenantryError:
    """Return the error for an answer that isn't LXD's: another program, a proxy in between, or a redirect."""
    return errors.Unreachable(
        f"{where}: the answer is not LXD's", "check the address: LXD's port is 8443, its socket is unix.socket"
    )


def no_answer_error(where: str, cause: BaseException, method: str, timeout: float) -> errors.TenantryError:
    """Return the error for an answer that is missing or incomplete: AnswerLost if LXD may have done a write."""
    reason = " ".join(str(cause).split()) or type(cause).__name__
    if method == "GET":
        return errors.Unreachable(
            f"{where}: no answer: {reason}",
            f"check that LXD listens there (core.https_address); it had {timeout:g} s to answer",
        )
    return errors.AnswerLost(
        f"{where}: the answer to a {method} was lost: {reason}", "run again: what was done is kept"
    )
