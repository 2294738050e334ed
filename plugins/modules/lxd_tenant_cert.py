#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have a tenant certificate made, trusted by one LXD server for these projects only, proven closed, and rotated."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lxd_tenant_cert
short_description: The tenant certificate of an LXD VM host
version_added: "0.1.0"
description:
  - Makes a key pair for exactly one VM host, has the server trust it for these projects only, connects with it and
    shows that it is refused everywhere else, and rotates it before it expires.
  - Runs on the controller, where the key pair is. There it trusts the certificate with an admin's O(client_cert) and
    O(client_key), with O(trust_token) or O(trust_password), or with no authority at all, and then it says what a
    person has to run on the server; the next run completes.
  - Or it runs on the LXD host itself, over its unix socket (O(url=unix:)) and with the public half only,
    O(certificate). That needs Python 3.9 and no package. What only a package can read of a certificate is null there.
  - A trust entry of this certificate that differs is corrected with an admin's authority, and is an error without
    it. A certificate that is wider than wanted is never accepted quietly.
  - The private key never leaves the controller, shows in no result, and never replaces another one unless O(rotate)
    is set. Entries of the same name with another certificate are reported and left alone.
  - A run that was interrupted at any point is finished by the next one.
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - tenantry.lxd.connection
  - tenantry.lxd.connection.project
  - tenantry.lxd.attributes
options:
  name:
    description:
      - The name of the entry in the server's trust store. If omitted, it is O(vmhost), or the name in O(trust_token).
    type: str
  state:
    description:
      - V(generated), the key pair exists in its folder; no server is asked. With O(rotate) the next pair, when it is
        due, is put down beside it (RV(next_certificate)), for the admin's part to be trusted and for a task with
        V(trusted) to change over to.
      - V(trusted), and the server trusts it as said.
      - V(absent), the server no longer trusts it. Only an admin can do that; otherwise RV(orphaned_trust) says what is
        left to do. The files stay unless O(remove_files=true).
    type: str
    choices: [generated, trusted, absent]
    default: trusted
  directory:
    description:
      - The folder that holds C(client.crt) and C(client.key), on the controller. A relative path is relative to the
        working directory of the run.
      - If omitted, it is the folder of O(vmhost) in O(registry).
    type: str
  certificate:
    description:
      - A certificate of your own, as PEM or as a path on the controller.
      - With O(private_key) both are put into the folder. Alone it is the certificate to be trusted, and no folder is
        used.
    type: str
  private_key:
    description:
      - The private key of O(certificate), as PEM or as a path on the controller; a vaulted file is decrypted.
      - A key with a passphrase is refused.
    type: str
  key_type:
    description: The kind of key to make.
    type: str
    choices: [ecdsa-p384, rsa-4096]
    default: ecdsa-p384
  valid_for:
    description: For how many days a new certificate is valid.
    type: int
    default: 3650
  common_name:
    description: The common name of a new certificate. If omitted, it is C(<name>@<owner>).
    type: str
  vault_key:
    description:
      - Whether the private key is written encrypted with the run's vault secret, the one that C(ansible-vault encrypt)
        would take. A plain one that is there is encrypted.
      - A vaulted key travels with git; a plain one is kept out of it.
    type: bool
    default: false
  projects:
    description:
      - The projects that the certificate is for. Needed with an admin's authority or O(trust_password), unless
        O(restricted=false); an empty list is refused.
      - If omitted, they are kept, and O(trust_token) brings its own.
    type: list
    elements: str
  restricted:
    description:
      - Whether the certificate is for O(projects) only.
      - V(false) makes its holder an administrator of the whole server, which RV(exposure) then says.
    type: bool
    default: true
  trust_token:
    description:
      - A token that the server's admin made with C(lxc config trust add). It is used once, when the certificate is not
        trusted yet or is rotated, and is stored nowhere.
      - It carries the server's fingerprint, which pins the server, and its addresses, which are used where no O(url)
        is.
      - Name, restriction and projects are the token's own. Where they turn out wider than said here, an unrestricted
        certificate restricts itself at once; other projects than those said are an error.
    type: str
  trust_password:
    description:
      - The server's C(core.trust_password), up to LXD 6.1. It is used once, like O(trust_token), and stored nowhere.
      - LXD makes the entry with O(projects) and O(restricted) as said here.
    type: str
  prove:
    description:
      - Whether to connect with the certificate and show that it is trusted, reads its projects and no others, and is
        refused for project C(default), for requests without a project and for listings over all projects. Nothing is
        ever written for that.
      - Without the private key, and over the unix socket, it is left out (RV(certificate.proved)).
    type: bool
    default: true
  rotate:
    description:
      - Whether the key pair is replaced, V(never), when it is V(expiring) within O(renew_within) days, or V(now).
      - With an admin's connection, O(trust_token) or O(trust_password) it is an overlap. The new certificate is trusted
        and proven beside the old one before the files change places, and the old one, kept as C(client.crt.old), is
        removed by a later run with an admin's connection, or by O(retire=true). Every controller keeps working in
        between.
      - By the tenant alone it is a swap. LXD replaces the certificate at once, so other controllers are refused until
        they have the new key. It is on durable storage before (C(client.key.next)), and a run after a crash tries both.
      - With O(certificate) and O(private_key) those are what it changes to.
      - Refused where the key came from the environment or an option and no O(directory) is set.
    type: str
    choices: [never, expiring, now]
    default: never
  rotate_way:
    description:
      - Which of the two ways O(rotate) takes. V(auto) overlaps where somebody in this run may add a trust entry, and
        swaps where nobody may.
      - V(overlap) never swaps. Where the new certificate is to be trusted by a task of its own, as the admin on the
        host, it goes on from there, and ends with C(not_trusted) as long as the server doesn't know it.
      - V(swap) is for the tenant alone.
    type: str
    choices: [auto, overlap, swap]
    default: auto
  renew_within:
    description: How many days before its end a certificate counts as expiring.
    type: int
    default: 30
  retire:
    description:
      - Whether an overlapping rotation removes the old certificate in the same run.
      - With O(state=generated), where no server is asked, it is the file C(client.crt.old) that goes, which is for the
        end of a rotation whose old trust entry an admin has removed.
    type: bool
    default: false
  lasting:
    description:
      - Whether what is written into the folder is there after this run. Where it isn't, no key is made or rotated; it
        would be lost and leave a trust entry that nobody can use.
      - If omitted, it isn't where the environment is that of an AWX job (E(AWX_HOST), E(AWX_PRIVATE_DATA_DIR)), or
        where keys come from it (E(LXD_CLIENT_KEY_DIR), E(LXD_CLIENT_KEYS)), unless O(directory) is set.
    type: bool
  remove_files:
    description:
      - Whether O(state=absent) also removes C(client.crt), C(client.key) and what a rotation left beside them, and
        nothing else.
    type: bool
    default: false
