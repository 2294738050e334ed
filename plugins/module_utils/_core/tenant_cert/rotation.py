# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rotation: another pair takes the present one's place, side by side for a while or in one step, and none is lost.

Overlapping wants somebody who may add a trust entry. Alone, a tenant may only swap: LXD lets the holder of a restricted
certificate replace that certificate and nothing else, and refuses the old one from that moment on.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Optional

from .. import errors
from ..plan import Change, RemoveFile, Request
from . import files as pair_files
from . import trust
from .commands import revoke_command
from .pair import OLD_CERTIFICATE, CertificatePair, Folder, TenantCertSpec, TrustReading, shorten_fingerprint

OVERLAP = "overlap"
SWAP = "swap"


@dataclasses.dataclass(frozen=True)
class RotationPlan:
    """One rotation: which way and why, from which pair to which, by what changes, and the new one's entry then.

    `missing`: what an earlier task of the same play would have done before it.
    """

    way: str
    because: str
    old: CertificatePair
    new: CertificatePair
    changes: tuple[Change, ...]
    entry: Optional[Mapping[str, Any]]
    missing: tuple[errors.TenantryError, ...] = ()

    @property
    def view(self) -> dict[str, Any]:
        """The result `rotation`."""
        return {
            "way": self.way,
            "because": self.because,
            "old_fingerprint": self.old.fingerprint,
            "new_fingerprint": self.new.fingerprint,
        }


