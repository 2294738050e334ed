# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one translation of what goes wrong on the wire: from status codes, never from English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    403: "the server doesn't allow this to the certificate in use: it needs the admin's authority, or another project",
    412: "somebody changed it meanwhile; run again",
    503: "the server is starting or stopping; run again",
}


def error_for_status(status: int, text: object, where: str, path: Sequence[str]) -> errors.TenantryError:
    """An HTTP status and LXD's own words as an error that names the server and the thing."""
    kind = _BY_STATUS.get(status, errors.OperationFailed)
    thing = "/".join(path) or "server"
    return kind(
        f"{where}: {thing}: {str(text or '').strip() or f'HTTP {status}'}", _HINTS.get(status, ""), status=status
    )


def not_lxd_error(where: str) -> errors.TenantryError:
    """An answer that isn't LXD's: of another program, of a proxy in between, or one that leads elsewhere."""
    return errors.Unreachable(
        f"{where}: it doesn't speak LXD's API", "check the address: LXD's port is 8443, its socket is unix.socket"
    )


def no_answer_error(where: str, cause: BaseException, method: str, timeout: float) -> errors.TenantryError:
    """No whole answer: for a write that may mean that it was done, so the kind of error says so."""
    reason = " ".join(str(cause).split()) or type(cause).__name__
    if method == "GET":
        return errors.Unreachable(
            f"{where}: no answer: {reason}", f"is LXD listening there (core.https_address), within {timeout:g} s?"
        )
    return errors.AnswerLost(
        f"{where}: the answer to a {method} was lost: {reason}", "run again: what was done is kept"
    )
