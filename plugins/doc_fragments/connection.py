# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the connection options, which every module of the collection has."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments `tenantry.lxd.connection`, and `tenantry.lxd.connection.project` for modules that work in a project."""

    DOCUMENTATION = r"""
requirements:
  - For https, Python 3.11 or newer and pylxd. For V(unix:), Python 3.9 or newer and no other package.
options:
  vmhost:
    description:
      - The name of a VM host in the registry. Its addresses, project, owner, pinned certificate and key are used.
    type: str
  registry:
    description:
      - The directory on the controller that declares the VM hosts, with one subdirectory for each of them.
      - A relative path is relative to the working directory of the run.
      - If omitted, it is E(LXD_VMHOST_REGISTRY), otherwise C(vmhosts) beside the inventory directory, or inside the
        inventory directory if that is the root of a git repository. In an AWX job it is C(vmhosts) in the project.
      - It must not be inside an installed collection.
    type: path
  url:
    description:
      - The address of the server, instead of O(vmhost).
      - Either V(https://host:8443), where the port may be omitted. For a cluster, list the addresses of several
        members; they are tried in order.
      - Or V(unix:) for LXD on the machine that the module runs on, or V(unix:/path/unix.socket). This gives
        administrator access and needs no Python package.
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
      - Without O(vmhost), E(LXD_CLIENT_KEY) is used. For a VM host of the registry without C(client.key),
        E(LXD_CLIENT_KEY_DIR) is a directory with C(<host>.key), or E(LXD_CLIENT_KEYS) is a JSON object that maps
        names of VM hosts to PEM texts, or the path of a file with such an object.
    type: str
  server_cert:
    description:
      - The certificate of the server, as PEM or as a path on the controller. No other certificate is accepted.
      - Without O(vmhost), E(LXD_SERVER_CERT) is used.
    type: str
  server_fingerprint:
    description:
      - The SHA-256 fingerprint of the server's certificate, instead of O(server_cert).
      - Without any pin, an https connection is refused. The error shows the fingerprint of the server.
    type: str
  owner:
    description:
      - The name of the tenant. Projects, VMs and volumes that the collection creates carry it as a mark, and it is
        checked before they are changed.
      - If omitted, it is E(LXD_OWNER), otherwise the owner of the registry entry.
    type: str
  timeout:
    description:
      - The timeout of one request in seconds. LXD's operations have their own timeouts.
    type: int
    default: 30
  warn_within:
    description:
      - Warn if a certificate that this task uses expires within this number of days, once for each VM host.
      - If omitted, E(LXD_WARN_WITHIN) is used. V(0) disables the warning. An expired certificate is an error.
    type: int
    default: 30
"""

    PROJECT = r"""
options:
  project:
    description:
      - The tracked project, which is the tenant's project on this server.
      - It has no default and no environment variable.
    type: str
"""