def due(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> str:
    """Why the pair has to be replaced; empty when it hasn't."""
    if spec.rotate == "now":
        # A pair that was brought to replace the folder's has done so.
        done = reading.folder is not None and reading.brought is not None
        return "" if done and reading.brought and reading.brought.fingerprint == pair.fingerprint else "rotate: now"
    days = pair.days_left(reading.now)
    if spec.rotate == "expiring" and days is not None and days < spec.renew_within:
        return f"the certificate has {days} days left"
    return ""


def resume_rotation(spec: TenantCertSpec, reading: TrustReading) -> Optional[RotationPlan]:
    """The rest of a rotation that was interrupted after the server had learned of the new certificate."""
    old, new, folder = reading.pair, reading.coming, reading.folder
    if old is None or new is None or folder is None or new.fingerprint not in reading.trusted:
        return None
    overlap = old.fingerprint in reading.trusted
    place = pair_files.plan_new_pair(spec, folder, new, old if overlap else None)
    changes, entry = trust.plan_trust(spec, reading, new)
    proof = [] if changes else [trust.plan_proof(spec, new)]
    because = "an earlier run was cut short after the server had the new certificate"
    return RotationPlan(OVERLAP if overlap else SWAP, because, old, new, (*changes, place, *proof), entry)


def begun(spec: TenantCertSpec, reading: TrustReading) -> Optional[RotationPlan]:
    """A rotation that is due, in the way that is open to this run; None where it isn't due or nobody may."""
    old = reading.pair
    reason = due(spec, reading, old) if old is not None else ""
    if old is None or not reason:
        return None
    folder = _folder(spec, reading, old)
    new, down = following(spec, reading, folder)
    adds = reading.may_change_trust or reading.joins_by
    if spec.rotate_way == SWAP and adds:
        raise errors.Invalid(
            "rotate_way: a swap is what the tenant does alone", "leave out client_cert and the trust token"
        )
    if adds or new.fingerprint in reading.trusted:
        return _overlapping(
            spec, reading, folder, RotationPlan(OVERLAP, f"{reason}; {_who(reading)}", old, new, down, None)
        )
    if spec.rotate_way == OVERLAP:
        return _plan_waiting(spec, reading, folder, RotationPlan(OVERLAP, f"{reason}; {_BESIDE}", old, new, down, None))
    if old.fingerprint in reading.trusted:
        because = f"{reason}; only the tenant itself is here, and it may only replace its certificate"
        return _swap(spec, reading, folder, RotationPlan(SWAP, because, old, new, down, None))
    return None


_BESIDE = "the admin's part trusts the new certificate beside the old one"


def _who(reading: TrustReading) -> str:
    if reading.may_change_trust:
        return "an admin's connection adds the new certificate beside the old one"
    if reading.joins_by:
        return f"the trust {reading.joins_by} adds the new certificate beside the old one"
    return "the server trusts the new certificate already"


def _folder(spec: TenantCertSpec, reading: TrustReading, old: CertificatePair) -> Folder:
    folder = pair_files.find_lasting_folder(reading)
    if old.key_source in ("environment", "option") and not folder.said:
        raise errors.Invalid(
            f"rotate: the private key came from {_SOURCES[old.key_source]}, and a new one would be lost with this job",
            "set directory to a place that lasts, or rotate where the registry is kept and update the credential",
        )
    if folder.vaulted and not spec.vault_key:
        raise errors.Invalid("rotate: the private key is vaulted, and the new one would not be", "set vault_key: true")
    return folder


_SOURCES = {"environment": "the environment", "option": "an option"}


def following(
    spec: TenantCertSpec, reading: TrustReading, folder: Folder
) -> tuple[CertificatePair, tuple[Change, ...]]:
    """The pair to change to: brought, put down by an earlier run, or new; and what puts it down."""
    brought, coming = reading.brought, reading.coming
    if brought is not None:
        if not brought.private_key:
            raise errors.Invalid("rotate: the new certificate has no private key", "set private_key too")
        if coming is None or coming.fingerprint != brought.fingerprint:
            return brought, (pair_files.put_down(spec, folder, brought),)
        return brought, ()
    if coming is not None and serves(spec, reading, coming):
        return coming, ()
    new = CertificatePair.to_be_made(spec.key_type)
    return new, (pair_files.put_down(spec, folder, new),)


def put_down(
    spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair
) -> tuple[Optional[CertificatePair], tuple[Change, ...]]:
    """The next pair on disk before any server learns of it: what is due, or what a run that was interrupted
    left there.
    """
    coming = reading.coming
    under_way = coming is not None and coming.fingerprint != pair.fingerprint and serves(spec, reading, coming)
    if spec.rotate == "never" or not (under_way or due(spec, reading, pair)):
        return None, ()
    return following(spec, reading, _folder(spec, reading, pair))


def serves(spec: TenantCertSpec, reading: TrustReading, coming: CertificatePair) -> bool:
    """Whether a pair that was put down is still worth being trusted."""
    days = coming.days_left(reading.now)
    started = isinstance(coming.not_before, datetime.datetime) and coming.not_before <= reading.now
    return bool(coming.private_key) and started and days is not None and days >= spec.renew_within


def _overlapping(spec: TenantCertSpec, reading: TrustReading, folder: Folder, turn: RotationPlan) -> RotationPlan:
    changes, entry = trust.plan_trust(spec, reading, turn.new)
    if not changes:
        changes = [trust.plan_proof(spec, turn.new)]
    known = turn.old.fingerprint in reading.trusted or reading.entry(turn.old) is not None
    place = pair_files.plan_new_pair(spec, folder, turn.new, turn.old if known else None, put=bool(turn.changes))
    before = reading.former if reading.former and reading.former.fingerprint != turn.old.fingerprint else None
    earlier = plan_retirement(reading, before, folder, keep_file=True) if before else []
    last = plan_retirement(reading, turn.old, folder) if spec.retire and known else []
    return dataclasses.replace(turn, changes=(*turn.changes, *changes, *earlier, place, *last), entry=entry)


def _plan_waiting(spec: TenantCertSpec, reading: TrustReading, folder: Folder, turn: RotationPlan) -> RotationPlan:
    """What is left to do once the admin's part, a task of its own, has had the new certificate trusted."""
    if turn.changes:
        missing: errors.TenantryError = errors.NotFound(
            f"certificate {spec.name}: the next pair isn't there yet", "state: generated with rotate puts it down"
        )
    else:
        missing = trust.not_trusted_error(spec, reading, str(turn.new.pem))
    place = pair_files.plan_new_pair(spec, folder, turn.new, turn.old, put=True)
    view = {"name": spec.name, "restricted": spec.restricted, "projects": sorted(spec.projects or ())}
    changes = (place, trust.plan_proof(spec, turn.new))
    return dataclasses.replace(turn, changes=changes, entry=view, missing=(missing,))


def _swap(spec: TenantCertSpec, reading: TrustReading, folder: Folder, turn: RotationPlan) -> RotationPlan:
    entry = reading.entry(turn.old)
    if entry is None:
        raise errors.Conflict(
            f"rotate: the server shows no entry for {shorten_fingerprint(turn.old.fingerprint)} to replace",
            "ask its admin",
        )
    # An entry that isn't as wanted is refused here, before anything is replaced.
    trust.plan_trust(spec, reading, turn.old)
    patch = Request("PATCH", ("certificates", entry.fingerprint), body={"certificate": turn.new.pem}, etag=entry.etag)
    before, after = ({"fingerprint": pair.fingerprint} for pair in (turn.old, turn.new))
    swap = Change("replace", "certificate of trust entry", entry.name, (patch,), before, after, host=trust.OWN)
    place = pair_files.plan_new_pair(spec, folder, turn.new, put=bool(turn.changes))
    changes = (*turn.changes, swap, place, trust.plan_proof(spec, turn.new))
    return dataclasses.replace(turn, changes=changes, entry=trust.as_is(entry))


def plan_retirement(
    reading: TrustReading, former: CertificatePair, folder: Folder, keep_file: bool = False
) -> list[Change]:
    """The old certificate's end, where this run may bring it about; else its file stays, to remember it by."""
    entry = reading.entry(former)
    changes: list[Change] = []
    if entry is not None:
        if not reading.may_change_trust:
            return []
        changes.append(trust.plan_revoke(reading, entry))
    elif not reading.sees_all_trust:
        return []
    if not keep_file:
        changes.append(forgotten(folder))
    return changes


def forgotten(folder: Folder) -> Change:
    """The file that remembers the old certificate goes."""
    path = folder.file(OLD_CERTIFICATE)
    return Change("remove", "old certificate", path, (RemoveFile(path),), {"file": "there"}, None)


def find_unfinished_rotation(spec: TenantCertSpec, reading: TrustReading) -> tuple[str, ...]:
    """What an earlier rotation left that this run may not, or was not asked to, bring to an end."""
    said: list[str] = []
    former, coming, pair = reading.former, reading.coming, reading.pair
    if former and not reading.may_change_trust and (reading.entry(former) or not reading.sees_all_trust):
        said.append(
            f"certificate {spec.name}: the server may still trust the previous one, "
            f"{shorten_fingerprint(former.fingerprint)}; revoke it by a run as an administrator, or with: "
            f"{revoke_command(str(former.fingerprint))}"
        )
    if coming and pair and coming.fingerprint not in reading.trusted and reading.server:
        said.append(
            f"certificate {spec.name}: a rotation was cut short before the server knew of the new certificate "
            f"{shorten_fingerprint(coming.fingerprint)}; rotate: now goes on with it"
        )
    return tuple(said)
