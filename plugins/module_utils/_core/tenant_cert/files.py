# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A key pair on disk: made, brought or half put away by a run that was interrupted; every step may be the last one.

A pair comes in two moves: whole under the names `.next` first, which nothing relies on, then renamed, key first.
"""

from __future__ import annotations

from typing import Any, Union

from .. import errors
from ..plan import Change, GenerateKeyPair, Later, MoveFile, Step, WriteFile
from .pair import (
    CERTIFICATE,
    KEY,
    NEXT_CERTIFICATE,
    NEXT_KEY,
    OLD_CERTIFICATE,
    CertificatePair,
    Folder,
    TenantCertSpec,
    TrustReading,
    shorten_fingerprint,
)

NOWHERE = (
    "set directory, or vmhost with a registry; where the registry is a checkout that ends with its job, do it where "
    "the registry is kept; a task that goes to another machine is done on the controller (delegate_to: localhost)"
)


def plan_key_files(spec: TenantCertSpec, reading: TrustReading) -> tuple[CertificatePair, list[Change]]:
    """The pair that is in force when the folder is in order, and what brings it there; no rotation."""
    if reading.brought is not None:
        return _brought(spec, reading, reading.brought)
    if reading.pair is not None:
        return reading.pair, []
    if reading.coming is not None and reading.folder is not None:
        return reading.coming, [plan_new_pair(spec, reading.folder, reading.coming)]
    folder = find_lasting_folder(reading)
    if KEY in folder.files:
        raise errors.Conflict(
            f"{folder.file(KEY)}: there is no {CERTIFICATE} beside it",
            "put its certificate back, or take the key away to have a new pair made",
        )
    new = CertificatePair.to_be_made(spec.key_type)
    steps = (*_generate_pair(spec, folder), *_renamed(folder, (NEXT_KEY, NEXT_CERTIFICATE)))
    return new, [Change("generate", "key pair", spec.name, steps, None, _view(folder, new))]


def _brought(
    spec: TenantCertSpec, reading: TrustReading, brought: CertificatePair
) -> tuple[CertificatePair, list[Change]]:
    folder, pair = reading.folder, reading.pair
    if folder is None or not brought.private_key:
        return brought, []
    if pair is not None and pair.fingerprint != brought.fingerprint:
        raise errors.Conflict(
            f"certificate: {folder.file(CERTIFICATE)} is another one ({shorten_fingerprint(pair.fingerprint)})",
            "rotate: now puts yours in its place, on the server too",
        )
    if pair is not None and pair.private_key:
        return pair, []
    if reading.coming is not None and reading.coming.fingerprint == brought.fingerprint:
        return brought, [plan_new_pair(spec, folder, brought)]
    steps = (*_written(spec, folder, brought), *_renamed(folder, (NEXT_KEY, NEXT_CERTIFICATE)))
    return brought, [Change("write", "key pair", spec.name, steps, None, _view(folder, brought))]


def find_lasting_folder(reading: TrustReading) -> Folder:
    """The folder for a new key, or Invalid: a key that dies with the job leaves a trust entry that nobody can use."""
    if reading.folder is None:
        raise errors.Invalid("directory: there is none to keep the key pair in", NOWHERE)
    if reading.folder.ephemeral and not reading.folder.said:
        raise errors.Invalid("directory: this job's keys come from outside, and a new one would end with it", NOWHERE)
    return reading.folder


def put_down(spec: TenantCertSpec, folder: Folder, new: CertificatePair) -> Change:
    """The next pair on durable storage, before any server learns of it."""
    if isinstance(new.pem, Later):
        return Change("generate", "next key pair", spec.name, _generate_pair(spec, folder), None, _view(folder, new))
    return Change("write", "next key pair", spec.name, _written(spec, folder, new), None, _view(folder, new))


def plan_new_pair(
    spec: TenantCertSpec,
    folder: Folder,
    new: CertificatePair,
    former: CertificatePair | None = None,
    put: bool = False,
) -> Change:
    """The next pair takes the place of the present one, whose public half is kept where its entry stays for a while.

    `put`: both files were put down by this very plan; else those that are still there are moved.
    """
    names = (NEXT_KEY, NEXT_CERTIFICATE)
    there = names if put else tuple(name for name in names if name in folder.files)
    keep: tuple[Step, ...] = ()
    if former is not None:
        keep = (WriteFile(folder.file(OLD_CERTIFICATE), str(former.pem)),)
    before = {"fingerprint": former.fingerprint} if former else None
    return Change("place", "key pair", spec.name, (*keep, *_renamed(folder, there)), before, _view(folder, new))


def secured(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> list[Change]:
    """A plain key that is meant to be vaulted, or that others may read: git and copies don't keep modes."""
    folder = reading.folder
    if folder is None or folder.vaulted or KEY not in folder.files or pair.key_source != "file":
        return []
    path = folder.file(KEY)
    if spec.vault_key:
        step = WriteFile(path, pair.private_key, 0o600, vaulted=True)
        return [Change("encrypt", "private key", path, (step,), {"vaulted": False}, {"vaulted": True})]
    if folder.wide:
        step = WriteFile(path, pair.private_key, 0o600)
        return [Change("tighten", "private key", path, (step,), {"mode": "wider"}, {"mode": "0600"})]
    return []


def _generate_pair(spec: TenantCertSpec, folder: Folder) -> tuple[Step, ...]:
    if not spec.common_name:
        raise errors.Invalid("owner: it is required for the certificate's subject", "set owner or common_name")
    make = GenerateKeyPair("pair", spec.common_name, spec.key_type, spec.valid_for)
    return (make, *_written(spec, folder, CertificatePair.to_be_made(spec.key_type)))


def _written(spec: TenantCertSpec, folder: Folder, new: CertificatePair) -> tuple[Step, ...]:
    return (
        WriteFile(folder.file(NEXT_KEY), new.private_key, 0o600, vaulted=spec.vault_key),
        WriteFile(folder.file(NEXT_CERTIFICATE), new.pem),
    )


def _renamed(folder: Folder, names: tuple[str, ...]) -> tuple[Step, ...]:
    to = {NEXT_KEY: KEY, NEXT_CERTIFICATE: CERTIFICATE}
    return tuple(MoveFile(folder.file(name), folder.file(to[name])) for name in names)


def _view(folder: Folder, pair: CertificatePair) -> dict[str, Any]:
    view: dict[str, Union[str, Later, None]] = {
        "fingerprint": pair.fingerprint,
        "key_type": pair.key_type,
        "certificate": folder.file(CERTIFICATE),
        "private_key": folder.file(KEY),
    }
    return view
