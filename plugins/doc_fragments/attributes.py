# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every module of the collection promises of its behaviour."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments `tenantry.lxd.attributes` (modules that change) and `tenantry.lxd.attributes.info` (that look)."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Predicts C(changed) and the difference of the real run, and writes nothing anywhere.
    support: full
  diff_mode:
    description: Says what is before and after. What only LXD or a key generator can choose shows as
      C((known after apply\)).
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Use C(group/tenantry.lxd.lxd) in C(module_defaults) to say connection options once.
    support: full
    membership:
      - tenantry.lxd.lxd
"""

    INFO = r"""
attributes:
  check_mode:
    description: Only looks.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Only looks.
    support: full
  action_group:
    description: Use C(group/tenantry.lxd.lxd) in C(module_defaults) to say connection options once.
    support: full
    membership:
      - tenantry.lxd.lxd
options:
  vmhosts:
    description:
      - The VM hosts to look at, by their names in the registry. Unsaid, all of them, or the one that O(url) names.
    type: list
    elements: str
  query:
    description:
      - A JMESPath expression that is applied to the list of results. Needs the Python package jmespath.
    type: str
  strict:
    description:
      - Whether a VM host that can't be read fails the task instead of being a row with an C(error).
    type: bool
    default: false
"""
