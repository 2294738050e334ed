#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check whether a machine can become a VM host as declared, and return all problems."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_preflight
short_description: Check whether a machine can become a VM host
version_added: "0.1.0"
description:
  - Checks the machine that it runs on, its disks and addresses, and LXD if it is installed, and returns all problems at
    once. It changes nothing.
  - It needs Python 3.9, no further package, and no LXD.
  - Its options for the server are those of M(tenantry.lxd.lxd_server), and the same code checks them.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.server
  - tenantry.lxd.server.parts
  - tenantry.lxd.connection
  - tenantry.lxd.attributes
options:
  package:
    description:
      - How LXD will be installed. V(auto) keeps an existing installation; otherwise it is the distribution's package if
        there is one, otherwise the snap.
    type: str
    choices: [auto, snap, apt]
    default: auto
  channel:
    description:
      - The snap's channel with track and risk, such as V(5.21/stable). A channel with an older LXD than the installed
        one is refused, because LXD's database cannot be downgraded.
    type: str
  member:
    description:
      - The name that this machine's server has, or will have, in its cluster. The settings of that member in
        O(storage_pools[].members) and O(networks[].members) then apply. M(tenantry.lxd.lxd_server) checks the names of
        the other members, once the cluster exists.
    type: str
  hugepages:
    description: How much memory to reserve for huge pages, such as V(8GiB). If omitted, huge pages are not checked.
    type: str
  cluster_address:
    description:
      - The address at which other members of a cluster would reach this machine, such as V(192.0.2.11:8443). With a
        port alone, such as V(:8443), it is the address of the SSH connection.
      - Its problems belong to the check V(server).
    type: str
  controller_clock:
    description: The time on the controller in seconds since 1970. If omitted, the clock is not checked.
    type: float
  host_bridges:
    description:
      - Bridges over network cards of the host, for the host's own network manager. The role C(vmhost) creates them from
        O(ignore:vmhost_host_bridges).
      - A bridge is refused if it would disconnect SSH, or remove the default route or an address. Also refused are an
        interface that is no network card or is a port of another bridge or bond, a bridge that somebody else created,
        and the removal of a bridge that is in use.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the bridge, with at most 15 letters, digits, hyphens and underscores.
        type: str
        required: true
      interface:
        description: The network card of the bridge. The bridge gets the MAC address of the card.
        type: str
      dhcp:
        description: Whether the host requests an IPv4 address for the bridge by DHCP.
        type: bool
        default: false
      addresses:
        description: The addresses of the host on the bridge with prefix lengths, such as V(192.0.2.11/24).
        type: list
        elements: str
      gateway:
        description: A router in one of the subnets of O(host_bridges[].addresses).
        type: str
      nameservers:
        description: Addresses of DNS servers that are reached through the bridge.
        type: list
        elements: str
      mtu:
        description: The MTU of the card and of the bridge in bytes. If omitted, it is kept.
        type: int
      state:
        description: V(absent) checks whether a bridge that the role created can be removed.
        type: str
        choices: [present, absent]
        default: present
  skip:
    description:
      - Checks to skip. Their names are V(root), V(os), V(virtualisation), V(memory), V(time), V(package),
        V(kernel), V(network), V(server).
    type: list
    elements: str
    default: []
  strict:
    description: Whether the task fails if there are problems.
    type: bool
    default: true
seealso:
  - module: tenantry.lxd.lxd_server
"""

EXAMPLES = r"""
- name: Check whether this machine can run virtual machines
  tenantry.lxd.lxd_preflight:
    url: "unix:"
  become: true

- name: Check a disk, a port and a channel of the snap too
  tenantry.lxd.lxd_preflight:
    url: "unix:"
    package: snap
    channel: 5.21/stable
    https_address: 192.0.2.11:8443
    storage_pools:
      - name: fast
        driver: btrfs
        source: /dev/disk/by-id/nvme-EXAMPLE
  become: true

- name: Check whether a card can become the port of a bridge
  tenantry.lxd.lxd_preflight:
    url: "unix:"
    host_bridges:
      - name: br0
        interface: eno2
        dhcp: true
  become: true

- name: Read the machine without failing for its problems
  tenantry.lxd.lxd_preflight:
    url: "unix:"
    strict: false
  become: true
  register: preflight
"""

RETURN = r"""
problems:
  description: The problems, each with what to do.
  returned: always
  type: list
  elements: str
  sample:
    - "there is no /dev/kvm: this machine can't run virtual machines; turn it on in the firmware"
method:
  description: How LXD is or will be installed, V(snap) or V(apt).
  returned: always
  type: str
channel:
  description: The complete name of the snap's channel; empty if no channel is set.
  returned: always
  type: str
switches:
  description: Whether an installed snap will change its channel.
  returned: always
  type: bool
cluster_address:
  description: The address for other members of a cluster, with its port; empty if none is set.
  returned: always
  type: str
  sample: 192.0.2.11:8443
