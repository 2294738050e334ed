# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role commission: what somebody made by hand is looked into and marked, and nothing else of it is touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.integration.playing import PlayResult
from tests.integration.tenancy import Tenant
from tests.lxd.admin import ApiError
from tests.lxd.deadline import until
from tests.lxd.image import import_image, micro_image
from tests.lxd.impostor import Impostor
from tests.lxd.world import differences

MARK = "user.tenantry.commissioned"
BOOTS = {"security.secureboot": "false", "limits.memory": "224MiB", "user.note": "by hand"}
CHECKS = [{"name": "it runs Linux", "command": "uname -s"}, {"name": "it has a root", "command": "test -d /root"}]


class Found:
    """A project with two VMs that somebody made with `lxc`: one that runs and lets us in, one that is off."""

    def __init__(self, tenant: Tenant, key: Path) -> None:
        self.tenant, self._key = tenant, key
        for name in ("guest", "off"):
            self.make(name)
        tenant.lxd.api("PUT", "/1.0/instances/guest/state", {"action": "start"}, {"project": tenant.project})
        self.address = ""
        until(self._leased, 300, "the guest's address")

    def make(self, name: str, **config: str) -> None:
        root = {"type": "disk", "path": "/", "pool": "default", "size": "64MiB"}
        eth0 = {"type": "nic", "network": self.tenant.lxd.bridge}
        body = {
            "name": name,
            "type": "virtual-machine",
            "profiles": [],
            "description": "by hand",
            "source": {"type": "image", "alias": "login"},
            "config": {**BOOTS, **config},
            "devices": {"root": root, "eth0": eth0},
        }
        self.tenant.lxd.api("POST", "/1.0/instances", body, {"project": self.tenant.project}, timeout=120)

    def _leased(self) -> bool:
        query = {"project": self.tenant.project}
        leases = self.tenant.lxd.api("GET", f"/1.0/networks/{self.tenant.lxd.bridge}/leases", query=query)
        self.address = next((each["address"] for each in leases if each["hostname"] == "guest"), "")
        return bool(self.address) and self._lets_in()

    def _lets_in(self) -> bool:
        return subprocess.run([*self._ssh, self.address, "true"], capture_output=True, check=False).returncode == 0

    @property
    def _options(self) -> str:
        return f"-i {self._key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10"

    @property
    def _ssh(self) -> list[str]:
        return ["ssh", *self._options.split(), "-o", "BatchMode=yes", "-l", "root"]

    def play(
        self, hosts: Mapping[str, Mapping[str, Any]], *arguments: str, check: bool = False, **said: Any
    ) -> PlayResult:
        common = {
            "ansible_user": "root",
            "ansible_ssh_common_args": self._options,
            "ansible_host": self.address,
            "commission_vmhost": self.tenant.vmhost,
            **said,
        }
        spoken = {key: value for key, value in common.items() if value is not None}
        group = {"hosts": {name: dict(its) for name, its in hosts.items()}, "vars": spoken}
        inventory = self.tenant.site.root / "inventory" / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"enlisted": group}))
        return self.tenant.site.play("tenantry.lxd.commission", python="", arguments=arguments, check=check)

    def marks(self) -> dict[str, str | None]:
        return {name: each["config"].get(MARK) for name, each in self.tenant.instances().items()}

    def fingerprint(self) -> dict[str, Any]:
        """Everything of both VMs but the mark: as LXD has them, the processes, and the bytes of the disks."""
        found: dict[str, Any] = {}
        for name, instance in self.tenant.instances().items():
            for config in (instance["config"], instance["expanded_config"]):
                config.pop(MARK, None)
            folder = self.tenant.lxd.directory / "storage-pools" / "default" / "virtual-machines"
            disk = folder / f"{self.tenant.project}_{name}" / "root.img"
            state = self.tenant.lxd.api("GET", f"/1.0/instances/{name}/state", query={"project": self.tenant.project})
            found[name] = {
                **{key: value for key, value in instance.items() if key != "last_used_at"},
                "pid": state["pid"],
                "disk": hashlib.sha256(disk.read_bytes()).hexdigest(),
            }
        return found


def findings(played: PlayResult) -> dict[str, dict[str, Any]]:
    """What the role told of each VM."""
    told = [task["result"]["msg"] for task in played.tasks if task["task"].endswith("Show the results")]
    return {each["vm"]["name"]: each for each in told}


def changed(played: PlayResult) -> int:
    return sum(int(line.split("changed=")[1].split()[0]) for line in played.output.splitlines() if "changed=" in line)


