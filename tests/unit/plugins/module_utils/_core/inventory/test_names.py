# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What VMs are called among Ansible's hosts."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import names
from hypothesis import given
from hypothesis import strategies as st

TAKEN = {"kvm-01", "lxd_vms", "zone_a"}


def full(*vms: str) -> list[str]:
    return [names.full_name(vm, "p", f"kvm-{number}") for number, vm in enumerate(vms)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "b", "a"], ["a.p.kvm-0", "b", "a.p.kvm-2"]),
        (["A", "a"], ["A.p.kvm-0", "a.p.kvm-1"]),
        (["kvm-01", "b"], ["kvm-01.p.kvm-0", "b"]),
        (["KVM-01"], ["KVM-01.p.kvm-0"]),
        (["lxd_vms"], ["lxd_vms.p.kvm-0"]),
        (["localhost", "all", "ungrouped"], ["localhost.p.kvm-0", "all.p.kvm-1", "ungrouped.p.kvm-2"]),
        ([], []),
    ],
)
def test_a_name_is_nobody_elses(wanted: list[str], expected: list[str]) -> None:
    assert names.choose_names(wanted, full(*wanted), TAKEN) == expected


def test_who_has_no_name_of_its_own_left_is_named_by_nothing() -> None:
    assert names.choose_names(["a", "a", "a.p.k"], ["a.p.k", "a.q.k", "a.p.k"], ()) == [None, "a.q.k", None]
    assert names.choose_names(["kvm-01"], ["zone_a"], TAKEN) == [None]


@given(st.lists(st.tuples(st.sampled_from("aAbc"), st.sampled_from(["x", "y.z", "kvm-01"])), max_size=8))
def test_no_two_hosts_are_one(vms: list[tuple[str, str]]) -> None:
    found = names.choose_names([vm for vm, _host in vms], [f"{vm}.{host}" for vm, host in vms], TAKEN)
    said = [name.lower() for name in found if name]
    assert len(said) == len(set(said))
    assert not set(said) & (TAKEN | names.RESERVED)


@pytest.mark.parametrize("name", ["a", "web-1.example.com", "_x", "9", "a" * 253])
def test_usable(name: str) -> None:
    assert names.usable(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-oProxyCommand=x",
        ".a",
        "a b",
        "a,b",
        "a:b",
        "web[1:3]",
        "!a",
        "a*",
        "{{ a }}",
        "ä",
        "a\n",
        None,
        5,
        "a" * 254,
    ],
)
def test_unusable(name: object) -> None:
    assert not names.usable(name)
