# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Vault texts, opened by Ansible itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible.parsing.vault import AnsibleVaultError, VaultLib, VaultSecret, is_encrypted
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import vaulted
from hypothesis import given, settings
from hypothesis import strategies as st


def opened(text: str, secret: bytes, vault_id: str = "default") -> bytes:
    """What Ansible reads in it."""
    found: bytes = VaultLib([(vault_id, VaultSecret(secret))]).decrypt(text)
    return found


@settings(max_examples=30)
@given(st.text(max_size=100), st.binary(min_size=1, max_size=40))
def test_ansible_opens_it(plaintext: str, secret: bytes) -> None:
    assert opened(vaulted.encrypt(plaintext, secret), secret).decode() == plaintext


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 32, 3000])
def test_at_every_padding(length: int) -> None:
    assert opened(vaulted.encrypt("k" * length, b"pw"), b"pw") == b"k" * length


@pytest.mark.parametrize(
    ("vault_id", "header"),
    [
        (None, "$ANSIBLE_VAULT;1.1;AES256"),
        ("", "$ANSIBLE_VAULT;1.1;AES256"),
        ("default", "$ANSIBLE_VAULT;1.1;AES256"),
        ("prod", "$ANSIBLE_VAULT;1.2;AES256;prod"),
    ],
)
def test_its_header_and_lines_are_ansibles(vault_id: str | None, header: str) -> None:
    text = vaulted.encrypt("key", b"pw", vault_id)
    theirs = VaultLib([("x", VaultSecret(b"pw"))]).encrypt("key", VaultSecret(b"pw"), vault_id=vault_id).decode()
    assert text.splitlines()[0] == header == theirs.splitlines()[0]
    assert [len(line) for line in text.splitlines()] == [len(line) for line in theirs.splitlines()]
    assert text.endswith("\n")
    assert opened(text, b"pw", vault_id or "default") == b"key"


def test_another_password_does_not_open_it() -> None:
    with pytest.raises(AnsibleVaultError):
        opened(vaulted.encrypt("key", b"pw"), b"other")


def test_two_of_the_same_differ() -> None:
    assert vaulted.encrypt("key", b"pw") != vaulted.encrypt("key", b"pw")


def test_the_command_opens_it(tmp_path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "client.key").write_text(vaulted.encrypt("the key\n", b"correct horse", "prod"))
    command = os.path.join(os.path.dirname(sys.executable), "ansible-vault")
    shown = subprocess.run(
        [command, "view", "--vault-id", f"prod@{tmp_path / 'password'}", str(tmp_path / "client.key")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "PAGER": "cat"},
    )
    assert shown.stdout.strip() == "the key"


@pytest.mark.parametrize(
    "text",
    [
        vaulted.encrypt("x", b"pw"),
        vaulted.encrypt("x", b"pw", "prod"),
        "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        "-----BEGIN PRIVATE KEY-----\n",
        " $ANSIBLE_VAULT;1.1;AES256\n",
        "$ANSIBLE_VAULT",
        "",
        "ü$ANSIBLE_VAULT;",
    ],
)
def test_it_is_vaulted_where_ansible_says_so(text: str) -> None:
    assert vaulted.is_vaulted(text) is bool(is_encrypted(text))


@pytest.mark.parametrize("vault_id", ["a;b", "a b", "a\nb"])
def test_an_identity_that_would_break_the_header_is_refused(vault_id: str) -> None:
    with pytest.raises(errors.Invalid):
        vaulted.encrypt("key", b"pw", vault_id)


def test_an_empty_secret_is_refused_without_the_text() -> None:
    with pytest.raises(errors.Invalid) as caught:
        vaulted.encrypt("marker", b"")
    assert "marker" not in str(caught.value)