@pytest.fixture
def found(tenant: Tenant, tmp_path: Path) -> Iterator[Found]:
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    disk = micro_image(login=(tmp_path / "id.pub").read_text().strip())
    import_image(tenant.lxd, disk, alias="login", properties={"description": "login"}, project=tenant.project)
    yield Found(tenant, key)
    # It is for this key only.
    disk.unlink()


def test_commissioning_changes_the_mark_and_nothing_else(found: Found) -> None:
    seen = found.tenant.site.run_task("lxd_vm_info", {"vmhost": found.tenant.vmhost})["vms"]
    assert {row["name"]: (row["enlisted"], row["commissioned"]) for row in seen} == dict.fromkeys(
        ("guest", "off"), (True, None)
    )
    world, before = found.tenant.lxd.fingerprint_of_world(found.tenant.project), found.fingerprint()
    hosts: dict[str, dict[str, Any]] = {"guest": {"commission_checks": CHECKS}, "off": {}}

    predicted = found.play(hosts, check=True)
    assert predicted.rc == 0 and changed(predicted) == 2, predicted.output
    assert found.marks() == {"guest": None, "off": None}

    done = found.play(hosts)
    assert done.rc == 0 and changed(done) == 2, done.output
    assert all(str(mark).startswith("20") and str(mark).endswith("Z") for mark in found.marks().values())
    assert differences(before, found.fingerprint()) == []
    assert differences(world, found.tenant.lxd.fingerprint_of_world(found.tenant.project)) == []
    told = findings(done)
    assert told["guest"]["guest"]["kernel"].startswith("Linux version") and told["guest"]["guest"]["cores"] == 1
    assert told["guest"]["guest"]["memory_kib"] > 100_000 and told["guest"]["note"] == ""
    checks = {each["name"]: each["rc"] for each in told["guest"]["checks"]}
    assert checks == {"it runs Linux": 0, "it has a root": 0}
    assert told["guest"]["checks"][0]["stdout"].strip() == "Linux"
    assert told["off"]["guest"] == {} and "could not be asked" in told["off"]["note"]
    assert told["off"]["vm"]["memory"] == BOOTS["limits.memory"] and told["off"]["vm"]["commissioned"]

    marks = found.marks()
    again = found.play(hosts)
    assert again.rc == 0 and changed(again) == 0 and found.marks() == marks, again.output
    assert "commissioned before" in findings(again)["guest"]["note"]

    # The same VM by three more names: one is renewed, one fails a check, and one can't be asked for it.
    failing = [*CHECKS, {"name": "it is in Rome", "command": "echo no; exit 3"}]
    guest = {"commission_name": "guest", "commission_again": True}
    more: dict[str, dict[str, Any]] = {
        "failing": {**guest, "commission_checks": failing},
        "shut": {**guest, "ansible_port": 2, "commission_checks": CHECKS},
        "off": {"commission_again": True},
    }
    ended = found.play(more)
    assert ended.rc != 0 and "these checks failed: it is in Rome" in ended.output, ended.output
    assert "not commissioned: the guest could not be asked" in ended.output
    assert found.marks()["guest"] == marks["guest"] and found.marks()["off"] != marks["off"]
    assert differences(before, found.fingerprint()) == []

    # Erased is only what is said to be, and never what runs.
    erased = {"commission_erase": True, "commission_again": True}
    ended = found.play({"guest": erased, "off": erased})
    assert ended.rc != 0 and "it is Running, and commission_erase asks for one that is stopped" in ended.output
    assert findings(ended)["off"]["note"] == "erased: it begins with an empty disk", ended.output
    after = found.fingerprint()
    assert differences(before["guest"], after["guest"]) == [] and after["off"]["disk"] != before["off"]["disk"]
    found.tenant.lxd.api("POST", "/1.0/instances/off", {"name": "off-erased"}, {"project": found.tenant.project})
    resumed = found.play({"off": {"commission_erase": True}})
    assert resumed.rc == 0 and changed(resumed) == 1 and set(found.marks()) == {"guest", "off"}, resumed.output


