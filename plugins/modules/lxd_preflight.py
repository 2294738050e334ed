#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look whether a machine can become a VM host as it is declared, and say everything that speaks against it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_preflight
short_description: Say everything that speaks against a machine as a VM host
version_added: "0.1.0"
description:
  - Looks at the machine that it runs on, at its disks and addresses, and at an LXD that is there already, and says all
    at once what speaks against the declaration. It changes nothing.
  - It needs Python 3.9 and no package, and no LXD.
  - The declaration is that of M(tenantry.lxd.lxd_server), and is checked by the same code.
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
      - How LXD is to get there. V(auto) is how it is there already, else the distribution's package, else the snap.
    type: str
    choices: [auto, snap, apt]
    default: auto
  channel:
    description:
      - The snap's channel by track and risk, such as V(5.21/stable). One that has an older LXD than is installed is
        refused, since its database can't go back.
    type: str
  member:
    description:
      - The name that this machine's server has in its cluster, or will have. Of O(storage_pools[].members) and
        O(networks[].members) it then goes by what is said for that one. That the others are members is for
        M(tenantry.lxd.lxd_server) to see, once the cluster is there.
    type: str
  hugepages:
    description: How much memory is to be set aside for huge pages, such as V(8GiB).
    type: str
  cluster_address:
    description:
      - Where other members of a cluster would reach this machine, such as V(192.0.2.11:8443). With a port alone, such
        as V(:8443), it is the address that our own connection comes in by.
      - What speaks against it belongs to the check V(server).
    type: str
  controller_clock:
    description: The time on the controller in seconds since 1970, to compare. Unsaid, the clock is not looked at.
    type: float
  host_bridges:
    description:
      - Bridges over a network card of the host that its own network manager is to keep. The role C(vmhost) makes them
        as O(ignore:vmhost_host_bridges).
      - Refused is what would cut the SSH connection off or take the default route or an address away, a card that is in
        another bridge or bond or is none, a bridge that somebody else made, and one to remove that anything is on.
    type: list
    elements: dict
    suboptions:
      name:
        description: The bridge's name, at most 15 letters, digits, hyphens and underscores.
        type: str
        required: true
      interface:
        description: The network card that it is over. The bridge gets its MAC address.
        type: str
      dhcp:
        description: Whether the host asks for an IPv4 address on it by DHCP.
        type: bool
        default: false
      addresses:
        description: The host's addresses on it with their prefix lengths, such as V(192.0.2.11/24).
        type: list
        elements: str
      gateway:
        description: A router in one of the subnets of O(host_bridges[].addresses).
        type: str
      nameservers:
        description: Addresses of DNS servers that are reached by it.
        type: list
        elements: str
      mtu:
        description: The largest packet of the card and of the bridge, in bytes. Unsaid, it is left.
        type: int
      state:
        description: V(absent) is to remove a bridge that the role made.
        type: str
        choices: [present, absent]
        default: present
  skip:
    description:
      - Checks to leave out, by their names V(root), V(os), V(virtualisation), V(memory), V(time), V(package),
        V(kernel), V(network), V(server).
    type: list
    elements: str
    default: []
  strict:
    description: Whether the task fails when anything speaks against the machine.
    type: bool
    default: true
seealso:
  - module: tenantry.lxd.lxd_server
"""

EXAMPLES = r"""
- name: Can this machine run virtual machines?
  tenantry.lxd.lxd_preflight:
    url: "unix:"
  become: true

- name: And is that disk empty, that port free, and that channel there?
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

- name: Could that card become a part of a bridge, with us still connected?
  tenantry.lxd.lxd_preflight:
    url: "unix:"
    host_bridges:
      - name: br0
        interface: eno2
        dhcp: true
  become: true

- name: What is it, whatever speaks against it
  tenantry.lxd.lxd_preflight:
    url: "unix:"
    strict: false
  become: true
  register: looked
