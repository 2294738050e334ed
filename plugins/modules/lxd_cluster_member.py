#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Begin an LXD cluster, let members in, join, and leave."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_cluster_member
short_description: Begin an LXD cluster, join one, or leave it
version_added: "0.1.0"
description:
  - Has one server be a member of a cluster, or be one no more. The role P(tenantry.lxd.vmhost#role) puts its four
    states together, with C(vmhost_cluster).
  - It runs on a host itself, with C(become), and asks LXD by its unix socket. It needs Python 3.9 and no package.
  - A server that holds anything (instances, projects, profiles, images, storage pools, networks) doesn't join. LXD
    would drop all of it from its database without a word.
  - A member leaves after everything on it was moved to others. What LXD would leave behind is listed, and the member
    stays; that is an instance with C(cluster.evacuate) other than C(auto), C(migrate) and C(live-migrate), or, with
    C(auto), one with a device of its own host (gpu, usb, a disk of a local pool beside the root, an interface with a
    parent), and a custom volume of a local pool.
    A member that doesn't answer is removed only with O(force=true).
  - It never gives a storage pool a disk or partition that holds data, unless O(storage_pools[].wipe) is set for that
    pool, and never one that is in use.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.server.parts
  - tenantry.lxd.connection
  - tenantry.lxd.attributes
options:
  name:
    description: The member's name in the cluster. Members keep their names.
    type: str
    required: true
  state:
    description:
      - V(present), on the member itself, has it in a cluster. With O(bootstrap) it begins one, with O(token) it joins.
      - V(invited), on a member, has a token with which O(name) may join. One that is there and unused is given again,
        and one that is good for less than ten minutes is cancelled and replaced. There is none for a name that the
        cluster has already.
      - V(uninvited), on a member, cancels unused tokens for O(name).
      - V(absent), on another member, moves the instances of O(name) to others and removes it.
    type: str
    choices: [present, invited, uninvited, absent]
    default: present
  bootstrap:
    description: Whether a server that is in no cluster begins one, keeping what it holds.
    type: bool
    default: false
  address:
    description:
      - Where other members reach this one, such as V(192.0.2.11:8443). The port is 8443 if omitted. Needed for
        beginning and joining.
      - A server that listens nowhere listens there from then on.
    type: str
  token:
    description: The token to join with, from O(state=invited). It is good for one join and a few hours.
    type: str
  cluster_certificate:
    description:
      - The cluster's certificate (PEM), as RV(cluster) has it. Needed for joining. The token is given to nobody who
        doesn't have that certificate's key.
    type: str
  storage_pools:
    description:
      - The storage pools of the cluster, as O(tenantry.lxd.lxd_server#module:storage_pools). For joining, what the
        member has of its own in each is taken from them, such as the disk.
  networks:
    description: The networks of the cluster, as O(tenantry.lxd.lxd_server#module:networks), taken likewise.
  force:
    description:
      - Whether a member that doesn't answer is removed. The cluster then forgets the instances and volumes on it.
      - One that answers is never forced.
    type: bool
    default: false
seealso:
  - module: tenantry.lxd.lxd_server
  - module: tenantry.lxd.lxd_vmhost_info
  - name: LXD clustering
    description: What a cluster is and how many members it wants.
    link: https://documentation.ubuntu.com/lxd/stable-5.21/explanation/clustering/
notes:
  - Where RV(token) is registered, say C(no_log=true) for the task.
"""

EXAMPLES = r"""
- name: The first member
  tenantry.lxd.lxd_cluster_member:
    url: "unix:"
    name: kvm-01
    bootstrap: true
    address: 192.0.2.11
  become: true

- name: Let another in, asked on the first
  tenantry.lxd.lxd_cluster_member:
    url: "unix:"
    name: kvm-02
    state: invited
  become: true
  delegate_to: kvm-01
  register: invited
  no_log: true

- name: It joins, with a disk of its own
  tenantry.lxd.lxd_cluster_member:
    url: "unix:"
    name: kvm-02
    address: 192.0.2.12
    token: "{{ invited.token }}"
    cluster_certificate: "{{ invited.cluster.certificate }}"
    storage_pools:
      - name: fast
        driver: btrfs
        source: /dev/disk/by-id/nvme-Example_1234
  become: true

- name: It leaves, asked on another member
  tenantry.lxd.lxd_cluster_member:
    url: "unix:"
    name: kvm-02
    state: absent
  become: true
  delegate_to: kvm-01
"""

RETURN = r"""
cluster:
  description: The cluster of the server that was asked, as it is afterwards, in check mode as it would be.
  returned: success
  type: dict
  contains:
    member:
      description: The name of the member that was asked; null where the server is in no cluster.
      type: str
    certificate:
      description: The certificate that every member shows, PEM.
      type: str
    members:
      description: All members, each with its C(name), C(status) and C(url).
      type: list
      elements: dict
  sample:
    member: kvm-01
    certificate: "-----BEGIN CERTIFICATE-----..."
    members:
      - {name: kvm-01, status: Online, url: "https://192.0.2.11:8443"}
      - {name: kvm-02, status: Online, url: "https://192.0.2.12:8443"}
token:
  description: The token to join with; null where the cluster has a member of that name already. It is a secret.
  returned: for O(state=invited)
  type: str
  sample: eyJzZXJ2ZXJfbmFtZSI6Imt2bS0wMiIsLi4ufQ==
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample:
    - evacuate member kvm-02
    - remove member kvm-02
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
holds:
  description: What a server that joined would lose.
  returned: on failure, when that is the reason
  type: list
  elements: str
left:
  description: What is on the member that should go and doesn't move.
  returned: on failure, when that is the reason
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(invalid), V(conflict) or V(not_found).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, server_arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.cluster_member import ClusterJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "invited", "uninvited", "absent"], "default": "present"},
    "bootstrap": {"type": "bool", "default": False},
    "address": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "cluster_certificate": {"type": "str"},
    "storage_pools": server_arguments.OPTIONS["storage_pools"],
    "networks": server_arguments.OPTIONS["networks"],
    "force": {"type": "bool", "default": False},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(server_arguments.CONNECTION, OPTIONS), ClusterJob)


if __name__ == "__main__":
    main()
