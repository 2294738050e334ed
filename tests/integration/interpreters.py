# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpreters as VM hosts have them: the oldest that modules run on, as far as this machine has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.integration.playing import HERE

OLDEST = ("3.9", "3.10")


def host_pythons() -> list[str]:
    """Python 3.9 and 3.10 where they are, else the one that the system has."""
    found = [path for path in map(_interpreter, OLDEST) if path]
    return found or ["/usr/bin/python3"]


def _interpreter(version: str) -> str | None:
    for candidate in _candidates(version):
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    return None


def _candidates(version: str) -> Iterator[str]:
    """On the search path, as nox gathers them, and from pyenv; a shim of pyenv's may be on the path and not run."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    gathered = HERE.parent.parent / ".build" / "python" / f"python{version}"
    if gathered.exists():
        yield str(gathered)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    yield from map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}")))
