# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make demo` runs, from nothing to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lxd import leftovers
from tests.lxd.daemon import Daemon
from tests.lxd.image import micro_image

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.nightly
def test_the_demo_ends_in_a_running_vm_and_leaves_nothing_when_it_is_taken_down(tmp_path: Path) -> None:
    bed = tmp_path / "bed"
    bed.mkdir()
    (bed / "images").symlink_to(micro_image().parent)
    environment = {**os.environ, "TENANTRY_BED": str(bed)}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.demo"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "==> It works" in ended.stdout and "client.key" in ended.stdout
        place = Daemon.existing("demo", bed).place
        found = leftovers.find(place.directory, place.bridge)
        assert found.processes and found.links
    finally:
        subprocess.run([sys.executable, "-m", "tests.lxd", "down"], cwd=ROOT, env=environment, check=True)
    assert leftovers.find(place.directory, place.bridge).lines() == []
