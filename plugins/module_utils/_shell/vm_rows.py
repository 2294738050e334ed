# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The instances of one VM host as rows for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .._core import errors, view
from .._core.model import Instance
from .._lxd.reader import Reader
from .info import ReadHost, Rows
from .targets import Target


def of(names: Sequence[str] | None, addresses: bool) -> ReadHost:
    """A reading of one VM host's tracked project; `names` None is all of it."""

    def read(target: Target, reader: Reader) -> Rows:
        if not target.project:
            raise errors.Invalid(f"{target.name}: no project is said", "say project, or register the VM host")
        return [
            {**view.vm(instance, target.name, target.project), "enlisted": enlisted(instance, target)}
            for instance in reader.instances(target.project, state=addresses)
            if (names is None or instance.name in names) and not instance.moving
        ]

    return read


def enlisted(instance: Instance, target: Target) -> Optional[bool]:
    """Whether it was not composed by us; of one on a member that doesn't answer nobody can tell."""
    return None if instance.lost else instance.owner != target.owner