def test_nobody_elses_machine_is_asked(found: Found) -> None:
    box = {"name": "box", "type": "container", "source": {"type": "none"}, "profiles": []}
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    found.tenant.lxd.api("POST", "/1.0/instances", {**box, "devices": root}, {"project": found.tenant.project})
    with Impostor(None) as stranger:
        aside = {"ansible_port": urlsplit(stranger.url).port, "ansible_ssh_timeout": 5}
        # What the inventory plugin has of a VM that tells no address; its name is that of a machine, written otherwise.
        told = {"name": "guest", "vmhost": found.tenant.vmhost}
        unaddressed = found.play({"127.1": {"lxd_vm": told, **aside}}, ansible_host=None)
        assert unaddressed.rc == 0, unaddressed.output
        assert findings(unaddressed)["guest"]["note"] == "the guest could not be asked: LXD tells no address"
        assert found.marks()["guest"], "it is commissioned by what LXD tells"

        # Without an agent to tell of it LXD answers with an error, and has saved it.
        with contextlib.suppress(ApiError):
            found.tenant.change("guest", config={"user.tenantry.owner": "x", MARK: None})
        assert found.tenant.instance("guest")["config"]["user.tenantry.owner"] == "x"
        checked = {"commission_checks": CHECKS, "ansible_host": "127.0.0.1", **aside}
        theirs = found.play({"guest": checked, "box": {**checked, "commission_name": "box"}})
        assert "VM guest on kvm-01: it carries the mark of x" in theirs.output, theirs.output
        assert "it is a container" in theirs.tasks[-1]["result"]["msg"]["note"], theirs.output
        assert "failed=0" in next(line for line in theirs.output.splitlines() if line.startswith("box"))
        assert found.marks() == {"box": None, "guest": None, "off": None}
        assert stranger.requests == [], "somebody was connected to"


def marked(tenant: Tenant, **said: Any) -> dict[str, Any]:
    """The module's own process, which takes a second less than a playbook."""
    process = tenant.site.start_module("lxd_vm_commission", said, tenant.vmhost)
    output, errors = process.communicate(timeout=60)
    assert output, errors
    return dict(json.loads(output))


