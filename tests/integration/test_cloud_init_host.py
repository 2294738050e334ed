# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that becomes a VM host at its first boot: a real cloud-init, a real LXD, and no sshd anywhere."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.playing import PlayResult, Site
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.impostor import Impostor, page
from tests.lxd.machine import Machine

BRIDGE = "lxdbr0"
# sshd doesn't start where this file is.
NO_SSHD = "/etc/ssh/sshd_not_to_be_run"
SEED = "/var/lib/cloud/seed/nocloud"
SAID: dict[str, Any] = {
    "ansible_host": "127.0.0.1",
    # Nothing listens there: a controller that asks too early is told so at once.
    "vmhost_https_address": ["https://127.0.0.1:1"],
    "vmhost_method": "cloud_init",
    "vmhost_wait_timeout": 0,
    "vmhost_user_data_path": "{{ inventory_dir | dirname }}/user-data",
    "vmhost_project": "tenant-a",
    "vmhost_owner": "team-a",
    "vmhost_storage_pools": [{"name": "default", "driver": "dir"}],
    "vmhost_networks": [{"name": BRIDGE, "config": {"ipv4.address": "10.66.0.1/24", "ipv6.address": "none"}}],
    "vmhost_default_storage_pool": "default",
    "vmhost_default_network": BRIDGE,
    "vmhost_memory_overcommit": 1.5,
    "vmhost_enforce": ["memory"],
    "vmhost_cloud_config": {"locale": "C.UTF-8", "ssh_deletekeys": False, "runcmd": ["echo theirs > /root/theirs"]},
}
PIN = "tenantry.lxd.vmhost : Wait for the machine and pin its certificate"


def declare(site: Site, **more: Any) -> None:
    """The inventory: one VM host; what is said as None is left out."""
    said = {key: value for key, value in {**SAID, **more}.items() if value is not None}
    path = site.root / "inventory" / "hosts.yml"
    path.write_text(yaml.safe_dump({"lxd_vmhosts": {"hosts": {"kvm-01": said}}}, sort_keys=False))


def register(site: Site, *, fails: bool = False, **rest: Any) -> PlayResult:
    played = site.play("tenantry.lxd.register", **rest)
    assert (played.rc != 0) == fails, played.output
    return played


def files(site: Site) -> set[str]:
    kept = (path for path in site.root.rglob("*") if path.is_file() and path.name != "results.jsonl")
    return {str(path.relative_to(site.root)) for path in kept}


@dataclasses.dataclass
class Booted:
    """A machine that boots with the user data that a site's role made, and that site."""

    site: Site
    machine: Machine
    user_data: str

    @property
    def url(self) -> str:
        return f"https://{self.machine.address}:8443"

    def inside(self, *command: str) -> str:
        """What a program on the machine prints, asked by its console's owner and not over the network."""
        done = subprocess.run(
            ["lxc", "exec", self.machine.name, "--", *command],
            env={"PATH": "/usr/bin:/bin", "HOME": "/root", **self.machine.daemon.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def copy(self, folder: Path) -> Path:
        """The registry as it was before the machine was pinned."""
        shutil.copytree(self.site.registry, folder)
        return folder

    def pin(self, registry: Path, **said: Any) -> dict[str, Any]:
        asked = {"name": "kvm-01", "registry": str(registry), "url": self.url, "wait_timeout": 240, **said}
        return self.site.run_task("lxd_vmhost_pin", asked, fails=True)


@pytest.fixture(scope="module")
def booted(outer: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    site = Site.create(tmp_path_factory.mktemp("site"))
    declare(site)
    register(site, fails=True)
    user_data = (site.root / "user-data").read_text()
    seed = {f"{SEED}/user-data": user_data, f"{SEED}/meta-data": "instance-id: first\nlocal-hostname: kvm-01\n"}
    machine = Machine(outer, "kvm-01", "cloud-init", files={**seed, NO_SSHD: ""})
    try:
        machine.create()
        outer.api("PUT", "/1.0/instances/kvm-01/state", {"action": "start"}, timeout=60)
        until(lambda: bool(machine.address), 60, "the machine's address")
        yield Booted(site, machine, user_data)
    finally:
        machine.destroy()


def test_user_data_is_the_same_every_time_and_holds_nothing_of_lasting_use(site: Site) -> None:
    declare(site)
    before = files(site)
    predicted = register(site, check=True)
    assert files(site) == before, "check mode wrote something"
    assert any("unverified" in result for result in predicted.results), predicted.output
    waiting = register(site, fails=True, verbosity=3).last
    assert waiting["code"] == "timeout" and "boot it with its user data" in waiting["hint"], waiting
    folder, path = site.registry / "kvm-01", site.root / "user-data"
    text, secret = path.read_text(), (folder / "first-boot.key").read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((folder / "first-boot.key").stat().st_mode) == 0o600
    assert text.startswith("#cloud-config\n") and len(text.encode()) < 16384, len(text.encode())
    assert "PRIVATE KEY" not in text and "password" not in text and "token" not in text
    assert (folder / "client.key").read_text().splitlines()[1] not in text
    assert text.count(secret) == 1
    assert not (folder / "server.crt").exists() and not (folder / "vmhost.yml").exists()
    again = register(site, fails=True, verbosity=3)
    assert not any(result.get("changed") for result in again.results), again.output
    assert path.read_text() == text
    assert secret not in again.output, "the secret was shown"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {
                "vmhost_storage_pools": None,
                "vmhost_cloud_config": {"runcmd": "reboot"},
                "vmhost_package": "apt",
                "vmhost_channel": "5.21/stable",
            },
            ["storage_pools: default is to be used", "are lists", "only a snap has one"],
        ),
        ({"vmhost_server_config": {"core.trust_password": "s3cret"}}, ["core.trust_password"]),
    ],
    ids=["all-at-once", "trust-password"],
)
def test_bad_input_is_refused_before_anything_is_written(site: Site, said: dict[str, Any], words: list[str]) -> None:
    declare(site, **said)
    before = files(site)
    refused = register(site, fails=True)
    assert all(word in refused.output for word in words), refused.output
    assert "s3cret" not in refused.last.get("msg", "") and files(site) == before


