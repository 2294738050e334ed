#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Await a machine that boots for the first time, and pin its server certificate without SSH."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vmhost_pin
short_description: Know an LXD server that boots for the first time
version_added: "0.1.0"
description:
  - A machine that becomes an LXD server by its user data makes the key of that server itself, and nobody has seen it
    before. This module makes the secret that goes into the user data, later waits for the machine, and pins the
    certificate that it shows, if the certificate proves that the machine has the secret.
  - The proof is an HMAC of the public key in the certificate. A secret is good for one machine, and is deleted once the
    certificate is pinned. The private key of the server never leaves the server, and none is in the user data.
  - Nothing is trusted on first use. A certificate without the proof is refused, with its fingerprint.
  - It works in the host's folder of the registry alone, and sends nothing to the server.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes
requirements:
  - cryptography
options:
  name:
    description:
      - The VM host's name, which is also that of its folder in the registry.
    type: str
    required: true
  state:
    description:
      - V(expected) has a secret in the folder, C(first-boot.key), for user data. Where a certificate is pinned it does
        nothing, since that host has booted already.
      - V(pinned) has the certificate in the folder, C(server.crt), and no secret any more. It waits for the machine as
        long as O(wait_timeout) says. In check mode it looks once and doesn't wait.
    type: str
    choices: [expected, pinned]
    default: pinned
  url:
    description:
      - Where the machine will answer, V(https://host:8443) (the port may be left out). Several are tried in order.
      - If omitted, it is what the registry's entry says.
    type: list
    elements: str
  wait_timeout:
    description:
      - Seconds to wait for the machine with O(state=pinned). LXD is installed meanwhile. V(0) looks once.
    type: int
    default: 1800
  vault_key:
    description:
      - Whether the secret is kept encrypted with the run's vault password, so that it may live in git.
    type: bool
    default: false
notes:
  - O(vmhost) is not needed here, since O(name) says the host. What else a connection has is taken so that defaults of
    the action group can set it, and has no effect.
  - A machine that is installed again has a new key. Remove the C(server.crt) of its folder, and make new user
    data.
seealso:
  - plugin: tenantry.lxd.vmhost_user_data
    plugin_type: filter
  - module: tenantry.lxd.lxd_vmhost
"""

EXAMPLES = r"""
- name: The least, have a secret for the user data of a machine
  tenantry.lxd.lxd_vmhost_pin:
    name: kvm-01
    state: expected

- name: Wait until the machine has booted with it, and pin its certificate
  tenantry.lxd.lxd_vmhost_pin:
    name: kvm-01
    url: https://kvm-01.example.com

- name: Only look whether it is there
  tenantry.lxd.lxd_vmhost_pin:
    name: kvm-01
    url: https://kvm-01.example.com
    wait_timeout: 0
"""

RETURN = r"""
pinned:
  description: Whether the host's certificate is pinned; with O(state=pinned) false in check mode only.
  returned: success
  type: bool
  sample: true
fingerprint:
  description: The SHA-256 fingerprint of the pinned certificate; null while there is none.
  returned: success
  type: str
  sample: 9f2d0a4c6a
secret_path:
  description: The file of the secret on the controller; null once the certificate is pinned.
  returned: success
  type: str
  sample: /home/me/vms/vmhosts/kvm-01/first-boot.key
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample: [pin server certificate kvm-01]
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(timeout) for a machine that doesn't answer, V(not_trusted) for one
    that isn't the awaited one, V(not_found) where there is no secret, or V(invalid).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.vmhost_pin import ExpectedJob, PinnedJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["expected", "pinned"], "default": "pinned"},
    "url": {"type": "list", "elements": "str"},
    "wait_timeout": {"type": "int", "default": 1800},
    "vault_key": {"type": "bool", "default": False, "no_log": False},
}
JOBS = {"expected": ExpectedJob, "pinned": PinnedJob}


def main() -> None:
    """Declare the options and hand over to the runner."""
    module = arguments.create_module(arguments.CONNECTION, OPTIONS)
    run(module, JOBS[module.params["state"]])


if __name__ == "__main__":
    main()
