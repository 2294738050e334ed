# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine says of itself, in files that people edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._host import machine, programs


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ID=debian", 'VERSION_ID="12"', 'PRETTY_NAME="Debian 12"'], ("debian", (12,), "Debian 12")),
        (["ID='debian", 'VERSION_ID="12', "# it isn't a line"], ("debian", (12,), "")),
        ([], ("", (9999,), "")),
    ],
)
def test_a_distribution_is_read_however_it_is_written(
    lines: list[str], said: tuple[str, tuple[int, ...], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "lines", lambda _path: lines)
    assert machine.release() == said


def test_an_interface_in_a_bridge_or_bond_has_a_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("br0", "eth0", "eth1"):
        (tmp_path / name).mkdir()
    (tmp_path / "eth0" / "master").symlink_to("../br0")
    monkeypatch.setattr(machine, "_INTERFACES", str(tmp_path))
    assert machine.masters() == {"eth0": "br0"}
