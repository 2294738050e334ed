# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of lxd_tenant_cert_info: what a certificate's file says, and what the server says of it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..._access.targets import Target
from ..._core import errors
from ..._core.tenant_cert.orphans import build_orphan_view, find_orphans
from ..._core.tenant_cert.pair import CertificatePair, build_certificate_facts
from ..._lxd.reader import Reader
from ..._pki.subject import owner_of
from ..._registry import file_store
from ..info import ReadHost
from ..readers.tenant_files import describe_pair

_FACTS = (
    *("fingerprint", "subject", "not_before", "not_after", "days_left", "key_type", "pem"),
    *("path", "private_key_path"),
)


def build_registry_row(row: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What is known without the server; nothing where there is no certificate, or none that can be read."""
    certificate = params.get("client_cert") or row.get("certificate")
    if not certificate:
        return {}
    try:
        pair = describe_pair(certificate)
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


def _facts(pair: CertificatePair, folder: str) -> dict[str, Any]:
    def there(name: str) -> str | None:
        path = os.path.join(folder, name)
        return path if folder and os.path.exists(path) else None

    return {
        **build_certificate_facts(pair, datetime.datetime.now(datetime.timezone.utc)),
        "path": there(file_store.CERTIFICATE_FILE),
        "private_key_path": there(file_store.KEY_FILE),
    }


def looking(params: Mapping[str, Any]) -> ReadHost:
    """The reader of one host's row, which knows what certificates the whole registry uses."""
    used = frozenset(params.get("_known") or ())

    def look(to: Target, reader: Reader) -> Sequence[Mapping[str, Any]]:
        return [_row(to, reader, used)]

    return look


def _row(to: Target, reader: Reader, used: frozenset[str]) -> Mapping[str, Any]:
    """The certificate that this connection was made with, its trust entry, and entries that nobody uses."""
    pairs = [describe_pair(c.certificate) for c in (to.connection, to.spare) if c is not None and c.certificate]
    if not pairs and not (to.local and to.owner):
        raise errors.Invalid(f"{to.name}: no certificate is set", "set vmhost or client_cert")
    entries = reader.trust_entries()
    trusted = {entry.fingerprint: entry for entry in entries}
    pair = next((pair for pair in pairs if pair.fingerprint in trusted), pairs[0] if pairs else None)
    entry = trusted.get(str(pair.fingerprint)) if pair else None
    if to.entry is not None or not to.local:
        # Of a host that isn't registered any more, nothing is in use.
        used |= {str(each.fingerprint) for each in pairs}
    orphans = find_orphans(entries, used, to.owner, entry.name if entry else to.name, owner_of)
    return {
        **(_facts(pair, to.folder or "") if pair else dict.fromkeys(_FACTS)),
        "name": entry.name if entry else None,
        "trusted": entry is not None,
        "restricted": entry.restricted if entry else None,
        "projects": sorted(entry.projects) if entry else [],
        "orphaned": [build_orphan_view(other, because, reader.server.flavour) for other, because in orphans],
    }
