#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Create, update or delete a tenant's project on an LXD VM host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_project
short_description: Manage a tenant's project on an LXD VM host
version_added: "0.1.0"
description:
  - Creates a project with the owner's mark, and manages its features, limits, restrictions and default profile.
  - Omitted options are kept. Maps are merged by key, and a null removes a key. Values are compared by their meaning, so
    V(2GiB) and V(2147483648) are equal.
  - Only an administrator can change projects in LXD. Use O(url=unix:) on the host itself with C(become), or an
    administrator's certificate. A restricted certificate can read its own project, so a run without changes works with
    it.
  - It never changes a project with another owner's mark, and a project without a mark only with O(adopt=true). It
    never deletes anything in a project except unused images that LXD itself cached, and never changes C(features.*) of
    a project that is not empty.
  - Instances that violate a new limit or restriction are reported before anything is written.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.attributes
options:
  name:
    description:
      - The name of the project. It has no default and is not taken from the registry.
    type: str
    required: true
    aliases: [project]
  state:
    description:
      - V(present) creates and updates the project.
      - V(absent) deletes the project if it carries the owner's mark and is empty. If it contains instances, profiles,
        networks, custom volumes or uploaded images, whoever they belong to, they are listed and nothing is deleted.
        Images that LXD cached are deleted.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: The description of the project. If omitted, it is kept.
    type: str
  isolation:
    description:
      - V(shared) disables every feature that the server knows. The project uses the images, profiles, volumes and
        networks of the project C(default), and the holder of its certificate can change them. RV(exposure) has the
        details.
      - V(confined) restricts the project (C(restricted=true)), gives it its own images, profiles, volumes and buckets,
        and permits only O(networks). It forbids raw QEMU and LXC options, host paths, huge pages, snapshots, backups,
        host devices, and interfaces that are not on a managed network. On a cluster it also sets
        C(restricted.cluster.target=allow), so that a VM's member can be chosen, unless O(restrictions) has another
        value.
      - If omitted, a new project is V(shared), and an existing one is kept.
      - LXD changes features of empty projects only, and so does this module.
    type: str
    choices: [shared, confined]
  features:
    description:
      - Which kinds of objects the project has of its own, such as C(images), C(profiles), C(storage.volumes) or
        C(networks). Omitted keys are kept.
      - Keys are LXD's without C(features.); underscores stand for dots and hyphens.
    type: dict
  limits:
    description:
      - Limits for the project as a whole, such as C(cpu), C(memory), C(disk), C(instances) or C(virtual_machines).
        Omitted keys are kept.
      - Keys are LXD's without C(limits.); underscores stand for dots and hyphens.
      - With a limit on cpu, memory or disk, LXD requires that every instance sets its own.
    type: dict
  restrictions:
    description:
      - What a restricted project permits, such as C(virtual_machines_lowlevel=allow) or C(snapshots=allow).
        Omitted keys are kept.
      - Keys are LXD's without C(restricted.); underscores stand for dots and hyphens.
      - RV(exposure) describes what each of them permits.
    type: dict
  config:
    description:
      - Other config keys of LXD, such as C(images.remote_cache_expiry) or C(user.*). A null removes the key.
    type: dict
  networks:
    description:
      - The managed networks of the server that instances of a confined project may use.
      - An empty list permits none, which is also the default of a new confined project.
      - LXD 5.0 lets the holder of the project's certificate change the configuration of a network in this list,
        whoever else uses it. O(bridges) prevents that.
    type: list
    elements: str
  bridges:
    description:
      - The bridges of the host that instances of a confined project may use, whether LXD manages them or not. Instances
        use them with C(parent) and C(type=bridged), and with LXD's DHCP and DNS if LXD manages the bridge.
      - The project gets networks of its own (C(features.networks)), of which none exist, so it can neither see nor
        change the server's networks, ACLs and DNS zones. C(restricted.devices.nic=allow) and
        C(restricted.networks.access) permit these bridges and no others.
      - It cannot be combined with O(networks). LXD changes features of empty projects only, so a project that is in use
        cannot change from one to the other.
    type: list
    elements: str
  default_profile:
    description:
      - The devices of the project's own profile C(default), for instances that do not declare their own.
      - Other devices of that profile are kept.
    type: dict
    suboptions:
      storage_pool:
        description: The storage pool of the root disk.
        type: str
      network:
        description: The managed network, or the bridge, of the interface C(eth0). The project must permit it.
        type: str
  adopt:
    description:
      - Whether an existing project without an owner's mark gets the mark of O(owner).
      - With V(true), C(features.*) of an existing project are never changed; a warning names those that differ.
      - A project with another owner's mark is never adopted.
    type: bool
    default: false
