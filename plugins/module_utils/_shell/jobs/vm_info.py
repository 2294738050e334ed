# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The instances of one VM host as rows for people."""

from __future__ import annotations

from collections.abc import Sequence

from ..._access import estate
from ..._access.targets import Target
from ..._lxd.reader import Reader
from ..info import ReadHost, Rows


def of(names: Sequence[str] | None, addresses: bool) -> ReadHost:
    """A reading of one VM host's tracked project; `names` None is all of it."""

    def read(target: Target, reader: Reader) -> Rows:
        return [row for row in estate.read_vm_rows(target, reader, addresses) if names is None or row["name"] in names]

    return read
