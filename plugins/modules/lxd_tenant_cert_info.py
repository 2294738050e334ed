#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather information about the tenant certificates of LXD VM hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_tenant_cert_info
short_description: Gather information about tenant certificates of LXD VM hosts
version_added: "0.1.0"
description:
  - Reads the certificate that is kept for each VM host, and what the host's server says of it.
  - Only looks. A host that can't be read still shows what its files hold, with an C(error).
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes.info
seealso:
  - module: tenantry.lxd.lxd_tenant_cert
"""

EXAMPLES = r"""
- name: The certificates of all VM hosts in the registry
  tenantry.lxd.lxd_tenant_cert_info:

- name: Those that end within a month
  tenantry.lxd.lxd_tenant_cert_info:
    query: "[?days_left < `30`].{host: vmhost, until: not_after}"

- name: As the admin on the host itself, what is left in its trust store of owner team-a
  tenantry.lxd.lxd_tenant_cert_info:
    url: "unix:"
    vmhost: kvm-01
    owner: team-a

- name: One that has to be in order
  tenantry.lxd.lxd_tenant_cert_info:
    vmhosts: [kvm-01]
    strict: true
"""

RETURN = r"""
certificates:
  description: A row for each VM host.
  returned: success
  type: list
  elements: dict
  contains:
    vmhost:
      description: The VM host.
      type: str
    error:
      description: Why the server could not be read with it, as C(code), C(msg) and C(hint).
      returned: on failure
      type: dict
    name:
      description: The name of its trust entry; null where that could not be read.
      type: str
    fingerprint:
      description: Its SHA-256 fingerprint.
      type: str
    subject:
      description: Whom it names.
      type: str
    not_before:
      description: From when it is valid, UTC.
      type: str
    not_after:
      description: Until when it is valid, UTC.
      type: str
    days_left:
      description: Whole days until then, negative once it has expired.
      type: int
    key_type:
      description: The kind of its key.
      type: str
    pem:
      description: The certificate itself, the public half.
      type: str
    path:
      description: Where it is on the controller, or null.
      type: str
    private_key_path:
      description: Where its private key is on the controller, or null.
      type: str
    trusted:
      description: Whether the server trusts it; null where that could not be read.
      type: bool
    restricted:
      description: Whether the server restricts it to projects.
      type: bool
    projects:
      description: The projects that the server restricts it to.
      type: list
      elements: str
    orphaned:
      description:
        - Other trust entries that look like those of this tenant, as far as they may be seen (an admin
          sees all of them). Those whose certificate was made for O(owner) and that no VM host of the registry uses, and
          those of the same name, which may be anybody's. Nothing is ever removed for being here.
      type: list
      elements: dict
      contains:
        name:
          description: The entry's name.
          type: str
        fingerprint:
          description: Its certificate's fingerprint.
          type: str
        projects:
          description: The projects that it is restricted to.
          type: list
          elements: str
        because:
          description: Why it may be one of this tenant.
          type: str
        command:
          description: What ends the trust in it, for a person to run on the server.
          type: str
  sample:
    - vmhost: kvm-01
      name: kvm-01
      fingerprint: 6d1c5f2b3f0e8a97c4d2b1a0f9e8d7c6b5a4938271605f4e3d2c1b0a99887766
      subject: CN=kvm-01@team-a,O=Tenantry
      not_before: "2026-11-21T03:25:00Z"
      not_after: "2036-11-18T03:30:00Z"
      days_left: 3649
      key_type: ecdsa-p384
      pem: "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"
      path: /srv/site/vmhosts/kvm-01/client.crt
      private_key_path: /srv/site/vmhosts/kvm-01/client.key
      trusted: true
      restricted: true
      projects: [tenant-a]
      orphaned: []
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
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs import tenant_cert_info


def main() -> None:
    """Declare the options and hand over to the reader of all info modules."""
    module = arguments.create_module(arguments.CONNECTION, arguments.INFO)
    info.run_info(module, "certificates", tenant_cert_info.looking(module.params), tenant_cert_info.build_registry_row)


if __name__ == "__main__":
    main()
