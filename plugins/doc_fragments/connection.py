# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that every module of the collection has."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments `tenantry.lxd.connection`, and `tenantry.lxd.connection.project` for modules that work in a project."""

    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer and pylxd where an https address is used; Python 3.9 or newer and nothing else for V(unix:)
options:
  vmhost:
    description:
      - The name of a VM host in the registry.
      - Its addresses, project, owner, pinned certificate and key are used.
    type: str
  registry:
    description:
      - The directory that declares our VM hosts, one folder a host.
      - It is found on the controller. A relative path is relative to the working directory of the run.
      - Unsaid, it is E(LXD_VMHOST_REGISTRY), else C(vmhosts) beside the inventory directory (inside it where it is
        the root of a git repository). In an AWX job it is C(vmhosts) in the project.
      - It never lies below an installed collection.
    type: path
  url:
    description:
      - Where the server is, instead of O(vmhost).
      - V(https://host:8443) (the port may be left out), several for the members of a cluster, tried in order.
      - Or V(unix:) for the daemon of the machine that the module runs on, or V(unix:/path/unix.socket).
        That is the admin's authority, and needs no Python package.
      - Without O(vmhost), E(LXD_URL) is used.
    type: list
    elements: str
  client_cert:
    description:
      - The certificate to connect with, as PEM or as a path on the controller.
      - Without O(vmhost), E(LXD_CLIENT_CERT) is used.
    type: str
  client_key:
    description:
      - The private key of O(client_cert), as PEM or as a path on the controller; a vaulted file is decrypted.
      - A key with a passphrase is refused.
      - Without O(vmhost), E(LXD_CLIENT_KEY) is used. For hosts of the registry whose folder has no C(client.key),
        E(LXD_CLIENT_KEY_DIR) names a directory that holds C(<host>.key), or E(LXD_CLIENT_KEYS) is a JSON map of
        host names to PEM texts, or the path of one.
    type: str
  server_cert:
    description:
      - The certificate of the server, as PEM or as a path on the controller. The server must have exactly this one.
      - Without O(vmhost), E(LXD_SERVER_CERT) is used.
    type: str
  server_fingerprint:
    description:
      - The SHA-256 fingerprint of the server's certificate, instead of O(server_cert).
      - Without any pin an https connection is refused, with the fingerprint that was found.
    type: str
  owner:
    description:
      - The tenant's name, which is written on what we make and checked before we change it.
      - Unsaid, it is E(LXD_OWNER), else the one of the registry entry.
    type: str
  timeout:
    description:
      - Seconds for one request. Waiting for LXD's operations has its own limits.
    type: int
    default: 30
  warn_within:
    description:
      - A certificate that this task uses and that ends within so many days is warned of, once for each VM host.
      - Unsaid, it is E(LXD_WARN_WITHIN). V(0) warns of none. One that has ended is an error.
    type: int
    default: 30
"""

    PROJECT = r"""
options:
  project:
    description:
      - The tracked project. There is no default and no environment variable for it.
    type: str
"""
