#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Register an LXD server or cluster as a VM host of the tenant, or remove it from the registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vmhost
short_description: Register an LXD server as a VM host
version_added: "0.1.0"
description:
  - Creates and updates the entry of a VM host in the registry, the directory that declares the VM hosts, and returns
    the state of the host.
  - Before it writes the entry, it checks the host. The host must answer, have the pinned certificate, trust the tenant
    certificate and be able to run virtual machines. Its project must exist and carry the owner's mark. A host that
    fails any of these checks gets no entry.
  - Omitted options are kept, including values that were written into the entry by hand. An empty string or list removes
    a key.
  - Certificates and keys that are given as options are written into the host's directory. If they are omitted, those in
    the directory are used. The C(.gitignore) of the registry keeps unencrypted private keys out of git.
  - It reads the tracked project only, and no VMs elsewhere on the server. Apart from the following two cases it changes
    nothing on the server.
  - With O(state=absent) and O(vms=delete) it deletes the VMs with the owner's mark and the volumes that were created
    for them, and nothing else.
  - With administrator access, which is O(url=unix:) on the host itself or an unrestricted certificate, it changes the
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
      - The name of the VM host, and of its directory in the registry.
    type: str
    required: true
  state:
    description:
      - V(present) checks and registers the host, and updates its settings. A new host needs O(url), O(project),
        O(owner), and O(server_cert) or O(server_fingerprint) unless its directory has C(server.crt).
      - V(absent) removes the entry from the registry. By default no server is contacted and the VMs stay.
    type: str
    choices: [present, absent]
    default: present
  zone:
    description: The zone of the host. If omitted, it is kept.
    type: str
  pool:
    description: The resource pool of the host. If omitted, it is kept.
    type: str
  tags:
    description: Words by which tasks select the host. Their order has no meaning. If omitted, they are kept.
    type: list
    elements: str
  cpu_overcommit:
    description:
      - How many cores can be allocated to VMs for each core of the host, from 0.1 to 10. A new entry has 1.
      - A ratio that is too low for what is allocated to the instances of the project is refused, and the error shows
        the figures. Stopped instances count too.
      - If the project has C(limits.cpu), LXD enforces the ratio, and only an administrator can change it. The limit
        becomes the host's cores times the ratio, rounded down. Omit the ratio for a project whose limit is a quota of
        another kind.
      - Without administrator access nothing is changed in this case. RV(limits_pending) lists the pending limits.
    type: str
  memory_overcommit:
    description:
      - How much memory can be allocated to VMs for each byte of the host's memory. It works like O(cpu_overcommit),
        with the limit C(limits.memory).
    type: str
  storage_overcommit:
    description:
      - How much space can be allocated to disks for each byte of a storage pool, from 0.1 to 10. A new entry has 1.
      - A ratio above 1 is useful for thinly provisioned pools, which most are. LXD does not enforce it; it applies when
        VMs are placed.
    type: str
  enforce:
    description:
      - The ratios that LXD itself enforces from now on, by a limit of the project. It requires administrator access.
      - If omitted, LXD enforces the ratios for which the project has limits. M(tenantry.lxd.lxd_project) removes a
        limit.
    type: list
    elements: str
    choices: [cpu, memory]
  default_storage_pool:
    description: The storage pool of disks that do not set one. It must exist.
    type: str
  default_network:
    description: The network of VMs without interfaces. It must be a network or bridge that the project may use.
    type: str
  vms:
    description:
      - What happens to the VMs with the owner's mark, with O(state=absent).
      - V(keep) keeps them and makes no connection.
      - V(delete) deletes every VM in the tracked project that carries the owner's mark, and the volumes that were
        created for it. Each deletion is reported, and a failure does not stop the others. Protected VMs are not deleted
        and count as failures. The entry stays if a VM is left or the host cannot be reached.
    type: str
    choices: [keep, delete]
    default: keep
  remove_files:
    description:
      - Whether O(state=absent) also deletes the certificates and the private key in the host's directory.
      - The server still trusts the certificate afterwards; RV(orphaned_trust) has the command that revokes it.
    type: bool
    default: false
