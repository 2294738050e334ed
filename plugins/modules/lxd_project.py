#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make, keep or delete a tenant's project on an LXD VM host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_project
short_description: Make a project of our own on an LXD VM host
version_added: "0.1.0"
description:
  - Makes a project, marks it as its owner's, and keeps its features, limits, restrictions and default profile as said.
  - What isn't said is kept. Maps are merged by key, and a null removes a key. Values compare by what they mean, so that
    V(2GiB) and V(2147483648) are the same.
  - LXD lets only its admin write projects. Use O(url=unix:) on the host itself with C(become), or an admin's
    certificate. A restricted certificate may read its own project, so that a run that changes nothing works with it.
  - It never touches a project that carries another owner's mark, and without O(adopt=true) none that carries no mark.
    It never deletes anything in a project but unused images that LXD itself cached, and never changes C(features.*)
    of a project that isn't empty.
  - What already stands against a new limit or restriction is said before anything is written.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.attributes
options:
  name:
    description:
      - The project's name. It has no default and is not taken from the registry.
    type: str
    required: true
    aliases: [project]
  state:
    description:
      - V(present) makes the project and keeps it as said.
      - V(absent) deletes it if it is ours and nothing is in it. Instances, profiles, networks, custom volumes and
        uploaded images refuse that and are listed, whoever they belong to. Images that LXD cached go.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: The project's description.
    type: str
  isolation:
    description:
      - V(shared) turns every feature off that the server knows. The project borrows images, profiles, volumes and
        networks from the project C(default), and who holds its certificate can change them; RV(exposure) says more.
      - V(confined) restricts the project (C(restricted=true)), gives it its own images, profiles, volumes and buckets,
        and lets it reach O(networks) only. That forbids raw QEMU and LXC options, host paths, huge pages, snapshots,
        backups, host devices, and interfaces that aren't on a managed network. On a cluster it also says
        C(restricted.cluster.target=allow), unless O(restrictions) says otherwise, so that a VM's member can be chosen.
      - Unsaid, a new project is V(shared), and an existing one stays as it is.
      - LXD changes features of empty projects only, and so does this module.
    type: str
    choices: [shared, confined]
  features:
    description:
      - Which things the project has of its own, such as C(images), C(profiles), C(storage.volumes), C(networks).
      - Keys are LXD's without C(features.); underscores stand for dots and hyphens.
    type: dict
  limits:
    description:
      - Limits over everything in the project, such as C(cpu), C(memory), C(disk), C(instances), C(virtual_machines).
      - Keys are LXD's without C(limits.); underscores stand for dots and hyphens.
      - With a limit on cpu, memory or disk LXD wants that every instance says its own.
    type: dict
  restrictions:
    description:
      - What a restricted project may do all the same, such as C(virtual_machines_lowlevel=allow) or C(snapshots=allow).
      - Keys are LXD's without C(restricted.); underscores stand for dots and hyphens.
      - RV(exposure) says what each opens.
    type: dict
  config:
    description:
      - Other keys of LXD's, such as C(images.remote_cache_expiry) or C(user.*). A null removes the key.
    type: dict
  networks:
    description:
      - The managed networks of the server that instances of a confined project may be connected to.
      - An empty list is none at all, which is also what a new confined project starts with.
      - LXD 5.0 lets who holds the project's certificate change the configuration of a network in this list, whoever
        else uses it; O(bridges) closes that.
    type: list
    elements: str
  bridges:
    description:
      - The bridges of the host that instances of a confined project may be connected to, managed by LXD or not.
        Instances are on them by C(parent) and C(type=bridged), with DHCP and DNS of LXD's where it manages the bridge.
      - The project gets networks of its own (C(features.networks)), of which it has none, so that it neither sees nor
        changes the server's networks, ACLs and DNS zones; C(restricted.devices.nic=allow) and
        C(restricted.networks.access) let it reach these bridges and nothing else.
      - Not together with O(networks). LXD changes features of empty projects only, so a project in use can't change
        from the one to the other.
    type: list
    elements: str
  default_profile:
    description:
      - What instances get that say nothing themselves, as devices of the project's own profile C(default).
      - Other devices of that profile are kept.
    type: dict
    suboptions:
      storage_pool:
        description: The storage pool of the root disk.
        type: str
      network:
        description: The managed network, or the bridge, of the interface C(eth0). A confined project must reach it.
        type: str
  adopt:
    description:
      - Whether an existing project that carries no owner's mark is made ours.
      - C(features.*) of an existing project are never changed while this is said; a warning names those that differ.
      - A project that carries another owner's mark is never adopted.
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
- name: The least, an empty project that borrows everything
  tenantry.lxd.lxd_project:
    url: "unix:"
    name: tenant-a
    owner: team-a
  become: true

- name: A confined project with limits, ready for VMs that say nothing of disk and network
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

- name: Gone, if nothing is in it
  tenantry.lxd.lxd_project:
    url: "unix:"
    name: tenant-a
    owner: team-a
    state: absent
  become: true
"""

RETURN = r"""
project:
  description: The project as it is afterwards, in check mode as it would be; null when it is absent.
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
      description: V(shared), V(confined), or V(mixed) for everything between and beside.
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
      description: The server's networks that it reaches; null is all of them.
      type: list
      elements: str
    default_profile:
      description: Storage pool and network of its own profile C(default); null where it borrows the default project's.
      type: dict
    config:
      description: Its whole config as LXD holds it.
      type: dict
    used_by:
      description: What is in it, as LXD's addresses.
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
    - What the holder of a restricted certificate for this project could do beyond it, a sentence each, by reading only.
    - Never empty for a V(shared) project.
  returned: when RV(project) is
  type: list
  elements: str
  sample:
    - "The holder could change the configuration of network lxdbr0: addresses, DHCP, DNS and firewall of everybody who
      uses it."
actions:
  description: What was done, or in check mode would be done, a sentence each.
  returned: always
  type: list
  elements: str
  sample:
    - create project tenant-a
    - "change profile tenant-a/default: eth0, root"
unverified:
  description: What check mode could not look at because an earlier task of the play would have made it.
  returned: in check mode, when there is any
  type: list
  elements: str
inside:
  description: Everything that is in the project and stands in the way.
  returned: on failure, when that is the reason
  type: list
  elements: str
code:
  description: What kind of failure it is, such as V(invalid), V(not_owned), V(conflict) or V(not_trusted).
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
# `project` says here which project the task is about, and so is another word for its name.
CONNECTION = {option: spec for option, spec in arguments.CONNECTION.items() if option != "project"}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(CONNECTION, OPTIONS), ProjectJob)


if __name__ == "__main__":
    main()
