#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Register an LXD server or cluster as a VM host of ours, or end that."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vmhost
short_description: Register an LXD server as a VM host
version_added: "0.1.0"
description:
  - Writes and keeps the entry of a VM host in the registry, the directory that declares our VM hosts, and tells
    everything about the host.
  - Before it writes, it proves the host. It answers, has the pinned certificate, trusts ours, can run virtual machines,
    and its project is there and carries our owner's mark. A host that fails any of these gets no entry.
  - What isn't said is kept, also what was written into the entry by hand. An empty text or list takes a key out.
  - Certificates and keys that are said are written into the host's folder. Those that are in the folder are used when
    nothing is said. The C(.gitignore) of the registry keeps plain private keys out of git.
  - It only looks at the tracked project, and never at VMs elsewhere on the server. Apart from the two uses below it
    writes nothing on the server.
  - With O(state=absent) and O(vms=delete) it deletes the VMs that carry our mark, with the volumes that were made for
    them, and nothing else.
  - With the admin's authority, which is O(url=unix:) on the host itself or an unrestricted certificate, it changes the
    overcommit ratios that LXD enforces in the project.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes
options:
  name:
    description:
      - The VM host's name, which is also that of its folder in the registry.
    type: str
    required: true
  state:
    description:
      - V(present) proves and registers the host, and keeps its settings as said. A new host needs O(url), a pin
        (O(server_cert) or O(server_fingerprint), unless its folder has C(server.crt)), O(project) and O(owner).
      - V(absent) takes the entry out of the registry. By default nobody is asked and the VMs stay.
    type: str
    choices: [present, absent]
    default: present
  zone:
    description: The zone that the host is in.
    type: str
  pool:
    description: The resource pool that the host is in.
    type: str
  tags:
    description: Words to choose the host by. They have no order.
    type: list
    elements: str
  cpu_overcommit:
    description:
      - How many times the host's cores may be promised to VMs, from 0.1 to 10, exact to the digit. Unsaid, it is 1.
      - A ratio below what the instances of the project have is refused with the figures; stopped ones count too.
      - Where the project has C(limits.cpu), LXD enforces the ratio, and only its admin may change it. Then that limit
        becomes the host's cores times the ratio, rounded down. So leave the ratio out for a project whose limit is a
        quota of another kind.
      - Without the admin's authority such a change is not made. RV(limits_pending) says what waits, and nothing at all
        is changed.
    type: str
  memory_overcommit:
    description:
      - How many times the host's memory may be promised to VMs; the same as O(cpu_overcommit), with C(limits.memory).
    type: str
  storage_overcommit:
    description:
      - How many times the space of each storage pool may be promised to disks, from 0.1 to 10. Unsaid, it is 1.
      - More than 1 is for pools that take space as it is written, such as most are. LXD doesn't hold it, so it is kept
        when VMs are planned.
    type: str
  enforce:
    description:
      - Which of the ratios LXD itself holds from now on, by a limit of the project. Needs the admin's authority.
      - Unsaid, those are held that the project has limits for. M(tenantry.lxd.lxd_project) removes a limit.
    type: list
    elements: str
    choices: [cpu, memory]
  default_storage_pool:
    description: Where the disks of VMs go that don't say it. It must be there.
    type: str
  default_network:
    description: The network of VMs that don't say one. It must be a managed one that the project reaches.
    type: str
  vms:
    description:
      - What becomes of our VMs with O(state=absent).
      - V(keep) leaves them, and makes no connection.
      - V(delete) deletes every VM in the tracked project that carries our mark, with the volumes that were made for it.
        Each is reported, and one that fails doesn't stop the others. Protected ones fail. The entry stays if any is
        left, and if the host can't be reached.
    type: str
    choices: [keep, delete]
    default: keep
  remove_files:
    description:
      - Whether O(state=absent) removes the certificates and the private key from the host's folder too.
      - The server still trusts the certificate then; RV(orphaned_trust) says how to end that.
    type: bool
    default: false
notes:
  - O(vmhost) is not needed here, since O(name) says the host.
  - An unrestricted certificate that is said with O(client_cert) is used for this run only, where the host's folder has
    a certificate of its own.
  - With O(url=unix:) it changes what LXD enforces. It registers no new host, since an entry needs an address. Over SSH
    it writes no files at all, since the registry is on the controller; the entry follows with a task that runs there.
