#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compose virtual machines in the tracked project of LXD VM hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vm_compose
short_description: Create and manage virtual machines on LXD VM hosts
version_added: "0.1.0"
description:
  - Creates and updates any number of virtual machines on any number of VM hosts in one task, with their size, disks,
    interfaces and power state.
  - Every VM is created in the tracked project of its VM host, which must carry the owner's mark.
  - Omitted options are kept. Declared values that were changed by hand are restored. A running VM is never restarted
    for this unless O(allow_restart=true); changes that need a restart are reported in RV(needs_restart).
  - No VM is created or enlarged beyond what the overcommit ratios of its VM host and the limits of its project permit.
  - The whole task is checked before the first VM is changed. A VM that fails afterwards does not stop the others.
  - It never changes an instance or a volume without the owner's mark, never shrinks or moves a disk, and never deletes
    a protected VM. It deletes a volume only with its VM or with O(vms[].disks[].delete_volume=true).
  - The next run completes an interrupted one, and recreates VMs that LXD had created only partly.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes
  - tenantry.lxd.vm
options:
  vmhosts:
    description:
      - The VM hosts of the registry for VMs without O(vms[].vmhost). If omitted, all of the registry.
      - An existing VM stays on its VM host. A new one is placed on a VM host with room, by O(strategy), and
        RV(placements) explains the choice.
    type: list
    elements: str
  pool:
    description: Place VMs without O(vms[].vmhost) only on VM hosts of this resource pool.
    type: str
  zone:
    description: Place VMs without O(vms[].vmhost) only on VM hosts of this zone.
    type: str
  host_tags:
    description: Place VMs without O(vms[].vmhost) only on VM hosts with all of these tags.
    type: list
    elements: str
  strategy:
    description:
      - How VMs are placed. V(spread) chooses the VM host with the smallest allocated share of cores, memory and
        storage, V(pack) the fullest one that has room. In a cluster, a member is chosen in the same way.
      - All VMs of the list are placed together. The same list and the same VM hosts have the same result.
    type: str
    choices: [spread, pack]
    default: spread
  ignore_unreachable_hosts:
    description:
      - Whether to continue without VM hosts that do not answer. A VM without O(vms[].vmhost) may already exist there.
        By default such a VM fails, and the others are not affected. With V(true) it is created on another VM host,
        and may then exist twice.
      - A VM that is declared on such a VM host, or is on a cluster member that is down, fails too. With V(true) it is
        skipped with a warning.
    type: bool
    default: false
  prune:
    description:
      - Whether to delete VMs with the owner's mark that are not in O(vms), and the volumes that were created for them.
      - It deletes only VMs on the VM hosts of O(vmhosts), only those with the tag O(prune_tag), at most O(prune_max) of
        them, and never protected ones. An empty O(vms) is refused. Check mode and C(--diff) show which VMs they are.
    type: bool
    default: false
  prune_tag:
    description: The tag of the VMs that O(prune) may delete.
    type: str
  prune_max:
    description: If O(prune) would delete more VMs than this, the task is refused and names them.
    type: int
    default: 10
  allow_restart:
    description: Whether a running VM may be restarted for changes that LXD cannot make while it runs.
    type: bool
    default: false
  stop_timeout:
    description: How many seconds a guest has to shut down.
    type: int
    default: 60
  force_stop:
    description: Whether to stop a VM by force instead of requesting its guest to shut down.
    type: bool
    default: false
  concurrency:
    description: How many VMs are changed at the same time on each VM host. A slow host does not delay others.
    type: int
    default: 8
  wait:
    description:
      - What to wait for after everything else is done. It applies to every VM with O(vms[].state=started) or
        O(vms[].state=restarted). In check mode nothing is waited for.
      - All VMs of the task are waited for at the same time, with one request for each VM host every 0.5 to 3 seconds,
        whatever the number of its VMs. The wait continues if a server restarts meanwhile.
      - A VM that does not meet the condition within O(wait_timeout) is in RV(failed_vms) with the code V(timeout) and
        what is still missing. The others are not affected.
      - V(none) waits for nothing once LXD has started a VM.
      - V(running) waits for LXD's status V(Running) or V(Ready). If nothing was changed, it needs no request.
      - V(address) waits for an address on one of the VM's own interfaces, from the LXD agent in the guest. Without an
        agent it comes from leases and neighbours on LXD's own networks, and the guest must have sent and received
        packets since it was started. An IPv6 address that LXD only computes from the MAC does not count.
      - V(agent) waits until the LXD agent in the guest answers.
      - V(cloud_init) waits until cloud-init has finished in the guest, as reported through the agent. Its errors are in
        RV(failed_vms) with the code V(operation_failed), and its recoverable errors in RV(waits[].warnings). A guest
        without an agent that has been on the network for a minute fails with the code V(unsupported).
    type: str
    choices: [none, running, address, agent, cloud_init]
    default: running
  wait_timeout:
    description: The timeout of O(wait) in seconds, for all VMs of the task together.
    type: int
    default: 300
