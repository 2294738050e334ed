# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the attributes and options that modules have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments `tenantry.lxd.attributes`, and `tenantry.lxd.attributes.info` for info modules."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Predicts C(changed) and the difference of the real run, and writes nothing.
    support: full
  diff_mode:
    description: Shows the state before and after. Values that LXD or a key generator will choose appear as
      C((known after apply\)).
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  action_group:
    description: Use C(group/tenantry.lxd.lxd) in C(module_defaults) to set connection options once.
    support: full
    membership:
      - tenantry.lxd.lxd
"""

    INFO = r"""
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  action_group:
    description: Use C(group/tenantry.lxd.lxd) in C(module_defaults) to set connection options once.
    support: full
    membership:
      - tenantry.lxd.lxd
options:
  vmhosts:
    description:
      - The VM hosts to read, by their names in the registry. If omitted, all of them, or the one that O(url) names.
    type: list
    elements: str
  query:
    description:
      - A JMESPath expression that is applied to the list of results. It requires the Python package jmespath.
    type: str
  strict:
    description:
      - Whether the task fails if a VM host cannot be read. If V(false), the VM host is a row with an C(error).
    type: bool
    default: false
"""