seealso:
  - module: tenantry.lxd.lxd_project_info
  - module: tenantry.lxd.lxd_tenant_cert
  - name: LXD project configuration
    description: All keys of features, limits and restrictions.
    link: https://documentation.ubuntu.com/lxd/stable-5.21/reference/projects/
"""

EXAMPLES = r"""
- name: Create a project that shares everything with the project default
  tenantry.lxd.lxd_project:
    url: "unix:"
    name: tenant-a
    owner: team-a
  become: true

- name: Create a confined project with limits and a default profile
  tenantry.lxd.lxd_project:
    url: "unix:"
    name: tenant-a
    owner: team-a
    isolation: confined
    networks: [lxdbr0]
    default_profile:
      storage_pool: default
      network: lxdbr0
    limits:
      cpu: 32
      memory: 128GiB
      disk: 1TiB
  become: true

- name: Delete the project if it is empty
  tenantry.lxd.lxd_project:
    url: "unix:"
    name: tenant-a
    owner: team-a
    state: absent
  become: true
"""

RETURN = r"""
project:
  description: The project after the run, in check mode as it would be; null if it is absent.
  returned: when the project could be read or predicted
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    description:
      description: Its description.
      type: str
    owner:
      description: The tenant whose mark it carries.
      type: str
    isolation:
      description: V(shared), V(confined), or V(mixed) for any other combination.
      type: str
    features:
      description: For each feature that the server knows, whether the project has its own.
      type: dict
    limits:
      description: Its limits, by LXD's names without C(limits.).
      type: dict
    restrictions:
      description: Its restrictions, by LXD's names without C(restricted.).
      type: dict
    networks:
      description: The server's networks that it may use; null means all of them.
      type: list
      elements: str
    default_profile:
      description: Storage pool and network of its own profile C(default); null if it uses that of the default project.
      type: dict
    config:
      description: Its complete config as LXD has it.
      type: dict
    used_by:
      description: What it contains, as paths of LXD's API.
      type: list
      elements: str
  sample:
    name: tenant-a
    description: ""
    owner: team-a
    isolation: confined
    features: {images: true, networks: false, profiles: true, storage.volumes: true}
    limits: {cpu: "32", memory: 128GiB}
    restrictions: {networks.access: lxdbr0}
    networks: [lxdbr0]
    default_profile: {storage_pool: default, network: lxdbr0}
    config:
      features.images: "true"
      features.networks: "false"
      features.profiles: "true"
      features.storage.volumes: "true"
      limits.cpu: "32"
      limits.memory: 128GiB
      restricted: "true"
      restricted.networks.access: lxdbr0
      user.tenantry.owner: team-a
    used_by: ["/1.0/profiles/default?project=tenant-a"]
exposure:
  description:
    - What the holder of a restricted certificate for this project could do beyond it, one sentence each.
    - Never empty for a V(shared) project.
  returned: if RV(project) is returned
  type: list
  elements: str
  sample:
    - "The holder could change the configuration of network lxdbr0: addresses, DHCP, DNS and firewall of everybody who
      uses it."
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample:
    - create project tenant-a
    - "change profile tenant-a/default: eth0, root"
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
inside:
  description: Everything in the project that prevents the change.
  returned: on failure, if that is the reason
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(invalid), V(not_owned), V(conflict) or V(not_trusted).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.project import ProjectJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "name": {"type": "str", "required": True, "aliases": ["project"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
    "isolation": {"type": "str", "choices": ["shared", "confined"]},
    "features": {"type": "dict"},
    "limits": {"type": "dict"},
    "restrictions": {"type": "dict"},
    "config": {"type": "dict"},
    "networks": {"type": "list", "elements": "str"},
    "bridges": {"type": "list", "elements": "str"},
    "default_profile": {
        "type": "dict",
        "options": {"storage_pool": {"type": "str"}, "network": {"type": "str"}},
    },
    "adopt": {"type": "bool", "default": False},
}
# `project` names the project that the task is about, so here it is an alias of `name`.
CONNECTION = {option: spec for option, spec in arguments.CONNECTION.items() if option != "project"}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(CONNECTION, OPTIONS), ProjectJob)


if __name__ == "__main__":
    main()
