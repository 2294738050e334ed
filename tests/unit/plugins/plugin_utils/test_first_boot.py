# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machine's half of the proof and the controller's are the same, with a real openssl in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors, first_boot
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import server_names
from ansible_collections.tenantry.lxd.plugins.plugin_utils import first_boot as program

SECRET, OTHER = "5e" * 32, "5f" * 32


def certified(folder: Path, secret: str) -> tuple[str, str]:
    """Certificate and key as the program makes them."""
    program.certify(str(folder), {"secret": secret})
    return (folder / "server.crt").read_text(), (folder / "server.key").read_text()


def shows(certificate: str, secret: str) -> bool:
    return first_boot.is_proven(secret, *server_names.key_and_uris(certificate))


def test_a_certificate_proves_who_made_it(tmp_path: Path) -> None:
    certificate, _key = certified(tmp_path, SECRET)
    assert shows(certificate, SECRET)
    assert not shows(certificate, OTHER)
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.crt", "server.key"]
    assert SECRET not in certificate


def test_a_proof_is_for_one_key(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (certified(tmp_path / name, SECRET)[0] for name in ("a", "b"))
    key, _names = server_names.key_and_uris(first)
    _key, names = server_names.key_and_uris(second)
    assert not first_boot.is_proven(SECRET, key, names), "whoever copies a proof into a certificate of his own is known"


def test_a_pair_that_is_there_stays_and_one_of_another_secret_goes(tmp_path: Path) -> None:
    pair = certified(tmp_path, SECRET)
    assert certified(tmp_path, SECRET) == pair
    assert certified(tmp_path, OTHER) != pair
    assert shows((tmp_path / "server.crt").read_text(), OTHER)


@pytest.mark.parametrize(
    ("there", "channel", "asked"),
    [
        (False, "", ["wait system seed.loaded", "list lxd", "install lxd"]),
        (
            False,
            "5.21/stable",
            ["wait system seed.loaded", "list lxd", "install lxd --channel=5.21/stable"],
        ),
        (True, "5.21/stable", ["wait system seed.loaded", "list lxd", "refresh lxd --channel=5.21/stable"]),
        (True, "", ["wait system seed.loaded", "list lxd"]),
    ],
)
def test_what_a_snap_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, channel: str, asked: list[str]
) -> None:
    # A stand-in for snapd, which can't be had here: it keeps a record of what it was asked.
    stand_in = tmp_path / "snap"
    stand_in.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n[ "$1" != list ] || exit {int(not there)}\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program.install({"package": "snap", "channel": channel})
    assert (tmp_path / "asked").read_text().splitlines() == asked


@pytest.mark.parametrize("text", ["", "5e" * 31, "5E" * 32, "zz" * 32, "5e" * 33])
def test_what_is_no_secret_is_refused_unseen(text: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        first_boot.checked(text, "kvm-01/first-boot.key")
    assert not text or text not in str(refused.value)


def test_both_halves_say_the_same() -> None:
    assert (program.PREFIX, program.LABEL) == (first_boot.PREFIX, first_boot.LABEL)
    assert program.proof(SECRET, b"key") == first_boot.proof(SECRET, b"key")
