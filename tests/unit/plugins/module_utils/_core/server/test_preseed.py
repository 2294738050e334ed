# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declaration of a server: what is refused, all at once, and what `lxd init --preseed` gets of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.errors import Invalid
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import preseed
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import settings as server_settings
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import spec as server

POOL = {"name": "fast", "driver": "btrfs"}
NETWORK = {"name": "br0"}


def test_the_preseed_is_the_declaration_in_lxds_words() -> None:
    said = {
        "https_address": "192.0.2.11",
        "config": {"images.auto_update_interval": 0},
        "storage_pools": [{**POOL, "source": "/dev/vdb", "description": "SSDs"}, {"name": "slow", "driver": "dir"}],
        "networks": [{**NETWORK, "dhcp": False, "dns": False, "config": {"ipv4.nat": True}}],
    }
    assert preseed.preseed(said) == {
        "config": {"core.https_address": "192.0.2.11:8443", "images.auto_update_interval": "0"},
        "storage_pools": [
            {"name": "fast", "driver": "btrfs", "description": "SSDs", "config": {"source": "/dev/vdb"}},
            {"name": "slow", "driver": "dir", "description": "", "config": {}},
        ],
        "networks": [
            {
                "name": "br0",
                "type": "bridge",
                "description": "",
                "config": {"dns.mode": "none", "ipv4.dhcp": "false", "ipv4.nat": "true", "ipv6.dhcp": "false"},
            }
        ],
    }
    assert json.loads(preseed.text(said)) == preseed.preseed(said)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"config": {"images.auto_update_interval": None}}, "null removes"),
        ({"secret_config": {"core.trust_password": "x"}}, "kept in clear"),
        (
            {"networks": [{**NETWORK, "config": {"bgp.peers.x.password": "hunter2"}}]},
            "br0: bgp.peers.x.password: .*clear",
        ),
        ({"storage_pools": [{**POOL, "config": {"x.api.token": "hunter2"}}]}, "fast: x.api.token: .*kept in clear"),
        ({"storage_pools": [{**POOL, "source": "/dev/vdb", "wipe": True}]}, "would not be checked"),
        ({"storage_pools": [{**POOL, "members": {"one": {"source": "/dev/vdb"}}}]}, "for one server"),
    ],
)
def test_a_preseed_refuses_what_nobody_could_look_at(said: dict[str, Any], why: str) -> None:
    server.parse_server_spec(said)
    with pytest.raises(Invalid, match=why) as refused:
        preseed.preseed(said)
    assert "hunter2" not in str(refused.value)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"https_address": "kvm-01"}, "https_address: 'kvm-01' is no address"),
    ({"https_address": "192.0.2.1:99999"}, "https_address"),
    ({"https_address": ":8443", "config": {"core.https_address": ":8443"}}, "config.core.https_address: https_address"),
    ({"config": {"core.trust_password": "hidden-word"}}, "config.core.trust_password: it is a secret"),
    ({"config": {"no key": "x"}}, "config.no key"),
    ({"config": {"core.proxy_http": ["a"]}}, "config.core.proxy_http: list"),
    ({"storage_pools": [{"name": "a/b", "driver": "dir"}]}, "storage pool a/b: it can't be a name"),
    ({"storage_pools": [{"name": "a"}]}, "storage pool a: driver"),
    ({"storage_pools": [POOL, POOL]}, "fast is declared twice"),
    ({"storage_pools": [{**POOL, "source": "vdb"}]}, "fast: source: 'vdb' is not a path"),
    ({"storage_pools": [{**POOL, "size": "many"}]}, "fast: size: 'many' is not a size"),
    ({"storage_pools": [{**POOL, "size": "1GiB", "source": "/dev/vdb"}]}, "fast: size: it is the size of a loop"),
    ({"storage_pools": [{**POOL, "wipe": True}]}, "fast: wipe: there is no device"),
    ({"storage_pools": [{"name": "d", "driver": "dir", "source": "//dev/vdb"}]}, "dir takes a directory"),
    ({"storage_pools": [{**POOL, "members": {"one": "/dev/vdb"}}]}, "members.one: write a map"),
    ({"storage_pools": [{**POOL, "config": {"source.wipe": "true"}}]}, "fast: config.source.wipe"),
    ({"storage_pools": [{**POOL, "config": {"volatile.initial_source": "x"}}]}, "it is LXD's own"),
    ({"storage_pools": [{**POOL, "source": "/dev/vdb", "config": {"source": "/dev/vdc"}}]}, "source sets the same"),
    ({"storage_pools": [{"name": "d", "driver": "dir", "source": "/dev/vdb"}]}, "dir takes a directory"),
    ({"storage_pools": [{**POOL, "members": {"one": {"btrfs.mount_options": "x"}}}]}, "the same on all members"),
    ({"networks": [{"name": "a-name-too-long-for-it"}]}, "1 to 15"),
    ({"networks": [{**NETWORK, "type": "token-ring"}]}, "none of bridge"),
    ({"networks": [{**NETWORK, "type": "macvlan"}]}, "over an interface"),
    ({"networks": [{**NETWORK, "type": "macvlan", "dhcp": False, "config": {"parent": "eth1"}}]}, "only a bridge"),
    ({"networks": [{**NETWORK, "dhcp": False, "config": {"ipv4.dhcp": "true"}}]}, "dhcp or dns sets false"),
    ({"networks": [NETWORK, NETWORK]}, "br0 is declared twice"),
]


@pytest.mark.parametrize(("said", "why"), WRONG, ids=[why for _said, why in WRONG])
def test_what_can_never_be_right_is_said(said: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid) as refused:
        server.parse_server_spec(said)
    assert why in refused.value.message
    assert "hidden-word" not in str(refused.value)


def test_everything_wrong_is_said_at_once() -> None:
    said = {
        "https_address": "kvm-01",
        "storage_pools": [{"name": "a/b", "driver": "dir"}],
        "networks": [{**NETWORK, "type": "token-ring"}],
    }
    with pytest.raises(Invalid) as refused:
        server.parse_server_spec(said)
    problems = refused.value.details["problems"]
    assert isinstance(problems, list) and len(problems) == 3
    assert all(str(problem) in refused.value.message for problem in problems)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (":8443", ("", 8443)),
        ("[::]", ("", 8443)),
        ("[::]:9000", ("", 9000)),
        ("0.0.0.0:8443", ("0.0.0.0", 8443)),
        ("192.0.2.1", ("192.0.2.1", 8443)),
        ("[2001:db8::0:1]:1", ("2001:db8::1", 1)),
    ],
)
def test_addresses_to_listen_on(said: str, address: tuple[str, int]) -> None:
    assert server_settings.address(said) == address
    assert server_settings.address(server_settings.shown_address(*address)) == address
