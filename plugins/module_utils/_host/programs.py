# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs and files of this machine, as plain text: what isn't there is None or nothing, and no shell is between."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NamedTuple, Optional

from .._core import errors

_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
_SECONDS = 60


class ProgramResult(NamedTuple):
    """How a program ended, and what it printed."""

    code: int
    out: str
    err: str


def find(name: str) -> Optional[str]:
    """Where a program is: the PATH of an SSH session often lacks sbin."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PLACES}")


def run(name: str, *arguments: str, seconds: int = _SECONDS) -> Optional[ProgramResult]:
    """Run a program in plain English; None where there is none of that name. One that hangs has failed."""
    program = find(name)
    if program is None:
        return None
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    # run_command is a module's, and nothing below the edge knows one.
    # pylint: disable=ansible-bad-function
    try:
        ended = subprocess.run(  # noqa: S603 (the collection's own words, and no shell)
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ProgramResult(-1, "", f"no end after {seconds} s")
    except OSError as cause:
        return ProgramResult(-1, "", cause.strerror or type(cause).__name__)
    return ProgramResult(
        ended.returncode, ended.stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace")
    )


def run_or_fail(name: str, *arguments: str) -> str:
    """Run a program that has to be there and to end well, and return what it printed."""
    said = run(name, *arguments)
    if said is None:
        raise errors.Unsupported(f"{name}: there is no such program on the host", f"install {name}")
    if said.code:
        reason = " ".join((said.err or said.out).split()) or f"exit code {said.code}"
        raise errors.OperationFailed(f"{name} {' '.join(arguments)}: {reason:.500}")
    return said.out


def text(path: str) -> str:
    """A file's text; nothing where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def lines(path: str) -> list[str]:
    """A file's lines; none where it can't be read."""
    return text(path).splitlines()
