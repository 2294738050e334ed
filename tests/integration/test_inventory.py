# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin through the real ansible-inventory: three LXD servers with 60 VMs, restricted certificates."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.playing import Site
from tests.integration.tenancy import OWNER, Tenant, create_confined_project, register_vm_host
from tests.lxd.daemon import Daemon
from tests.lxd.impostor import Impostor
from tests.lxd.place import default_root
from tests.lxd.teardown import take_down

VMS_EACH = 20
ROOT = {"root": {"type": "disk", "path": "/", "pool": "default", "size": "16MiB"}}
HOSTILE = "{{ lookup('pipe', 'touch ' ~ inventory_dir ~ '/owned') }}"
MARKUP = "<script>alert(1)</script> {% raw %} \x1b[31m\x07 \u202e"


def make(tenant: Tenant, name: str, config: Mapping[str, str] | None = None, **fields: Any) -> None:
    """A stopped VM without a guest, made by hand; with our mark in `config` it is a composed one."""
    body = {"name": name, "type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "devices": ROOT}
    said = {"limits.memory": "64MiB", **(config or {})}
    tenant.lxd.api("POST", "/1.0/instances", {**body, "config": said, **fields}, query={"project": tenant.project})


def ours(tenant: Tenant, name: str, **marks: str) -> None:
    """The same with the marks of a composed VM."""
    make(tenant, name, {"user.tenantry.owner": OWNER, **{f"user.tenantry.{key}": said for key, said in marks.items()}})


def remove(tenant: Tenant, name: str) -> None:
    """A VM gone again."""
    tenant.lxd.api("DELETE", f"/1.0/instances/{name}", query={"project": tenant.project})


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Tenant]]:
    """Three LXD servers, each a VM host of one site with 20 VMs in our project and one beside it."""
    root = default_root()
    daemons = [Daemon.new(f"inv{number}-{os.getpid()}", root, owned=True) for number in range(3)]
    site = Site.create(tmp_path_factory.mktemp("inventory") / "site")

    def begin(number: int) -> Tenant:
        daemon = daemons[number].start()
        create_confined_project(daemon, "tenant-a")
        labels = {"zone": f"rack-{number}", "pool": "production", "tags": ["ssd"]}
        tenant = register_vm_host(site, daemon, "tenant-a", f"kvm-0{number + 1}", **labels)
        for vm in range(VMS_EACH):
            ours(tenant, f"vm-{number}{vm:02}", tags="web,eu" if vm == 0 else "", pool="test" if vm == 1 else "")
        body = {"name": "not-ours", "type": "virtual-machine", "source": {"type": "none"}}
        daemon.api("POST", "/1.0/instances", body)
        return tenant

    try:
        with ThreadPoolExecutor() as starters:
            yield list(starters.map(begin, range(3)))
    finally:
        take_down(root, [daemon.name for daemon in daemons])


@pytest.fixture
def fleet(hosts: list[Tenant], tmp_path: Path) -> list[Tenant]:
    """The same servers in a site of the test's own, whose inventory has a source of this plugin."""
    site = Site(tmp_path / "site")
    shutil.copytree(hosts[0].site.root, site.root)
    configure(site)
    return [Tenant(site, tenant.lxd, tenant.project, tenant.vmhost) for tenant in hosts]


def configure(site: Site, **options: Any) -> None:
    """The inventory's source of this plugin, with these options."""
    text = yaml.safe_dump({"plugin": "tenantry.lxd.lxd_vms", **options})
    (site.root / "inventory" / "m.lxd_vms.yml").write_text(text)


def told(site: Site, warns: bool = False, **environment: str) -> dict[str, Any]:
    """What ansible-inventory tells of all hosts and groups."""
    ended = site.inventory("--list", environment=environment)
    assert ended.returncode == 0, ended.stderr
    assert ("WARNING" in ended.stderr) == warns, ended.stderr
    return without_marks(ended.stdout)


