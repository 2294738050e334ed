# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks as a user runs them: an inventory in a repository, a host whose Python has no package of ours."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.interpreters import host_pythons
from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import OWNER
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.teardown import discard_project
from tests.lxd.world import differences

BARE = {"state": "present", "memory": "160MiB"}
RUNNING = {"image": "micro", "memory": "160MiB", "secure_boot": False}
# What ours needs on the controller, and a VM host must do without.
OURS = ("pylxd", "cryptography", "yaml", "requests", "jmespath")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Makes a Python without any package from one that is there."""

    def made(python: str) -> str:
        folder = tmp_path_factory.mktemp("bare")
        subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
        inside = str(folder / "bin" / "python")
        for package in OURS:
            assert (
                subprocess.run([inside, "-c", f"import {package}"], capture_output=True, check=False).returncode != 0
            ), package
        return inside

    return made


@pytest.fixture
def estate(lxd: Daemon, site: Site, project_name: str, bare_python: Callable[[str], str]) -> Iterator[Estate]:
    """A repository with one VM host in its inventory, of which nothing exists yet."""
    found = Estate(site, lxd, project_name, bare_python(host_pythons()[0]))
    yield found
    found.forget()


class Estate:
    """A user's repository and the server that its inventory is about."""

    def __init__(self, site: Site, lxd: Daemon, project: str, python: str) -> None:
        self.site, self.lxd, self.project = site, lxd, project
        self._others = {each["fingerprint"] for each in self._entries()}
        self.common: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": python,
            "vmhost_socket": str(lxd.directory / "unix.socket"),
            "vmhost_owner": OWNER,
            "vmhost_project": project,
            "vmhost_default_storage_pool": "default",
            "vmhost_default_network": lxd.bridge,
        }
        self.write({"kvm-01": {}})

    def write(self, hosts: Mapping[str, Mapping[str, Any]], **common: Any) -> None:
        """The inventory: VM hosts with their variables, and what they have in common."""
        group = {"hosts": {name: dict(said) for name, said in hosts.items()}, "vars": {**self.common, **common}}
        path = self.site.root / "inventory" / "hosts.yml"
        path.write_text(yaml.safe_dump({"lxd_vmhosts": group}, sort_keys=False))

    def play(self, name: str, *arguments: str, fails: bool = False, **rest: Any) -> PlayResult:
        """A playbook of the collection; an unexpected end fails the test with what was printed."""
        played = self.site.play(f"tenantry.lxd.{name}", python="", arguments=arguments, **rest)
        assert (played.rc != 0) == fails, played.output
        return played

    def vms(self, project: str = "") -> dict[str, str]:
        """Name and status of all VMs of a project, as LXD itself has them."""
        query = {"project": project or self.project, "recursion": 1}
        return {each["name"]: each["status"] for each in self.lxd.api("GET", "/1.0/instances", query=query)}

    def trust(self) -> list[tuple[str, bool, list[str]]]:
        """The server's trust entries that came with this test."""
        return [
            (each["fingerprint"], each["restricted"], each["projects"])
            for each in self._entries()
            if each["fingerprint"] not in self._others
        ]

    def _entries(self) -> list[dict[str, Any]]:
        return list(self.lxd.api("GET", "/1.0/certificates", query={"recursion": 1}))

    def files(self) -> dict[str, str]:
        """Every file of the repository and its content, but what the test itself writes there."""
        kept = (path for path in self.site.root.rglob("*") if path.is_file() and path.name != "results.jsonl")
        return {str(path.relative_to(self.site.root)): path.read_text(errors="replace") for path in kept}

    def forget(self) -> None:
        """No tenant's trust entry stays behind, not of a project either that the test has removed."""
        for fingerprint, restricted, _projects in self.trust():
            if restricted:
                self.lxd.api("DELETE", f"/1.0/certificates/{fingerprint}")


def changed(played: PlayResult) -> dict[str, int]:
    """How many tasks changed something, by host, as the recap says."""
    lines = [line for line in played.output.splitlines() if "changed=" in line]
    return {line.split()[0]: int(line.split("changed=")[1].split()[0]) for line in lines}


