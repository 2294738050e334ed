# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tenant certificate: from what is wanted and what was found to what changes on disk and in the trust store."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Optional

from .. import errors
from ..model import TrustEntry
from ..plan import Change, Plan, RemoveFile
from . import expiry, rotation, trust
from . import files as pair_files
from .commands import revoke_command
from .pair import FILES, KEY, CertificatePair, TenantCertSpec, TrustReading, build_certificate_view, shorten_fingerprint


@dataclasses.dataclass(frozen=True)
class Decision:
    """The plan, and how things stand once it is carried out.

    `pair`: in force then. `entry`: what the server then says of it, None while it is not trusted. `turn`: the rotation
    that takes place. `orphans`: entries of the trust store that nobody in this run may or should remove. `coming`: the
    next pair, put down for a rotation.
    """

    plan: Plan
    pair: Optional[CertificatePair] = None
    entry: Optional[Mapping[str, Any]] = None
    turn: Optional[rotation.RotationPlan] = None
    orphans: tuple[TrustEntry, ...] = ()
    coming: Optional[CertificatePair] = None


def plan(spec: TenantCertSpec, reading: TrustReading) -> Decision:
    """What to do for the state that is wanted."""
    decide = {"generated": _generated, "trusted": _trusted, "absent": _absent}[spec.state]
    return decide(spec, reading)


def _generated(spec: TenantCertSpec, reading: TrustReading) -> Decision:
    if reading.folder is None:
        raise errors.Invalid("directory: there is none to keep the key pair in", pair_files.NOWHERE)
    pair, changes = pair_files.plan_key_files(spec, reading)
    if not pair.private_key and reading.coming is not None:
        # A rotation was interrupted between its two renames: the next key is in place, its certificate follows.
        pair, changes = reading.coming, [pair_files.plan_new_pair(spec, reading.folder, reading.coming)]
    if not pair.private_key:
        raise errors.Conflict(
            f"{reading.folder.path}: its certificate has no private key beside it",
            f"put {KEY} back, give it by LXD_CLIENT_KEY_DIR, or take the certificate away",
        )
    coming, down = (None, ()) if changes else rotation.put_down(spec, reading, pair)
    if coming is None:
        _refuse_bad_times(reading, pair)
    changes += [*down, *pair_files.secured(spec, reading, pair)]
    if spec.retire and reading.former is not None:
        changes.append(rotation.forgotten(reading.folder))
    return Decision(Plan(tuple(changes), warnings=_warnings(spec, reading, pair)), pair, coming=coming)


def _trusted(spec: TenantCertSpec, reading: TrustReading) -> Decision:
    turn = rotation.resume_rotation(spec, reading)
    if turn is None and reading.pair is not None and reading.unverified == ():
        turn = rotation.begun(spec, reading)
    if turn is not None:
        pair, changes, entry = turn.new, list(turn.changes), turn.entry
    else:
        pair, changes = pair_files.plan_key_files(spec, reading)
        _refuse_bad_times(reading, pair)
        changes += pair_files.secured(spec, reading, pair)
        added, entry = trust.plan_trust(spec, reading, pair)
        changes += added
    changes += _retired(reading, pair, turn)
    strangers = trust.strangers(spec, reading, pair)
    warnings = (*_warnings(spec, reading, pair), *(trust.stranger_warning(reading, entry) for entry in strangers))
    if turn is None:
        warnings += rotation.find_unfinished_rotation(spec, reading)
    unverified = (*reading.unverified, *trust.missing_projects(spec, reading), *(turn.missing if turn else ()))
    if entry is None and not unverified:
        if changes:
            changes.append(trust.plan_trust_check(spec, pair))
        else:
            unverified = (_not_trusted_error(spec, reading, pair),)
    return Decision(Plan(tuple(changes), warnings=warnings, unverified=unverified), pair, entry, turn, strangers)


