#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Give a running LXD its settings, storage pools and networks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_server
short_description: Give a running LXD its settings, storage pools and networks
version_added: "0.1.0"
description:
  - Says what a running LXD is to have, whether C(lxd init) was ever run there or not. What is missing is made, what
    differs is changed, and what isn't declared is kept.
  - Maps are merged by key, and a null removes a key. Values compare by what they mean, so that V(2GiB) and
    V(2147483648) are the same.
  - It runs on the host itself, with C(become), and asks LXD by its unix socket. It needs Python 3.9 and no package.
  - It never deletes a storage pool or a network, and never replaces one. One that exists with another driver, type or
    source is a V(conflict), said before anything is written.
  - It never gives LXD a disk or partition that holds data, unless O(storage_pools[].wipe) is set for that pool, and
    never one that is in use.
  - On a cluster, pools and networks are made on all members. One whose creation was interrupted, or that a member
    couldn't make, is finished by the next run, once what was in the way is put right.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.server
  - tenantry.lxd.server.parts
  - tenantry.lxd.connection
  - tenantry.lxd.attributes
notes:
  - The name of the device for O(storage_pools[].source) is best one that stays, below C(/dev/disk/by-id).
seealso:
  - module: tenantry.lxd.lxd_vmhost_info
  - name: LXD server configuration
    description: All keys of O(config).
    link: https://documentation.ubuntu.com/lxd/stable-5.21/reference/server/
  - name: LXD storage drivers
    description: What each driver takes.
    link: https://documentation.ubuntu.com/lxd/stable-5.21/reference/storage_drivers/
"""

EXAMPLES = r"""
- name: The least that other machines can use
  tenantry.lxd.lxd_server:
    url: "unix:"
    https_address: "[::]:8443"
    storage_pools:
      - name: default
        driver: dir
    networks:
      - name: lxdbr0
  become: true

- name: A disk of its own, and a bridge on which another DHCP serves
  tenantry.lxd.lxd_server:
    url: "unix:"
    https_address: 192.0.2.11:8443
    config:
      images.auto_update_interval: 0
      core.proxy_https: http://proxy.example.com:3128
    storage_pools:
      - name: fast
        driver: btrfs
        source: /dev/disk/by-id/nvme-EXAMPLE
        description: SSDs
    networks:
      - name: lxdbr1
        dhcp: false
        dns: false
        config:
          ipv4.address: none
          ipv6.address: none
          bridge.external_interfaces: eno2
  become: true

- name: A cluster whose members have disks of different names
  tenantry.lxd.lxd_server:
    url: "unix:"
    storage_pools:
      - name: fast
        driver: btrfs
        source: /dev/vdb
        members:
          kvm-03: {source: /dev/nvme0n1}
  become: true
"""

RETURN = r"""
server:
  description: The server as it is afterwards, in check mode as it would be.
  returned: when it could be read or predicted
  type: dict
  contains:
    version:
      description: Its version; empty where check mode found no server.
      type: str
    flavour:
      description: V(lxd) or V(incus).
      type: str
    clustered:
      description: Whether it is a cluster.
      type: bool
    members:
      description: The names of the cluster's members.
      type: list
      elements: str
    config:
      description: Its settings, secrets hidden.
      type: dict
    storage_pools:
      description: All its storage pools, each with name, driver, description and config, secrets hidden.
      type: list
      elements: dict
    networks:
      description: All its managed networks, each with name, type, description and config, secrets hidden.
      type: list
      elements: dict
  sample:
    version: 5.0.2
    flavour: lxd
    clustered: false
    members: []
    config: {core.https_address: "[::]:8443"}
    storage_pools:
      - {name: default, driver: dir, description: "", config: {source: /var/lib/lxd/storage-pools/default}}
    networks:
      - {name: lxdbr0, type: bridge, description: "", config: {ipv4.address: 10.1.2.1/24, ipv4.nat: "true"}}
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample:
    - "change server unix:: core.https_address"
    - create storage pool fast
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
problems:
  description: Everything that is wrong, a sentence each.
  returned: on failure, when there is more than one reason
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(invalid), V(conflict) or V(unreachable).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, server_arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.server import ServerJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(server_arguments.CONNECTION, server_arguments.OPTIONS), ServerJob)


if __name__ == "__main__":
    main()