seealso:
  - module: tenantry.lxd.lxd_tenant_cert_info
"""

EXAMPLES = r"""
- name: The least, a key pair in the registry's folder of kvm-01
  tenantry.lxd.lxd_tenant_cert:
    vmhost: kvm-01
    owner: team-a
    state: generated
  register: made

- name: The admin's part, on the host itself and with the public half only
  tenantry.lxd.lxd_tenant_cert:
    url: unix:/var/lib/lxd/unix.socket
    name: kvm-01
    certificate: "{{ made.certificate.pem }}"
    projects: [tenant-a]

- name: Usual, renewed in time and proven closed on every run
  tenantry.lxd.lxd_tenant_cert:
    vmhost: kvm-01
    projects: [tenant-a]
    rotate: expiring

- name: No longer trusted, and the files gone
  tenantry.lxd.lxd_tenant_cert:
    url: https://kvm-01.example.com:8443
    server_cert: vmhosts/kvm-01/server.crt
    client_cert: admin.crt
    client_key: admin.key
    vmhost: kvm-01
    state: absent
    remove_files: true
"""

RETURN = r"""
certificate:
  description:
    - The certificate that is in force afterwards; in check mode as it would be. Null where there is none.
  returned: when known
  type: dict
  contains:
    name:
      description: The name of its trust entry.
      type: str
    fingerprint:
      description: Its SHA-256 fingerprint, LXD's name for it.
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
      description: Whether the server trusts it.
      type: bool
    restricted:
      description: Whether the server restricts it to projects; null while it is not trusted.
      type: bool
    projects:
      description: The projects that the server restricts it to.
      type: list
      elements: str
    proved:
      description: Whether this run connected with it and showed that it does what it should and nothing else.
      type: bool
  sample:
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
    proved: true
exposure:
  description:
    - What the holder of this certificate could do beyond its projects, a sentence each, by reading only.
  returned: with state C(trusted)
  type: list
  elements: str
  sample: []
trust_command:
  description:
    - The line that trusts the certificate when a person pastes it into a shell on the server, certificate included.
  returned: with states C(generated) and C(trusted), on failure with code C(not_trusted) too
  type: str
  sample: |-
    lxc config trust add - --name kvm-01 --restricted --projects tenant-a <<'END'
    -----BEGIN CERTIFICATE-----
    MIIB...
    -----END CERTIFICATE-----
    END