def _not_trusted_error(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> errors.TenantryError:
    view = build_certificate_view(spec, pair, None, reading, proved=False)
    return trust.not_trusted_error(spec, reading, str(pair.pem), certificate=view)


def _retired(reading: TrustReading, pair: CertificatePair, turn: Optional[rotation.RotationPlan]) -> list[Change]:
    """The entry that an earlier overlapping rotation left; every controller has had a run to change over."""
    former = reading.former
    if turn is not None or former is None or reading.folder is None or former.fingerprint == pair.fingerprint:
        return []
    return rotation.plan_retirement(reading, former, reading.folder)


def _refuse_bad_times(reading: TrustReading, pair: CertificatePair) -> None:
    """An expired pair is of no use to anybody but a rotation, which was planned before."""
    days = pair.days_left(reading.now)
    what = f"certificate {shorten_fingerprint(pair.fingerprint)}"
    if days is not None and days < 0:
        raise errors.Invalid(
            f"{what}: it expired on {pair.not_after:%Y-%m-%d}",
            "make another: rotate: now with an admin's connection or a trust token; or take its files away first",
        )
    if days is not None and pair.not_before is not None and pair.not_before > reading.now:  # type: ignore[operator]
        raise errors.Invalid(
            f"{what}: it is not valid before {pair.not_before:%Y-%m-%d %H:%M} UTC",
            "wait until then, or set this machine's clock right",
        )


def _warnings(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> tuple[str, ...]:
    wide: tuple[str, ...] = ()
    if reading.folder is not None and reading.folder.wide:
        wide = (f"{reading.folder.file(KEY)}: others could read this private key; it has mode 0600 from now on",)
    return (*wide, *_expiry(spec, reading, pair))


def _expiry(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> tuple[str, ...]:
    if not isinstance(pair.not_after, datetime.datetime):
        return ()
    said = expiry.warning(spec.name, pair.not_after, reading.now, spec.warn_within)
    return (said,) if said else ()


def _absent(spec: TenantCertSpec, reading: TrustReading) -> Decision:
    ours = [pair for pair in (reading.coming, reading.former, reading.brought, reading.pair) if pair is not None]
    entries = {entry.fingerprint: entry for entry in map(reading.entry, ours) if entry is not None}
    changes: list[Change] = []
    orphans: tuple[TrustEntry, ...] = ()
    warnings: tuple[str, ...] = ()
    if reading.may_change_trust:
        # The pair in force is the last: where it is its own admin, nothing can be done after it.
        changes += [trust.plan_revoke(reading, entry) for entry in entries.values()]
    else:
        orphans = tuple(entries.values())
        warnings = tuple(
            f"certificate {spec.name}: the server still trusts {shorten_fingerprint(entry.fingerprint)}, which only "
            f"an administrator can revoke: {revoke_command(entry.fingerprint)}"
            for entry in orphans
        )
    # Where the files are gone, our own entry can't be told from anybody else's of that name.
    others = trust.strangers(spec, reading, None)
    orphans += others
    warnings += tuple(trust.stranger_warning(reading, entry) for entry in others)
    if spec.remove_files:
        changes += _files_gone(spec, reading)
    unasked = () if reading.server or not ours else (_UNASKED.format(name=spec.name),)
    pair = reading.pair or reading.brought
    return Decision(Plan(tuple(changes), warnings=warnings + unasked), pair, None, None, orphans)


_UNASKED = "certificate {name}: the server could not be asked whether it still trusts it: set url and a key"


def _files_gone(spec: TenantCertSpec, reading: TrustReading) -> list[Change]:
    folder = reading.folder
    if folder is None:
        return []
    there = [name for name in FILES if name in folder.files]
    if not there:
        return []
    steps = tuple(RemoveFile(folder.file(name)) for name in there)
    return [Change("remove", "key pair", spec.name, steps, {"files": sorted(there)}, None, ", ".join(sorted(there)))]
