# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The key pairs of one folder as they are on disk now, half renamed ones included, and those that options bring."""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Mapping
from typing import Any, Optional

from ..._core import errors
from ..._core.tenant_cert.pair import (
    CERTIFICATE,
    FILES,
    KEY,
    NEXT_CERTIFICATE,
    NEXT_KEY,
    OLD_CERTIFICATE,
    CertificatePair,
    Folder,
)
from ..._pki import key_pair, pem, vaulted
from ..._registry import durable

# Where any of these is set, keys come from outside and what is written goes with the job: AWX, and its credential.
_EPHEMERAL = ("LXD_CLIENT_KEY_DIR", "LXD_CLIENT_KEYS", "AWX_HOST", "AWX_PRIVATE_DATA_DIR")


@dataclasses.dataclass(frozen=True)
class ReadKeys:
    """What a folder holds."""

    folder: Optional[Folder] = None
    pair: Optional[CertificatePair] = None
    coming: Optional[CertificatePair] = None
    former: Optional[CertificatePair] = None


class KeyFiles:
    """The folder that the action plugin found, and the plain text of every vaulted key that this run may know."""

    def __init__(self, kept: Mapping[str, Any], secret: Optional[Mapping[str, str]]) -> None:
        self.path: Optional[str] = kept.get("folder")
        self._kept = kept
        self._secret = secret
        self._opened: dict[str, str] = {}
        if self.path:
            self._remember(KEY, kept.get("private_key"))
            self._remember(NEXT_KEY, kept.get("next_private_key"))

    def _remember(self, name: str, plain: Optional[str]) -> None:
        text = durable.read(os.path.join(self.path or "", name))
        if text is not None and plain is not None:
            self._opened[text] = plain

    def seal(self, plain: str) -> str:
        """A private key encrypted with the run's vault secret."""
        if not self._secret:
            raise errors.Invalid("vault_key: this run has no vault secret", "run with --vault-password-file")
        text = vaulted.encrypt(plain, self._secret["secret"].encode("utf-8"), self._secret["id"])
        self._opened[text] = plain
        return text

    def read(self) -> ReadKeys:
        """The folder as it is now; nothing where this run has none."""
        if not self.path:
            return ReadKeys()
        texts = {name: durable.read(os.path.join(self.path, name)) for name in FILES}
        folder = Folder(
            path=self.path,
            files=frozenset(name for name, text in texts.items() if text is not None),
            vaulted=vaulted.is_vaulted(texts[KEY] or ""),
            wide=texts[KEY] is not None and bool(os.stat(os.path.join(self.path, KEY)).st_mode & 0o077),
            said=bool(self._kept.get("said")),
            ephemeral=self._ends_with_the_job(),
        )
        key, source = self._key(texts[KEY]), "file"
        if texts[KEY] is None and self._kept.get("key_source") == "environment":
            key, source = self._kept.get("private_key") or "", "environment"
        coming = _coming(texts[NEXT_CERTIFICATE], self._key(texts[NEXT_KEY]), key)
        if coming is not None and texts[NEXT_KEY] is None:
            # The key's place is already the next one's: a rename more, and the certificate follows.
            key = ""
        certificate = texts[CERTIFICATE]
        pair = None if certificate is None else describe_pair(certificate, key, source)
        return ReadKeys(folder, pair, coming, _public(texts[OLD_CERTIFICATE]))

    def _ends_with_the_job(self) -> bool:
        said = self._kept.get("lasting")
        return not said if said is not None else any(os.environ.get(variable) for variable in _EPHEMERAL)

    def _key(self, text: Optional[str]) -> str:
        return self._opened.get(text, text) if text else ""


def _coming(certificate: Optional[str], next_key: str, key: str) -> Optional[CertificatePair]:
    for candidate in (next_key, key):
        if certificate and candidate:
            try:
                return describe_pair(certificate, candidate, "file")
            except errors.Invalid:
                continue
    return None


def _public(certificate: Optional[str]) -> Optional[CertificatePair]:
    try:
        return describe_pair(certificate) if certificate else None
    except errors.Invalid:
        return None


def describe_pair(certificate: str, key: str = "", source: str = "") -> CertificatePair:
    """A pair whose halves belong together, whatever its age; without cryptography a certificate's fingerprint only."""
    if not key_pair.HAS_CRYPTOGRAPHY:
        text = pem.pem_of(pem.der_of(certificate))
        return CertificatePair(text, pem.fingerprint(text), key, source if key else "")
    known = key_pair.read_certificate(certificate)
    if key:
        # At that instant the certificate is valid: what is judged here is whether the key is its own.
        key = key_pair.check_key_pair(certificate, key, known.not_after - datetime.timedelta(seconds=1)).private_key
    return CertificatePair(
        pem=known.pem,
        fingerprint=known.fingerprint,
        private_key=key,
        key_source=source if key else "",
        subject=known.subject,
        not_before=known.not_before,
        not_after=known.not_after,
        key_type=known.key_type,
    )