def without_marks(text: str) -> dict[str, Any]:
    """The JSON that ansible-inventory wrote, without its marks of what is no template."""
    return dict(json.loads(text, object_hook=lambda found: found.get("__ansible_unsafe", found)))


def members(found: Mapping[str, Any], group: str) -> set[str]:
    """The hosts that a group lists itself."""
    return set(found.get(group, {}).get("hosts", ()))


def variables(found: Mapping[str, Any], host: str) -> dict[str, Any]:
    """A host's variables."""
    return dict(found["_meta"]["hostvars"][host])


def test_three_hosts_with_sixty_vms_by_restricted_certificates(fleet: list[Tenant]) -> None:
    marks = [tenant.lxd.request_mark() for tenant in fleet]
    found = told(fleet[0].site)
    for tenant, mark in zip(fleet, marks, strict=True):
        seen = tenant.lxd.requests_since(mark)
        assert len(seen) == 2, [request.url for request in seen]
        assert all(request.trusted for request in seen)
    assert members(found, "lxd_vmhosts") == {"kvm-01", "kvm-02", "kvm-03"}
    assert len(members(found, "lxd_vms")) == 60
    assert not members(found, "enlisted")
    assert members(found, "vmhost_kvm_02") == {f"vm-1{vm:02}" for vm in range(VMS_EACH)}
    assert members(found, "project_tenant_a") == members(found, "status_stopped") == members(found, "lxd_vms")
    assert members(found, "tag_web") == {"vm-000", "vm-100", "vm-200"}
    assert members(found, "tag_ssd") == members(found, "lxd_vmhosts")
    assert members(found, "zone_rack_2") == {"kvm-03", *members(found, "vmhost_kvm_03")}
    assert members(found, "pool_test") == {"vm-001", "vm-101", "vm-201"}
    assert len(members(found, "pool_production")) == 3 + 57
    host = variables(found, "kvm-01")["lxd_vmhost"]
    assert host["url"] == fleet[0].lxd.url and host["zone"] == "rack-0"
    assert host["server"]["flavour"] == "lxd" and host["server"]["clustered"] is False
    assert "ansible_connection" not in variables(found, "kvm-01")
    assert "PRIVATE KEY" not in json.dumps(found)
    row = variables(found, "vm-000")
    assert "ansible_connection" not in row and "ansible_host" not in row
    info = fleet[0].site.run_task("lxd_vm_info", {"vmhost": "kvm-01", "names": ["vm-000"]})["vms"]
    assert [row["lxd_vm"]] == info, "the inventory's row is another than the info module's"


def test_a_silent_fourth_host_is_a_host_and_delays_once(fleet: list[Tenant]) -> None:
    site, limit = fleet[0].site, 4
    configure(site, timeout=limit)
    began = time.monotonic()
    told(site)
    usual = time.monotonic() - began
    with Impostor(None) as silent:
        for name in ("kvm-04", "kvm-05"):
            register_vm_host(site, fleet[0].lxd, fleet[0].project, name, url=silent.url)
        began = time.monotonic()
        found = told(site, warns=True)
        took = time.monotonic() - began
    assert took < usual + limit + 2, f"{took:.1f} s with two silent hosts, {usual:.1f} s without"
    assert len(members(found, "lxd_vms")) == 60
    for name in ("kvm-04", "kvm-05"):
        assert name in members(found, "lxd_vmhosts")
        error = variables(found, name)["lxd_error"]
        assert error["code"] == "unreachable" and error["hint"], error
        assert variables(found, name)["lxd_vmhost"]["server"] is None


