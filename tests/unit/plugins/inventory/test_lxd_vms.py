# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin beside other sources: whose host is whose; LXD is asked in tests/integration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader as plugins
from ansible.utils.display import Display
from ansible_collections.tenantry.lxd.plugins.module_utils._access import estate
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import OWNER, Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import view

PLUGINS = Path(__file__).resolve().parents[4] / "plugins" / "inventory"
STATIC = {"all": {"hosts": {"found": {}, "web": {"ansible_host": "192.0.2.1"}}}}
Sources = Callable[..., InventoryData]


def vm(name: str, owner: str | None = None, vmhost: str = "kvm-01", **fields: Any) -> dict[str, Any]:
    """A VM's row with an address; one with `owner` "us" was composed by us."""
    addresses = [{"address": "10.0.0.9", "scope": "global"}]
    mac = "00:16:3e:00:00:01"
    body = {
        "name": name,
        "type": "virtual-machine",
        "status": "Running",
        "config": {OWNER: owner} if owner else {"user.note": "by hand"},
        "expanded_devices": {"eth0": {"type": "nic", "network": "lxdbr0", "hwaddr": mac}},
        "state": {"network": {"eth0": {"hwaddr": mac, "addresses": addresses}}},
    }
    return view.build_vm_row(Instance.from_api({**body, **fields}), vmhost, "p", "us")


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, **_how: said.append(text))
    return said


@pytest.fixture
def asked() -> list[str]:
    """The VM hosts that were asked."""
    return []


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str], asked: list[str]) -> Sources:
    """The inventory of a folder with a source of this plugin, where these VMs are, and the files that are said."""
    plugins.inventory_loader.add_directory(str(PLUGINS))

    def inventory(
        vms: Sequence[dict[str, Any]],
        name: str = "zz",
        files: dict[str, Any] | None = None,
        silent: str = "",
        **options: Any,
    ) -> InventoryData:
        folder = tmp_path / "inventory"
        folder.mkdir(exist_ok=True)
        for host in {"kvm-01", *(each["vmhost"] for each in vms)}:
            (tmp_path / "vmhosts" / host).mkdir(parents=True, exist_ok=True)
            entry = {"schema": 1, "url": "https://192.0.2.9:8443", "project": "p", "owner": "us"}
            (tmp_path / "vmhosts" / host / "vmhost.yml").write_text(yaml.safe_dump(entry))
        said = {"plugin": "tenantry.lxd.lxd_vms", **options}
        for file, content in {"hosts.yml": STATIC, f"{name}.lxd_vms.yml": said, **(files or {})}.items():
            (folder / file).write_text(yaml.safe_dump(content))

        def answered(rows: Sequence[dict[str, Any]], *_said: Any) -> list[Any]:
            asked.extend(row["name"] for row in rows)
            found = {row["name"]: [vm for vm in vms if vm["vmhost"] == row["name"]] for row in rows}
            said = [{"vms": its, "server": {}} for its in found.values()]
            lost = errors.Unreachable("no answer", "is it up?")
            return [lost if name == silent else each for name, each in zip(found, said, strict=True)]

        monkeypatch.setattr(estate, "read_targets", answered)
        found, loader = InventoryData(), DataLoader()
        # As Ansible takes the files of a folder: by their names.
        for path in sorted(folder.iterdir()):
            kind = "lxd_vms" if path.name.endswith("lxd_vms.yml") else "yaml"
            plugin = plugins.inventory_loader.get(kind)
            # From its folder it has a short name only.
            monkeypatch.setattr(plugin, "_redirected_names", [plugin.NAME])
            plugin.parse(found, loader, str(path), cache=True)
            if options.get("cache") and kind == "lxd_vms":
                plugin.update_cache_if_changed()
        return found

    return inventory


def test_an_answer_is_used_no_longer_than_said_whenever_the_file_was_written(
    told: Sources, asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    began = time.time()
    vms = [vm("a", "us", "kvm-01"), vm("b", "us", "kvm-02")]
    kept = tmp_path / "cache"
    cached = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(kept), "cache_timeout": 600}

    def asked_after(seconds: int, silent: str = "") -> set[str]:
        asked.clear()
        monkeypatch.setattr(time, "time", lambda: began + seconds)
        assert "a" in told(vms, silent=silent, **cached).hosts
        for file in kept.iterdir() if asked else ():
            os.utime(file, (began + seconds, began + seconds))
        return set(asked)

    assert asked_after(0, silent="kvm-02") == {"kvm-01", "kvm-02"}
    assert asked_after(500) == {"kvm-02"}
    assert asked_after(700) == {"kvm-01"}, "kvm-02's answer made that of kvm-01 young"
    assert asked_after(800) == set()


