# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing Ansible Vault's format (1.1 and 1.2), which modules need and can't import from ansible.parsing."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re

from .._core import errors

try:
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
except ImportError:
    # key_pair keeps the error: it is the same package.
    pass

_HEADER = "$ANSIBLE_VAULT"


def is_vaulted(text: str) -> bool:
    """Whether Ansible would take this text for a vaulted one."""
    return text.startswith(_HEADER)


def encrypt(plaintext: str, secret: bytes, vault_id: str | None = None) -> str:
    """What `ansible-vault encrypt` would write; the identity `default` isn't named in the file, as there."""
    if not secret:
        raise errors.Invalid("vault secret: it is empty", "give the run a vault password that is not empty")
    header = f"{_HEADER};1.1;AES256"
    if vault_id and vault_id != "default":
        if not re.fullmatch(r"[^;\s]+", vault_id):
            raise errors.Invalid("vault identity: its name has a space or a semicolon", "rename it: a single word")
        header = f"{_HEADER};1.2;AES256;{vault_id}"
    body = binascii.hexlify(_encrypt(plaintext.encode("utf-8"), secret)).decode("ascii")
    lines = [body[start : start + 80] for start in range(0, len(body), 80)]
    return "\n".join([header, *lines, ""])


def _encrypt(plaintext: bytes, secret: bytes) -> bytes:
    # The format: 10 000 rounds of PBKDF2-SHA256 over a salt of 32 bytes give 32 bytes to encrypt with (AES-256-CTR),
    # 32 to authenticate with (HMAC-SHA256 of the ciphertext) and the 16 of the first counter.
    salt = os.urandom(32)
    derived = hashlib.pbkdf2_hmac("sha256", secret, salt, 10_000, dklen=80)
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(derived[:32]), modes.CTR(derived[64:])).encryptor()
    sealed = cipher.update(padder.update(plaintext) + padder.finalize()) + cipher.finalize()
    seal = hmac.new(derived[32:64], sealed, hashlib.sha256).digest()
    return b"\n".join(binascii.hexlify(part) for part in (salt, seal, sealed))
