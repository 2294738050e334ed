# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server is to have, as `lxd_server` makes it and `lxd_preflight` looks whether it can be made."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment `tenantry.lxd.server`."""

    DOCUMENTATION = r"""
options:
  config:
    description:
      - The server's settings by LXD's names, such as C(images.auto_update_interval) or C(core.proxy_https). A null
        removes the key.
      - Secrets are refused here; set them in O(secret_config).
    type: dict
  secret_config:
    description:
      - Settings whose values no output shows, such as C(core.trust_password), or C(core.proxy_https) with a password.
      - LXD never tells a password that it has. One that is set is kept; remove it with a null first to change it.
    type: dict
  https_address:
    description:
      - The address that LXD listens on for other machines, such as V(192.0.2.11:8443), or V([::]:8443) for all
        addresses of the host. The port is 8443 if omitted. An empty text ends the listening.
      - It has to be one of the host's, and the port free.
    type: str
"""

    # What a cluster is joined with, too.
    PARTS = r"""
options:
  storage_pools:
    description: Storage pools to have. Others are left as they are.
    type: list
    elements: dict
    suboptions:
      name:
        description: The pool's name.
        type: str
        required: true
      driver:
        description: LXD's driver, such as V(dir), V(btrfs), V(lvm) or V(zfs).
        type: str
        required: true
      source:
        description:
          - What it is made of. A disk or a partition (V(/dev/disk/by-id/...), or a link to one), a dataset or volume
            group, or for V(dir) an existing directory.
          - A dataset of zfs that is there is refused when it is mounted or holds anything.
          - If omitted, LXD makes a loop file of O(storage_pools[].size), and for V(dir) a directory of its own.
        type: str
      size:
        description: The size of the loop file, such as V(50GiB). If omitted, LXD chooses.
        type: str
      config:
        description:
          - Other keys of LXD's, such as C(btrfs.mount_options) or C(rsync.bwlimit).
          - Values of keys that end in C(password), C(secret), C(token) and the like are in no output.
        type: dict
      description:
        description: The pool's description.
        type: str
      wipe:
        description:
          - Whether a new pool may take a disk or partition that holds data. What it held is lost.
          - A device that is mounted, is swap, is a part of something else in use or of another storage pool, or can't
            be read is never taken.
          - On other members of a cluster LXD wipes, where it can. LXD 5.0 can't, and takes a disk for V(zfs) whatever
            it holds; there this has to be set for it.
        type: bool
        default: false
      members:
        description:
          - On a cluster, what a member has other than the rest, by the member's name, such as
            C(kvm-02={source=/dev/vdb}).
        type: dict
  networks:
    description: Managed networks to have. Others are left as they are.
    type: list
    elements: dict
    suboptions:
      name:
        description: The network's name. A bridge's is at most 15 characters long.
        type: str
        required: true
      type:
        description: LXD's type of network.
        type: str
        choices: [bridge, macvlan, sriov, physical, ovn]
        default: bridge
      config:
        description:
          - LXD's keys, such as C(ipv4.address) or C(ipv4.nat).
          - Values of keys that end in C(password), such as C(bgp.peers.NAME.password), are in no output.
        type: dict
      description:
        description: The network's description.
        type: str
      dhcp:
        description: Whether LXD serves DHCP on this bridge. V(false) is for a network where another DHCP serves.
        type: bool
      dns:
        description: Whether LXD serves DNS on this bridge.
        type: bool
      members:
        description: On a cluster, what a member has other than the rest, by the member's name.
        type: dict
"""