seealso:
  - module: tenantry.lxd.lxd_vm_info
  - module: tenantry.lxd.lxd_vmhost
"""

EXAMPLES = r"""
- name: The least, an empty VM that boots from the network
  tenantry.lxd.lxd_vm_compose:
    vmhost: kvm-01
    vms:
      - name: web-1

- name: Three VMs from an image, with a data disk each
  tenantry.lxd.lxd_vm_compose:
    vmhost: kvm-01
    defaults:
      image: debian-12
      cores: 2
      memory: 4GiB
      interfaces:
        - network: lxdbr0
      disks:
        - size: 20GiB
        - name: data
          size: 100GiB
      cloud_init:
        user_data:
          packages: [postgresql]
      tags: [database]
    vms:
      - name: db-1
      - name: db-2
      - name: db-3
        memory: 8GiB
        protected: true

- name: Six VMs on whichever hosts of a zone have room, two of them pinned
  tenantry.lxd.lxd_vm_compose:
    zone: north
    strategy: spread
    wait: address
    defaults:
      image: debian-12
      memory: 4GiB
    vms:
      - {name: web-1, cores: 2}
      - {name: web-2, cores: 2}
      - {name: web-3, cores: 2}
      - {name: web-4, cores: 2}
      - name: fast-1
        pinned_cores:
          count: 2
      - name: fast-2
        pinned_cores:
          count: 2
          numa_node: 1

- name: Gone, with the volumes that were made for it
  tenantry.lxd.lxd_vm_compose:
    vmhost: kvm-01
    vms:
      - name: web-1
        state: absent
"""

RETURN = r"""
vms:
  description: The VMs of the task that are there afterwards, in the task's order. In check mode as they would be.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The VM's name.
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
      description: LXD's word for the kind of instance.
      type: str
    description:
      description: Its description.
      type: str
    architecture:
      description: Its architecture, empty until it is made.
      type: str
    owner:
      description: The tenant that composed it.
      type: str
    cores:
      description: How many cores it has.
      type: int
    pinned_cores:
      description: The host's cores that it is pinned to, or null.
      type: list
      elements: int
    memory:
      description: Its memory as LXD holds it.
      type: str
    disks:
      description: Its disks, the root disk first, each with its size, storage pool, volume and boot priority.
      type: list
      elements: dict
    interfaces:
      description: Its interfaces, each with its network or parent, MAC, VLAN, addresses said and boot priority.
      type: list
      elements: dict
    addresses:
      description: Its addresses, where O(wait) asks the guest; else empty, and M(tenantry.lxd.lxd_vm_info) asks.
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
      description: Null, since a composed VM needs no commissioning.
      type: str
    config:
      description: Its LXD config, profiles included. Of texts for the guest's first boot only the length shows.
      type: dict
  sample:
    - name: web-1
      vmhost: kvm-01
      project: tenant-a
      location: none
      status: Running
      type: virtual-machine
      description: ""
      architecture: x86_64
      owner: tenant-a
      cores: 1
      pinned_cores: null
      memory: 1GiB
      disks:
        - {name: root, root: true, size: 10GiB, storage_pool: default, volume: null, boot_priority: null}
      interfaces:
        - {name: eth0, network: lxdbr0, parent: null, type: null, mac: "00:16:3e:12:34:56", vlan: null, ipv4: null,
           ipv6: null, boot: "10"}
      addresses: []
      profiles: []
      pool: null
      zone: null
      tags: []
      annotations: {}
      protected: false
      commissioned: null
      config: {limits.cpu: "1", limits.memory: 1GiB}
