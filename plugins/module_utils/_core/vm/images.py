# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which images of a VM host a name means."""

from __future__ import annotations

from collections.abc import Iterable

from ..model import Image

# A fingerprint may be shortened, and not so far that it is a word.
_SHORTEST = 8


def find_images(name: str, images: Iterable[Image]) -> list[Image]:
    """Those with the alias, else those whose fingerprint begins so."""
    known = list(images)
    found = [image for image in known if name in image.aliases]
    if not found and len(name) >= _SHORTEST:
        found = [image for image in known if image.fingerprint.startswith(name.lower())]
    return found