notes:
  - O(vmhost) is not needed, because O(name) names the host.
  - An unrestricted certificate in O(client_cert) is used for this run only, if the host's directory has its own
    certificate.
  - With O(url=unix:) it changes what LXD enforces. It cannot register a new host, because an entry needs an address.
    Over SSH it writes no files, because the registry is on the controller; use a second task there for the entry.
seealso:
  - module: tenantry.lxd.lxd_project
  - module: tenantry.lxd.lxd_tenant_cert
  - module: tenantry.lxd.lxd_vmhost_info
"""

EXAMPLES = r"""
- name: Register a host that has its key pair in the registry
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: https://kvm-01.example.com:8443
    server_fingerprint: "{{ kvm_01_fingerprint }}"
    project: tenant-a
    owner: team-a

- name: Register a host with its zone, ratios and defaults
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

- name: Change the address of a registered host
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: https://192.0.2.17:8443

- name: Change a ratio that LXD enforces, as an administrator on the host
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    url: "unix:"
    memory_overcommit: 1.5
    enforce: [memory]
  become: true
  delegate_to: kvm-01

- name: Remove a host from the registry and keep its VMs
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    state: absent

- name: Remove a host from the registry, with the owner's VMs and the key
  tenantry.lxd.lxd_vmhost:
    name: kvm-01
    state: absent
    vms: delete
    remove_files: true
"""

RETURN = r"""
vmhost:
  description: The registered VM host, in check mode as it would be registered; null with O(state=absent).
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
      description: The storage pool of disks that do not set one, or null.
      type: str
    default_network:
      description: The network of VMs without interfaces, or null.
      type: str
    server:
      description:
        - The server's C(name), C(version), C(flavour) (V(lxd) or V(incus)), C(drivers), whether it is C(clustered), and
          the C(members) with their C(status). Null if the server could not be read.
        - C(certificate) is the server's own certificate, which clients pin. C(https_address) is where it listens; only
          an administrator sees it, for others it is null.
      type: dict
    resources:
      description:
        - What the host has and how much of it is allocated. Null if it could not be read. Sizes are in bytes.
        - C(ours) is allocated to the instances of the tracked project by their limits, including stopped ones.
          C(others) is what others use at least, or null if it is unknown; a tenant cannot see what is allocated to
          others. C(overcommitted) is the amount by which C(ours) exceeds C(total).
        - C(free) of C(cores) and C(memory) is what the ratio and the project's C(limit) leave after C(ours). C(free) of
          a storage pool is neither used nor allocated. M(tenantry.lxd.lxd_vm_compose) places VMs by C(free).
      type: dict
      contains:
        cores:
          description: Threads, as LXD counts them for C(limits.cpu).
          type: dict
        memory:
          description:
            - Memory, with what is actually C(used) and the C(hugepages). Huge pages are available only to VMs that
              request them, and are never overcommitted.
          type: dict
        uncounted:
          description: Instances without limits to count, which are mostly containers.
          type: list
          elements: str
        storage_pools:
          description:
            - The storage pools. A VM's disk without a size counts as LXD's default of 10 GiB.
            - C(same_filesystem) names the pools that share their space with this one. The space counts once.
          type: list
          elements: dict
        networks:
          description: The networks that the project may use, with the number of the tenant's interfaces on each.
          type: list
          elements: dict
        numa_nodes:
          description: The NUMA nodes of each machine, with the VMs that are mapped to them.
          type: list
          elements: dict
        members:
          description: The same figures for each member of a cluster; empty without a cluster.
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
      description: What the holder of that certificate could do beyond the project, one sentence each.
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
  description: The limits that only an administrator can change, with the values in force and the desired ones. If
    there is any, nothing was changed.
  returned: with O(state=present)
  type: list
  elements: dict
  sample:
    - {limit: limits.memory, in_force: 128GiB, wanted: 192GiB}
    - {limit: user.tenantry.memory_overcommit, in_force: "1", wanted: "1.5"}
orphaned_trust:
  description: The certificate that the server may still trust, and the command that revokes it; null if the directory
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
  description: The VMs that could not be deleted, each with its C(msg), C(code) and C(hint).
  returned: with O(state=absent)
  type: list
  elements: dict
  sample: []
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample:
    - register VM host kvm-01
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(invalid), V(unreachable), V(not_trusted), V(not_owned),
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
