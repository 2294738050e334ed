# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lines that a person pastes into a shell on the server, to trust a certificate or to end that."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

# What stands where we weren't told: a person has to choose, and the shell stops at it.
PLACEHOLDER = "<project>"
NO_FINGERPRINT = "<fingerprint>"


def trust_command(pem: str, name: str, restricted: bool, projects: Iterable[str], flavour: str = "lxd") -> str:
    """The line, with the certificate behind it: `-` is how lxc reads it from what follows."""
    words = [*_PROGRAMS.get(flavour, _PROGRAMS["lxd"]), "-", "--name", name]
    if restricted:
        words += ["--restricted", "--projects", ",".join(sorted(projects)) or PLACEHOLDER]
    return f"{' '.join(shlex.quote(word) for word in words)} <<'END'\n{pem.strip()}\nEND"


def revoke_command(fingerprint: str, flavour: str = "lxd") -> str:
    """The line that ends the trust in one certificate; what isn't a fingerprint is in no line for a shell."""
    program = "incus" if flavour == "incus" else "lxc"
    named = fingerprint if _FINGERPRINT.fullmatch(fingerprint) else NO_FINGERPRINT
    return f"{program} config trust remove {named}"


_FINGERPRINT = re.compile(r"[0-9A-Fa-f]+")
_PROGRAMS = {
    "lxd": ("lxc", "config", "trust", "add"),
    # Incus keeps `add` for tokens.
    "incus": ("incus", "config", "trust", "add-certificate"),
}
