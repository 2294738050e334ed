# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What on a server somebody would miss: an LXD goes only from a machine where the answer is nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from ..model import Image


@dataclasses.dataclass(frozen=True)
class ProjectContents:
    """What one project has of its own: names of instances, custom volumes as `pool/name`, and images."""

    project: str
    instances: Sequence[str] = ()
    volumes: Sequence[str] = ()
    buckets: Sequence[str] = ()
    images: Sequence[Image] = ()


def find_remaining_objects(found: Iterable[ProjectContents], clustered: bool, members: Sequence[str]) -> list[str]:
    """A few words for each thing, anybody's; what LXD has only fetched for itself doesn't count."""
    said: list[str] = []
    if clustered:
        others = f" of {', '.join(sorted(members))}" if members else ""
        said.append(f"its membership in a cluster{others}")
    for inside in sorted(found, key=lambda each: each.project):
        where = f"of project {inside.project}"
        said += [f"instance {name} {where}" for name in sorted(inside.instances)]
        said += [f"volume {name} {where}" for name in sorted(inside.volumes)]
        said += [f"bucket {name} {where}" for name in sorted(inside.buckets)]
        said += [f"image {_name(image)} {where}" for image in inside.images if not image.cached]
    return said


def _name(image: Image) -> str:
    return image.aliases[0] if image.aliases else image.fingerprint[:12]
