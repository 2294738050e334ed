# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which socket a host's own modules take."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import unix


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("LXD_DIR", "INCUS_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(unix, "_DIRECTORIES", (str(tmp_path / "snap"), str(tmp_path / "package")))
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "unix.socket").touch()


def test_what_was_said_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LXD_DIR", "/elsewhere")
    assert unix.find_socket("/said/unix.socket") == "/said/unix.socket"


@pytest.mark.parametrize("variable", ["LXD_DIR", "INCUS_DIR"])
def test_the_environment_is_next(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/elsewhere")
    assert unix.find_socket("") == os.path.join("/elsewhere", "unix.socket")


def test_then_the_first_that_is_there(tmp_path: Path) -> None:
    assert unix.find_socket("") == str(tmp_path / "package" / "unix.socket")
    (tmp_path / "snap").mkdir()
    (tmp_path / "snap" / "unix.socket").touch()
    assert unix.find_socket("") == str(tmp_path / "snap" / "unix.socket")


def test_none_is_unreachable_and_says_where_was_looked(tmp_path: Path) -> None:
    (tmp_path / "package" / "unix.socket").unlink()
    with pytest.raises(errors.Unreachable, match=str(tmp_path / "snap")):
        unix.find_socket("")
