#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather information about the virtual machines of the tracked projects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vm_info
short_description: Gather information about the virtual machines of LXD VM hosts
version_added: "0.1.0"
description:
  - Returns every instance in the tracked project of each VM host, composed and enlisted.
  - Reads all VM hosts side by side, with two requests each whatever the number of VMs.
  - It never changes anything, and never looks outside of the tracked projects.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes.info
options:
  names:
    description: The VMs to return. If omitted, all of them.
    type: list
    elements: str
  addresses:
    description:
      - Whether to ask for the guests' addresses too. LXD then asks every guest, which costs it far more.
    type: bool
    default: true
seealso:
  - module: tenantry.lxd.lxd_vm_compose
"""

EXAMPLES = r"""
- name: All VMs of all VM hosts
  tenantry.lxd.lxd_vm_info:
  register: found

- name: The addresses of one VM
  tenantry.lxd.lxd_vm_info:
    vmhost: kvm-01
    names: [web-1]
    query: "[].addresses[]"
  register: web

- name: Names of what nobody composed, without asking any guest
  tenantry.lxd.lxd_vm_info:
    vmhosts: [kvm-01, kvm-02]
    addresses: false
    query: "[?enlisted].name"
"""

RETURN = r"""
vms:
  description:
    - A row for each instance, and one with C(error) for each VM host that could not be read.
    - With O(query), what the expression makes of them.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    vmhost:
      description: The VM host it is on.
      type: str
    project:
      description: The project it is in.
      type: str
    location:
      description: The cluster member it is on; V(none) where the VM host isn't a cluster.
      type: str
    status:
      description: LXD's word, such as V(Running), V(Ready) or V(Stopped).
      type: str
    type:
      description: LXD's word for the kind of instance; an enlisted one may be a container.
      type: str
    description:
      description: Its description.
      type: str
    architecture:
      description: Its architecture.
      type: str
    owner:
      description: The tenant that composed it, or null.
      type: str
    enlisted:
      description:
        - Whether it is in the project without having been composed. Null for one on a member of a cluster that
          doesn't answer, and without O(owner), which a registered VM host has.
      type: bool
    created_at:
      description: When LXD made it.
      type: str
    last_used_at:
      description: When it was started last, or null.
      type: str
    cores:
      description: How many cores it has. Null for one on a member of a cluster that doesn't answer.
      type: int
    pinned_cores:
      description: The host's cores that it is pinned to, or null.
      type: list
      elements: int
    memory:
      description: Its memory as LXD holds it.
      type: str
    disks:
      description: Its disks, the root disk first. The size of a further disk is its volume's, and null here.
      type: list
      elements: dict
    interfaces:
      description: Its interfaces, each with the C(addresses) that the guest has on it.
      type: list
      elements: dict
    addresses:
      description: The addresses of the running guest that others can reach.
      type: list
      elements: str
    profiles:
      description: The LXD profiles it uses.
      type: list
      elements: str
    pool:
      description: The resource pool it is in.
      type: str
    zone:
      description: The zone it is in.
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    annotations:
      description: Its workload annotations.
      type: dict
    protected:
      description: Whether it is protected against deletion.
      type: bool
    commissioned:
      description: When it was commissioned by M(tenantry.lxd.lxd_vm_commission), or null.
      type: str
    config:
      description: Its LXD config, profiles included. Of texts for the guest's first boot only the length shows.
      type: dict
    error:
      description: Why the VM host could not be read, with C(code), C(msg) and C(hint).
      type: dict
      returned: for a VM host that could not be read
  sample:
    - name: web-1
      vmhost: kvm-01
      project: tenant-a
      location: none
      status: Running
      type: virtual-machine
      owner: tenant-a
      enlisted: false
      created_at: "2026-11-21T03:25:00Z"
      last_used_at: "2026-11-21T03:26:10Z"
      cores: 1
      memory: 1GiB
      addresses: [10.0.3.17]
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, info
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs import vm_info as vm_rows

OPTIONS = {
    "names": {"type": "list", "elements": "str"},
    "addresses": {"type": "bool", "default": True},
}


def main() -> None:
    """Declare the options and read."""
    module = arguments.create_module(arguments.CONNECTION, arguments.INFO, OPTIONS)
    info.run_info(module, "vms", vm_rows.of(module.params["names"], module.params["addresses"]))


if __name__ == "__main__":
    main()
