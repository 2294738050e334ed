# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Awaiting a machine and pinning it, as changes: the secret is there before the user data, and gone after the pin."""

from __future__ import annotations

import dataclasses
from typing import Optional

from ..errors import NotFound
from ..plan import Change, Later, Plan, Prove, RemoveFile, WriteFile
from . import first_boot
from .files import SERVER_CERTIFICATE

# The claim that the machine has shown a certificate of its own; it leaves both behind.
SHOWN = "shown"
LATER = (Later("server.certificate"), Later("server.fingerprint"))


@dataclasses.dataclass(frozen=True)
class PinReading:
    """A VM host's folder: the fingerprint that is pinned in it, and the secret. Neither: nobody has begun."""

    host: str
    folder: str
    pinned: Optional[str]
    secret: Optional[str] = dataclasses.field(default=None, repr=False)

    @property
    def secret_path(self) -> str:
        """Where the secret is or will be."""
        return f"{self.folder}/{first_boot.FILE}"


def plan_expectation(reading: PinReading, fresh: str, vaulted: bool) -> Plan:
    """The host has a secret, unless it is pinned and needs none any more."""
    if reading.pinned or reading.secret:
        return Plan()
    step = WriteFile(reading.secret_path, f"{fresh}\n", 0o600, vaulted)
    after = {"file": reading.secret_path, "vaulted": vaulted}
    return Plan((Change("write", "first-boot secret", reading.host, (step,), None, after),))


def plan_pin(reading: PinReading, shown: Optional[tuple[str, str]]) -> Plan:
    """The host's certificate is pinned, and its secret gone.

    `shown`: PEM and fingerprint of what it showed already and was proven; None: it is waited for.
    """
    gone = RemoveFile(reading.secret_path)
    before = {"file": reading.secret_path}
    if reading.pinned:
        if reading.secret is None:
            return Plan()
        return Plan((Change("remove", "first-boot secret", reading.host, (gone,), before),))
    text, fingerprint = shown or LATER
    write = WriteFile(f"{reading.folder}/{SERVER_CERTIFICATE}", text)
    # The pin first: a run that stops between the two still has what it is made from, or no longer needs it.
    steps = (write, gone) if shown else (Prove(SHOWN), write, gone)
    change = Change("pin", "server certificate", reading.host, steps, None, {"fingerprint": fingerprint})
    return Plan((change,), unverified=() if reading.secret else (no_secret_error(reading),))


def no_secret_error(reading: PinReading) -> NotFound:
    """Nothing tells this host from another."""
    return NotFound(
        f"{reading.host}: nothing is there to know it by: neither {SERVER_CERTIFICATE} nor {first_boot.FILE} is in "
        f"{reading.folder}",
        "make the secret with state: expected, and boot the machine with user data that has it",
    )
