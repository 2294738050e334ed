#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather information about the tracked projects of LXD VM hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_project_info
short_description: Gather information about the tracked projects of LXD VM hosts
version_added: "0.1.0"
description:
  - Returns, for each VM host of the registry, the tracked project, with its limits, what is used of them, and
    what the holder of its certificate could do beyond it.
  - VM hosts are read side by side. One that can't be read is a row with an C(error), and doesn't fail the task.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes.info
seealso:
  - module: tenantry.lxd.lxd_project
"""

EXAMPLES = r"""
- name: The least, the projects of all VM hosts of the registry
  tenantry.lxd.lxd_project_info:
  register: found

- name: How much memory is left, where it is limited
  tenantry.lxd.lxd_project_info:
    vmhosts: [kvm-01, kvm-02]
    query: "[?state.memory.limit].{vmhost: vmhost, limit: state.memory.limit, used: state.memory.usage}"

- name: As the admin, on the host itself
  tenantry.lxd.lxd_project_info:
    url: "unix:"
    project: tenant-a
  become: true
"""

RETURN = r"""
projects:
  description: A row for each VM host. With O(query), whatever that makes of them.
  returned: success
  type: list
  elements: dict
  contains:
    vmhost:
      description: The VM host.
      type: str
    error:
      description: Why it could not be read, as C(code), C(msg) and C(hint); the other keys are missing then.
      returned: on failure
      type: dict
    name:
      description: The project's name.
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
    state:
      description: For each thing that LXD counts, its limit (null is none) and usage; memory and disk in bytes.
      type: dict
    exposure:
      description: What the holder of its certificate could do beyond the project, a sentence each, by reading only.
      type: list
      elements: str
  sample:
    - vmhost: kvm-01
      name: tenant-a
      description: ""
      owner: team-a
      isolation: confined
      features: {images: true, networks: false, profiles: true, storage.volumes: true}
      limits: {memory: 128GiB}
      restrictions: {networks.access: lxdbr0}
      networks: [lxdbr0]
      default_profile: {storage_pool: default, network: lxdbr0}
      config: {restricted: "true", user.tenantry.owner: team-a}
      used_by: ["/1.0/profiles/default?project=tenant-a"]
      state:
        memory: {limit: 137438953472, usage: 4294967296}
        virtual-machines: {limit: null, usage: 2}
      exposure:
        - The holder could read what hardware the host has, and how full its storage pools and its memory are.
code:
  description: What kind of failure it is.
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, info
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs import project


def main() -> None:
    """Declare the options and hand over to the reader of all info modules."""
    info.run_info(arguments.create_module(arguments.CONNECTION, arguments.INFO), "projects", project.read_rows)


if __name__ == "__main__":
    main()