seealso:
  - module: tenantry.lxd.lxd_project
  - module: tenantry.lxd.lxd_tenant_cert
  - module: tenantry.lxd.lxd_vmhost_info
"""

EXAMPLES = r"""
- name: The least, a host whose folder has its key pair already
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: https://kvm-01.example.com:8443
    server_fingerprint: "{{ kvm_01_fingerprint }}"
    project: tenant-a
    owner: team-a

- name: As it is mostly used
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: https://kvm-01.example.com:8443
    server_cert: files/kvm-01.crt
    project: tenant-a
    owner: team-a
    zone: rack-4
    pool: production
    tags: [ssd, 10g]
    cpu_overcommit: 2
    memory_overcommit: 1
    default_storage_pool: default
    default_network: lxdbr0

- name: It has moved, and is still the same server
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: https://192.0.2.17:8443

- name: Change a ratio that LXD enforces, as the admin on the host
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: "unix:"
    memory_overcommit: 1.5
    enforce: [memory]
  become: true
  delegate_to: kvm-01

- name: No longer ours, and its VMs stay
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    state: absent

- name: No longer ours, without our VMs and without the key
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    state: absent
    vms: delete
    remove_files: true
"""

RETURN = r"""
vmhost:
  description: The VM host as it is registered, or in check mode would be; null with O(state=absent).
  returned: always
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    url:
      description: Its first address.
      type: str
    urls:
      description: All its addresses.
      type: list
      elements: str
    project:
      description: The tracked project.
      type: str
    owner:
      description: The tenant.
      type: str
    zone:
      description: Its zone, or null.
      type: str
    pool:
      description: Its resource pool, or null.
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    cpu_overcommit:
      description: The ratio, as exact decimal text.
      type: str
    memory_overcommit:
      description: The ratio, as exact decimal text.
      type: str
    storage_overcommit:
      description: The ratio, as exact decimal text.
      type: str
    default_storage_pool:
      description: Where the disks of VMs go that don't say it, or null.
      type: str
    default_network:
      description: The network of VMs that don't say one, or null.
      type: str
    server:
      description:
        - The server's C(name), C(version), C(flavour) (V(lxd) or V(incus)), C(drivers), whether it is C(clustered), and
          the C(members) with their C(status). Null where it could not be asked.
        - C(certificate) is its own, which others pin. C(https_address) is where it listens, and null to anybody but its
          admin.
      type: dict
    resources:
      description:
        - What the host has and what of it is promised. Null where nobody could look.
        - C(ours) is what the instances of the tracked project may use by their limits, stopped ones too. C(others) is
          what is used by others at least, where what is used can be seen, else null. What they were promised is told to
          no tenant. C(overcommitted) is by how much C(ours) exceeds C(total). Sizes are in bytes.
        - C(free) of C(cores) and C(memory) is what the ratio and the project's C(limit) leave after C(ours), and of a
          storage pool what is neither used nor promised. It is what M(tenantry.lxd.lxd_vm_compose) places VMs by.
      type: dict
      contains:
        cores:
          description: Threads, as LXD counts them for C(limits.cpu).
          type: dict
        memory:
          description:
            - Memory, with what is really C(used) and the C(hugepages). They are C(free) only for VMs that ask for them
              and are never overcommitted.
          type: dict
        uncounted:
          description: Instances without limits that could be counted, which are containers mostly.
          type: list
          elements: str
        storage_pools:
          description:
            - The storage pools. A VM's disk without a size counts as LXD's default of 10 GiB.
            - C(same_filesystem) names pools that have their space in common with this one. It counts once.
          type: list
          elements: dict
        networks:
          description: The networks that the project may use, and how many interfaces of ours are on each.
          type: list
          elements: dict
        numa_nodes:
          description: The NUMA nodes of each machine, with the VMs that are mapped to them.
          type: list
          elements: dict
        members:
          description: The same figures for each member of a cluster; empty where there is none.
          type: list
          elements: dict
    vms:
      description: The VMs in the tracked project, as RV(tenantry.lxd.lxd_vm_compose#module:vms) shows them.
      type: list
      elements: dict
    certificate:
      description: The tenant certificate's C(fingerprint), C(not_after) and C(days_left).
      type: dict
    exposure:
      description: What the holder of that certificate could do beyond the project, a sentence each, by reading only.
      type: list
      elements: str
  sample:
    name: kvm-01
    url: https://kvm-01.example.com:8443
    urls: ["https://kvm-01.example.com:8443"]
    project: tenant-a
    owner: team-a
    zone: rack-4
    pool: production
    tags: [ssd, 10g]
    cpu_overcommit: "2"
    memory_overcommit: "1"
    storage_overcommit: "1"
    default_storage_pool: default
    default_network: lxdbr0
    server: {name: kvm-01, version: 5.0.2, flavour: lxd, drivers: [lxc, qemu], https_address: null,
             certificate: "-----BEGIN CERTIFICATE-----...", clustered: false, members: []}
    resources:
      cores: {total: 32, overcommit: "2", limit: null, ours: 12, others: null, free: 52, overcommitted: 0}
      memory: {total: 137438953472, overcommit: "1", limit: null, ours: 51539607552, others: 9663676416,
               free: 85899345920, overcommitted: 0, used: 61203283968,
               hugepages: {total: 0, ours: 0, free: 0, size: 2097152}}
      uncounted: []
      storage_pools:
        - {name: default, driver: zfs, status: Created, total: 1099511627776, used: 322122547200, ours: 536870912000,
           overcommit: "1", others: 0, free: 562640715776, overcommitted: 0, same_filesystem: []}
      networks:
        - {name: lxdbr0, type: bridge, managed: true, ours: 6, others: null}
      numa_nodes:
        - member: none
          numa_node: 0
          vms: [db-1]
          cores: {total: 4, list: [0, 1, 2, 3], ours: 2, others: null, free: 2}
          memory: {total: 68719476736, used: 30601641984}
          hugepages: 0
      members: []
    vms: []
    certificate: {fingerprint: 3b5d6e, not_after: "2036-11-18T03:41:00Z", days_left: 3649}
    exposure:
      - The holder could read what hardware the host has, and how full its storage pools and its memory are.
limits_pending:
  description: The limits that only the admin may change, as they are in force and as they are wanted. If there is any,
    nothing was changed.
  returned: with O(state=present)
  type: list
  elements: dict
  sample:
    - {limit: limits.memory, in_force: 128GiB, wanted: 192GiB}
    - {limit: user.tenantry.memory_overcommit, in_force: "1", wanted: "1.5"}
orphaned_trust:
  description: The certificate that the server may go on trusting, and the command that ends it; null where the folder
    has no certificate.
  returned: with O(state=absent)
  type: dict
  sample:
    fingerprint: 3b5d6e
    command: lxc config trust remove 3b5d6e
deleted_vms:
  description: The VMs that were deleted.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [web-1]
failed_vms:
  description: The VMs that are left, each with its C(msg), C(code) and C(hint).
  returned: with O(state=absent)
  type: list
  elements: dict
  sample: []
actions:
  description: What was done, or in check mode would be done, a sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - register VM host kvm-01
unverified:
  description: What check mode could not look at because an earlier task of the play would have made it.
  returned: in check mode, when there is any
  type: list
  elements: str
code:
  description: What kind of failure it is, such as V(invalid), V(unreachable), V(not_trusted), V(not_owned),
    V(not_found), V(no_room) or V(protected).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.vmhost import PresentJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.vmhost_removal import AbsentJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "zone": {"type": "str"},
    "pool": {"type": "str"},
    "tags": {"type": "list", "elements": "str"},
    "cpu_overcommit": {"type": "str"},
    "memory_overcommit": {"type": "str"},
    "storage_overcommit": {"type": "str"},
    "enforce": {"type": "list", "elements": "str", "choices": ["cpu", "memory"]},
    "default_storage_pool": {"type": "str"},
    "default_network": {"type": "str"},
    "vms": {"type": "str", "choices": ["keep", "delete"], "default": "keep"},
    "remove_files": {"type": "bool", "default": False},
}
JOBS = {"present": PresentJob, "absent": AbsentJob}


def main() -> None:
    """Declare the options and hand over to the runner."""
    module = arguments.create_module(arguments.CONNECTION, OPTIONS)
    run(module, JOBS[module.params["state"]])


if __name__ == "__main__":
    main()
