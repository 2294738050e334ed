#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compose virtual machines in the tracked project of LXD VM hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vm_compose
short_description: Compose virtual machines on LXD VM hosts
version_added: "0.1.0"
description:
  - Makes any number of virtual machines in one task, on any number of VM hosts, and keeps them as they are said to be,
    so sized, so wired, in this power state.
  - Every VM is made in the tracked project of its VM host, and only when that project carries our owner's mark.
  - What isn't said is kept. What was changed by hand and is said here is mended. A running VM is never restarted for
    that unless O(allow_restart=true); what waits for a restart is reported in RV(needs_restart).
  - No VM is made or grown beyond what the overcommit ratios of its VM host and the limits of its project leave.
  - The whole task is checked before the first VM is touched. A VM that fails on the way doesn't stop the others.
  - It never touches an instance or a volume that doesn't carry our mark, never shrinks or moves a disk, never deletes
    a volume unless its VM goes or O(vms[].disks[].delete_volume=true) is said, and never deletes a protected VM.
  - A run that was interrupted is finished by the next one, and VMs that LXD had only half made are made anew.
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
      - VM hosts of the registry that VMs without O(vms[].vmhost) may be on. Without it, all of the registry.
      - A VM that is on one of them stays there. A new one is placed where there is room, by O(strategy), and
        RV(placements) says why there.
    type: list
    elements: str
  pool:
    description: Only VM hosts of this resource pool, as their registry entries say, get VMs without O(vms[].vmhost).
    type: str
  zone:
    description: Only VM hosts of this zone get VMs without O(vms[].vmhost).
    type: str
  host_tags:
    description: Only VM hosts with all of these tags get VMs without O(vms[].vmhost).
    type: list
    elements: str
  strategy:
    description:
      - How VMs are placed. V(spread) takes the VM host that has the least of its cores, memory and storage promised,
        V(pack) the fullest one that still has room. In a cluster the members are chosen from in the same way.
      - The choice is made for the whole list together, and is the same for the same list and the same VM hosts.
    type: str
    choices: [spread, pack]
    default: spread
  ignore_unreachable_hosts:
    description:
      - What to do when a VM host gives no answer that a VM without O(vms[].vmhost) may be on already. By default the VM
        fails and the others go on. With V(true) it is made on another one, and may be there twice.
      - A VM that is said to be on such a VM host, or that is on a cluster member that is down, fails as well. With
        V(true) it is left alone, with a warning.
    type: bool
    default: false
  prune:
    description:
      - Whether VMs of ours that are not in O(vms) are deleted, with the volumes that were made for them.
      - Only on the VM hosts of O(vmhosts), only with the tag O(prune_tag), at most O(prune_max) of them, and never
        protected ones. An empty O(vms) is refused. Check mode and C(--diff) show which they are.
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
    description: Whether a running VM is restarted for changes that LXD doesn't make while it runs.
    type: bool
    default: false
  stop_timeout:
    description: Seconds that a guest gets to shut down.
    type: int
    default: 60
  force_stop:
    description: Whether to switch a VM off instead of asking its guest to shut down.
    type: bool
    default: false
  concurrency:
    description: How many VMs are worked on at once, on each VM host. A slow host holds up no other.
    type: int
    default: 8
  wait:
    description:
      - What to wait for after everything else is done, for every VM that O(vms[].state=started) or
        O(vms[].state=restarted) is said of. In check mode nothing is waited for.
      - All VMs of the task are waited for side by side. Each host is asked by one request a round, 0.5 to 3 seconds
        apart, whatever the number of its VMs; a server that restarts meanwhile is asked on.
      - A VM that isn't there when O(wait_timeout) ends is in RV(failed_vms) with the code V(timeout) and what is still
        missing. The others go on.
      - V(none) waits for nothing once LXD has started a VM.
      - V(running) is LXD's status V(Running) or V(Ready). Where nothing was changed it costs no request.
      - V(address) is an address on one of the VM's own interfaces. The guest's LXD agent tells it; without an agent,
        LXD tells leases and neighbours on its own networks, and the guest must have been heard of there since it was
        started. An IPv6 address that LXD only works out from the MAC doesn't count.
      - V(agent) is the LXD agent in the guest.
      - V(cloud_init) is the end of cloud-init in the guest, asked through the agent. Its errors are in RV(failed_vms),
        with the code V(operation_failed), and what it went on after is in the RV(waits[].warnings). A guest that is on
        the network for a minute and has no agent is V(unsupported).
    type: str
    choices: [none, running, address, agent, cloud_init]
    default: running
  wait_timeout:
    description: Seconds for O(wait), for all VMs of the task together.
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
      description: Null, since what we compose needs no commissioning.
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
    - {name: web-1, vmhost: kvm-01, target: null, reason: said by the task, against: {}}
    - {name: web-2, vmhost: kvm-02, target: null, reason: the least promised of 2 candidates,
       against: {as much or more of it is promised: [kvm-01], "zone is south, not north": [kvm-07]}}
actions:
  description: What was done, or in check mode would be done, a sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - create VM web-1
    - start VM web-1
needs_restart:
  description: VMs that run and differ from what was said in what LXD changes only while they are stopped.
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
  description: What check mode could not look at because an earlier task of the play would have made it.
  returned: in check mode, when there is any
  type: list
  elements: str
refused:
  description: Each VM's refusal, where several were refused before anything was written.
  returned: on failure
  type: list
  elements: str
code:
  description: What kind of failure it is, such as V(invalid), V(not_owned), V(protected) or V(unreachable).
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
