#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mark an enlisted virtual machine as commissioned."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vm_commission
short_description: Mark an enlisted VM as commissioned, and erase it only if asked to
version_added: "0.1.0"
description:
  - Writes into an enlisted VM, one that is in the tenant's project without having been composed, that
    it was commissioned, and when. The role C(tenantry.lxd.commission) inspects the VM first.
  - The mark is one key of the VM's config (C(user.tenantry.commissioned)). Unless O(erase) is set, nothing else of the
    VM is changed, whether it runs or not, and it stays unmanaged. No module deletes or changes it because of
    this mark.
  - A composed VM, or one with another owner's mark, is refused; so is any VM in another owner's project.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes
options:
  name:
    description: The VM.
    type: str
    required: true
  state:
    description: Whether it carries the mark.
    type: str
    choices: [present, absent]
    default: present
  again:
    description: Whether a VM that has the mark already is marked again, with the time of this run.
    type: bool
    default: false
  erase:
    description:
      - Whether the VM is replaced, with an empty disk, as it is marked. What was on it is lost for good. A VM
        that carries the mark already is not erased, unless O(again) is set too.
      - The new VM has the name, config, devices, profiles, size and MAC addresses of the old one; the addresses are
        written in its devices from then on, and C(user.tenantry.erased) tells when that was, and by which name. It is
        stopped, and still unmanaged.
      - It is made as C(<name>-erased) and takes the old one's name once that is deleted, for which the project needs
        room for both. A run that was interrupted in between is finished by the next one with this option.
      - Refused, with nothing deleted, are a VM that isn't stopped or is protected against deletion, one with snapshots
        or backups, and one with disks that are volumes of their own or come from the host.
    type: bool
    default: false
seealso:
  - module: tenantry.lxd.lxd_vm_info
"""

EXAMPLES = r"""
- name: Somebody has inspected it
  tenantry.lxd.lxd_vm_commission:
    vmhost: kvm-01
    name: legacy-db

- name: And once more
  tenantry.lxd.lxd_vm_commission:
    vmhost: kvm-01
    name: legacy-db
    again: true

- name: It is to begin with an empty disk; whatever is on it goes
  tenantry.lxd.lxd_vm_commission:
    vmhost: kvm-01
    name: legacy-build
    erase: true

- name: Nobody has
  tenantry.lxd.lxd_vm_commission:
    vmhost: kvm-01
    name: legacy-db
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, as sentences.
  returned: always
  type: list
  elements: str
  sample: [commission VM legacy-db]
vm:
  description: The VM as it is afterwards, with the keys of a row of M(tenantry.lxd.lxd_vm_info) but C(enlisted).
  returned: success
  type: dict
  sample:
    name: legacy-db
    vmhost: kvm-01
    owner: null
    commissioned: "2026-11-21T15:04:05Z"
code:
  description: The kind of failure, such as V(not_found), V(not_owned) or V(unreachable).
  returned: failure
  type: str
  sample: not_found
hint:
  description: What to do about it.
  returned: failure
  type: str
  sample: tenantry.lxd.lxd_vm_info lists all
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.vm_commission import CommissionJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "again": {"type": "bool", "default": False},
    "erase": {"type": "bool", "default": False},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(arguments.CONNECTION, OPTIONS), CommissionJob)


if __name__ == "__main__":
    main()