"""

RETURN = r"""
problems:
  description: Everything that speaks against the machine, each with what to do.
  returned: always
  type: list
  elements: str
  sample:
    - "there is no /dev/kvm: this machine can't run virtual machines; turn it on in the firmware"
method:
  description: How LXD gets there, V(snap) or V(apt).
  returned: always
  type: str
channel:
  description: The snap's channel by its whole name; empty where none is said.
  returned: always
  type: str
switches:
  description: Whether an installed snap is to follow another channel than it does.
  returned: always
  type: bool
cluster_address:
  description: The address for other members of a cluster, with its port; empty where none is said.
  returned: always
  type: str
  sample: 192.0.2.11:8443
hugepages:
  description: The size of a huge page in bytes, how many are wanted, and how many there are now.
  returned: always
  type: dict
  sample: {size: 2097152, count: 512, now: 0}
host_bridges:
  description: The bridges that were said, each with what the role needs to make or remove it.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The bridge's name.
      type: str
    interface:
      description: The card that it is over, or was.
      type: str
    mac:
      description: That card's MAC address.
      type: str
    dhcp:
      description: Whether it is to ask for an address.
      type: bool
    addresses:
      description: The addresses that were said.
      type: list
      elements: str
    gateway:
      description: The router that was said, or nothing.
      type: str
    nameservers:
      description: The DNS servers that were said.
      type: list
      elements: str
    mtu:
      description: The MTU that was said, or 0.
      type: int
    present:
      description: Whether it is to be there.
      type: bool
    there:
      description: Whether there is an interface of that name now.
      type: bool
    ours:
      description: Whether the role made it.
      type: bool
    lacks:
      description: What of it isn't so yet on the running machine.
      type: list
      elements: str
    files:
      description: The files of the network manager that keep it.
      type: list
      elements: dict
      contains:
        path:
          description: Where it is.
          type: str
        template:
          description: The role's template that it is made from.
          type: str
        mode:
          description: Its mode.
          type: str
    bring_up:
      description: The commands that have it as the files say.
      type: list
      elements: list
    bring_down:
      description: The commands that take it away.
      type: list
      elements: list
host_bridges_take_up:
  description: The commands that have the network manager read its files.
  returned: always
  type: list
  elements: list
machine:
  description: What was found.
  returned: always
  type: dict
  contains:
    os:
      description: The distribution, as C(/etc/os-release) has it.
      type: str
    release:
      description: Its release.
      type: str
    title:
      description: What it calls itself.
      type: str
    architecture:
      description: Its processor's architecture, as the kernel calls it.
      type: str
    root:
      description: Whether the task ran as root.
      type: bool
    kvm:
      description: Whether there is C(/dev/kvm).
      type: bool
    cpu_virtualisation:
      description: Whether the processor says that it can.
      type: bool
    vsock:
      description: Whether virtual machines can speak with the host.
      type: bool
    memory:
      description: Its memory in bytes.
      type: int
    clock:
      description: Its time, in seconds since 1970.
      type: float
    synchronised:
      description: Whether something keeps its clock right; null where that can't be told.
      type: bool
    modules:
      description: Of the kernel modules that count, those that it has.
      type: list
      elements: str
    snap:
      description: Whether it has snapd.
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
      description: Whether apt knows which packages there are; in a fresh image it doesn't.
      type: bool
    candidate:
      description: The version of LXD that apt would install.
      type: str
    lxd:
      description: How LXD is there, V(snap) or V(apt); empty where it isn't.
      type: str
    incus:
      description: Whether Incus is there.
      type: bool
    instances:
      description: How many instances the LXD that is there holds; null where there is none.
      type: int
    ssh_interface:
      description: The network interface that the connection comes in by.
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
      description: What makes its network, V(netplan), V(NetworkManager), V(networkd) or V(ifupdown).
      type: str
actions:
  description: Always empty.
  returned: always
  type: list
  elements: str
code:
  description: What kind of failure it is; V(invalid) where anything speaks against the machine.
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