def test_the_mark_comes_goes_and_is_refused(tenant: Tenant) -> None:
    devices = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    for name, config in (
        ("hand", {}),
        ("ours", {"user.tenantry.owner": "tests"}),
        ("hers", {"user.tenantry.owner": "x"}),
    ):
        body = {"name": name, "type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "devices": devices}
        tenant.lxd.api("POST", "/1.0/instances", {**body, "config": config}, {"project": tenant.project})
    shown = marked(tenant, name="hand", _ansible_check_mode=True, _ansible_diff=True)
    assert shown["changed"] and shown["actions"] == ["commission VM hand"]
    assert shown["diff"]["after"]["VM hand"]["commissioned"] == shown["vm"]["commissioned"]
    assert MARK not in tenant.instance("hand")["config"]
    done = marked(tenant, name="hand")
    assert tenant.instance("hand")["config"][MARK] == done["vm"]["commissioned"]
    assert not marked(tenant, name="hand")["changed"]
    assert marked(tenant, name="hand", state="absent")["changed"] and MARK not in tenant.instance("hand")["config"]
    assert not marked(tenant, name="hand", state="absent")["changed"]
    before = tenant.lxd.fingerprint_of_world()
    refused = {name: marked(tenant, name=name)["code"] for name in ("ours", "hers", "nobody", "../x")}
    assert refused == {"ours": "invalid", "hers": "not_owned", "nobody": "not_found", "../x": "invalid"}
    tenant.change("hand", config={"user.x": "y"})
    found = tenant.lxd.api("GET", f"/1.0/projects/{tenant.project}")
    config = {**found["config"], "user.tenantry.owner": "somebody"}
    tenant.lxd.api("PUT", f"/1.0/projects/{tenant.project}", {**found, "config": config})
    assert marked(tenant, name="hand")["code"] == "not_owned"
    tenant.lxd.api("PUT", f"/1.0/projects/{tenant.project}", found)
    tenant.change("hand", config={"user.x": None})
    assert differences(before, tenant.lxd.fingerprint_of_world()) == []


def disk_of(tenant: Tenant, name: str) -> Path:
    return tenant.lxd.directory / "storage-pools/default/virtual-machines" / f"{tenant.project}_{name}" / "root.img"


def test_erasing_leaves_an_empty_disk_and_the_rest_as_it_was(tenant: Tenant) -> None:
    project, nic = {"project": tenant.project}, {"type": "nic", "network": tenant.lxd.bridge}
    root = {"type": "disk", "path": "/", "pool": "default", "size": "40MiB"}
    for name in ("build", "other"):
        body: dict[str, Any] = {
            "name": name,
            "type": "virtual-machine",
            "profiles": [],
            "description": "by hand",
            "source": {"type": "image", "alias": "micro"},
            "config": {**BOOTS, "user.note": "<b>{{ kept }}</b>"},
            "devices": {"root": root, "eth0": nic},
        }
        tenant.lxd.api("POST", "/1.0/instances", body, project)
    before, content = tenant.instances(), disk_of(tenant, "other").read_bytes()
    mac = before["build"]["config"]["volatile.eth0.hwaddr"]
    erase = {"name": "build", "erase": True}

    predicted = marked(tenant, **erase, _ansible_check_mode=True)
    assert predicted["changed"] and predicted["actions"] == ["erase VM build"]
    assert differences(before, tenant.instances()) == []

    done = marked(tenant, **erase)
    assert done["actions"] == ["erase VM build"] and set(tenant.instances()) == {"build", "other"}
    size = disk_of(tenant, "build").stat().st_size
    assert disk_of(tenant, "build").read_bytes() == bytes(size) and size == len(content)
    now = tenant.instance("build")
    kept = {key: value for key, value in before["build"]["config"].items() if not key.startswith(("volatile", "image"))}
    marks = {MARK: done["vm"]["commissioned"], "user.tenantry.erased": f"{done['vm']['commissioned']} build"}
    config = {key: value for key, value in now["config"].items() if not key.startswith("volatile")}
    assert config == {**kept, **marks}
    assert now["devices"] == {"root": root, "eth0": {**nic, "hwaddr": mac}}
    same = ("architecture", "description", "profiles", "ephemeral", "status", "type")
    assert {key: now[key] for key in same} == {key: before["build"][key] for key in same}
    assert differences(before["other"], tenant.instance("other")) == []
    assert disk_of(tenant, "other").read_bytes() == content
    assert not marked(tenant, **erase)["changed"], "erased twice"

    # Cut short after the old one went, and before.
    tenant.lxd.api("POST", "/1.0/instances/build", {"name": "build-erased"}, project)
    resumed = marked(tenant, **erase)
    assert resumed["actions"] == ["erase VM build: taken up where it was cut short"]
    source = {"type": "copy", "source": "build"}
    tenant.lxd.api(
        "POST", "/1.0/instances", {"name": "build-erased", "type": "virtual-machine", "source": source}, project
    )
    again = marked(tenant, **erase, again=True)
    assert again["actions"] == ["erase VM build"] and set(tenant.instances()) == {"build", "other"}
    assert tenant.instance("build")["devices"] == now["devices"]


def test_what_would_be_lost_unmeant_is_not_erased(tenant: Tenant) -> None:
    project = {"project": tenant.project}
    devices = {"root": {"type": "disk", "path": "/", "pool": "default", "size": "8MiB"}}
    body: dict[str, Any] = {"type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "devices": devices}
    for name in ("hand", "taken-erased", "taken"):
        tenant.lxd.api("POST", "/1.0/instances", {**body, "name": name}, project)
    volume = {"name": "data", "content_type": "block", "config": {"size": "1MiB"}}
    tenant.lxd.api("POST", "/1.0/storage-pools/default/volumes/custom", volume, project)
    found = tenant.lxd.api("GET", f"/1.0/projects/{tenant.project}")
    found["config"] |= {"restricted.snapshots": "allow", "restricted.backups": "allow"}
    tenant.lxd.api("PUT", f"/1.0/projects/{tenant.project}", found)
    tenant.lxd.api("POST", "/1.0/instances/hand/snapshots", {"name": "before"}, project)
    tenant.lxd.api("POST", "/1.0/instances/hand/backups", {"name": "kept"}, project)
    tenant.change(
        "hand",
        config={"security.protection.delete": "true"},
        devices={"data": {"type": "disk", "pool": "default", "source": "data"}},
    )
    before = tenant.lxd.fingerprint_of_world()
    refused = marked(tenant, name="hand", erase=True)
    assert refused["code"] == "protected"
    assert all(
        word in refused["msg"] for word in ("protected", "snapshot before, backup kept", "not its own (data)")
    ), refused
    taken = marked(tenant, name="taken", erase=True)
    assert taken["code"] == "conflict" and "taken-erased" in taken["msg"], taken
    assert marked(tenant, name="nobody", erase=True)["code"] == "not_found"
    assert marked(tenant, name="hand", erase=True, state="absent")["code"] == "invalid"
    assert differences(before, tenant.lxd.fingerprint_of_world()) == []

    # A project without room for both keeps the old one.
    full = {**found, "config": {**found["config"], "limits.instances": "3"}}
    tenant.lxd.api("PUT", f"/1.0/projects/{tenant.project}", full)
    tenant.lxd.api("DELETE", "/1.0/instances/taken-erased", query=project)
    tenant.lxd.api("POST", "/1.0/instances", {**body, "name": "third"}, project)
    crowded = marked(tenant, name="taken", erase=True)
    assert crowded["failed"] and "room for both" in crowded["hint"], crowded
    assert set(tenant.instances()) == {"hand", "taken", "third"}
