#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look whether anybody would miss what is on an LXD server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_vacancy_info
short_description: Whether anybody would miss what is on an LXD server
version_added: "0.1.0"
description:
  - Lists the instances, custom volumes, buckets and images of every project of a server, whosever they are, and its
    membership in a cluster. Images that LXD itself fetched and keeps in its cache don't count.
  - Meant for the moment before LXD is uninstalled. Only looks, as root on the host itself, over its unix socket, since
    nobody else sees every project.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes.info
seealso:
  - module: tenantry.lxd.lxd_vmhost
"""

EXAMPLES = r"""
- name: The least, on the host
  tenantry.lxd.lxd_vacancy_info:
    url: "unix:"
  become: true
  register: found

- name: Of the snap's LXD, where another one is there too
  tenantry.lxd.lxd_vacancy_info:
    url: unix:/var/snap/lxd/common/lxd/unix.socket
    strict: true
  become: true

- name: Only what is in the way
  tenantry.lxd.lxd_vacancy_info:
    url: "unix:"
    query: "[].inside[]"
  become: true
"""

RETURN = r"""
vacancies:
  description: One row. With O(query), whatever that makes of it.
  returned: success
  type: list
  elements: dict
  contains:
    vmhost:
      description: The server, as it was asked for.
      type: str
    error:
      description: Why it could not be read, as C(code), C(msg) and C(hint); the other keys are missing then.
      returned: on failure
      type: dict
    vacant:
      description: Whether nobody would miss anything.
      type: bool
    inside:
      description: What is there, a few words each.
      type: list
      elements: str
  sample:
    - vmhost: "unix:"
      vacant: false
      inside: [instance web-1 of project tenant-a, volume default/data of project default]
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
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs import vacancy_info as vacancy


def main() -> None:
    """Declare the options and hand over to the reader of all info modules."""
    info.run_info(arguments.create_module(arguments.CONNECTION, arguments.INFO), "vacancies", vacancy.read_rows)


if __name__ == "__main__":
    main()
