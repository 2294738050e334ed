# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's process as Ansible starts it on a VM host, without the seconds that a playbook takes; and disks for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.integration.playing import COLLECTIONS


def run_module(module: str, options: Mapping[str, Any], *, check: bool = False, fails: bool = False) -> dict[str, Any]:
    """What a module of the collection answers; an unexpected outcome fails the test with the answer."""
    said = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    name = f"ansible_collections.tenantry.lxd.plugins.modules.{module}"
    ended = subprocess.run(
        [sys.executable, "-c", f"import runpy; runpy.run_module({name!r}, run_name='__main__')"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": said}),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise AssertionError(f"{module} answered no JSON:\n{ended.stdout}\n{ended.stderr}") from None
    if bool(answer.get("failed")) != fails:
        raise AssertionError(f"{module} {'did not fail' if fails else 'failed'}:\n{json.dumps(answer, indent=1)}")
    return answer


@contextlib.contextmanager
def disk(file: Path, mebibytes: int = 200) -> Iterator[str]:
    """A block device of the machine, with nothing on it."""
    with open(file, "wb") as made:
        made.truncate(mebibytes << 20)
    device = subprocess.run(
        ["losetup", "--find", "--show", str(file)], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def content(device: str) -> bytes:
    """The beginning of a device, where file systems and partition tables are."""
    with open(device, "rb") as file:
        return file.read(1 << 20)
