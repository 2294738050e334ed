#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather information about the VM hosts of the registry: entry, server, resources, VMs, certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vmhost_info
short_description: Read LXD VM hosts
version_added: "0.1.0"
description:
  - Returns the registry entry of each VM host, and what its server reports about itself, its resources, and the tracked
    project with its VMs.
  - VM hosts are read in parallel, each with a constant number of requests whatever the number of VMs, and one or two
    more for each storage pool. A VM host that cannot be read is a row with an C(error), and does not fail the task.
  - On the host itself, with O(url=unix:) and without O(project), it reads a server that is not a VM host yet.
  - It never changes anything, and reads nothing outside the tracked projects.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes.info
seealso:
  - module: tenantry.lxd.lxd_vmhost
  - module: tenantry.lxd.lxd_vm_info
"""

EXAMPLES = r"""
- name: Read all VM hosts
  tenantry.lxd.lxd_vmhost_info:
  register: fleet

- name: List the free memory of two VM hosts
  tenantry.lxd.lxd_vmhost_info:
    vmhosts: [kvm-01, kvm-02]
    query: "[?resources].{name: name, free: resources.memory.free}"

- name: List certificates that expire within a month, and fail if a host does not answer
  tenantry.lxd.lxd_vmhost_info:
    strict: true
    query: "[?certificate.days_left < `30`].name"
"""

RETURN = r"""
vmhosts:
  description: A row for each VM host, or the result of O(query).
  returned: success
  type: list
  elements: dict
  contains:
    vmhost:
      description: The VM host.
      type: str
    error:
      description: Why it could not be read, as C(code), C(msg) and C(hint). The values of its registry entry are
        returned all the same.
      returned: for a VM host that could not be read
      type: dict
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
          description: The NUMA nodes of each machine, with the VMs that are mapped to them and the ports of the network
            cards that belong to them.
          type: list
          elements: dict
        members:
          description: The same figures for each member of a cluster; empty without a cluster.
          type: list
          elements: dict
    vms:
      description:
        - The VMs in the tracked project, as RV(tenantry.lxd.lxd_vm_info#module:vms) shows them, without addresses, and
          with the sizes of all their disks.
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
    - vmhost: kvm-01
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
            interfaces:
              - {name: eno1, mac: "00:16:3e:12:34:56", link: true, speed: 10000, virtual_functions: 63}
        members: []
      vms: []
      certificate: {fingerprint: 3b5d6e, not_after: "2036-11-18T03:41:00Z", days_left: 3649}
      exposure:
        - The holder could read what hardware the host has, and how full its storage pools and its memory are.
code:
  description: The kind of the failure.
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, info
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.readers import vmhost as vmhost_reading


def main() -> None:
    """Declare the options and hand over to the reader of all info modules."""
    module = arguments.create_module(arguments.CONNECTION, arguments.INFO)
    info.run_info(module, "vmhosts", vmhost_reading.read_rows, vmhost_reading.build_registry_row)


if __name__ == "__main__":
    main()