@pytest.mark.smoke
@pytest.mark.parametrize("python", host_pythons(), ids=lambda path: Path(path).name)
def test_site_registers_composes_and_is_quiet_afterwards(
    estate: Estate, python: str, bare_python: Callable[[str], str], tmp_path: Path
) -> None:
    on_host = tmp_path / "on-host"
    said: dict[str, Any] = {"ansible_python_interpreter": bare_python(python), "ansible_remote_tmp": str(on_host)}
    said |= {
        "vmhost_zone": "north",
        "vmhost_tags": ["ssd"],
        "vmhost_memory_overcommit": 0.5,
        "vmhost_enforce": ["memory"],
    }
    estate.write(
        {"kvm-01": {**said, "vms_here": [{"name": "web-1", **BARE}]}},
        vms_defaults={"tags": ["all"]},
        vms_list=[{"name": "site-1", "vmhost": "kvm-01", **BARE}],
    )
    played = estate.play("site", environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
    assert estate.vms() == {"web-1": "Stopped", "site-1": "Stopped"}
    registered = played.named("tenantry.lxd.vmhost : Verify and register the VM host")["vmhost"]
    ((fingerprint, restricted, projects),) = estate.trust()
    assert (restricted, projects) == (True, [estate.project])
    assert registered["certificate"]["fingerprint"] == fingerprint
    project = estate.lxd.api("GET", f"/1.0/projects/{estate.project}")["config"]
    assert project["restricted"] == "true" and project["user.tenantry.owner"] == OWNER
    assert project["restricted.networks.access"] == estate.lxd.bridge
    assert project["user.tenantry.memory_overcommit"] == "0.5"
    memory = estate.lxd.api("GET", f"/1.0/projects/{estate.project}/state")["resources"]["memory"]["Limit"]
    assert memory == estate.lxd.api("GET", "/1.0/resources")["memory"]["total"] // 2

    folder = estate.site.registry / "kvm-01"
    entry = yaml.safe_load((folder / "vmhost.yml").read_text())
    assert entry["url"] == estate.lxd.url and entry["zone"] == "north" and entry["tags"] == ["ssd"]
    assert entry["memory_overcommit"] == 0.5
    assert (folder / "server.crt").read_text().split() == estate.lxd.certificate.split()
    assert (folder / "client.key").stat().st_mode & 0o777 == 0o600

    # Ansible kept what it sent to the host: the public half, and nothing of the key.
    sent = [path for path in on_host.rglob("*") if path.is_file()]
    assert sent and secret_lines(folder / "client.key").isdisjoint(lines_of(sent))

    # Nothing is left to do but the page that is asked for now.
    page = tmp_path / "page"
    assert changed(estate.play("site", "-e", f"report_path={page}")) == {"kvm-01": 1, "localhost": 0}
    assert "web-1" in (page / "hosts" / "kvm-01.html").read_text()


def secret_lines(key: Path) -> set[bytes]:
    """The lines that are the secret of a private key."""
    return {line.encode() for line in key.read_text().splitlines() if "-----" not in line}


def lines_of(files: list[Path]) -> set[bytes]:
    """All lines of some files, those that a JSON text has folded into one too."""
    return {part for path in files for line in path.read_bytes().splitlines() for part in line.split(b"\\n")}


def test_check_mode_of_the_whole_site_where_nothing_exists(estate: Estate) -> None:
    estate.write(
        {"kvm-01": {"vms_here": [{"name": "web-1", **RUNNING}]}}, vmhost_cpu_overcommit=2, vmhost_enforce=["cpu"]
    )
    world, files = estate.lxd.fingerprint_of_world(), estate.files()
    played = estate.play("site", check=True)
    assert differences(world, estate.lxd.fingerprint_of_world()) == []
    assert estate.files() == files
    results = played.results
    assert all(result.get("changed") for result in results if result.get("actions"))
    assert {reason for result in results for reason in result.get("unverified", ())} != set()
    composed = played.named("tenantry.lxd.vms : Compose the VMs")
    assert composed["actions"] == ["create VM web-1", "start VM web-1"] and composed["unverified"]

    # The real run says the same words; the image comes before the VM, as the admin would have it.
    registered = estate.play("register")
    import_image(estate.lxd, micro_image(), project=estate.project)
    real = [*registered.results, *estate.play("compose").results]
    assert actions(results) == actions(real)
    assert estate.vms() == {"web-1": "Running"}


def actions(results: list[dict[str, Any]]) -> list[str]:
    """Everything that the modules of a run did or would do."""
    return [action for result in results for action in result.get("actions", ())]


def test_removal_keeps_vms_and_their_project_unless_told_otherwise(estate: Estate) -> None:
    estate.write({"kvm-01": {"vms_here": [{"name": "web-1", **BARE}]}})
    before = estate.lxd.fingerprint_of_world()
    estate.play("site")
    estate.play("remove", fails=True)
    assert estate.trust() != [], "a removal without --limit removed something"

    predicted = estate.play("remove", "--limit", "kvm-01", check=True)
    assert estate.trust() != []
    real = estate.play("remove", "--limit", "kvm-01")
    assert changed(predicted) == changed(real) and changed(real)["kvm-01"] > 0
    assert estate.vms() == {"web-1": "Stopped"}
    assert estate.trust() == []
    assert not (estate.site.registry / "kvm-01" / "vmhost.yml").exists()

    # Declared as gone in the inventory: site does the same as remove, and composes nothing there.
    estate.write({"kvm-01": {"vms_here": [{"name": "web-1", **BARE}]}})
    estate.play("site")
    gone = {"vmhost_state": "absent", "vmhost_vms": "delete", "vmhost_remove_files": True}
    estate.write({"kvm-01": {**gone, "vms_here": [{"name": "web-1", **BARE}]}})
    estate.play("site")
    assert differences(before, estate.lxd.fingerprint_of_world()) == []
    assert [path.name for path in estate.site.registry.rglob("*")] == [".gitignore"]
    assert changed(estate.play("site")) == {"kvm-01": 0, "localhost": 0}


def test_one_host_at_a_time_and_one_that_fails(estate: Estate, project_name: str) -> None:
    second = f"{project_name}-b"
    hosts: dict[str, dict[str, Any]] = {
        "kvm-01": {"vms_here": [{"name": "one", **BARE}]},
        "kvm-02": {"vms_here": [{"name": "two", **BARE}], "vmhost_project": second},
        "kvm-03": {"vms_here": [{"name": "three", **BARE}], "vmhost_socket": "/nowhere/unix.socket"},
    }
    listed = [{"name": f"listed-{number}", "vmhost": f"kvm-0{number}", **BARE} for number in (1, 2, 3)]
    estate.write(hosts, vms_list=listed)
    try:
        estate.play("site", "--limit", "kvm-02")
        assert set(estate.vms(second)) == {"two", "listed-2"}
        assert [projects for *_entry, projects in estate.trust()] == [[second]]
        failed = estate.play("site", fails=True)
        assert "/nowhere/unix.socket" in failed.output
        assert changed(failed)["kvm-02"] == 0
        assert set(estate.vms()) == {"one", "listed-1"}
    finally:
        discard_project(estate.lxd, second)


def test_everything_wrong_is_said_at_once_and_before_anything_is_touched(estate: Estate) -> None:
    wrong = {
        "vmhost_networks": ["other"],
        "vmhost_tags": ["two words"],
        "vmhost_https_address": ["kvm-01:8443"],
        "vmhost_cpu_overcommit": 11,
        "vmhost_memory_overcommit": 0.01,
    }
    estate.write({"kvm-01": wrong})
    before, files = estate.lxd.fingerprint_of_world(), estate.files()
    said = estate.play("site", fails=True).last["msg"]
    assert [name for name in wrong if name not in said] == []
    estate.write({"kvm-01": {}}, vmhost_project=None, vmhost_owner="")
    assert "vmhost_owner" in estate.play("register", fails=True).last["msg"]
    assert differences(before, estate.lxd.fingerprint_of_world()) == [] and estate.files().keys() == files.keys()


def test_a_server_that_runs_already_is_as_it_is_declared_or_is_left_alone(estate: Estate) -> None:
    bridge = estate.lxd.bridge
    there: dict[str, Any] = {"vmhost_storage_pools": [{"name": "default", "driver": "dir"}]}
    there |= {"vmhost_networks": [{"name": bridge}], "vmhost_isolation": "shared"}
    before = estate.lxd.fingerprint_of_world()
    estate.write({"kvm-01": there}, vmhost_restrictions={"devices.disk": "allow"})
    assert "with vmhost_isolation: shared nothing is restricted" in estate.play("register", fails=True).last["msg"]

    pools = [*there["vmhost_storage_pools"], {"name": "more", "driver": "dir"}]
    estate.write({"kvm-01": {**there, "vmhost_storage_pools": pools}}, vmhost_server_config={"user.tenantry.test": "1"})
    refused = estate.play("register", fails=True).last["msg"]
    assert "create storage pool more" in refused and "user.tenantry.test" in refused, refused
    assert differences(before, estate.lxd.fingerprint_of_world()) == [] and not estate.site.registry.exists()

    estate.write({"kvm-01": there})
    estate.play("register")
    assert changed(estate.play("register")) == {"kvm-01": 0}


def test_a_server_that_listens_nowhere_is_said_with_the_command(estate: Estate) -> None:
    with Daemon.new(f"mute-{os.getpid()}", owned=True) as mute:
        said = {"vmhost_socket": str(mute.directory / "unix.socket"), "vmhost_default_network": mute.bridge}
        estate.write({"kvm-01": {**said, "ansible_host": "localhost"}})
        mute.api("PATCH", "/1.0", {"config": {"core.https_address": ""}})
        before = mute.fingerprint_of_world()
        assert "lxc config set core.https_address :8443" in estate.play("register", fails=True).last["msg"]
        assert differences(before, mute.fingerprint_of_world()) == []
        assert not estate.site.registry.exists()

        # On all addresses: then it is the one that SSH would take.
        mute.api("PATCH", "/1.0", {"config": {"core.https_address": f"[::]:{mute.place.port}"}})
        estate.play("register")
        entry = yaml.safe_load((estate.site.registry / "kvm-01" / "vmhost.yml").read_text())
        assert entry["url"] == f"https://localhost:{mute.place.port}"


def test_a_clone_and_the_vault_password_are_all_that_a_controller_needs(estate: Estate, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    vault = ("--vault-password-file", str(password))
    estate.write({"kvm-01": {"vms_here": [{"name": "web-1", **BARE}]}}, vmhost_vault_key=True)
    estate.play("site", *vault)
    clone = tmp_path / "clone"
    git = ["git", "-C", str(estate.site.root), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for arguments in (["init", "-q"], ["add", "inventory", "vmhosts"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", str(estate.site.root), str(clone)], check=True)
    other = Estate(Site(clone), estate.lxd, estate.project, estate.common["ansible_python_interpreter"])
    # No socket and no SSH here: the tenant's authority is all there is.
    other.write({"kvm-01": {"vms_here": [{"name": "web-2", **BARE}]}}, vmhost_socket="/nowhere", vmhost_vault_key=True)
    other.play("compose", *vault)
    assert set(estate.vms()) == {"web-1", "web-2"}


@contextlib.contextmanager
def arguments_of_processes() -> Iterator[set[str]]:
    """The arguments of every process that is there at any of many instants of the block."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


SECRET = "hunter2-of-cloud-init"
PASSWORD = "hunter2-of-the-vault"


def test_no_secret_shows_anywhere(estate: Estate, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    vault = ("--vault-password-file", str(password))
    vm = {"name": "web-1", **BARE, "cloud_init": {"user_data": {"password": SECRET}}}
    common = {"vms_defaults": {"cloud_init": {"vendor_data": f"#cloud-config\npassword: {SECRET}\n"}}}
    cache = tmp_path / "facts"
    environment = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}
    places = dict.fromkeys(("stdout", "results"), "")
    with arguments_of_processes() as seen:
        # A plain key that is made, then one that is there and is to be vaulted, and a VM that differs.
        for cores, vaulted in ((1, False), (2, True)):
            estate.write({"kvm-01": {"vms_here": [{**vm, "cores": cores}]}}, vmhost_vault_key=vaulted, **common)
            places["stdout"] += estate.play("site", *vault, verbosity=3, environment=environment).output
            places["results"] += (estate.site.root / "results.jsonl").read_text()
    places["argv"] = "\n".join(seen)
    places["fact cache"] = "".join(path.read_text() for path in cache.rglob("*") if path.is_file())
    assert "ansible-playbook" in places["argv"] and "web-1" in places["results"]

    config = estate.lxd.api("GET", "/1.0/instances/web-1", query={"project": estate.project})["config"]
    assert SECRET in config["cloud-init.user-data"] and SECRET in config["cloud-init.vendor-data"]
    command = [str(Path(sys.executable).with_name("ansible-vault")), "view", *vault]
    key = tmp_path / "key"
    with key.open("wb") as plain:
        subprocess.run([*command, str(estate.site.registry / "kvm-01" / "client.key")], stdout=plain, check=True)
    markers = {SECRET, PASSWORD, *(line.decode() for line in secret_lines(key))}
    assert len(markers) > 4
    assert [(place, marker) for place, text in places.items() for marker in markers if marker in text] == []
