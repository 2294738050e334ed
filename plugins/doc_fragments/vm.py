# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a virtual machine is declared: the options of each entry of `vms`, and of `defaults`."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment `tenantry.lxd.vm`."""

    # Both options take the same things, said once: sanity's yamllint reads plain literals only.
    DOCUMENTATION = r"""
options:
  defaults:
    description:
      - What every VM of the task has unless it sets something else. Maps are merged by key, lists are not.
    type: dict
    suboptions: &vm
      state:
        description:
          - V(present), it exists and its power is left alone. V(started) is the default.
          - V(restarted), it is restarted by every run. V(released), it is stopped and its annotations are gone.
          - V(absent), it is gone with the volumes that were made for it.
        type: str
        choices: [present, started, stopped, restarted, released, absent]
      vmhost:
        description: The VM host it is on, by its name in the registry.
        type: str
      target:
        description:
          - The cluster member to make it on, or C(@group). If omitted, the member is chosen as a VM host is.
          - A VM that is there is never moved, whatever this says.
        type: str
      architecture:
        description:
          - The architecture of a new VM as LXD spells it, such as V(x86_64) or V(aarch64). If omitted, it is the
            image's.
        type: str
      cores:
        description: How many cores it has. A new VM has one unless this or a profile sets it.
        type: int
      pinned_cores:
        description:
          - The host's cores that it runs on and no others, such as V([2, 3]), instead of O(vms[].cores).
          - "Or how many, such as V({count: 2, numa_node: 0}): the least used ones are chosen, on the NUMA node that
            suits best where C(numa_node) isn't set. A VM that has as many there keeps the ones it has."
        type: raw
      memory:
        description:
          - Its memory, such as V(2GiB). A new VM has V(1GiB) unless this or a profile sets it.
          - Changing it needs a restart.
        type: str
      hugepages:
        description: Whether its memory is backed by hugepages of the host. A confined project forbids it.
        type: bool
      numa_nodes:
        description: The NUMA nodes whose cores it runs on. Needs LXD 5.0.3 or newer.
        type: list
        elements: int
      disks:
        description:
          - Its disks. The first is the root disk; if omitted, a new VM has one in the VM host's default storage pool.
          - Each further disk is a block volume of its own, named after the VM and the disk.
          - What isn't listed stays.
        type: list
        elements: dict
        suboptions:
          name:
            description: The disk's name. If omitted, it is V(root) for the first and C(disk1), C(disk2) for the others.
            type: str
          size:
            description: Its size, such as V(20GiB). A disk grows and never shrinks. If omitted, LXD decides.
            type: str
          storage_pool:
            description:
              - The storage pool of a new disk. If omitted, it is the VM host's default, else the only one there is.
              - A disk is never moved.
            type: str
          boot_priority:
            description: The higher, the earlier the firmware tries it.
            type: int
          config:
            description: LXD's further keys of the disk device. A null removes a key.
            type: dict
          state:
            description: V(absent) takes the disk from the VM and keeps its volume.
            type: str
            choices: [present, absent]
            default: present
          delete_volume:
            description: Whether the volume of an absent disk is deleted, if it is managed.
            type: bool
            default: false
      interfaces:
        description:
          - Its network interfaces. If omitted, a new VM has one on the VM host's default network; an empty list is
            none.
          - What isn't listed stays.
        type: list
        elements: dict
        suboptions:
          name:
            description: Its name. If omitted, it is C(eth0), C(eth1) by its place in the list.
            type: str
          network:
            description: The network of LXD's that it is on.
            type: str
          parent:
            description:
              - The interface or bridge of the host that it is on, instead of a network of LXD's.
              - A confined project forbids it.
            type: str
          type:
            description:
              - How it is connected to its parent. V(bridged) wants a bridge, V(sriov) and V(physical) a network card.
            type: str
            choices: [bridged, macvlan, sriov, physical]
          mac:
            description:
              - Its MAC address. If omitted, LXD chooses one and keeps it.
              - One that another interface of the VM, or of a VM on the same network, has is refused.
            type: str
          vlan:
            description:
              - The VLAN that it is on, 1 to 4094. On a network of LXD's only where that is a bridge, and never with
                O(vms[].interfaces[].type=physical).
            type: int
          ipv4:
            description:
              - The IPv4 address that LXD's DHCP gives it, inside the network's subnet.
              - V(none) goes with O(vms[].interfaces[].ipv4_filter=true) and keeps the guest from using any.
            type: str
          ipv6:
            description:
              - The IPv6 address that LXD's DHCP gives it, where the network has C(ipv6.dhcp.stateful).
              - V(none) goes with O(vms[].interfaces[].ipv6_filter=true) and keeps the guest from using any.
            type: str
          mac_filter:
            description: Whether the guest is kept to this MAC address. On bridges and with SR-IOV.
            type: bool
          ipv4_filter:
            description: Whether the guest is kept to its IPv4 address. On bridges, and not together with a VLAN.
            type: bool
          ipv6_filter:
            description: Whether the guest is kept to its IPv6 address. On bridges, and not together with a VLAN.
            type: bool
          mtu:
            description: Its MTU, 1280 to 16384. With a bridged or macvlan parent; a network of LXD's has its own.
            type: int
          boot:
            description:
              - Its boot priority; the higher, the earlier the firmware tries it.
              - A root disk for which none is set has 1.
            type: int
          config:
            description:
              - LXD's further keys of the interface, such as C(limits.max) and C(security.port_isolation).
              - A null removes a key, and so what one of the other options once said.
            type: dict
          state:
            description: V(absent) takes the interface from the VM.
            type: str
            choices: [present, absent]
            default: present
      image:
        description:
          - What its root disk is made from, as an alias or a fingerprint of an image that the VM host has.
          - Or a map of C(alias) or C(fingerprint) with C(server) (an https address) and C(protocol) (V(simplestreams)
            or V(lxd)).
          - Without it the VM is empty and boots from the network.
          - It counts when the VM is made, and is ignored afterwards.
        type: raw
      boot:
        description: What the firmware tries first.
        type: str
        choices: [disk, network]
      secure_boot:
        description: Whether the firmware starts signed systems only. If omitted, it is what LXD gives, which is yes.
        type: bool
      cloud_init:
        description:
          - The user data for cloud-init in the guest at its first boot. It may hold passwords, so it is never shown.
          - A map instead of a text is written as YAML.
        type: dict
        suboptions:
          user_data:
            description: User data.
            type: str
          network_config:
            description: Network configuration.
            type: str
          vendor_data:
            description: Vendor data.
            type: str
      profiles:
        description:
          - The LXD profiles it uses, in order.
          - If omitted, a new VM has none, so that nothing undeclared comes along.
        type: list
        elements: str
      config:
        description:
          - LXD's config keys that have no option here. What isn't listed stays; a null removes a key.
        type: dict
      devices:
        description:
          - LXD's devices that are neither disks nor interfaces, by name. What isn't listed stays.
          - "A map of C(state: absent) takes the device away."
        type: dict
      description:
        description: Its description.
        type: str
      pool:
        description: The resource pool it is in. An empty one is none.
        type: str
      zone:
        description: The zone it is in. An empty one is none.
        type: str
      tags:
        description: Its tags, all of them.
        type: list
        elements: str
      annotations:
        description: Workload annotations. What isn't listed stays; a null removes one. They go when the VM is released.
        type: dict
      protected:
        description: Whether it is refused to delete it. LXD's own lock on a running VM waits for its next stop.
        type: bool
  vms:
    description: The virtual machines.
    type: list
    elements: dict
    required: true
    suboptions:
      <<: *vm
      name:
        description: Its name, which is its host name too.
        type: str
        required: true
"""