def test_another_certificate_is_refused(booted: Booted, tmp_path: Path) -> None:
    registry = booted.copy(tmp_path / "vmhosts")
    with Impostor(page("{}"), new_client_certificate(tmp_path)) as between:
        refused = booted.pin(registry, url=between.url)
    assert refused["code"] == "not_trusted" and "lacks the proof" in refused["msg"], refused
    assert not (registry / "kvm-01" / "server.crt").exists()


def test_a_machine_with_another_secret_is_refused(booted: Booted, tmp_path: Path) -> None:
    registry = booted.copy(tmp_path / "vmhosts")
    for pinned in ("server.crt", "vmhost.yml"):
        (registry / "kvm-01" / pinned).unlink(missing_ok=True)
    (registry / "kvm-01" / "first-boot.key").write_text("0" * 64)
    refused = booted.pin(registry)
    assert refused["code"] == "not_trusted", refused
    assert not (registry / "kvm-01" / "server.crt").exists()


def test_a_first_boot_ends_with_a_vm_host_and_a_vm_on_it(booted: Booted) -> None:
    site, folder = booted.site, booted.site.registry / "kvm-01"
    with socket.socket() as probe:
        assert probe.connect_ex((booted.machine.address, 22)) != 0, "sshd answers"
    # No connection plugin works: whoever tries to log in fails.
    declare(site, vmhost_https_address=[booted.url], vmhost_wait_timeout=240, ansible_connection="ssh")
    registered = register(site).named("tenantry.lxd.vmhost : Verify and register the VM host")["vmhost"]
    assert registered["project"] == "tenant-a" and registered["exposure"] is not None
    assert (folder / "server.crt").exists() and not (folder / "first-boot.key").exists()
    assert registered["resources"]["memory"]["overcommit"] == "1.5"
    limit, total = (registered["resources"]["memory"][key] for key in ("limit", "total"))
    assert limit == int(total * 1.5), (limit, total)

    schema = booted.inside("cloud-init", "schema", "--config-file", "/var/lib/cloud/instance/user-data.txt")
    assert "Valid cloud-config" in schema, schema
    assert booted.inside("cat", "/var/lib/cloud/instance/user-data.txt") == booted.user_data
    assert "status: done" in booted.inside("cloud-init", "status", "--wait")
    assert booted.inside("cat", "/root/theirs") == "theirs\n"
    assert booted.inside("ls", "/var/lib/tenantry") == "", "the program and the secret stayed"

    again = register(site)
    assert not any(result.get("changed") for result in again.results), again.output
    composed = site.run_task(
        "lxd_vm_compose", {"vmhost": "kvm-01", "vms": [{"name": "web-1", "state": "present", "memory": "160MiB"}]}
    )
    assert [vm["name"] for vm in composed["vms"]] == ["web-1"], composed
    assert "web-1" in booted.inside("lxc", "list", "--project", "tenant-a", "-f", "csv", "-c", "n")


def test_an_admin_who_comes_later_finds_nothing_to_change(booted: Booted) -> None:
    site = booted.site
    if not (site.registry / "kvm-01" / "vmhost.yml").exists():
        declare(site, vmhost_https_address=[booted.url], vmhost_wait_timeout=240)
        register(site)
    booted.inside("rm", NO_SSHD)
    booted.inside("systemctl", "start", "ssh")
    said = {**booted.machine.inventory, "vmhost_method": "existing", "vmhost_https_address": [booted.url]}
    declare(site, **said)
    played = register(site, python="")
    assert not any(result.get("changed") for result in played.results), played.output


def test_a_vaulted_secret_travels_with_git_and_is_read_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pw")
    said = {"name": "kvm-01", "state": "expected", "vault_key": True}
    environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password")}
    made = site.run_task("lxd_vmhost_pin", said, environment=environment)
    assert Path(made["secret_path"]).read_text().startswith("$ANSIBLE_VAULT;"), made
    assert "!/first-boot.key" in (site.registry / "kvm-01" / ".gitignore").read_text()
    assert not site.run_task("lxd_vmhost_pin", said, environment=environment)["changed"]
    locked = site.run_task("lxd_vmhost_pin", said, fails=True)
    assert locked["code"] == "invalid" and "vault" in locked["hint"], locked


def test_what_was_cut_short_after_the_pin_is_finished(site: Site, tmp_path: Path) -> None:
    site.run_task("lxd_vmhost_pin", {"name": "kvm-01", "state": "expected"})
    folder = site.registry / "kvm-01"
    shutil.copy(new_client_certificate(tmp_path)[0], folder / "server.crt")
    ended = site.run_task("lxd_vmhost_pin", {"name": "kvm-01"})
    assert ended["changed"] and ended["pinned"] and not (folder / "first-boot.key").exists(), ended
    assert not site.run_task("lxd_vmhost_pin", {"name": "kvm-01"})["changed"]