placements:
  description: Where each VM of the task is or goes, and why there.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The VM's name.
      type: str
    vmhost:
      description: The VM host, or null for a VM that is to be absent and is nowhere.
      type: str
    target:
      description: The cluster member or group that a new VM is made on, or null.
      type: str
    reason:
      description: Why there.
      type: str
    against:
      description: What spoke against the other candidates, each reason with their names.
      type: dict
  sample:
    - {name: web-1, vmhost: kvm-01, target: null, reason: chosen by the task, against: {}}
    - {name: web-2, vmhost: kvm-02, target: null, reason: the least allocated of 2 candidates,
       against: {as much or more of it is allocated: [kvm-01], "zone is south, not north": [kvm-07]}}
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample:
    - create VM web-1
    - start VM web-1
needs_restart:
  description: VMs that run and differ from their declaration in what LXD changes only while they are stopped.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: web-1, vmhost: kvm-01, keys: [limits.memory]}
waits:
  description: What came of each wait, where O(wait) is more than V(running).
  returned: outside check mode, when VMs were waited for
  type: list
  elements: dict
  contains:
    name:
      description: The VM's name.
      type: str
    vmhost:
      description: The VM host it is on.
      type: str
    wait:
      description: What was waited for.
      type: str
    reached:
      description: Whether it came.
      type: bool
    seconds:
      description: How long it took.
      type: float
    missing:
      description: What was still missing at the end, or null.
      type: str
    warnings:
      description: What cloud-init calls recoverable errors.
      type: list
      elements: str
  sample:
    - {name: web-1, vmhost: kvm-01, wait: address, reached: true, seconds: 8.4, missing: null, warnings: []}
failed_vms:
  description: The VMs that failed, each with its own C(msg), C(code) and C(hint).
  returned: outside check mode
  type: list
  elements: dict
  sample: []
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
refused:
  description: Each VM's refusal, where several were refused before anything was written.
  returned: on failure
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(invalid), V(not_owned), V(protected) or V(unreachable).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.waits import WAIT_KINDS
from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.vm_compose import ComposeJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.vm_arguments import DEFAULTS, VM

OPTIONS = {
    "vms": {"type": "list", "elements": "dict", "required": True, "options": VM},
    "defaults": {"type": "dict", "options": DEFAULTS},
    "vmhosts": {"type": "list", "elements": "str"},
    "pool": {"type": "str"},
    "zone": {"type": "str"},
    "host_tags": {"type": "list", "elements": "str"},
    "strategy": {"type": "str", "choices": ["spread", "pack"], "default": "spread"},
    "ignore_unreachable_hosts": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": False},
    "prune_tag": {"type": "str"},
    "prune_max": {"type": "int", "default": 10},
    "allow_restart": {"type": "bool", "default": False},
    "stop_timeout": {"type": "int", "default": 60},
    "force_stop": {"type": "bool", "default": False},
    "concurrency": {"type": "int", "default": 8},
    "wait": {"type": "str", "choices": list(WAIT_KINDS), "default": "running"},
    "wait_timeout": {"type": "int", "default": 300},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(arguments.CONNECTION, OPTIONS), ComposeJob)


if __name__ == "__main__":
    main()
