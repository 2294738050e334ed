# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""lxd_vm_info against a real LXD: composed and enlisted VMs, addresses, and hosts that don't answer."""

from __future__ import annotations

from tests.integration.tenancy import Tenant, register_vm_host
from tests.integration.test_vm_compose import SMALL, bare
from tests.lxd.deadline import until


def test_composed_and_enlisted_vms_are_told_apart(tenant: Tenant) -> None:
    tenant.compose([bare("ours", tags=["a"])])
    body = {"name": "found", "type": "virtual-machine", "source": {"type": "none"}, "profiles": []}
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    tenant.lxd.api("POST", "/1.0/instances", {**body, "devices": root}, query={"project": tenant.project})
    with tenant.lxd.requests() as seen:
        rows = {row["name"]: row for row in tenant.site.run_task("lxd_vm_info", {"vmhost": tenant.vmhost})["vms"]}
    assert len(seen) == 2
    assert {name: row["enlisted"] for name, row in rows.items()} == {"ours": False, "found": True}
    assert rows["ours"]["tags"] == ["a"] and rows["ours"]["vmhost"] == tenant.vmhost


def test_addresses_come_from_the_running_guest(tenant: Tenant) -> None:
    tenant.compose([{**SMALL, "name": "vm"}])
    options = {"vmhost": tenant.vmhost, "query": "[].addresses[]"}
    found: list[str] = []

    def has_address() -> bool:
        found[:] = tenant.site.run_task("lxd_vm_info", options)["vms"]
        return bool(found)

    until(has_address, 300, "the guest's address is told")
    gateway = tenant.lxd.api("GET", f"/1.0/networks/{tenant.lxd.bridge}")["config"]["ipv4.address"]
    assert found[0].startswith(gateway.rsplit(".", 1)[0])


def test_an_unreachable_host_is_a_row_and_with_strict_a_failure(tenant: Tenant) -> None:
    tenant.compose([bare("vm")])
    register_vm_host(tenant.site, tenant.lxd, tenant.project, "kvm-dead", url="https://127.0.0.1:1")
    rows = {row["vmhost"]: row for row in tenant.site.run_task("lxd_vm_info", {"addresses": False})["vms"]}
    assert rows[tenant.vmhost]["name"] == "vm"
    assert rows["kvm-dead"]["error"]["code"] == "unreachable"
    refused = tenant.site.run_task("lxd_vm_info", {"strict": True}, fails=True)
    assert refused["code"] == "unreachable" and "kvm-dead" in refused["msg"]


def test_a_bad_query_is_one_clear_line(tenant: Tenant) -> None:
    refused = tenant.site.run_task("lxd_vm_info", {"vmhost": tenant.vmhost, "query": "[?"}, fails=True)
    assert refused["code"] == "invalid" and "JMESPath" in refused["msg"] and "\n" not in refused["msg"]


def test_a_certificate_that_the_server_does_not_restrict_is_told(tenant: Tenant) -> None:
    told = tenant.site.run_task("lxd_vmhost_info", {})["vmhosts"][0]["exposure"]
    assert not any("not restricted" in sentence for sentence in told), told
    entries = tenant.lxd.api("GET", "/1.0/certificates", query={"recursion": "1"})
    [ours] = [entry for entry in entries if tenant.project in entry["projects"]]
    body = {"name": ours["name"], "type": "client", "restricted": False, "projects": []}
    tenant.lxd.api("PUT", f"/1.0/certificates/{ours['fingerprint']}", body)
    told = tenant.site.run_task("lxd_vmhost_info", {})["vmhosts"][0]["exposure"]
    assert any("not restricted" in sentence for sentence in told), told
