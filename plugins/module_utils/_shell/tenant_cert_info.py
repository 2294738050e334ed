# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of lxd_tenant_cert_info: what a certificate's file says, and what the server says of it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .._access.targets import Target
from .._core import errors
from .._core.tenant_pair import Pair, facts
from .._core.trust_command import revoke_command
from .._lxd.reader import Reader
from .._registry import file_store
from .tenant_files import described


def on_disk(row: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What is known without the server; nothing where there is no certificate, or none that can be read."""
    certificate = params.get("client_cert") or row.get("certificate")
    if not certificate:
        return {}
    try:
        pair = described(certificate)
    except errors.TenantryError:
        return {}
    return {
        **_facts(pair, row.get("folder") or ""),
        "name": None,
        "trusted": None,
        "restricted": None,
        "projects": [],
        "orphaned": [],
    }


def _facts(pair: Pair, folder: str) -> dict[str, Any]:
    def there(name: str) -> str | None:
        path = os.path.join(folder, name)
        return path if folder and os.path.exists(path) else None

    return {
        **facts(pair, datetime.datetime.now(datetime.timezone.utc)),
        "path": there(file_store.CERTIFICATE_FILE),
        "private_key_path": there(file_store.KEY_FILE),
    }


def look(to: Target, reader: Reader) -> Sequence[Mapping[str, Any]]:
    """One row: the certificate that this connection was made with, and its trust entry."""
    pairs = [described(c.certificate) for c in (to.connection, to.spare) if c is not None and c.certificate]
    if not pairs:
        raise errors.Invalid(f"{to.name}: no certificate is said to look at", "say vmhost, or client_cert")
    entries = reader.trust_entries()
    trusted = {entry.fingerprint: entry for entry in entries}
    pair = next((pair for pair in pairs if pair.fingerprint in trusted), pairs[0])
    entry = trusted.get(str(pair.fingerprint))
    ours = {each.fingerprint for each in pairs}
    same_name = [e for e in entries if entry and e.name == entry.name and e.fingerprint not in ours]
    return [
        {
            **_facts(pair, to.folder or ""),
            "name": entry.name if entry else None,
            "trusted": entry is not None,
            "restricted": entry.restricted if entry else None,
            "projects": sorted(entry.projects) if entry else [],
            "orphaned": [
                {
                    "name": other.name,
                    "fingerprint": other.fingerprint,
                    "command": revoke_command(other.fingerprint, reader.server.flavour),
                }
                for other in sorted(same_name, key=lambda each: each.fingerprint)
            ],
        }
    ]
