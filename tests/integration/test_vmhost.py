# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""lxd_vmhost and lxd_vmhost_info against a real LXD: registered when proven, kept as said, gone without a trace."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair

from tests.integration.playing import Site
from tests.integration.tenancy import OWNER, Tenant, create_confined_project, register_vm_host
from tests.integration.test_vm_compose import SMALL, bare
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.teardown import discard_project
from tests.lxd.world import differences

NAME = "kvm-01"


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


@dataclasses.dataclass(frozen=True)
class Host:
    """A server with a confined project of ours and a trusted certificate, and nothing in the registry but key files."""

    site: Site
    lxd: Daemon
    project: str

    @property
    def folder(self) -> Path:
        return self.site.registry / NAME

    @property
    def entry(self) -> Any:
        path = self.folder / "vmhost.yml"
        return yaml.safe_load(path.read_text()) if path.exists() else None

    @property
    def pin(self) -> str:
        return fingerprint(self.lxd.certificate)

    def run(self, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        return self.site.run_task("lxd_vmhost", {"name": NAME, **options}, check=check, fails=fails)

    def several(self, *tasks: dict[str, Any], check: bool = False) -> list[dict[str, Any]]:
        """Several tasks of one play, each with its own options."""
        played = self.site.play([{"tenantry.lxd.lxd_vmhost": {"name": NAME, **said}} for said in tasks], check=check)
        assert played.rc == 0 and len(played.results) == len(tasks), played.output
        return played.results

    def register(self, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        said = {"url": self.lxd.url, "server_fingerprint": self.pin, "project": self.project, "owner": OWNER}
        merged = {key: value for key, value in {**said, **options}.items() if value is not None}
        return self.run(check, fails, **merged)

    def compose(self, vms: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return self.site.run_module("lxd_vm_compose", {"defaults": {"interfaces": []}, "vms": vms, **options}, NAME)

    def disk(self) -> dict[str, tuple[str, int]]:
        """Every file of the registry: content and mode."""
        files = [path for path in self.site.registry.rglob("*") if path.is_file()]
        return {str(path): (path.read_text(), path.stat().st_mode & 0o777) for path in files}


def prepared(lxd: Daemon, site: Site, project: str) -> Host:
    create_confined_project(lxd, project)
    folder = site.registry / NAME
    folder.mkdir(parents=True)
    certificate, _key = new_client_certificate(folder)
    lxd.trust(certificate.read_text(), name=project, projects=[project])
    return Host(site, lxd, project)


@pytest.fixture
def host(lxd: Daemon, site: Site, project_name: str) -> Host:
    return prepared(lxd, site, project_name)


@pytest.fixture
def neighbours(lxd: Daemon, project_name: str) -> Iterator[list[str]]:
    """Projects of somebody else on the same server, with a VM that runs, one that doesn't, and a volume in each."""
    names = [f"their-{project_name}", f"also-{project_name}"]
    try:
        for name in names:
            create_confined_project(lxd, name, owner="others" if name.startswith("their") else None)
            fill(lxd, name)
        yield names
    finally:
        for name in names:
            discard_project(lxd, name)


def fill(lxd: Daemon, project: str) -> None:
    """What would be taken for ours by its marks and names, if anybody looked there."""
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    config = {"security.secureboot": "false", "limits.memory": "160MiB", "user.tenantry.owner": OWNER}
    body = {"type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "devices": root, "config": config}
    for name in ("runs", "web-1"):
        lxd.api("POST", "/1.0/instances", {**body, "name": name}, {"project": project})
    lxd.api("PUT", "/1.0/instances/runs/state", {"action": "start"}, {"project": project})
    marks = {"size": "5MiB", "user.tenantry.owner": OWNER, "user.tenantry.vm": "web-1"}
    volume = {"name": "web-1-data", "type": "custom", "content_type": "block", "config": marks}
    lxd.api("POST", "/1.0/storage-pools/default/volumes/custom", volume, {"project": project})


# Registering


def test_s1_the_project_is_said_and_has_no_default(host: Host) -> None:
    before = host.disk()
    refused = host.register(project=None, fails=True)
    assert refused["code"] == "invalid" and "project" in refused["msg"] and "\n" not in refused["msg"]
    refused = host.register(owner=None, fails=True)
    assert refused["code"] == "invalid" and "owner" in refused["msg"]
    assert host.disk() == before
    assert host.register()["vmhost"]["project"] == host.project


def test_a_proven_host_is_registered_as_said_and_then_quiet(host: Host) -> None:
    said: dict[str, Any] = {
        "zone": "rack 4",
        "pool": "fast",
        "tags": ["ssd", "10g"],
        "cpu_overcommit": 1.50,
        "memory_overcommit": "2.0",
        "default_storage_pool": "default",
        "default_network": host.lxd.bridge,
    }
    result = host.register(**said)
    assert result["changed"] and result["limits_pending"] == []
    assert host.entry == {
        "schema": 1,
        "name": NAME,
        "url": host.lxd.url,
        "project": host.project,
        "owner": OWNER,
        "zone": "rack 4",
        "pool": "fast",
        "tags": ["ssd", "10g"],
        "cpu_overcommit": 1.5,
        "memory_overcommit": 2,
        "default_storage_pool": "default",
        "default_network": host.lxd.bridge,
    }
    assert fingerprint((host.folder / "server.crt").read_text()) == host.pin
    assert result["diff"]["after"][f"server certificate {NAME}"] == {"fingerprint": host.pin}
    assert "/*/*.key*" in (host.site.registry / ".gitignore").read_text()

    shown = result["vmhost"]
    assert shown["server"]["version"] == "5.0.2" and shown["server"]["flavour"] == "lxd"
    assert shown["server"]["clustered"] is False and shown["server"]["members"] == []
    assert shown["cpu_overcommit"] == "1.5" and shown["urls"] == [host.lxd.url]
    assert shown["certificate"]["fingerprint"] == fingerprint((host.folder / "client.crt").read_text())
    assert 28 <= shown["certificate"]["days_left"] <= 30
    assert any("trust store" in sentence for sentence in shown["exposure"])

    before = host.disk()
    again = host.register(**said)
    assert not again["changed"] and again["diff"] == {"before": {}, "after": {}}
    assert not host.run()["changed"], "what isn't said isn't kept"
    assert host.disk() == before
    # A registry that works: composing through it needs no word more.
    composed = host.compose([bare("vm")], defaults={})
    assert composed["vms"][0]["disks"][0]["storage_pool"] == "default"


def test_check_mode_predicts_and_writes_nothing(host: Host) -> None:
    world, disk = host.lxd.fingerprint_of_world(), host.disk()
    said: dict[str, Any] = {"tags": ["a"], "default_storage_pool": "default"}
    predicted = host.register(check=True, **said)
    assert host.disk() == disk and differences(world, host.lxd.fingerprint_of_world()) == []
    real = host.register(**said)
    assert differences(world, host.lxd.fingerprint_of_world()) == []
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == real[key]
    assert {**predicted["vmhost"], "resources": 0} == {**real["vmhost"], "resources": 0}

    predicted = host.run(check=True, state="absent", remove_files=True)
    assert set(host.disk()) >= set(disk)
    real = host.run(state="absent", remove_files=True)
    assert predicted["actions"] == real["actions"] and predicted["diff"] == real["diff"]
    assert predicted["orphaned_trust"] == real["orphaned_trust"]


def test_a_chain_where_nothing_exists_yet_is_predicted(lxd: Daemon, site: Site) -> None:
    pin = fingerprint(lxd.certificate)
    said = {"name": NAME, "url": lxd.url, "server_fingerprint": pin, "project": "to-come", "owner": OWNER}
    predicted = site.run_task("lxd_vmhost", said, check=True)
    assert predicted["changed"] and f"register VM host {NAME}" in predicted["actions"]
    assert predicted["diff"]["after"][f"server certificate {NAME}"] == {"fingerprint": pin}
    assert predicted["diff"]["after"][f"VM host {NAME}"]["project"] == "to-come"
    assert len(predicted["unverified"]) == 1 and "certificate" in predicted["unverified"][0]
    assert predicted["vmhost"]["resources"] is None and predicted["vmhost"]["vms"] is None
    assert not site.registry.exists()

    (site.registry / NAME).mkdir(parents=True)
    certificate, _key = new_client_certificate(site.registry / NAME)
    refused = site.run_task("lxd_vmhost", said, fails=True)
    assert refused["code"] == "not_trusted"
    assert "doesn't trust" in site.run_task("lxd_vmhost", said, check=True)["unverified"][0]
    lxd.trust(certificate.read_text(), projects=[])
    refused = site.run_task("lxd_vmhost", said, fails=True)
    assert refused["code"] == "not_trusted" and "to-come" in refused["msg"] and "lxd_project" in refused["hint"]
    assert "to-come" in site.run_task("lxd_vmhost", said, check=True)["unverified"][0]
    assert {path.name for path in (site.registry / NAME).iterdir()} == {"client.crt", "client.key"}


BAD = [
    pytest.param({"server_fingerprint": "ab" * 32}, "not_trusted", "not the pinned one", id="wrong pin"),
    pytest.param({"server_fingerprint": None}, "not_trusted", "nothing pins", id="no pin"),
    pytest.param({"server_fingerprint": "abc"}, "invalid", "SHA-256", id="pin that is none"),
    pytest.param(
        {"server_cert": "/nowhere.crt", "server_fingerprint": None}, "invalid", "server_cert|certificate", id="cert"
    ),
    pytest.param({"url": "https://127.0.0.1:1"}, "unreachable", "no answer", id="unreachable"),
    pytest.param({"url": None}, "invalid", "url", id="no url"),
    pytest.param({"url": "http://127.0.0.1"}, "invalid", "url", id="bad url"),
    pytest.param({"url": "https://user:pw@127.0.0.1"}, "invalid", "password", id="url with a password"),
    pytest.param({"name": "../up"}, "invalid", "folder", id="bad name"),
    pytest.param({"vmhost": "kvm-02"}, "invalid", "kvm-02", id="another vmhost"),
    pytest.param({"project": "no-such"}, "not_trusted", "no-such", id="project missing"),
    pytest.param({"project": "default"}, "not_trusted", "default", id="project of others"),
    pytest.param({"project": ""}, "invalid", "project", id="empty project"),
    pytest.param({"owner": "others"}, "not_owned", "belongs to tests", id="not ours"),
    pytest.param({"cpu_overcommit": 0}, "invalid", "cpu_overcommit", id="ratio 0"),
    pytest.param({"cpu_overcommit": 11}, "invalid", "out of range", id="ratio 11"),
    pytest.param({"memory_overcommit": "abc"}, "invalid", "decimal", id="ratio abc"),
    pytest.param({"memory_overcommit": -1}, "invalid", "decimal", id="ratio below 0"),
    pytest.param({"default_storage_pool": "gone"}, "not_found", "default", id="unknown storage pool"),
    pytest.param({"default_network": "gone"}, "not_found", "gone", id="unknown network"),
    pytest.param({"default_network": "lo"}, "not_found", "lo", id="unmanaged network"),
    pytest.param({"tags": ["two words"]}, "invalid", "tags", id="tag with a space"),
    pytest.param({"zone": " a "}, "invalid", "zone", id="zone with spaces"),
    pytest.param({"client_cert": "nowhere.crt"}, "invalid", "certificate", id="certificate that isn't there"),
    pytest.param({"enforce": ["disk"]}, "invalid", "enforce", id="enforce what can't be"),
    pytest.param({"state": "gone"}, "invalid", "state", id="state"),
    pytest.param({"vms": "maybe"}, "invalid", "vms", id="vms"),
    pytest.param({"timeout": "soon"}, "invalid", "timeout", id="timeout"),
]


# What an earlier task of a chain might put right is an error of the real run only.
MIGHT_COME = ("project missing", "project of others")


@pytest.fixture(scope="module")
def refusals(lxd: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Every bad input in one play, with and without check mode; nothing was written by any of them."""
    project = f"test-bad-{os.getpid()}"
    host = prepared(lxd, Site.create(tmp_path_factory.mktemp("bad") / "site"), project)
    before, world = host.disk(), lxd.fingerprint_of_world()
    good = {"name": NAME, "url": lxd.url, "server_fingerprint": host.pin, "project": project, "owner": OWNER}
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        for check in (True, False):
            cases = [case for case in BAD if not check or case.id not in MIGHT_COME]
            tasks = []
            for case in cases:
                said = {**good, **cast("dict[str, Any]", case.values[0])}
                merged = {key: value for key, value in said.items() if value is not None}
                tasks.append({"tenantry.lxd.lxd_vmhost": merged, "ignore_errors": True})
            played = host.site.play(tasks, check=check)
            assert len(played.tasks) == len(cases), played.output
            assert "Traceback" not in played.output
            for case, task in zip(cases, played.tasks):
                found.setdefault(str(case.id), []).append(task["result"])
        assert host.disk() == before
        assert differences(world, lxd.fingerprint_of_world()) == []
        yield found
    finally:
        discard_project(lxd, project)


@pytest.mark.parametrize(("options", "code", "said"), BAD)
def test_bad_input_is_one_line_before_anything_is_written(
    refusals: dict[str, list[dict[str, Any]]], request: pytest.FixtureRequest, options: Any, code: str, said: str
) -> None:
    name = request.node.callspec.id
    for refused in refusals[name]:
        assert refused["code"] == code
        assert any(word in refused["msg"] for word in said.split("|")), refused["msg"]
        assert "\n" not in refused["msg"]
    assert len(refusals[name]) == (1 if name in MIGHT_COME else 2)


def test_a_project_without_a_mark_is_not_owned(host: Host) -> None:
    project = host.lxd.api("GET", f"/1.0/projects/{host.project}")
    del project["config"]["user.tenantry.owner"]
    host.lxd.api("PUT", f"/1.0/projects/{host.project}", project)
    refused = host.register(fails=True)
    assert refused["code"] == "not_owned" and "no owner's mark" in refused["msg"] and host.entry is None


def test_a_broken_entry_is_not_overwritten(host: Host) -> None:
    (host.folder / "vmhost.yml").write_text("project: [\n")
    refused = host.register(fails=True)
    assert refused["code"] == "invalid" and (host.folder / "vmhost.yml").read_text() == "project: [\n"


# Certificates and keys


def test_what_was_said_is_written_there_and_no_key_is_shown(host: Host, tmp_path: Path) -> None:
    certificate, key = new_client_certificate(tmp_path, "brought")
    host.lxd.trust(certificate.read_text(), projects=[host.project])
    for path in host.folder.iterdir():
        path.unlink()
    (tmp_path / "server.pem").write_text(host.lxd.certificate)
    said: dict[str, Any] = {
        "server_fingerprint": None,
        "server_cert": str(tmp_path / "server.pem"),
        "client_cert": str(certificate),
        "client_key": str(key),
    }
    result = host.register(**said)
    assert (host.folder / "client.crt").read_text().strip() == certificate.read_text().strip()
    assert fingerprint((host.folder / "server.crt").read_text()) == host.pin
    assert (host.folder / "client.key").stat().st_mode & 0o777 == 0o600
    body = "".join(key.read_text().split()[3:6])
    assert body[:40] not in str(result) and body[:40] in (host.folder / "client.key").read_text().replace("\n", "")
    assert result["diff"]["after"][f"tenant certificate {NAME}"] == {
        "fingerprint": fingerprint(certificate.read_text())
    }
    assert sorted(path.name for path in host.folder.iterdir()) == [
        "client.crt",
        "client.key",
        "server.crt",
        "vmhost.yml",
    ]
    assert not host.register(**said)["changed"]
    assert not host.run()["changed"], "it can't be reached with what was written"

    # Another pair, that the server knows too, takes its place.
    other, its_key = new_client_certificate(tmp_path, "other")
    host.lxd.trust(other.read_text(), projects=[host.project])
    changed = host.run(client_cert=str(other), client_key=str(its_key))
    assert changed["actions"] == [f"write tenant certificate {NAME}"]
    assert not host.run()["changed"]


def test_pairs_that_can_be_no_good_are_refused(host: Host, tmp_path: Path) -> None:
    then = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    old = key_pair.generate_key_pair("old", "ecdsa-p384", 1, then)
    expired, its_key = tmp_path / "expired.crt", tmp_path / "expired.key"
    expired.write_text(old.certificate.pem)
    its_key.write_text(old.private_key)
    _other, other_key = new_client_certificate(tmp_path, "other")
    untrusted, untrusted_key = new_client_certificate(tmp_path, "untrusted")
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(its_key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    before = host.disk()
    cases = [
        (expired, its_key, "invalid", "expired"),
        (untrusted, other_key, "invalid", "belong"),
        (expired, locked, "invalid", "passphrase"),
        (untrusted, untrusted_key, "not_trusted", "trust"),
    ]
    for certificate, key, code, said in cases:
        refused = host.register(client_cert=str(certificate), client_key=str(key), fails=True)
        assert refused["code"] == code and said in refused["msg"] and "\n" not in refused["msg"]
    assert host.disk() == before


def test_a_key_that_git_made_readable_is_tightened(host: Host) -> None:
    host.register()
    (host.folder / "client.key").chmod(0o644)
    result = host.run()
    assert result["changed"] and "tighten private key" in result["actions"][0]
    assert (host.folder / "client.key").stat().st_mode & 0o777 == 0o600
    assert not host.run()["changed"]


def test_a_key_from_outside_is_used_and_not_kept(host: Host, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    shutil.move(host.folder / "client.key", tmp_path / "keys" / f"{NAME}.key")
    said = {"name": NAME, "url": host.lxd.url, "server_fingerprint": host.pin, "project": host.project, "owner": OWNER}
    environment = {"LXD_CLIENT_KEY_DIR": str(tmp_path / "keys")}
    for changed in (True, False):
        assert host.site.run_task("lxd_vmhost", said, environment=environment)["changed"] is changed
    assert sorted(path.name for path in host.folder.iterdir()) == ["client.crt", "server.crt", "vmhost.yml"]
    assert host.run(fails=True)["code"] == "not_trusted"


def test_no_key_is_printed_however_much_is(host: Host, tmp_path: Path) -> None:
    certificate, key = new_client_certificate(tmp_path, "brought")
    host.lxd.trust(certificate.read_text(), projects=[host.project])
    texts = [path.read_text() for path in (key, host.folder / "client.key")]
    said = {"name": NAME, "url": host.lxd.url, "server_fingerprint": host.pin, "project": host.project, "owner": OWNER}
    tasks = [said, {**said, "client_cert": str(certificate), "client_key": texts[0]}, {"name": NAME, "state": "absent"}]
    played = host.site.play([{"tenantry.lxd.lxd_vmhost": each} for each in tasks], verbosity=3)
    assert [each["changed"] for each in played.results] == [True] * 3, played.output
    shown = played.output + str(played.tasks)
    for text in texts:
        # The first line of a key of this kind is the same in all of them.
        assert [line for line in text.splitlines()[2:4] if line in shown] == []


ELSEWHERE = """
from ansible.plugins.connection.local import Connection as Local
DOCUMENTATION = "{name: elsewhere, short_description: a machine that is not the controller, options: {}}"
class Connection(Local):
    transport = "elsewhere"
"""


def test_on_another_machine_the_admin_does_its_part_and_no_file_is_written(host: Host, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "elsewhere.py").write_text(ELSEWHERE)
    rest: dict[str, Any] = {
        "environment": {"ANSIBLE_CONNECTION_PLUGINS": str(tmp_path / "plugins")},
        "arguments": ["-c", "elsewhere"],
        "variables": {"ansible_connection": "elsewhere"},
    }
    before = host.disk()
    said = {"name": NAME, "project": host.project, "owner": OWNER, "cpu_overcommit": 2, "enforce": ["cpu"]}
    by_socket = {**said, "url": f"unix:{host.lxd.directory}/unix.socket"}
    predicted = host.site.run_task("lxd_vmhost", by_socket, check=True, **rest)
    assert limits_of(host) == {}
    real = host.site.run_task("lxd_vmhost", by_socket, **rest)
    assert real["actions"] == predicted["actions"] and real["diff"] == predicted["diff"]
    assert limits_of(host) == {"limits.cpu": str(2 * (os.cpu_count() or 1)), "user.tenantry.cpu_overcommit": "2"}
    assert not host.site.run_task("lxd_vmhost", by_socket, **rest)["changed"]
    for options in ({**said, "url": host.lxd.url, "server_fingerprint": host.pin}, {"name": NAME, "state": "absent"}):
        refused = host.site.run_task("lxd_vmhost", options, fails=True, **rest)
        assert refused["code"] == "invalid" and "another machine" in refused["msg"]
    assert host.disk() == before
    # The controller's own task then finds in force what it says.
    assert host.register(cpu_overcommit=2)["limits_pending"] == [] and host.entry["cpu_overcommit"] == 2


# S4: nothing else on the server is seen or touched


def test_s4_only_the_vms_of_the_chosen_project_are_seen_and_none_is_touched(host: Host, neighbours: list[str]) -> None:
    before = host.lxd.fingerprint_of_world()
    assert all(before["projects"][name]["processes"]["runs"] for name in neighbours)
    with host.lxd.requests() as seen:
        result = host.register()
    assert result["vmhost"]["vms"] == [] and "their" not in str(result["vmhost"]["resources"])
    assert {request.method for request in seen} == {"GET"}
    assert not [request for request in seen if "all-projects" in request.url]
    scoped = [request for request in seen if request.path.startswith(("/1.0/instances", "/1.0/networks"))]
    assert scoped and all(f"project={host.project}" in request.url for request in scoped)
    host.site.run_task("lxd_vmhost_info", {})
    assert differences(before, host.lxd.fingerprint_of_world()) == []


# Settings, S19


def test_s19_settings_change_one_by_one_and_the_rest_is_kept(host: Host) -> None:
    host.register(zone="north", tags=["a"])
    settings: dict[str, tuple[Any, Any]] = {
        "zone": ("south", "south"),
        "pool": ("prod", "prod"),
        "cpu_overcommit": ("4", 4),
        "memory_overcommit": ("0.9", 0.9),
        "tags": (["b", "a"], ["b", "a"]),
        "default_storage_pool": ("default", "default"),
        "default_network": (host.lxd.bridge, host.lxd.bridge),
    }
    one_by_one = [{option: said} for option, (said, _stored) in settings.items()]
    before = host.entry
    assert all(predicted["changed"] for predicted in host.several(*one_by_one, check=True)) and host.entry == before
    done = [result["actions"] for result in host.several(*one_by_one)]
    assert done == [[f"update VM host {NAME}: {option}"] for option in settings]
    assert host.entry == {**before, **{option: stored for option, (_said, stored) in settings.items()}}
    quiet = host.several(*one_by_one, {"tags": ["a", "b"]})
    assert not any(result["changed"] for result in quiet), "or tags have an order"
    before = host.entry
    assert host.run(zone="", tags=[])["changed"]
    assert host.entry == {key: value for key, value in before.items() if key not in ("zone", "tags")}


def test_what_was_written_by_hand_and_not_said_is_kept(host: Host) -> None:
    host.register()
    path = host.folder / "vmhost.yml"
    path.write_text(path.read_text() + "# mine\nzone: by hand\n")
    by_hand = path.read_text()
    assert not host.register()["changed"] and path.read_text() == by_hand
    host.run(pool="p")
    assert host.entry["zone"] == "by hand" and host.entry["pool"] == "p"


def test_s19_a_new_address_is_proven_against_the_same_pin(host: Host) -> None:
    host.register()
    port = host.lxd.url.rsplit(":", 1)[1]
    moved = f"https://localhost:{port}"
    assert host.run(url=moved)["actions"] == [f"update VM host {NAME}: url"]
    assert host.entry["url"] == moved
    with Daemon.new(f"other-{os.getpid()}", owned=True) as other:
        before = host.disk()
        refused = host.run(url=other.url, fails=True)
        assert refused["code"] == "not_trusted" and fingerprint(other.certificate) in refused["msg"]
        assert host.disk() == before
        # Said, the other server's certificate replaces the pin; that this server is ours is proven all the same.
        refused = host.run(url=other.url, server_cert=other.certificate, fails=True)
        assert refused["code"] == "not_trusted" and host.disk() == before
        create_confined_project(other, host.project)
        other.trust((host.folder / "client.crt").read_text(), projects=[host.project])
        changed = host.run(url=other.url, server_cert=other.certificate)
        assert changed["changed"] and fingerprint((host.folder / "server.crt").read_text()) == fingerprint(
            other.certificate
        )
        assert not host.run()["changed"]


# Ratios


def limits_of(host: Host) -> dict[str, str]:
    config = host.lxd.api("GET", f"/1.0/projects/{host.project}")["config"]
    return {key: value for key, value in config.items() if key.startswith("limits.") or "overcommit" in key}


def set_project(host: Host, **config: str) -> None:
    project = host.lxd.api("GET", f"/1.0/projects/{host.project}")
    project["config"].update({key.replace("__", "."): value for key, value in config.items()})
    host.lxd.api("PUT", f"/1.0/projects/{host.project}", project)


def test_a_ratio_that_nothing_enforces_is_simply_written(host: Host) -> None:
    result = host.register(cpu_overcommit=3)
    assert result["limits_pending"] == [] and host.entry["cpu_overcommit"] == 3
    assert limits_of(host) == {}
    cores = result["vmhost"]["resources"]["cores"]
    assert cores["total"] == os.cpu_count() and cores["free"] == 3 * cores["total"]


def test_an_enforced_ratio_is_changed_by_the_admin_only(host: Host, tmp_path: Path) -> None:
    cores = os.cpu_count() or 1
    host.register(cpu_overcommit=1)
    set_project(host, limits__cpu=str(cores), user__tenantry__cpu_overcommit="1")
    before, disk = limits_of(host), host.disk()
    result = host.run(cpu_overcommit=2, zone="new")
    assert not result["changed"] and host.disk() == disk and limits_of(host) == before
    assert result["limits_pending"] == [
        {"limit": "limits.cpu", "in_force": str(cores), "wanted": str(2 * cores)},
        {"limit": "user.tenantry.cpu_overcommit", "in_force": "1", "wanted": "2"},
    ]
    assert result["vmhost"]["cpu_overcommit"] == "1" and result["vmhost"]["zone"] is None

    # With an admin's certificate, which is used and not kept.
    admin, key = new_client_certificate(tmp_path, "admin")
    host.lxd.trust(admin.read_text())
    said: dict[str, Any] = {"cpu_overcommit": 2, "zone": "new", "client_cert": str(admin), "client_key": str(key)}
    predicted = host.run(check=True, **said)
    assert limits_of(host) == before and host.disk() == disk
    real = host.run(**said)
    assert predicted["actions"] == real["actions"] and predicted["diff"] == real["diff"]
    assert limits_of(host) == {"limits.cpu": str(2 * cores), "user.tenantry.cpu_overcommit": "2"}
    assert host.entry["cpu_overcommit"] == 2 and host.entry["zone"] == "new"
    assert (host.folder / "client.crt").read_text() == disk[str(host.folder / "client.crt")][0]
    assert real["vmhost"]["certificate"]["fingerprint"] != fingerprint(admin.read_text())
    assert not any("administrator" in sentence for sentence in real["vmhost"]["exposure"])
    assert not host.run(**said)["changed"]
    quiet = host.run(cpu_overcommit=2)
    assert not quiet["changed"] and quiet["limits_pending"] == []


def test_the_socket_is_the_admins_authority_too_and_holds_what_is_to_be_enforced(host: Host) -> None:
    host.register()
    features = host.lxd.api("GET", f"/1.0/projects/{host.project}")["config"]
    socket = f"unix:{host.lxd.directory}/unix.socket"
    pending = host.run(memory_overcommit="1.5", enforce=["memory"])
    assert [each["limit"] for each in pending["limits_pending"]] == ["limits.memory", "user.tenantry.memory_overcommit"]
    result = host.run(url=socket, memory_overcommit="1.5", enforce=["memory"])
    total = result["vmhost"]["resources"]["memory"]["total"]
    now = host.lxd.api("GET", f"/1.0/projects/{host.project}")["config"]
    assert {key: now[key] for key in features} == features, "a key of the project was lost"
    assert now["user.tenantry.memory_overcommit"] == "1.5"
    assert host.entry["memory_overcommit"] == 1.5 and host.entry["url"] == host.lxd.url
    held = host.lxd.api("GET", f"/1.0/projects/{host.project}/state")["resources"]["memory"]["Limit"]
    assert held == total * 3 // 2
    assert not host.run(url=socket, memory_overcommit="1.5", enforce=["memory"])["changed"]
    assert not host.run(memory_overcommit="1.5")["changed"]


def test_a_ratio_below_what_is_in_use_is_refused_with_the_figures(host: Host) -> None:
    host.register(cpu_overcommit=10)
    cores = os.cpu_count() or 1
    vms = [bare("a", cores=cores), bare("b", cores=1)]
    host.compose(vms)
    before = host.disk()
    refused = host.run(cpu_overcommit=1, fails=True)
    assert refused["code"] == "no_room" and f"{cores + 1} cores are allocated" in refused["msg"]
    assert refused["total"] == cores and refused["promised"] == cores + 1
    assert host.disk() == before
    exact = (cores + 1) / cores
    allowed = host.run(cpu_overcommit=exact)
    assert (
        allowed["vmhost"]["resources"]["cores"] | {"free": 0, "overcommitted": 1}
        == allowed["vmhost"]["resources"]["cores"]
    )


def test_instances_that_lxd_could_not_count_stop_a_limit_before_it_is_written(host: Host) -> None:
    host.register()
    pinned = {"name": "pinned", "state": "present", "memory": "160MiB", "pinned_cores": [0]}
    host.compose([pinned])
    socket = f"unix:{host.lxd.directory}/unix.socket"
    refused = host.run(url=socket, enforce=["cpu"], cpu_overcommit=2, fails=True)
    assert refused["code"] == "conflict" and "pinned" in refused["msg"]
    assert limits_of(host) == {} and "cpu_overcommit" not in host.entry


# Resources, S8 and S18


def test_resources_count_what_is_promised_and_hide_nothing(host: Host) -> None:
    host.register(cpu_overcommit=10)
    vms = [
        bare("one", cores=2, memory="1GiB", disks=[{"size": "2GiB"}, {"name": "data", "size": "5MiB"}]),
        {"name": "mapped", "state": "present", "memory": "512MiB", "pinned_cores": [0], "disks": [{"size": "1GiB"}]},
    ]
    host.compose([{**vm, "interfaces": [{"network": host.lxd.bridge}]} for vm in vms])
    with host.lxd.requests() as seen:
        result = host.run()
    assert len(seen) <= 9, [request.url for request in seen]
    found = result["vmhost"]["resources"]
    real = host.lxd.api("GET", "/1.0/resources")
    assert found["cores"]["total"] == real["cpu"]["total"] and found["cores"]["ours"] == 3
    assert found["memory"]["total"] == real["memory"]["total"] and found["memory"]["ours"] == 3 << 29
    assert found["memory"]["free"] == real["memory"]["total"] - (3 << 29)
    (pool,) = found["storage_pools"]
    assert pool["ours"] == (3 << 30) + (5 << 20) and pool["total"] > 0
    assert pool["free"] == pool["total"] - max(pool["used"], pool["ours"])
    assert {n["name"]: n["ours"] for n in found["networks"] if n["managed"]} == {host.lxd.bridge: 2}
    assert found["numa_nodes"][0]["vms"] == ["mapped"] and found["numa_nodes"][0]["cores"]["ours"] == 1
    assert [vm["name"] for vm in result["vmhost"]["vms"]] == ["mapped", "one"]
    assert result["vmhost"]["vms"][1]["disks"][1]["size"] == "5MiB"

    info = host.site.run_task("lxd_vmhost_info", {})["vmhosts"]
    row = {key: value for key, value in info[0].items() if key != "vmhost"}
    used = {
        "memory": {**found["memory"], "used": 0, "others": 0},
        "storage_pools": [{**pool, "used": 0, "others": 0, "free": 0}],
        "numa_nodes": 0,
    }
    mine, theirs = ({**row, "resources": {**row["resources"]}}, {**result["vmhost"], "resources": {**found}})
    assert mine["resources"]["memory"]["ours"] == theirs["resources"]["memory"]["ours"]
    for side in (mine, theirs):
        side["resources"] = {**side["resources"], **used}
    assert mine == theirs


def test_a_hundred_vms_cost_no_request_more(host: Host) -> None:
    host.register(cpu_overcommit=10)
    with host.lxd.requests() as few:
        host.site.run_task("lxd_vmhost_info", {})
    host.compose([bare(f"vm-{n}") for n in range(20)])
    with host.lxd.requests() as many:
        row = host.site.run_task("lxd_vmhost_info", {})["vmhosts"][0]
    assert len(row["vms"]) == 20 and len(many) == len(few) == 7
    assert row["resources"]["cores"]["ours"] == 20 and row["resources"]["memory"]["ours"] == 20 * 160 << 20


def test_an_unreachable_host_is_a_row_with_what_the_registry_says(host: Host) -> None:
    host.register(zone="north")
    register_vm_host(host.site, host.lxd, host.project, "kvm-dead", url="https://127.0.0.1:1", zone="south")
    rows = {row["vmhost"]: row for row in host.site.run_task("lxd_vmhost_info", {})["vmhosts"]}
    assert rows[NAME]["server"]["version"] == "5.0.2" and "error" not in rows[NAME]
    dead = rows["kvm-dead"]
    assert dead["error"]["code"] == "unreachable" and dead["zone"] == "south" and dead["resources"] is None
    assert dead["certificate"]["days_left"] >= 28
    refused = host.site.run_task("lxd_vmhost_info", {"strict": True}, fails=True)
    assert refused["code"] == "unreachable" and "kvm-dead" in refused["msg"]
    names = host.site.run_task("lxd_vmhost_info", {"query": "[?zone == 'south'].name"})["vmhosts"]
    assert names == ["kvm-dead"]
    only = host.site.run_task("lxd_vmhost_info", {"vmhosts": [NAME]})["vmhosts"]
    assert [row["name"] for row in only] == [NAME]


# Absent, S5


def test_s5_removing_keeps_the_vms_and_asks_nobody(host: Host, neighbours: list[str]) -> None:
    host.register()
    host.compose([bare("one")])
    before = host.lxd.fingerprint_of_world()
    with host.lxd.requests() as seen:
        assert host.run(check=True, state="absent")["changed"]
        result = host.run(state="absent")
    assert seen == [] and differences(before, host.lxd.fingerprint_of_world()) == []
    assert result["actions"] == [f"unregister VM host {NAME}"] and result["vmhost"] is None
    pin = fingerprint((host.folder / "client.crt").read_text())
    assert result["orphaned_trust"] == {"fingerprint": pin, "command": f"lxc config trust remove {pin}"}
    assert sorted(path.name for path in host.folder.iterdir()) == ["client.crt", "client.key", "server.crt"]
    again = host.run(state="absent")
    assert not again["changed"] and again["orphaned_trust"] == result["orphaned_trust"]
    # The files that stayed are enough to register it again.
    assert host.run(url=host.lxd.url, project=host.project, owner=OWNER)["vmhost"]["vms"][0]["name"] == "one"
    files = host.run(state="absent", remove_files=True)
    assert files["changed"] and not host.folder.exists() and files["orphaned_trust"]["fingerprint"] == pin
    again = host.run(state="absent", remove_files=True)
    assert not again["changed"] and again["orphaned_trust"] is None
    assert differences(before, host.lxd.fingerprint_of_world()) == []
    # The command that was shown does what it says.
    subprocess.run(result["orphaned_trust"]["command"].split(), env={**os.environ, **host.lxd.environment}, check=True)
    assert pin not in str(host.lxd.api("GET", "/1.0/certificates"))


def test_a_host_that_is_gone_can_be_removed(host: Host) -> None:
    register_vm_host(host.site, host.lxd, host.project, "kvm-dead", url="https://127.0.0.1:1")
    folder = host.site.registry / "kvm-dead"
    (folder / "client.key").write_text("$ANSIBLE_VAULT;1.1;AES256\n3435\n")
    refused = host.site.run_task("lxd_vmhost", {"name": "kvm-dead", "state": "absent", "vms": "delete"}, fails=True)
    assert (folder / "vmhost.yml").exists() and refused["code"] == "invalid"
    registered_again = Host(host.site, host.lxd, host.project)
    assert registered_again.site.run_task("lxd_vmhost", {"name": "kvm-dead", "state": "absent"})["changed"]
    assert not (folder / "vmhost.yml").exists()


def test_s5_deleting_takes_our_vms_and_nothing_else(host: Host, neighbours: list[str]) -> None:
    host.register()
    import_image(host.lxd, micro_image(), project=host.project)
    before = host.lxd.fingerprint_of_world()
    vms = [{**SMALL, "name": "web-1", "disks": [{}, {"name": "data", "size": "5MiB"}]}, bare("web-2")]
    host.compose(vms)
    query = {"project": host.project}
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    body = {"type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "devices": root}
    host.lxd.api("POST", "/1.0/instances", {**body, "name": "enlisted"}, query)
    theirs = {"user.tenantry.owner": "others"}
    host.lxd.api("POST", "/1.0/instances", {**body, "name": "theirs", "config": theirs}, query)
    volume = {"name": "mine", "type": "custom", "content_type": "block", "config": {"size": "5MiB"}}
    host.lxd.api("POST", "/1.0/storage-pools/default/volumes/custom", volume, query)

    full = host.lxd.fingerprint_of_world()
    predicted = host.run(check=True, state="absent", vms="delete")
    assert differences(full, host.lxd.fingerprint_of_world()) == [] and host.entry
    result = host.run(state="absent", vms="delete")
    assert result["deleted_vms"] == predicted["deleted_vms"] == ["web-1", "web-2"] and result["failed_vms"] == []
    assert result["actions"] == predicted["actions"] and result["diff"] == predicted["diff"]
    assert result["actions"][-1] == f"unregister VM host {NAME}" and host.entry is None
    left = host.lxd.api("GET", "/1.0/instances", query={**query, "recursion": "1"})
    assert sorted(instance["name"] for instance in left) == ["enlisted", "theirs"]
    volumes = host.lxd.api("GET", "/1.0/storage-pools/default/volumes/custom", query={**query, "recursion": "1"})
    assert [volume["name"] for volume in volumes] == ["mine"]
    assert not host.run(state="absent", vms="delete")["changed"]
    for name in ("enlisted", "theirs"):
        host.lxd.api("DELETE", f"/1.0/instances/{name}", query=query)
    host.lxd.api("DELETE", "/1.0/storage-pools/default/volumes/custom/mine", query=query)
    assert differences(before, host.lxd.fingerprint_of_world()) == []


def test_s5_one_vm_that_fails_does_not_stop_the_others_and_the_entry_stays(host: Host) -> None:
    host.register(cpu_overcommit=10)
    vms = [bare("a"), bare("b", protected=True), bare("c"), bare("d")]
    host.compose(vms)
    predicted = host.run(check=True, state="absent", vms="delete")
    assert [each["name"] for each in predicted["failed_vms"]] == ["b"] and predicted["deleted_vms"] == ["a", "c", "d"]
    failed = host.run(state="absent", vms="delete", fails=True)
    assert failed["code"] == "protected" and failed["changed"] and failed["deleted_vms"] == ["a", "c", "d"]
    assert [each["code"] for each in failed["failed_vms"]] == ["protected"] and host.entry
    assert failed["actions"] == predicted["actions"]
    assert host.lxd.api("GET", "/1.0/instances", query={"project": host.project}) == [
        f"/1.0/instances/b?project={host.project}"
    ]
    host.compose([{"name": "b", "state": "present", "protected": False}])
    assert host.run(state="absent", vms="delete")["deleted_vms"] == ["b"] and host.entry is None


def test_s5_what_lxd_refuses_is_named_and_keeps_the_entry(host: Host) -> None:
    host.register()
    host.compose([bare("a"), bare("b")])
    held = host.lxd.directory / "storage-pools/default/virtual-machines" / f"{host.project}_a" / "held"
    held.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(held)], check=True)
    try:
        failed = host.run(state="absent", vms="delete", fails=True)
    finally:
        subprocess.run(["umount", str(held)], check=True)
    assert failed["code"] == "operation_failed" and failed["deleted_vms"] == ["b"]
    assert [each["name"] for each in failed["failed_vms"]] == ["a"] and host.entry


def test_deleting_on_an_unreachable_host_keeps_the_entry(host: Host) -> None:
    tenant = register_vm_host(host.site, host.lxd, host.project, "kvm-dead", url="https://127.0.0.1:1")
    said = {"name": "kvm-dead", "state": "absent", "vms": "delete"}
    for check in (True, False):
        refused = host.site.run_task("lxd_vmhost", said, check=check, fails=True)
        assert refused["code"] == "unreachable"
    assert (tenant.site.registry / "kvm-dead" / "vmhost.yml").exists()
    wrong = host.site.run_task("lxd_vmhost", {**said, "project": "default"}, fails=True)
    assert wrong["code"] == "invalid" and "default" in wrong["msg"]


# S13: the registry travels by git


def git(repository: Path, *words: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    ended = subprocess.run(
        ["git", "-C", str(repository), *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **identity},
    )
    return ended.stdout


def test_s13_a_clone_with_nothing_but_the_vault_password_composes(host: Host, tmp_path: Path) -> None:
    host.register(default_storage_pool="default", default_network=host.lxd.bridge)
    root = host.site.root
    git(root, "init", "--quiet")
    git(root, "add", "-A")
    marker = (host.folder / "client.key").read_text().split("\n")[2]
    assert "client.key" not in git(root, "ls-files") and "vmhosts/kvm-01/vmhost.yml" in git(root, "ls-files")

    password = tmp_path / "password"
    password.write_text("only this\n")
    vault = [str(Path(sys.executable).parent / "ansible-vault"), "encrypt", "--vault-password-file", str(password)]
    subprocess.run([*vault, str(host.folder / "client.key")], check=True, capture_output=True)
    # A person vaulted it, so a run has to tell git.
    told = host.site.play(
        [{"tenantry.lxd.lxd_vmhost": {"name": NAME}}] * 2, arguments=["--vault-password-file", str(password)]
    )
    assert [result["changed"] for result in told.results] == [True, False], told.output
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "-m", "registry")
    assert "vmhosts/kvm-01/client.key" in git(root, "ls-files"), "the vaulted key stays at home"
    assert marker not in git(root, "log", "-p", "--all")

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(root), str(clone))
    second = Site(clone)
    task = [{"tenantry.lxd.lxd_vm_compose": {"vmhost": NAME, "vms": [bare("vm")]}}]
    played = second.play(task, arguments=["--vault-password-file", str(password)])
    assert played.rc == 0 and played.last["vms"][0]["name"] == "vm", played.output
    without = second.play(task)
    assert without.last["code"] == "invalid" and "vault" in without.last["msg"]


def test_registered_by_hand_or_by_us_is_the_same_to_every_module(tenant: Tenant) -> None:
    first = tenant.site.run_task("lxd_vmhost", {"name": tenant.vmhost})
    assert first["actions"] == [f"write file {tenant.site.registry}/.gitignore"]
    assert not tenant.site.run_task("lxd_vmhost", {"name": tenant.vmhost})["changed"]
    assert tenant.site.run_task("lxd_vmhost_info", {"vmhost": tenant.vmhost})["vmhosts"][0]["owner"] == OWNER
