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

from tests.integration.playing import Played
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
        root = {"type": "disk", "path": "/", "pool": "default"}
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

    def play(self, hosts: Mapping[str, Mapping[str, Any]], *arguments: str, check: bool = False, **said: Any) -> Played:
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


def findings(played: Played) -> dict[str, dict[str, Any]]:
    """What the role told of each VM."""
    told = [task["result"]["msg"] for task in played.tasks if task["task"].endswith("Tell what was found")]
    return {each["vm"]["name"]: each for each in told}


def changed(played: Played) -> int:
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
    seen = found.tenant.site.run("lxd_vm_info", {"vmhost": found.tenant.vmhost})["vms"]
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