hugepages:
  description: The size of a huge page in bytes, the desired number of huge pages, and the current number.
  returned: always
  type: dict
  sample: {size: 2097152, count: 512, now: 0}
host_bridges:
  description: The declared bridges, each with what the role needs to create or remove it.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the bridge.
      type: str
    interface:
      description: Its network card; for a bridge to remove, its former one.
      type: str
    mac:
      description: The MAC address of that card.
      type: str
    dhcp:
      description: Whether it requests an address by DHCP.
      type: bool
    addresses:
      description: The declared addresses.
      type: list
      elements: str
    gateway:
      description: The declared router, or an empty string.
      type: str
    nameservers:
      description: The declared DNS servers.
      type: list
      elements: str
    mtu:
      description: The declared MTU, or 0.
      type: int
    present:
      description: Whether the bridge is declared as present.
      type: bool
    there:
      description: Whether an interface of that name exists.
      type: bool
    ours:
      description: Whether the role created it.
      type: bool
    lacks:
      description: What is still missing on the running machine.
      type: list
      elements: str
    files:
      description: The files of the network manager for this bridge.
      type: list
      elements: dict
      contains:
        path:
          description: Its path.
          type: str
        template:
          description: The template of the role.
          type: str
        mode:
          description: Its mode.
          type: str
    bring_up:
      description: The commands that apply the files.
      type: list
      elements: list
    bring_down:
      description: The commands that remove the bridge.
      type: list
      elements: list
host_bridges_take_up:
  description: The commands that make the network manager read its files.
  returned: always
  type: list
  elements: list
machine:
  description: What the module read on the machine.
  returned: always
  type: dict
  contains:
    os:
      description: The distribution, from C(/etc/os-release).
      type: str
    release:
      description: Its release.
      type: str
    title:
      description: The full name of the distribution.
      type: str
    architecture:
      description: The architecture of the processor, as the kernel names it.
      type: str
    root:
      description: Whether the task ran as root.
      type: bool
    kvm:
      description: Whether C(/dev/kvm) exists.
      type: bool
    cpu_virtualisation:
      description: Whether the processor reports support for virtualisation.
      type: bool
    vsock:
      description: Whether virtual machines can communicate with the host through vsock.
      type: bool
    memory:
      description: Its memory in bytes.
      type: int
    clock:
      description: Its time, in seconds since 1970.
      type: float
    synchronised:
      description: Whether its clock is synchronised; null if that is unknown.
      type: bool
    modules:
      description: The kernel modules that it has, of those that matter.
      type: list
      elements: str
    snap:
      description: Whether snapd is installed.
      type: bool
    tracking:
      description: The channel that an installed snap of LXD follows.
      type: str
    version:
      description: The version of an installed snap of LXD.
      type: str
    held:
      description: Whether the updates of an installed snap of LXD are held.
      type: bool
    apt_lists:
      description: Whether apt has package lists; a fresh image has none.
      type: bool
    candidate:
      description: The version of LXD that apt would install.
      type: str
    lxd:
      description: How LXD is installed, V(snap) or V(apt); empty if it is not.
      type: str
    incus:
      description: Whether Incus is installed.
      type: bool
    instances:
      description: The number of instances of the installed LXD; null without LXD.
      type: int
    ssh_interface:
      description: The network interface of the SSH connection.
      type: str
    interfaces:
      description: The addresses of each network interface.
      type: dict
    masters:
      description: The bridge or bond of each network interface that is a port of one.
      type: dict
    firewall:
      description: The firewall in force, V(ufw), V(firewalld) or V(nftables); empty for none.
      type: str
    network_manager:
      description: The network manager, V(netplan), V(NetworkManager), V(networkd) or V(ifupdown).
      type: str
actions:
  description: Always empty.
  returned: always
  type: list
  elements: str
code:
  description: The kind of the failure; V(invalid) if there are problems.
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, server_arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.preflight import PreflightJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

BRIDGE = {
    "name": {"type": "str", "required": True},
    "interface": {"type": "str"},
    "dhcp": {"type": "bool", "default": False},
    "addresses": {"type": "list", "elements": "str"},
    "gateway": {"type": "str"},
    "nameservers": {"type": "list", "elements": "str"},
    "mtu": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
OPTIONS = {
    "package": {"type": "str", "choices": ["auto", "snap", "apt"], "default": "auto"},
    "channel": {"type": "str"},
    "member": {"type": "str"},
    "hugepages": {"type": "str"},
    "cluster_address": {"type": "str"},
    "controller_clock": {"type": "float"},
    "host_bridges": {"type": "list", "elements": "dict", "options": BRIDGE},
    "skip": {"type": "list", "elements": "str", "default": []},
    "strict": {"type": "bool", "default": True},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    run(arguments.create_module(server_arguments.CONNECTION, server_arguments.OPTIONS, OPTIONS), PreflightJob)


if __name__ == "__main__":
    main()
