# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Awaiting a machine that boots for the first time, and pinning the certificate that it proves to be its own."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._access import targets
from ..._access.requirements import check_cryptography
from ..._core import errors
from ..._core.plan import Plan
from ..._core.vmhost import files as vmhost_files
from ..._core.vmhost import first_boot
from ..._core.vmhost import pin as vmhost_pin
from ..._lxd import https, waiting
from ..._pki import pem, server_names
from ..._registry import entries, file_store
from ..carry_out import ExecutionContext, Outcome
from ..readers.tenant_files import KeyFiles
from .vmhost import find_row

# Seconds for one look; a host that boots either answers at once or not at all.
_GLANCE = 5.0


class _Folder:
    """What both states have in common: the host's folder, and what is in it."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._row = find_row(params)
        if self._row.get("error"):
            # Whatever can't be read isn't overwritten either.
            targets.parse_row_target(self._row, params)
        if not self._row.get("folder"):
            raise errors.Invalid(
                f"{params['name']}: the registry is on the controller, and this task runs on another machine",
                "run it on the controller (delegate_to: localhost, connection: local)",
            )
        self._found = self._read()
        self._fingerprint = self._found.pinned

    def _read(self) -> vmhost_pin.PinReading:
        name, folder, kept = self._params["name"], self._row["folder"], self._row.get("server_cert")
        secret = self._row.get("secret")
        return vmhost_pin.PinReading(
            host=name,
            folder=folder,
            pinned=pem.fingerprint(kept, f"{name}/{vmhost_files.SERVER_CERTIFICATE}") if kept else None,
            secret=first_boot.check_secret(secret, f"{name}/{first_boot.FILE}") if secret is not None else None,
        )

    def result(self, _plan: Plan, _outcome: Optional[Outcome]) -> Mapping[str, Any]:
        """Whether the host is pinned, to what, and where its secret is meanwhile."""
        return {
            "pinned": self._fingerprint is not None,
            "fingerprint": self._fingerprint,
            "secret_path": None if self._fingerprint else self._found.secret_path,
        }

    def close(self) -> None:
        """Nothing is kept open."""


class ExpectedJob(_Folder):
    """One VM host that has not booted yet: it has a secret, for its user data."""

    def plan(self) -> Plan:
        """A new secret where there is none and none is pinned."""
        planned = vmhost_pin.plan_expectation(
            self._found, secrets.token_hex(first_boot.LENGTH), self._params["vault_key"]
        )
        if planned.changes and self._row.get("key_source") == "environment":
            raise errors.Invalid(
                f"{self._found.host}: a secret that is made here would be gone with this job",
                "make user data where the registry lasts, and let this job find it there",
            )
        if not planned.changes:
            return planned
        ignored = vmhost_files.git_ignore(*file_store.FileStore(self._params["registry"]).gitignore())
        return dataclasses.replace(planned, changes=(*ignored, *planned.changes))

    def execution_context(self) -> ExecutionContext:
        """How to vault the secret."""
        return ExecutionContext(encrypt=KeyFiles({}, self._params["_vault"]).seal)


class PinnedJob(_Folder):
    """One VM host that boots, has booted, or is pinned already."""

    def plan(self) -> Plan:
        """Look once: a host that answers is judged now, in check mode too; one that doesn't is waited for later."""
        shown = None
        if not self._found.pinned:
            check_cryptography()
            self._urls = self._said_urls()
            if self._found.secret is not None:
                shown, _silence = self._look(self._found.secret)
        if shown:
            self._fingerprint = shown[1]
        return vmhost_pin.plan_pin(self._found, shown)

    def _said_urls(self) -> Sequence[str]:
        entry = self._row.get("entry")
        said = self._params.get("url") or (entries.parse(self._row["name"], entry).urls if entry else ())
        if not said:
            raise errors.Invalid(f"{self._found.host}: url: it is not set", "set url: https://host:8443")
        return [entries.normalised_url(url, f"{self._found.host}: url") for url in said]

    def _look(self, secret: str) -> tuple[Optional[tuple[str, str]], str]:
        """The certificate that is shown, proven; or None, and why there is none. Raises NotTrusted for another's."""
        silence = ""
        for url in self._urls:
            try:
                text = https.fetch_certificate(url, _GLANCE)
            except (OSError, ValueError) as cause:
                silence = silence or f"{url}: {getattr(cause, 'strerror', None) or cause}"
                continue
            return self._proven(url, text, secret), ""
        return None, silence

    def _proven(self, url: str, text: str, secret: str) -> tuple[str, str]:
        shown = pem.pem_of(pem.der_of(text, url))
        key, names = server_names.key_and_uris(shown, url)
        if not first_boot.is_proven(secret, key, names):
            seen = pem.fingerprint(shown)
            raise errors.NotTrusted(
                f"{self._found.host}: what answers at {url} is not the machine that booted with its user data: its "
                f"certificate {seen} lacks the proof",
                "does the machine still run what it had before? Boot it with the user data made last, and run again; "
                "else is the address another machine's, or somebody between",
                fingerprint=seen,
            )
        return shown, pem.fingerprint(shown)

    def _await(self, _about: Mapping[str, Any], made: dict[str, Any]) -> None:
        """Until the host shows itself, or the time is over."""
        patience, silence = self._params["wait_timeout"], ""
        for _round in waiting.rounds(time.monotonic() + patience):
            shown, silence = self._look(str(self._found.secret))
            if shown:
                made["server.certificate"], made["server.fingerprint"] = shown
                self._fingerprint = shown[1]
                return
        raise errors.TimedOut(
            f"{self._found.host}: the machine doesn't answer after {patience} s: {silence}",
            "boot it with its user data, and run again; its progress is in /var/log/cloud-init-output.log there, and "
            "on its console",
        )

    def execution_context(self) -> ExecutionContext:
        """How the host is waited for."""
        return ExecutionContext(claims={vmhost_pin.SHOWN: self._await})