def shared(found: InventoryData, name: str) -> set[str]:
    """What of a VM a host has that another source told of."""
    return {"lxd_vm", "ansible_host"} & set(found.hosts[name].vars)


FULL = ["lxd_vm.name ~ '.' ~ lxd_vm.project ~ '.' ~ lxd_vm.vmhost"]


def test_an_enlisted_vm_is_never_the_host_of_a_source_before(told: Sources) -> None:
    found = told([vm("found"), vm("kept")])
    assert not shared(found, "found"), "the host of hosts.yml became the VM that somebody called like it"
    assert {host.name for host in found.groups["enlisted"].get_hosts()} == {"found.p.kvm-01", "kept"}
    assert found.hosts["found.p.kvm-01"].vars["ansible_host"] == "10.0.0.9"


@pytest.mark.parametrize("source", ["a-fleet", "zz"])
def test_by_a_longer_name_an_enlisted_vm_is_never_another_sources_host(told: Sources, source: str) -> None:
    found = told([vm("found"), vm("kept"), vm("own", "us")], source, enlisted_hostnames=FULL)
    assert not shared(found, "found"), "the host of hosts.yml became the VM that somebody called like it"
    assert {host.name for host in found.groups["enlisted"].get_hosts()} == {"found.p.kvm-01", "kept.p.kvm-01"}
    assert "own" in found.hosts
    assert found.hosts["found.p.kvm-01"].vars["ansible_host"] == "10.0.0.9"


@pytest.mark.parametrize("owner", ["us", None])
def test_a_host_that_is_there_keeps_its_name(told: Sources, warnings: list[str], owner: str | None) -> None:
    found = told([vm("found", owner), vm("WEB", owner, "kvm-02")], hostnames=["lxd_vm.name"])
    assert not shared(found, "found")
    assert {host.name for host in found.groups["lxd_vms"].get_hosts()} == {"found.p.kvm-01", "WEB.p.kvm-02"}
    assert any("would share a name" in text and "WEB, found" in text for text in warnings)


def test_a_composed_vm_is_merged_where_that_is_asked_and_an_enlisted_one_never(told: Sources) -> None:
    found = told([vm("web", "us"), vm("found")], merge_composed=True, hostnames=["lxd_vm.name"])
    assert found.hosts["web"].vars["lxd_vm"]["name"] == "web" and not shared(found, "found")
    assert {host.name for host in found.groups["lxd_vms"].get_hosts()} == {"web", "found.p.kvm-01"}
    # Nor a VM host of another registry, whoever marked the VM.
    others = {"a.yml": {"lxd_vmhosts": {"hosts": {"kvm-09": {}}}}}
    assert not shared(told([vm("kvm-09", "us")], files=others, merge_composed=True), "kvm-09")


def test_nobody_elses_host_is_removed_for_a_groups_name(told: Sources) -> None:
    keyed = [{"key": "lxd_vm.name", "prefix": "", "separator": ""}]
    found = told([vm("web", "us"), vm("new", "us")], merge_composed=True, keyed_groups=keyed)
    assert found.hosts["web"].vars["lxd_vm"]["name"] == "web"
    assert "new" not in found.hosts and "new.p.kvm-01" in found.hosts
    files = {"a.yml": {"all": {"hosts": {"new.p.kvm-01": {}}}}}
    found = told([vm("new", "us")], files=files, keyed_groups=keyed)
    assert "new" not in found.hosts and not shared(found, "new.p.kvm-01")


def test_a_vm_that_two_sources_tell_of_is_one_host(told: Sources, warnings: list[str]) -> None:
    files = {"b.lxd_vms.yml": {"plugin": "tenantry.lxd.lxd_vms"}}
    found = told([vm("new", "us"), vm("strange")], files=files)
    assert {host.name for host in found.groups["lxd_vms"].get_hosts()} == {"new", "strange"}
    assert warnings == []


def test_of_whom_nobody_can_tell_is_no_composed_one(told: Sources) -> None:
    lost = vm("found", status="Error", config=None)
    assert lost["enlisted"] is None
    assert {host.name for host in told([lost]).groups["lxd_vms"].get_hosts()} == {"found.p.kvm-01"}
    assert told([lost], include_enlisted=False).groups["lxd_vmhosts"].get_hosts()
    assert "found.p.kvm-01" not in told([lost], include_enlisted=False).hosts


def test_vmhosts_that_share_a_group_are_told_once(told: Sources, warnings: list[str]) -> None:
    found = told([vm("a", "us", "kvm-02"), vm("b", "us", "kvm_02"), vm("c", "us", "kvm_02")])
    assert {host.name for host in found.groups["vmhost_kvm_02"].get_hosts()} == {"a", "b", "c"}
    assert [text.rpartition(": ")[2] for text in warnings] == ["kvm-02 and kvm_02 in vmhost_kvm_02"]
