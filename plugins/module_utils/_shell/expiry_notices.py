# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A warning for each certificate of a run that ends soon, for every module from one place."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from .._core import errors
from .._core.tenant_cert import expiry
from .._pki import key_pair


def find_expiry_warnings(params: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each VM host of the task whose certificate ends within `warn_within` days."""
    if not key_pair.HAS_CRYPTOGRAPHY or any(url.startswith("unix:") for url in params.get("url") or ()):
        # Whoever opens the socket uses no certificate.
        return
    if "rotate" in params:
        # That module may have put another in its place by the end, and speaks of it itself.
        return
    now = datetime.datetime.now(datetime.timezone.utc)
    for name, certificate in _find_certificates(params):
        try:
            not_after = key_pair.read_certificate(certificate).not_after
        except errors.Invalid:
            # Whoever connects with it says what is wrong with it.
            continue
        said = expiry.warning(name, not_after, now, params["warn_within"])
        if said:
            yield said


def _find_certificates(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    said = params.get("client_cert")
    rows = params.get("_connections") or ()
    if said:
        yield params.get("vmhost") or (params.get("url") or ["client_cert"])[0], said
    for row in () if said else rows:
        if row.get("certificate"):
            yield row["name"], row["certificate"]