next_certificate:
  description:
    - The certificate that is put down to follow, with C(fingerprint), C(subject), C(not_before), C(not_after),
      C(days_left), C(key_type) and C(pem); null where none is due.
  returned: with state C(generated)
  type: dict
  sample: null
old_certificate:
  description: The certificate before this one, which an overlapping rotation left trusted, with the same keys; or null.
  returned: with state C(generated)
  type: dict
  sample: null
rotation:
  description: The rotation that took place, or would.
  returned: when there is one
  type: dict
  contains:
    way:
      description: V(overlap) or V(swap).
      type: str
    because:
      description: Why, and why in this way.
      type: str
    old_fingerprint:
      description: The certificate before.
      type: str
    new_fingerprint:
      description: The certificate from now on.
      type: str
  sample:
    way: swap
    because: "rotate: now; only the tenant itself is here, and it may only replace its certificate"
    old_fingerprint: 6d1c5f2b3f0e8a97c4d2b1a0f9e8d7c6b5a4938271605f4e3d2c1b0a99887766
    new_fingerprint: 0f72635c5f2b3f0e8a97c4d2b1a0f9e8d7c6b5a4938271605f4e3d2c1b0a9988
orphaned_trust:
  description:
    - Trust entries that are left alone, since nobody in this run may remove them or since they hold another
      certificate.
  returned: when there are any
  type: list
  elements: dict
  contains:
    name:
      description: The entry's name.
      type: str
    fingerprint:
      description: Its certificate's fingerprint.
      type: str
    command:
      description: What ends the trust in it, for a person to run on the server.
      type: str
  sample:
    - name: kvm-01
      fingerprint: 0f72635c5f2b3f0e8a97c4d2b1a0f9e8d7c6b5a4938271605f4e3d2c1b0a9988
      command: lxc config trust remove 0f72635c5f2b3f0e8a97c4d2b1a0f9e8d7c6b5a4938271605f4e3d2c1b0a9988
server_fingerprint:
  description: The fingerprint that the server was pinned to.
  returned: when a server was reached over https
  type: str
  sample: 41e8d928dc20a5449a556f446387fb03010faf1f8fc5f1f934ee4ef0158a7166
actions:
  description: What was done, or in check mode would be done, one sentence for each action.
  returned: always
  type: list
  elements: str
  sample:
    - generate key pair kvm-01
    - "add trust entry kvm-01: restricted to tenant-a"
    - prove tenant certificate kvm-01
unverified:
  description: What check mode could not read because an earlier task of the play would have created it.
  returned: in check mode, when there is any
  type: list
  elements: str
code:
  description: The kind of the failure, such as V(not_trusted), V(invalid), V(conflict) or V(unreachable).
  returned: on failure
  type: str
hint:
  description: What to do about the failure.
  returned: on failure
  type: str
"""

from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.tenant_cert import TenantCertJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.run import run

OPTIONS = {
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["generated", "trusted", "absent"], "default": "trusted"},
    "directory": {"type": "str"},
    "certificate": {"type": "str"},
    "private_key": {"type": "str", "no_log": True},
    "key_type": {"type": "str", "choices": ["ecdsa-p384", "rsa-4096"], "default": "ecdsa-p384"},
    "valid_for": {"type": "int", "default": 3650},
    "common_name": {"type": "str"},
    "vault_key": {"type": "bool", "default": False},
    "projects": {"type": "list", "elements": "str"},
    "restricted": {"type": "bool", "default": True},
    "trust_token": {"type": "str", "no_log": True},
    "trust_password": {"type": "str", "no_log": True},
    "prove": {"type": "bool", "default": True},
    "rotate": {"type": "str", "choices": ["never", "expiring", "now"], "default": "never"},
    "rotate_way": {"type": "str", "choices": ["auto", "overlap", "swap"], "default": "auto"},
    "renew_within": {"type": "int", "default": 30},
    "retire": {"type": "bool", "default": False},
    "lasting": {"type": "bool"},
    "remove_files": {"type": "bool", "default": False},
}


def main() -> None:
    """Declare the options and hand over to the runner."""
    constraints = {
        "mutually_exclusive": [("trust_token", "trust_password")],
        "required_by": {"private_key": ["certificate"]},
    }
    run(arguments.create_module(arguments.CONNECTION, OPTIONS, **constraints), TenantCertJob)


if __name__ == "__main__":
    main()
