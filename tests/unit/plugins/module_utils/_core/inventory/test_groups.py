# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of Ansible's groups a VM host and a VM are in."""

from __future__ import annotations

from typing import Any

from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import groups

ENTRY = {"zone": "z", "pool": "p", "tags": ["ssd"]}


def vm(**said: Any) -> dict[str, Any]:
    nothing = {"zone": None, "pool": None, "tags": [], "status": "Running", "enlisted": False}
    return {"vmhost": "kvm", "project": "a", **nothing, **said}


def test_a_vm_host() -> None:
    assert set(groups.of_vmhost(ENTRY)) == {"lxd_vmhosts", "zone_z", "pool_p", "tag_ssd"}
    assert set(groups.of_vmhost({})) == {"lxd_vmhosts"}


def test_a_vm_is_where_its_host_is_unless_it_says_otherwise() -> None:
    common = {"lxd_vms", "vmhost_kvm", "project_a", "status_running"}
    assert set(groups.of_vm(vm(), ENTRY)) == common | {"zone_z", "pool_p"}
    assert set(groups.of_vm(vm(zone="y", pool="q", tags=["b", "c"]), ENTRY)) == common | {
        "zone_y",
        "pool_q",
        "tag_b",
        "tag_c",
    }
    assert set(groups.of_vm(vm(), {})) == common


def test_only_who_is_known_to_be_is_enlisted() -> None:
    assert "enlisted" in groups.of_vm(vm(enlisted=True), {})
    assert "enlisted" not in groups.of_vm(vm(enlisted=None, status="Error"), {})


def test_no_tag_makes_another_group() -> None:
    evil = ["lxd_vmhosts", "enlisted", "zone_z"]
    assert {"lxd_vmhosts", "enlisted", "zone_z"}.isdisjoint(groups.of_vm(vm(tags=evil), {}))
