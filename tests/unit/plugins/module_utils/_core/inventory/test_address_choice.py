# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of a VM's addresses to connect to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.errors import Invalid
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import address_choice as choice


def nic(*addresses: str, network: str | None = None, parent: str | None = None) -> dict[str, Any]:
    return {"network": network, "parent": parent, "addresses": list(addresses)}


FRONT = nic("fd42::5", "10.0.0.5", "10.0.1.5", network="front")
BACK = nic("192.0.2.7", parent="br-mgmt")
VM = {"interfaces": [FRONT, BACK]}
BOTH = ("ipv4", "ipv6")


@pytest.mark.parametrize(
    ("networks", "subnets", "families", "expected"),
    [
        ((), (), BOTH, "10.0.0.5"),
        ((), (), ("ipv6", "ipv4"), "fd42::5"),
        ((), (), ("ipv6",), "fd42::5"),
        (("br-mgmt",), (), BOTH, "192.0.2.7"),
        (("br-mgmt", "front"), (), ("ipv6",), "fd42::5"),
        (("other",), (), BOTH, None),
        ((), ("192.0.2.0/24", "10.0.1.0/24"), BOTH, "192.0.2.7"),
        ((), ("10.0.1.0/24",), BOTH, "10.0.1.5"),
        ((), ("172.16.0.0/12",), BOTH, None),
        (("front",), ("192.0.2.0/24", "fd42::/64"), BOTH, "fd42::5"),
    ],
)
def test_what_was_said_first_counts_first(
    networks: tuple[str, ...], subnets: tuple[str, ...], families: tuple[str, ...], expected: str | None
) -> None:
    assert choice.chosen(VM, choice.rule(networks, subnets, families)) == expected


@pytest.mark.parametrize(
    "claim",
    [
        *("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "224.0.0.1", "fe80::1", "169.254.1.1"),
        *("fd42::5%eth0; reboot", "-oProxyCommand=reboot", "{{ evil }}", "", "10.0.0.5/24"),
    ],
)
def test_a_guest_can_not_pass_for_the_controller_or_for_an_option(claim: str) -> None:
    rule = choice.rule((), (), BOTH)
    assert choice.chosen({"interfaces": [nic(claim)]}, rule) is None
    assert choice.chosen({"interfaces": [nic(claim, "10.0.0.5")]}, rule) == "10.0.0.5"


def test_a_vm_without_any() -> None:
    assert choice.chosen({"interfaces": []}, choice.rule((), (), BOTH)) is None


def test_every_wrong_subnet_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        choice.rule((), ("10.0.0.0/24", "10.0.0.1/24", "lan"), BOTH)
    assert "'10.0.0.1/24', 'lan'" in refused.value.message and "'10.0.0.0/24'" not in refused.value.message
