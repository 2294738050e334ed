# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for QEMU where LXD's machines can't run as LXD writes them: rewrites the command, then becomes QEMU.

Started as a program: `qemu.py REAL_QEMU GAP[,GAP] ARGUMENT...` with the gaps `kvm`, `vsock` and `tun`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# The cache of translated code. QEMU's own choice lets a guest of 192 MiB grow by 600 MB; a micro guest fills 64.
TRANSLATOR = "tcg,tb-size=64"
# The plainest processor: the more a processor can, the more of it has to be emulated at each boot.
PROCESSOR = "qemu64"


def rewritten_config(text: str, gaps: frozenset[str]) -> str:
    """LXD's machine description without what the gaps rule out."""
    sections = re.split(r"(?m)^(?=\[)", text)
    if "vsock" in gaps:
        sections = [section for section in sections if "vhost-vsock" not in section]
    text = "".join(sections)
    return re.sub(r'(?m)^accel = "kvm"\n', "", text) if "kvm" in gaps else text


def _with_file(option: str, path: str, gaps: frozenset[str]) -> list[str]:
    copy = Path(f"{path}.bed")
    copy.write_text(rewritten_config(Path(path).read_text(), gaps))
    # A probe of LXD's comes without a machine description and says -accel itself: that one is rewritten below.
    return [option, str(copy), *(["-accel", TRANSLATOR] if "kvm" in gaps else [])]


def rewritten_arguments(arguments: list[str], gaps: frozenset[str]) -> Iterator[str]:
    """LXD's command line with the gaps bridged; writes the rewritten machine description beside the original."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-readconfig":
            yield from _with_file(argument, next(rest, ""), gaps)
        elif argument == "-cpu" and "kvm" in gaps:
            yield from (argument, PROCESSOR)
            next(rest, None)
        elif argument == "-accel" and "kvm" in gaps:
            yield from (argument, TRANSLATOR)
            next(rest, None)
        elif argument == "-runas" and "tun" in gaps:
            next(rest, None)
        else:
            yield argument


if __name__ == "__main__":
    real, named, *said = sys.argv[1:]
    os.execv(real, [real, *rewritten_arguments(said, frozenset(named.split(",")))])
