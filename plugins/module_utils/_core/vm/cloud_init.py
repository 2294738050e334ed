# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cloud-init says of itself in a guest, understood as its versions say it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

# One command for every version: 22.4 and newer answer in JSON, older ones refuse the option and say `status: done` in
# text. An error or a warning ends the first with 1 or 2, so that the second may follow it; the first answer counts.
# Where there is none, the shell says so with a code of our own: LXD makes a failure of its own of 126 and 127.
COMMAND = (
    "sh",
    "-c",
    """command -v cloud-init >/dev/null || exit 69
cloud-init status --format=json 2>/dev/null || cloud-init status --long""",
)
NOT_INSTALLED = 69

_ENDED = ("done", "error", "disabled")
_TEXT = re.compile(r"^(status|detail):[ \t]*(.*(?:\n(?![a-z_]+:).*)*)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class CloudInitStatus:
    """How far cloud-init is. `status`: its own word; `stage`: what it works on, where it says so.

    `errors` make it a failure; `recoverable` are warnings that it went on after (23.4 and newer tell them apart).
    """

    status: str
    stage: str = ""
    errors: tuple[str, ...] = ()
    recoverable: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it works no more; one that is switched off has nothing to do."""
        return self.status in _ENDED

    @property
    def failed(self) -> bool:
        """Whether it ended with an error of its own."""
        return self.status == "error"


def understood(output: str) -> CloudInitStatus:
    """The output of COMMAND. What can't be understood has no status: it is asked again."""
    # `status --wait`, and 22.x without it, print a dot for each look before the answer.
    text = output.lstrip(". \r\n")
    try:
        found, _end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return _parse_text(text)
    return _parse_json(found) if isinstance(found, Mapping) else CloudInitStatus("")


def _parse_json(found: Mapping[str, Any]) -> CloudInitStatus:
    errors = [str(error) for error in found.get("errors") or ()]
    if found.get("status") == "error" and not errors and found.get("detail"):
        errors = [str(found["detail"])]
    recoverable = [
        f"{level}: {text}" for level, texts in (found.get("recoverable_errors") or {}).items() for text in texts
    ]
    return CloudInitStatus(
        str(found.get("status") or ""), str(found.get("stage") or ""), tuple(errors), tuple(recoverable)
    )


def _parse_text(text: str) -> CloudInitStatus:
    said = {name: " ".join(value.split()) for name, value in _TEXT.findall(text)}
    status = said.get("status", "")
    return CloudInitStatus(status, errors=(said["detail"],) if status == "error" and said.get("detail") else ())