def test_a_vm_made_by_hand_is_enlisted_at_the_next_run(fleet: list[Tenant]) -> None:
    site = fleet[1].site
    make(fleet[1], "found")
    container = {"name": "box", "type": "container", "source": {"type": "none"}, "profiles": [], "devices": ROOT}
    fleet[1].lxd.api("POST", "/1.0/instances", container, query={"project": fleet[1].project})
    place = f"{fleet[1].project}.{fleet[1].vmhost}"
    try:
        # A source that is read before ours has a host of that name: it is nobody's VM.
        theirs = site.root / "inventory" / "a-hosts.yml"
        theirs.write_text(yaml.safe_dump({"all": {"hosts": {"found": {}}}}))
        found = told(site, warns=True)
        assert not found["_meta"]["hostvars"].get("found"), "what Ansible knows of it is a VM's"
        assert members(found, "enlisted") == {f"found.{place}", "box"}
        theirs.unlink()
        found = told(site)
        assert members(found, "enlisted") == {"found", "box"}
        assert variables(found, "found")["lxd_vm"]["enlisted"] is True
        assert variables(found, "box")["lxd_vm"]["type"] == "container"
        configure(site, include_enlisted=False)
        assert len(members(told(site), "lxd_vms")) == 60
    finally:
        remove(fleet[1], "found")
        remove(fleet[1], "box")


def test_no_name_is_anybody_elses(fleet: list[Tenant]) -> None:
    names = ["web", "kvm-02", "enlisted", "localhost", "mine"]
    for tenant in fleet[:2]:
        ours(tenant, "web")
    for name in names[1:]:
        ours(fleet[0], name)
    configure(fleet[0].site, groups={"mine": "lxd_vm.name == 'vm-001'"}, vmhosts=["kvm-01", "kvm-02"])
    try:
        ended = fleet[0].site.inventory("--list")
        found = without_marks(ended.stdout)
        expected = {f"{name}.tenant-a.kvm-01" for name in names} | {"web.tenant-a.kvm-02"}
        assert {name for name in members(found, "lxd_vms") if "." in name} == expected
        assert members(found, "lxd_vms").isdisjoint(names)
        assert members(found, "mine") == {"vm-001"} and members(found, "lxd_vmhosts") == {"kvm-01", "kvm-02"}
        assert "lxd_vm" not in variables(found, "kvm-02")
        assert "kvm-02, localhost, mine, web" in " ".join(ended.stderr.split())
    finally:
        remove(fleet[1], "web")
        for name in names:
            remove(fleet[0], name)


def test_what_lxd_says_is_data(fleet: list[Tenant]) -> None:
    site = fleet[0].site
    marks = {"annotation.note": HOSTILE, "annotation.{{ 7 * 7 }}": MARKUP, "tags": f"a b,{{{{ 7 * 7 }}}},<b>,{HOSTILE}"}
    config = {f"user.tenantry.{key}": value for key, value in marks.items()}
    make(fleet[0], "evil", config, description=f"{HOSTILE} {MARKUP}")
    configure(site, keyed_groups=[{"key": "lxd_vm.annotations.note", "prefix": "note"}], vmhosts=["kvm-01"])
    try:
        found = told(site)
        evil = "evil"
        row = variables(found, evil)["lxd_vm"]
        assert row["description"] == f"{HOSTILE} {MARKUP}" and row["annotations"]["note"] == HOSTILE
        assert row["annotations"]["{{ 7 * 7 }}"] == MARKUP
        groups = {group for group in found if evil in members(found, group)}
        assert any(group.startswith("note_") for group in groups)
        assert all(group.replace("_", "").isalnum() for group in groups), groups
        shown = {"ansible.builtin.debug": {"msg": f"{{{{ hostvars['{evil}'].lxd_vm.description }}}}"}}
        assert site.play([shown]).last["msg"] == f"{HOSTILE} {MARKUP}"
        assert not (site.root / "inventory" / "owned").exists()
    finally:
        remove(fleet[0], "evil")


