# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machine's half of the proof and the controller's are the same, with a real openssl in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import first_boot
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
        ("", "", ["install snapd", "install lxd"]),
        ("snapd", "5.21/stable", ["install lxd --channel=5.21/stable"]),
        ("snapd lxd", "5.21/stable", ["refresh lxd --channel=5.21/stable"]),
        ("snapd lxd", "", []),
    ],
)
def test_what_a_snap_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, channel: str, asked: list[str]
) -> None:
    # A stand-in for snapd, which can't be had here: it keeps a record of what it was asked.
    stand_in = tmp_path / "snap"
    rows = "".join(f"{name} 1 1 latest/stable canonical -\\n" for name in there.split())
    stand_in.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n'
        f'[ "$1" != list ] || printf "Name Version Rev Tracking Publisher Notes\\n{rows}"\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program.install({"package": "snap", "channel": channel})
    assert (tmp_path / "asked").read_text().splitlines() == ["wait system seed.loaded", "list", *asked]


@pytest.mark.parametrize(
    ("system", "deb", "usual"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "", "apt"),
        ('ID=debian\nVERSION_ID="11"\n', "", "snap"),
        ('ID=debian\nVERSION_ID="11"\n', "installed", "apt"),
        ("ID=debian\n", "", "apt"),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "installed", "snap"),
        # A program lxd of Ubuntu's servers only installs the snap.
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "", "snap"),
    ],
)
def test_how_lxd_usually_gets_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, deb: str, usual: str
) -> None:
    for name, does in {"apt-get": "", "lxd": "", "dpkg-query": f"printf '{deb}'"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "os-release").write_text(system)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(program, "OS_RELEASE", str(tmp_path / "os-release"))
    monkeypatch.setattr(program, "SNAPS", (str(tmp_path / "none"),))
    assert program.usual() == usual
    (tmp_path / "none").touch()
    assert program.usual() == "snap"


@pytest.mark.parametrize("text", ["", "5e" * 31, "5E" * 32, "zz" * 32, "5e" * 33])
def test_what_is_no_secret_is_refused_unseen(text: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        first_boot.check_secret(text, "kvm-01/first-boot.key")
    assert not text or text not in str(refused.value)


def test_both_halves_say_the_same() -> None:
    assert (program.PREFIX, program.LABEL) == (first_boot.PREFIX, first_boot.LABEL)
    assert program.proof(SECRET, b"key") == first_boot.proof(SECRET, b"key")
