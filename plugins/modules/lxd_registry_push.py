#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the registry's folders in git at its remote, for a checkout that ends with its job."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_registry_push
short_description: The registry's folders in git, pushed
version_added: "0.1.0"
description:
  - Commits what the registry has of these VM hosts and pushes it to a branch of a remote, for a controller whose
    checkout ends with its job, such as AWX.
  - Commits the files that this collection writes below the registry, and nothing else, whatever is changed or staged in
    the repository. A plain private key is refused; only a vaulted one travels.
  - The commit stands on the tip of the remote's branch. Where somebody else pushes at the same moment, it is made again
    on what they pushed, three times. A file that both sides changed is a conflict, and nothing is pushed.
  - Where the checkout stood at that tip, it stands at the new commit afterwards. Otherwise it is left as it is,
    and so is one that somebody's lock keeps; that is a warning.
  - Check mode says what would be committed. It asks the remote, and moves no branch.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.attributes
attributes:
  action_group:
    description: It connects to no server, and has none of the group's options.
    support: none
    membership: []
options:
  vmhosts:
    description: The names of the VM hosts whose folders are pushed.
    type: list
    elements: str
    required: true
  registry:
    description:
      - The directory that declares the VM hosts, inside the repository.
      - If omitted, it is E(LXD_VMHOST_REGISTRY), else C(vmhosts) beside the inventory directory. In an AWX job it is
        C(vmhosts) in the project.
    type: path
  state:
    description:
      - V(present), each folder is there, and is in git as it is here.
      - V(any), a folder that is gone here goes in git too.
    type: str
    choices: [present, any]
    default: present
  remote:
    description:
      - The remote's name, or its address. An address with a password in it is refused.
    type: str
    default: origin
  branch:
    description: The branch to push to. If omitted, it is the one that is checked out.
    type: str
  author_name:
    description: Who commits.
    type: str
    default: Tenantry
  author_email:
    description: The address of who commits.
    type: str
    default: tenantry@localhost
seealso:
  - module: tenantry.lxd.lxd_tenant_cert
"""

EXAMPLES = r"""
- name: The least, to the branch that is checked out
  tenantry.lxd.lxd_registry_push:
    vmhosts: [kvm-01]

- name: From an AWX job, whose checkout has no origin that it can reach
  tenantry.lxd.lxd_registry_push:
    vmhosts: [kvm-01, kvm-02]
    remote: git@git.example.com:infrastructure/vmhosts.git
    branch: main
    author_name: AWX
    author_email: awx@example.com

- name: After a host was removed
  tenantry.lxd.lxd_registry_push:
    vmhosts: [kvm-01]
    state: any
"""

RETURN = r"""
commit:
  description: The commit that holds it; null in check mode where one would be made.
  returned: success
  type: str
  sample: 5c8f966b2ad3f54f2b9a0e6c1f3a9d1f0a8b7c6d
branch:
  description: The branch.
  returned: success
  type: str
  sample: main
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample: ["commit registry of kvm-01: add vmhosts/kvm-01/vmhost.yml, pushed to origin main"]
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
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

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.registry_push import RegistryPushJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "vmhosts": {"type": "list", "elements": "str", "required": True},
    "registry": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "any"], "default": "present"},
    "remote": {"type": "str", "default": "origin"},
    "branch": {"type": "str"},
    "author_name": {"type": "str", "default": "Tenantry"},
    "author_email": {"type": "str", "default": "tenantry@localhost"},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(OPTIONS), RegistryPushJob)


if __name__ == "__main__":
    main()