def test_constructed_features_and_names_of_ones_own(fleet: list[Tenant]) -> None:
    configure(
        fleet[0].site,
        vmhosts=["kvm-01"],
        hostnames=["lxd_vm.annotations.fqdn", "lxd_vm.name ~ '.vm'"],
        compose={"site": "lxd_vm.vmhost | upper", "server": "lxd_vmhost.server.version"},
        groups={"first": "lxd_vm is defined and lxd_vm.name == 'vm-000'"},
        keyed_groups=[{"key": "lxd_vm.memory", "prefix": "memory"}],
    )
    found = told(fleet[0].site)
    assert members(found, "first") == {"vm-000.vm"} and "vm-000.vm" in members(found, "memory_64MiB")
    assert variables(found, "vm-000.vm")["site"] == "KVM-01"
    assert variables(found, "kvm-01")["server"] == variables(found, "kvm-01")["lxd_vmhost"]["server"]["version"]
    configure(fleet[0].site, strict=True, compose={"site": "lxd_vm.nothing.there"})
    refused = fleet[0].site.inventory("--list", environment={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"})
    assert refused.returncode != 0 and "Could not set site" in refused.stderr


def test_the_cache_asks_only_who_did_not_answer_and_keeps_no_secret(fleet: list[Tenant]) -> None:
    site, kept = fleet[0].site, fleet[0].site.root / "cache"
    register_vm_host(site, fleet[0].lxd, fleet[0].project, "kvm-04", url="https://127.0.0.1:9")
    configure(site, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(kept), timeout=5)
    first = told(site, warns=True)
    entry = site.registry / "kvm-04" / "vmhost.yml"
    entry.write_text(yaml.safe_dump({**yaml.safe_load(entry.read_text()), "url": fleet[0].lxd.url}))
    with fleet[0].lxd.requests() as asked, fleet[1].lxd.requests() as spared:
        second = told(site, warns=True)
    assert len(asked) == 2, "the one that didn't answer is asked again, and nobody else"
    assert not spared
    assert variables(second, "vm-100") == variables(first, "vm-100")
    assert "server" in variables(second, "kvm-04")["lxd_vmhost"] and "lxd_error" not in variables(second, "kvm-04")
    text = "".join(path.read_text() for path in kept.iterdir())
    assert "vm-100" in text and "PRIVATE KEY" not in text and "BEGIN ENCRYPTED" not in text
    with fleet[1].lxd.requests() as flushed:
        site.inventory("--list", "--flush-cache")
    assert flushed, "a flushed cache is read anew"


def test_a_vaulted_key_is_decrypted_with_the_runs_secrets(fleet: list[Tenant]) -> None:
    site = fleet[0].site
    configure(site, vmhosts=["kvm-01"])
    password = site.root / "password"
    password.write_text("secret\n")
    key = site.registry / "kvm-01" / "client.key"
    vault = str(Path(sys.executable).parent / "ansible-vault")
    subprocess.run(
        [vault, "encrypt", "--vault-password-file", str(password), str(key)], check=True, capture_output=True
    )
    found = told(site, ANSIBLE_VAULT_PASSWORD_FILE=str(password))
    assert len(members(found, "lxd_vms")) == VMS_EACH
    without = variables(told(site, warns=True), "kvm-01")["lxd_error"]
    assert without["code"] == "invalid" and "vault password" in without["hint"]


def test_refresh_reads_again_and_shows_the_status(fleet: list[Tenant]) -> None:
    site = fleet[0].site
    register_vm_host(site, fleet[0].lxd, fleet[0].project, "kvm-04", url="https://127.0.0.1:9")
    kept = str(site.root / "cache")
    configure(site, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=kept, timeout=5)
    told(site, warns=True)
    ours(fleet[2], "late")
    try:
        assert "late" not in members(told(site, warns=True), "lxd_vms"), "the cache was to be used"
        played = site.play("tenantry.lxd.refresh")
        assert played.rc == 0, played.output
        status = {row["name"]: row for row in played.named("Show the status")["refresh_status"]}
        assert status["kvm-03"]["vms"] == VMS_EACH + 1 and status["kvm-03"]["error"] is None
        assert status["kvm-04"]["error"] and status["kvm-04"]["vms"] is None
        assert "late" in members(told(site, warns=True), "lxd_vms"), "the cache has what was read again"
    finally:
        remove(fleet[2], "late")
