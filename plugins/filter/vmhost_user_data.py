# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The user data that makes a machine a VM host of ours at its first boot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vmhost_user_data
short_description: User data that makes a machine an LXD VM host at its first boot
version_added: "0.1.0"
description:
  - Makes a cloud-config that installs LXD, initialises it, makes the project as M(tenantry.lxd.lxd_project) would, and
    trusts the tenant certificate for that project alone. LXD listens on the network when all of that is done.
  - In it are the public half of the tenant certificate and a secret of one use, by which
    M(tenantry.lxd.lxd_vmhost_pin) knows the machine. There is no private key, no trust password and no token.
  - All errors are reported at once. It is the same text for the same options.
  - It is about 13 kilobytes; some clouds take no more than 16.
author:
  - Tenantry contributors (@tenantry)
positional: _input
options:
  _input:
    description:
      - What the machine should become. C(vmhost), C(project) and C(owner) are required.
      - C(vmhost) is its name in the registry.
      - C(isolation), C(networks), C(default_profile), C(limits) and C(restrictions) are those of
        M(tenantry.lxd.lxd_project).
      - C(cpu_overcommit), C(memory_overcommit), C(storage_overcommit) and C(enforce) are those of
        M(tenantry.lxd.lxd_vmhost).
      - C(server) has the server's C(config), C(https_address), C(storage_pools) and C(networks). Whatever the project
        uses has to be among them. If omitted, it listens on V([::]:8443).
      - C(package) is V(auto), V(snap) or V(apt). V(auto) is how it is there already, else the package on Debian 12 and
        newer, else the snap. C(channel) is the snap's, by track and risk.
      - C(cloud_config) is a map of your own that is merged. Its C(write_files) and C(runcmd) come before
        those of the collection.
    type: dict
    required: true
  certificate:
    description: The tenant certificate, its public half, as PEM.
    type: str
    required: true
  secret:
    description: What is in the file that RV(tenantry.lxd.lxd_vmhost_pin#module:secret_path) names.
    type: str
    required: true
seealso:
  - module: tenantry.lxd.lxd_vmhost_pin
"""

EXAMPLES = r"""
- name: Have a secret
  tenantry.lxd.lxd_vmhost_pin:
    name: kvm-01
    state: expected
  register: awaited

- name: Write user data for an installer
  ansible.builtin.copy:
    dest: /srv/seeds/kvm-01/user-data
    mode: "0600"
    content: "{{ machine | tenantry.lxd.vmhost_user_data(certificate=public, secret=secret) }}"
  no_log: true
  vars:
    machine:
      vmhost: kvm-01
      project: tenant-a
      owner: team-a
      isolation: confined
      networks: [lxdbr0]
      default_profile: {storage_pool: default, network: lxdbr0}
      server:
        storage_pools: [{name: default, driver: dir}]
        networks: [{name: lxdbr0}]
    public: "{{ lookup('ansible.builtin.file', 'vmhosts/kvm-01/client.crt') }}"
    secret: "{{ lookup('ansible.builtin.file', awaited.secret_path) }}"
"""

RETURN = r"""
_value:
  description: The cloud-config as text. It is secret until the machine is pinned.
  type: str
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import KNOWN_AFTER_APPLY
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import user_data
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import pem
from ansible_collections.tenantry.lxd.plugins.plugin_utils import first_boot


def vmhost_user_data(said: Mapping[str, Any], certificate: str, secret: str) -> str:
    """The cloud-config as text."""
    try:
        if not isinstance(said, Mapping):
            raise errors.Invalid("vmhost_user_data: its input is not a map", "see ansible-doc -t filter")
        # In check mode an earlier task would have made it: everything else is checked all the same.
        public = b"" if certificate == KNOWN_AFTER_APPLY else pem.der_of(certificate, "certificate")
        return user_data.user_data(said, public, secret, inspect.getsource(first_boot))
    except errors.TenantryError as refused:
        raise AnsibleFilterError(str(refused)) from None


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Its one filter."""
        return {"vmhost_user_data": vmhost_user_data}
