#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the report of VM hosts: pages for people, JSON and Prometheus' text for programs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_report
short_description: Make a web page of LXD VM hosts
version_added: "0.1.0"
description:
  - Reads every VM host of the registry, side by side, and writes a static site into one folder. It has an overview of
    the fleet, a page for each host with its project and its resources, the public halves of the tenant certificates,
    and the same as C(report.json) and as C(metrics.prom).
  - Nothing of the site is fetched from elsewhere when somebody opens it, and it works without JavaScript and from a
    disk.
  - A VM host that can't be read is on the report with its error, and doesn't fail the task.
  - Only files that differ are written, each by a rename, and the pages of hosts that are gone are removed. The time of
    the reading alone makes no page differ. What a host uses at the moment does.
  - It never changes anything on a server, never touches a file in the folder that it didn't make, and never writes a
    private key.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes
options:
  vmhosts:
    description:
      - The VM hosts to include, by their names in the registry. If omitted, all of them.
    type: list
    elements: str
  path:
    description:
      - The folder of the site on the controller. It is made if it isn't there.
      - If omitted, it is C(report) beside the registry. A relative path is relative to the working directory of the
        run.
    type: path
  templates:
    description:
      - Folders with Jinja2 templates, C(report.css) and C(report.js). A file is taken from the first that has it.
      - Role P(tenantry.lxd.report#role) gives the collection's own folder behind those that you say.
    type: list
    elements: path
    required: true
  title:
    description: What the site is called.
    type: str
    default: VM hosts
  expires_within:
    description: A certificate with so many days left, or fewer, is reported as a problem.
    type: int
    default: 30
  published_at:
    description:
      - The address at which the folder is published. It only completes the commands that are shown.
    type: str
seealso:
  - module: tenantry.lxd.lxd_vmhost_info
  - module: tenantry.lxd.lxd_vm_info
"""

EXAMPLES = r"""
- name: The least, into the folder report beside the registry
  tenantry.lxd.lxd_report:
    templates: ["{{ playbook_dir }}/../roles/report/templates"]

- name: Some hosts, with another heading
  tenantry.lxd.lxd_report:
    vmhosts: [kvm-01, kvm-02]
    path: /srv/www/vmhosts
    title: Machine room north
    published_at: https://intranet.example.com/vmhosts/
    templates:
      - "{{ playbook_dir }}/report-templates"
      - "{{ playbook_dir }}/../roles/report/templates"

- name: With the templates of the collection, by the role
  ansible.builtin.include_role:
    name: tenantry.lxd.report
"""

RETURN = r"""
report:
  description: What was reported.
  returned: success
  type: dict
  contains:
    path:
      description: The folder of the site.
      type: str
    index:
      description: The page to begin with.
      type: str
    files:
      description: How many files the site has.
      type: int
    vmhosts:
      description: How many VM hosts it tells of.
      type: int
    unread:
      description: Those of them that could not be read.
      type: list
      elements: str
    vms:
      description: How many VMs and containers it tells of.
      type: int
    problems:
      description: How many problems it names, by C(error), C(warning) and C(notice).
      type: dict
  sample:
    path: /srv/www/vmhosts
    index: /srv/www/vmhosts/index.html
    files: 12
    vmhosts: 3
    unread: [kvm-03]
    vms: 60
    problems: {error: 1, warning: 0, notice: 2}
actions:
  description: What was written and removed, or would be in check mode, as sentences.
  returned: success
  type: list
  elements: str
code:
  description: What kind of failure it is.
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, run
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs import report

OPTIONS = {
    "vmhosts": {"type": "list", "elements": "str"},
    "path": {"type": "path"},
    "templates": {"type": "list", "elements": "path", "required": True},
    "title": {"type": "str", "default": "VM hosts"},
    "expires_within": {"type": "int", "default": 30},
    "published_at": {"type": "str"},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run.run(arguments.create_module(arguments.CONNECTION, OPTIONS), report.Job)


if __name__ == "__main__":
    main()
