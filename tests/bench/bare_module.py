# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a module on pylxd can be: imports it, opens one connection, and ends. Not a module of the collection.

It is what a start costs before anything of ours begins; its connection is verified against the server's certificate.
"""

from __future__ import annotations

import os

import pylxd
from ansible.module_utils.basic import AnsibleModule

OPTIONS = {"url": {"type": "str"}, "certificate": {"type": "str"}, "key": {"type": "str"}, "server": {"type": "str"}}


def main() -> None:
    """Connect and say what answered."""
    module = AnsibleModule(argument_spec=OPTIONS)
    said = module.params
    # requests would put them in the place of the server's certificate.
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(variable, None)
    client = pylxd.Client(endpoint=said["url"], cert=(said["certificate"], said["key"]), verify=said["server"])
    module.exit_json(changed=False, version=client.host_info["environment"]["server_version"])


if __name__ == "__main__":
    main()
