# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""lxd_tenant_cert against a real LXD: who is trusted for what, what is on disk, and what was said about it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Plan, to_plain
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.https import HttpsPort
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Connection, Port
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.carry_out import carry_out
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.tenant_cert import TenantCertJob
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.readers.tenant_proof import check_confined

from tests.integration.interpreters import host_pythons
from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import create_confined_project
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon

ROOT = Path(__file__).resolve().parents[2]
LATER = "(known after apply)"
HOST = "kvm-01"
# What a key generator or the clock chooses: in check mode it shows as LATER.
CHOSEN = {"fingerprint", "subject", "not_before", "not_after", "days_left", "pem"}


@pytest.fixture(autouse=True)
def _trust_as_before(lxd: Daemon) -> Iterator[None]:
    """Every trust entry that a test makes goes again."""
    before = set(entries(lxd))
    yield
    for fingerprint in set(entries(lxd)) - before:
        lxd.api("DELETE", f"/1.0/certificates/{fingerprint}")


@pytest.fixture
def project(lxd: Daemon, project_name: str) -> str:
    """A confined project of ours."""
    create_confined_project(lxd, project_name)
    return project_name


@pytest.fixture
def admin(lxd: Daemon, tmp_path: Path) -> dict[str, str]:
    """The connection of an admin over https."""
    certificate, key = new_client_certificate(tmp_path, "admin")
    lxd.trust(certificate.read_text(), name="the-admin")
    return {"client_cert": str(certificate), "client_key": str(key)}


@pytest.fixture
def server(lxd: Daemon) -> dict[str, Any]:
    """The address and the pin."""
    return {"url": lxd.url, "server_fingerprint": fingerprint(lxd.certificate)}


@pytest.fixture
def python39() -> str:
    """A Python as an old LXD host has it, with no package of ours."""
    found = host_pythons()[0]
    lacking = "import importlib.util as u; print([n for n in ('pylxd', 'cryptography', 'yaml') if u.find_spec(n)])"
    assert subprocess.run([found, "-c", lacking], capture_output=True, text=True, check=False).stdout.strip() == "[]"
    return found


class Host:
    """One VM host's certificate: the module's runs about it, and what disk and LXD hold."""

    def __init__(self, site: Site, lxd: Daemon, server: Mapping[str, Any], project: str, name: str = HOST) -> None:
        self.site = site
        self.lxd = lxd
        self.project = project
        self.name = name
        self.server = dict(server)
        self.folder = site.registry / name

    def run(
        self, check: bool = False, fails: bool = False, play: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Run the module; None takes an option of every run away."""
        said = {"vmhost": self.name, "owner": "team-a", "projects": [self.project], **self.server, **options}
        said = {key: value for key, value in said.items() if value is not None}
        return self.site.run_task("lxd_tenant_cert", said, check=check, fails=fails, **(play or {}))

    def refusals(self, cases: Mapping[str, Mapping[str, Any]], **variables: str) -> dict[str, dict[str, Any]]:
        """The results of tasks that each have to fail, in one line, by the name of their case."""
        usual = {"vmhost": self.name, "owner": "team-a", "projects": [self.project], **self.server}
        tasks = []
        for case, options in cases.items():
            said = {key: value for key, value in {**usual, **options}.items() if value is not None}
            tasks.append({"name": case, "tenantry.lxd.lxd_tenant_cert": said, "ignore_errors": True})
        played = self.site.play(tasks, variables=variables)
        found = {task["task"]: task for task in played.tasks}
        assert [found[case]["outcome"] for case in cases] == ["failed"] * len(cases), played.output
        assert not any("\n" in found[case]["result"]["msg"] for case in cases)
        return {case: found[case]["result"] for case in cases}

    @property
    def files(self) -> dict[str, str]:
        """What the folder holds, by name."""
        there = self.folder.iterdir() if self.folder.exists() else ()
        return {path.name: path.read_text() for path in there if path.name != ".gitignore"}

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.files["client.crt"])

    @property
    def entry(self) -> dict[str, Any] | None:
        """LXD's trust entry of the pair in force, as people name its parts."""
        return entries(self.lxd).get(self.fingerprint)

    def ours(self) -> dict[str, dict[str, Any]]:
        """Every entry of this host's name."""
        return {key: value for key, value in entries(self.lxd).items() if value["name"] == self.name}

    def trusted_with(self, certificate: str, key: str, directory: Path) -> bool:
        """Whether LXD itself, asked over TLS with this pair, says that it trusts it."""
        path = directory / f"{fingerprint(certificate)}.pem"
        path.write_text(certificate + key)
        context = ssl.create_default_context(cadata=self.lxd.certificate)
        context.check_hostname = False
        context.load_cert_chain(path)
        connection = http.client.HTTPSConnection(self.lxd.address, timeout=20, context=context)
        try:
            connection.request("GET", "/1.0")
            return bool(json.loads(connection.getresponse().read())["metadata"]["auth"] == "trusted")
        finally:
            connection.close()
            path.unlink()


@pytest.fixture
def host(site: Site, lxd: Daemon, server: dict[str, Any], project: str) -> Host:
    return Host(site, lxd, server, project)


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def entries(lxd: Daemon) -> dict[str, dict[str, Any]]:
    found = lxd.api("GET", "/1.0/certificates", query={"recursion": 1})
    return {
        entry["fingerprint"]: {"name": entry["name"], "restricted": entry["restricted"], "projects": entry["projects"]}
        for entry in found
    }


def tree(site: Site) -> dict[str, tuple[int, str]]:
    """Every file of the registry with its mode and content."""
    return {
        str(path.relative_to(site.registry)): (path.stat().st_mode, path.read_text())
        for path in sorted(site.registry.rglob("*"))
        if path.is_file()
    }


def token_of(lxd: Daemon, name: str, projects: list[str] | None, **change: Any) -> str:
    """A trust token, as `lxc config trust add` makes it."""
    restriction = {} if projects is None else {"restricted": True, "projects": projects}
    body = {"type": "client", "name": name, "token": True, **restriction}
    made = lxd.api("POST", "/1.0/certificates", body, wait=False)["metadata"]
    said = {"client_name": name, **{key: made[key] for key in ("fingerprint", "addresses", "secret")}, **change}
    return base64.b64encode(json.dumps(said).encode()).decode()


@contextlib.contextmanager
def trust_password(lxd: Daemon, word: str) -> Iterator[str]:
    lxd.api("PATCH", "/1.0", {"config": {"core.trust_password": word}})
    try:
        yield word
    finally:
        lxd.api("PATCH", "/1.0", {"config": {"core.trust_password": ""}})


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def as_check_mode_says(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what only the real run can know."""
    shown = {key: value for key, value in result.items() if key in ("changed", "actions", "diff", "exposure")}
    certificate = result["certificate"] or {}
    shown["certificate"] = {key: value for key, value in certificate.items() if key not in CHOSEN}
    return shown


def job_of(host: Host, connection: Mapping[str, str], options: Mapping[str, Any]) -> TenantCertJob:
    """The module's job in this process, with what the action plugin would have filled in."""
    kept = {"folder": str(host.folder)}
    for field, name in {"private_key": "client.key", "next_private_key": "client.key.next"}.items():
        if name in host.files:
            kept[field] = host.files[name]
    said = {
        "state": "trusted", "restricted": True, "valid_for": 3650, "renew_within": 30, "rotate": "never",
        "key_type": "ecdsa-p384", "vault_key": False, "prove": True, "retire": False, "remove_files": False,
        "vmhost": HOST, "owner": "team-a", "projects": [host.project], "timeout": 30,
        "server_fingerprint": host.server["server_fingerprint"], "url": [host.server["url"]],
        **{key: Path(value).read_text() for key, value in connection.items()}, **options,
        "_kept": kept, "_connections": [{"name": HOST, "folder": str(host.folder)}],
    }  # fmt: skip
    return TenantCertJob({key: value for key, value in said.items() if value is not None})


def run_here(host: Host, connection: Mapping[str, str], check: bool = False, **options: Any) -> dict[str, Any]:
    """What the module does, in this process: a playbook for each of hundreds of runs would take too long."""
    with contextlib.closing(job_of(host, connection, options)) as job:
        plan = job.plan()
        outcome = None
        if not check:
            assert not plan.unverified
            outcome = carry_out(plan, job.execution_context())
            assert not outcome.failed
            assert not outcome.stale
        said = {"changed": plan.changed, "warnings": plan.warnings, "diff": plan.diff()}
        said["actions"] = [change.sentence for change in plan.changes]
        return {**dict(to_plain(job.result(plan, outcome))), **said}


# S11


def test_s11_each_server_has_a_pair_of_its_own(site: Site, lxd: Daemon, server: dict[str, Any], project: str) -> None:
    first, second = Host(site, lxd, server, project, "kvm-01"), Host(site, lxd, server, project, "kvm-02")
    predicted = first.run(state="generated", check=True)
    assert not site.registry.exists()
    made = first.run(state="generated")
    assert as_check_mode_says(predicted) == as_check_mode_says(made)
    assert {predicted["certificate"][key] for key in CHOSEN} == {LATER}
    second.run(state="generated")
    assert first.files["client.key"] != second.files["client.key"]
    assert first.files.keys() == {"client.crt", "client.key"}
    assert (first.folder / "client.key").stat().st_mode & 0o777 == 0o600
    assert made["certificate"]["subject"] == "CN=kvm-01@team-a,O=Tenantry"
    assert made["certificate"]["pem"] == first.files["client.crt"]
    before = tree(site)
    again = first.run(state="generated")
    assert not again["changed"]
    assert tree(site) == before
    assert not first.ours()


@pytest.mark.parametrize("key_type", ["ecdsa-p384", "rsa-4096"])
def test_kinds_of_keys_and_validity(host: Host, key_type: str) -> None:
    made = run_here(host, {}, state="generated", key_type=key_type, valid_for=10, common_name="me")["certificate"]
    assert (made["key_type"], made["days_left"], made["subject"]) == (key_type, 9, "CN=me,O=Tenantry")


def test_directory_is_relative_to_the_working_directory(host: Host) -> None:
    made = host.run(state="generated", vmhost=None, name="there", directory="keys/there")
    assert Path(made["certificate"]["path"]) == host.site.root / "keys" / "there" / "client.crt"
    assert (host.site.root / "keys" / "there" / "client.key").exists()
    assert not host.site.registry.exists()


# S12


def test_s12_shown_trusted_by_a_person_and_completed(host: Host, lxd: Daemon, tmp_path: Path) -> None:
    predicted = host.run(check=True)
    assert predicted["changed"]
    assert not host.site.registry.exists()
    refused = host.run(fails=True)
    assert refused["code"] == "not_trusted"
    assert refused["changed"]
    assert refused["certificate"]["pem"] == host.files["client.crt"]
    assert "\n" not in refused["msg"]
    again = host.run(fails=True)
    assert (again["code"], again["changed"], again["trust_command"]) == ("not_trusted", False, refused["trust_command"])

    assert refused["trust_command"].startswith(f"lxc config trust add - --name {HOST} --restricted --projects ")
    environment = {**os.environ, **lxd.environment, "HOME": str(tmp_path)}
    subprocess.run(["sh", "-c", refused["trust_command"]], check=True, env=environment, capture_output=True)
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}

    done = host.run()
    assert not done["changed"]
    assert done["certificate"]["trusted"]
    assert done["certificate"]["proved"]


def test_s12_trust_command_quotes_what_a_shell_would_take(host: Host, lxd: Daemon, tmp_path: Path) -> None:
    refused = host.run(name="it's $HOME; ours", fails=True)
    environment = {**os.environ, **lxd.environment, "HOME": str(tmp_path)}
    subprocess.run(["sh", "-c", refused["trust_command"]], check=True, env=environment, capture_output=True)
    assert host.entry is not None
    assert host.entry["name"] == "it's $HOME; ours"


# With an admin's connection


def test_admin_over_https_check_run_and_again(host: Host, admin: dict[str, Any], lxd: Daemon) -> None:
    world = lxd.fingerprint_of_world()
    predicted = host.run(**admin, check=True)
    assert lxd.fingerprint_of_world() == world
    assert not host.site.registry.exists()
    done = host.run(**admin)
    assert as_check_mode_says(predicted) == as_check_mode_says(done)
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}
    assert done["diff"]["after"][f"trust entry {HOST}"] == {**host.entry, "fingerprint": LATER}
    assert done["certificate"]["proved"]
    assert done["server_fingerprint"] == fingerprint(lxd.certificate)
    before = tree(host.site)
    for connection in (admin, {}):
        again = host.run(**connection)
        assert not again["changed"]
        assert again["certificate"] == done["certificate"] | {"days_left": again["certificate"]["days_left"]}
    assert tree(host.site) == before


def test_proof_writes_nothing_and_asks_outside(host: Host, admin: dict[str, Any], lxd: Daemon) -> None:
    run_here(host, admin)
    with lxd.requests() as asked:
        run_here(host, {})
    assert {request.method for request in asked} <= {"GET"}
    urls = [request.url for request in asked]
    assert "/1.0/instances?project=default" in urls
    assert "/1.0/instances" in urls
    assert "/1.0/instances?all-projects=true" in urls
    with lxd.requests() as asked:
        run_here(host, {}, prove=False)
    assert len(asked) <= 3


DRIFTS: dict[str, dict[str, Any]] = {
    "name": {"name": "renamed"},
    "unrestricted": {"restricted": False, "projects": []},
    "more projects": {"projects": ["default"]},
    "no projects": {"projects": []},
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_admin_mends_drift(host: Host, admin: dict[str, Any], drift: dict[str, Any]) -> None:
    run_here(host, admin)
    was = dict(host.entry or {})
    changed = {**was, **drift}
    host.lxd.api("PATCH", f"/1.0/certificates/{host.fingerprint}", changed)
    predicted = run_here(host, admin, check=True)
    assert host.entry != was
    done = run_here(host, admin)
    assert host.entry == was
    assert done["changed"]
    assert as_check_mode_says(predicted) == as_check_mode_says(done)
    assert done["diff"]["after"][f"trust entry {HOST}"] == was
    assert not run_here(host, admin)["changed"]


def test_tenant_names_drift_that_it_may_not_mend(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    path = f"/1.0/certificates/{host.fingerprint}"
    host.lxd.api("PATCH", path, {**(host.entry or {}), "projects": [host.project, "default"]})
    refused = host.run(fails=True)
    assert refused["code"] == "conflict"
    assert f"projects default, {host.project}, and {host.project} is wanted" in refused["msg"]
    # Nobody said a name, so it is no concern of the tenant's; said, it is.
    host.lxd.api("PATCH", path, {**(host.entry or {}), "projects": [host.project], "name": "renamed"})
    assert not run_here(host, {})["changed"]
    with pytest.raises(errors.Conflict, match="name renamed, and kvm-01 is wanted"):
        run_here(host, {}, name=HOST)


def test_unrestricted_certificate_restricts_itself(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    host.lxd.api("PATCH", f"/1.0/certificates/{host.fingerprint}", {"restricted": False})
    done = host.run()
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}
    assert done["certificate"]["proved"]


def test_unrestricted_on_request_is_reported(host: Host, admin: dict[str, Any]) -> None:
    done = host.run(**admin, restricted=False, projects=None)
    assert host.entry == {"name": HOST, "restricted": False, "projects": []}
    assert "administrator of the whole server" in done["exposure"][0]
    assert not run_here(host, admin, restricted=False, projects=None)["changed"]


def test_project_that_is_not_there(host: Host, admin: dict[str, Any]) -> None:
    refused = host.run(**admin, projects=["nowhere"], fails=True)
    assert refused["code"] == "not_found"
    assert not host.site.registry.exists()
    assert not host.ours()
    predicted = host.run(**admin, projects=["nowhere"], check=True)
    assert predicted["changed"]
    assert "nowhere" in predicted["unverified"][0]


def test_foreign_entry_of_the_same_name_is_left_alone(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    stranger, _key = new_client_certificate(tmp_path, "stranger")
    theirs = host.lxd.trust(stranger.read_text(), name=HOST, projects=[host.project])
    done = host.run(**admin)
    assert theirs in host.ours()
    assert done["orphaned_trust"] == [
        {"name": HOST, "fingerprint": theirs, "command": f"lxc config trust remove {theirs}"}
    ]
    assert theirs[:12] in done["warnings"][0]
    assert not run_here(host, admin)["changed"]


def test_shared_project_is_never_without_exposure(host: Host, admin: dict[str, Any], lxd: Daemon) -> None:
    lxd.api("POST", "/1.0/projects", {"name": f"{host.project}-s", "config": {"features.images": "false"}})
    try:
        done = run_here(host, admin, projects=[host.project, f"{host.project}-s"])
        assert any("any path of the host" in sentence for sentence in done["exposure"])
    finally:
        run_here(host, admin)
        lxd.api("DELETE", f"/1.0/projects/{host.project}-s")


def test_proof_fails_for_a_certificate_that_reads_more(lxd: Daemon, project: str, admin: dict[str, Any]) -> None:
    certificate, key = (Path(admin[name]).read_text() for name in ("client_cert", "client_key"))
    port = HttpsPort(Connection((lxd.url,), certificate, key, fingerprint(lxd.certificate)))
    try:
        with pytest.raises(errors.Conflict, match="also reads project"):
            check_confined(port, frozenset({project}), restricted=True)
        with pytest.raises(errors.NotTrusted, match="can't read project nowhere"):
            check_confined(port, frozenset({"nowhere"}), restricted=True)
        everything = frozenset(
            name for name in (p["name"] for p in lxd.api("GET", "/1.0/projects", query={"recursion": 1}))
        )
        with pytest.raises(errors.Conflict, match="project default"):
            check_confined(_Hiding(port), everything - {"default"}, restricted=True)  # type: ignore[arg-type]
    finally:
        port.close()


class _Hiding:
    """A connection that lists no project `default`: what is asked beyond the list is then what counts."""

    def __init__(self, port: HttpsPort) -> None:
        self._port = port
        self.server = port.server
        self.connection = port.connection

    def call(self, method: str, path: Any, **rest: Any) -> Any:
        answer = self._port.call(method, path, **rest)
        if path == ("projects",):
            listed = [project for project in answer.metadata if project["name"] != "default"]
            return dataclasses.replace(answer, metadata=listed)
        return answer


# The admin's part on the host


def test_admin_part_on_the_host_needs_python_39_only(host: Host, python39: str) -> None:
    made = host.run(state="generated")
    on_host: dict[str, Any] = {
        "vmhost": None, "owner": None, "server_fingerprint": None, "name": HOST,
        "url": f"unix:{host.lxd.directory}/unix.socket", "certificate": made["certificate"]["pem"],
    }  # fmt: skip
    play = {"python": python39}
    predicted = host.run(**on_host, check=True, play=play)
    assert not host.ours()
    done = host.run(**on_host, play=play)
    assert as_check_mode_says(predicted) == as_check_mode_says(done)
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}
    told = done["certificate"]
    assert told["fingerprint"] == host.fingerprint
    assert [told[key] for key in ("subject", "not_after", "days_left", "key_type", "path")] == [None] * 5
    assert (told["trusted"], told["proved"]) == (True, False)
    assert not host.run(**on_host, play=play)["changed"]
    host.lxd.api("PATCH", f"/1.0/certificates/{host.fingerprint}", {"projects": ["default"]})
    assert host.run(**on_host, play=play)["changed"]
    assert host.run()["certificate"]["proved"]
    assert host.run(**on_host, state="absent", play=play)["changed"]
    assert not host.ours()
    assert not host.run(**on_host, state="absent", play=play)["changed"]


def test_the_key_of_a_registered_host_does_not_go_to_a_socket(host: Host, tmp_path: Path) -> None:
    run_here(host, {}, state="generated")
    line = host.files["client.key"].splitlines()[1]
    socket = {"url": f"unix:{host.lxd.directory}/unix.socket", "server_fingerprint": None}
    for name, options, sent in (("socket", socket, False), ("https", {"prove": True}, True)):
        remote = tmp_path / name
        kept = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TMP": str(remote), "ANSIBLE_PIPELINING": "0"}
        done = host.run(**options, play={"environment": kept})
        assert done["certificate"]["trusted"]
        payloads = [path.read_text(errors="replace") for path in remote.rglob("*") if path.is_file()]
        assert any(line in text for text in payloads) is sent, name


def test_chain_in_check_mode_on_a_host_where_nothing_is(host: Host) -> None:
    tasks = [
        {"name": "make", "tenantry.lxd.lxd_tenant_cert": {"vmhost": HOST, "owner": "a", "state": "generated"},
         "register": "made"},
        {"name": "trust", "tenantry.lxd.lxd_tenant_cert": {
            "url": "unix:/nowhere/unix.socket", "name": HOST, "projects": ["p"],
            "certificate": "{{ made.certificate.pem }}"}},
        {"name": "prove", "tenantry.lxd.lxd_tenant_cert": {
            "vmhost": HOST, "owner": "a", "projects": ["p"], **host.server}},
    ]  # fmt: skip
    played = host.site.play(tasks, check=True)
    assert played.rc == 0, played.output
    assert [played.named(name)["changed"] for name in ("make", "trust")] == [True, True]
    assert "unix" in " ".join(played.named("trust")["unverified"])
    assert not host.site.registry.exists()


# S14, a token or a password used once


def test_s14_token_is_used_once_and_stored_nowhere(host: Host, tmp_path: Path) -> None:
    token = token_of(host.lxd, HOST, [host.project])
    secret = json.loads(base64.b64decode(token))["secret"]
    cache = tmp_path / "facts"
    play: dict[str, Any] = {
        "verbosity": 3,
        "environment": {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)},
    }
    tasks: list[dict[str, Any]] = [
        {"name": "trust", "register": "done", "tenantry.lxd.lxd_tenant_cert": {
            "vmhost": HOST, "owner": "a", "trust_token": token, "projects": [host.project]}},
        {"ansible.builtin.set_fact": {"all_of_it": "{{ done }}", "cacheable": True}},
    ]  # fmt: skip
    played = host.site.play(tasks, **play)
    assert played.rc == 0, played.output
    assert played.named("trust")["certificate"]["proved"]
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}
    cached = "".join(path.read_text() for path in cache.rglob("*") if path.is_file())
    assert host.fingerprint in cached
    key = host.files["client.key"].splitlines()[1]
    (host.site.root / "play.yml").unlink()
    everything = "".join(p.read_text() for p in host.site.root.rglob("*") if p.is_file() and p.name != "client.key")
    for hidden in (token, secret, key):
        assert hidden not in played.output
        assert hidden not in cached
        assert hidden not in everything
    # The same play again: the token is spent, and nobody needs it.
    again = host.site.play(tasks)
    assert again.rc == 0, again.output
    assert not again.named("trust")["changed"]


def test_s14_password_is_used_once_and_stored_nowhere(host: Host) -> None:
    with trust_password(host.lxd, "open-sesame-4711"):
        wrong = host.run(trust_password="not-this-0815", fails=True, play={"verbosity": 3})
        assert (wrong["code"], wrong["certificate"]["trusted"]) == ("not_trusted", False)
        assert not host.ours()
        done = host.run(trust_password="open-sesame-4711", play={"verbosity": 3})
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}
    assert done["certificate"]["proved"]
    assert "4711" not in json.dumps(done) + json.dumps(tree(host.site))
    assert "0815" not in json.dumps(wrong)


def test_password_output_hides_it(host: Host) -> None:
    with trust_password(host.lxd, "open-sesame-4711"):
        task = {"tenantry.lxd.lxd_tenant_cert": {
            "vmhost": HOST, "owner": "a", "projects": [host.project], **host.server,
            "trust_password": "{{ word }}"}}  # fmt: skip
        played = host.site.play([task], verbosity=3, variables={"word": "open-sesame-4711"})
    assert played.rc == 0, played.output
    assert "4711" not in played.output
    assert "PRIVATE KEY" not in played.output


def test_token_that_is_wider_is_narrowed_at_once(host: Host) -> None:
    done = host.run(trust_token=token_of(host.lxd, HOST, None))
    assert host.entry == {"name": HOST, "restricted": True, "projects": [host.project]}
    assert done["certificate"]["proved"]
    assert done["certificate"]["restricted"]


def test_token_for_other_projects_is_an_error(host: Host) -> None:
    refused = host.run(trust_token=token_of(host.lxd, HOST, [host.project, "default"]), fails=True)
    assert refused["code"] == "conflict"
    assert refused["changed"]
    assert "projects default" in refused["msg"]
    with pytest.raises(errors.Conflict):
        run_here(host, {})


def test_token_gives_the_address_and_the_name(host: Host) -> None:
    token = token_of(host.lxd, "from-token", [host.project])
    done = host.run(url=None, server_fingerprint=None, projects=None, trust_token=token)
    assert done["certificate"]["name"] == "from-token"
    assert done["certificate"]["projects"] == [host.project]
    assert done["server_fingerprint"] == fingerprint(host.lxd.certificate)


BAD_TOKENS: dict[str, tuple[Callable[[Daemon], str], str, str]] = {
    "garbage": (lambda _lxd: "what?", "invalid", "not a token"),
    "another server's": (
        lambda lxd: token_of(lxd, HOST, [], fingerprint="0" * 64),
        "not_trusted",
        "it is for the server",
    ),
    "expired": (lambda lxd: token_of(lxd, HOST, [], expires_at="2020-01-01T00:00:00Z"), "invalid", "expired"),
    "another name's": (lambda lxd: token_of(lxd, "other", []), "invalid", "it is for the name other"),
}


def test_bad_token(host: Host) -> None:
    refused = host.refusals(
        {case: {"name": HOST, "trust_token": make(host.lxd)} for case, (make, _c, _s) in BAD_TOKENS.items()}
    )
    for case, (_make, code, said) in BAD_TOKENS.items():
        assert refused[case]["code"] == code, case
        assert said in refused[case]["msg"], case
    assert not host.site.registry.exists()


def test_used_token_says_what_to_do(host: Host) -> None:
    refused = host.run(trust_token=token_of(host.lxd, HOST, [], secret="1" * 64), fails=True)
    assert refused["code"] == "not_trusted"
    assert "one use" in refused["hint"]
    assert not host.ours()


# S13


def test_s13_a_clone_with_the_vault_password_works_at_once(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pa55phrase\n")
    vault = {"arguments": ["--vault-password-file", str(password)], "verbosity": 3}
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(host.site.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    done = host.run(**admin, vault_key=True, play=vault)
    assert host.files["client.key"].startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert done["certificate"]["proved"]
    plain = Host(host.site, host.lxd, host.server, host.project, "kvm-02")
    plain.run(state="generated")
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "registry"], check=True)
    listed = subprocess.run([*git, "ls-files", "vmhosts"], check=True, capture_output=True, text=True).stdout.split()
    assert "vmhosts/kvm-01/client.key" in listed
    assert "vmhosts/kvm-02/client.key" not in listed

    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(host.site.root), str(clone)], check=True)
    other = Host(Site(clone), host.lxd, host.server, host.project)
    found = other.run(play={"arguments": vault["arguments"]})
    assert not found["changed"]
    assert found["certificate"]["proved"]
    assert found["certificate"]["fingerprint"] == done["certificate"]["fingerprint"]
    without = other.run(fails=True)
    assert without["code"] == "invalid"
    assert "vault password" in without["hint"]
    missing = Host(Site(clone), host.lxd, host.server, host.project, "kvm-02").run(fails=True)
    assert "private key isn't there" in missing["msg"]


def test_plain_key_is_encrypted_on_request_and_stays_so(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pa55phrase\n")
    vault = {"arguments": ["--vault-password-file", str(password)]}
    host.run(**admin)
    before = host.fingerprint
    assert host.run(vault_key=True, check=True, play=vault)["changed"]
    assert host.run(vault_key=True, play=vault)["changed"]
    assert host.files["client.key"].startswith("$ANSIBLE_VAULT")
    assert not host.run(vault_key=True, play=vault)["changed"]
    assert "vault_key: true" in host.run(rotate="now", fails=True, play=vault)["msg"]
    host.run(rotate="now", vault_key=True, play=vault)
    assert host.files["client.key"].startswith("$ANSIBLE_VAULT")
    assert host.fingerprint != before
    assert host.run(play=vault)["certificate"]["proved"]
    assert host.run(vault_key=True, fails=True)["code"] == "invalid"


def test_wide_key_is_tightened_with_a_warning(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    (host.folder / "client.key").chmod(0o644)
    done = host.run()
    assert done["changed"]
    assert "mode 0600" in done["warnings"][0]
    assert (host.folder / "client.key").stat().st_mode & 0o777 == 0o600
    assert not run_here(host, {})["changed"]


# S16


def test_s16_own_pair_is_put_into_the_folder_and_trusted(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    certificate, key = new_client_certificate(tmp_path, "mine")
    mine: dict[str, Any] = {"certificate": str(certificate), "private_key": str(key)}
    predicted = host.run(**admin, **mine, check=True)
    assert not host.site.registry.exists()
    done = host.run(**admin, **mine)
    assert as_check_mode_says(predicted) == as_check_mode_says(done)
    assert host.fingerprint == fingerprint(certificate.read_text())
    assert done["certificate"]["proved"]
    assert not host.run(**admin, **mine)["changed"]
    assert not run_here(host, {})["changed"]
    others, other_key = new_client_certificate(tmp_path, "others")
    refused = host.run(certificate=str(others), private_key=str(other_key), fails=True)
    assert (refused["code"], "rotate: now" in refused["hint"]) == ("conflict", True)


@pytest.fixture
def material(tmp_path: Path) -> dict[str, str]:
    """Pairs of every bad kind, as paths."""
    new_client_certificate(tmp_path, "good")
    new_client_certificate(tmp_path, "other")
    good = str(tmp_path / "good.key")
    openssl("pkey", "-in", good, "-aes256", "-passout", "pass:x", "-out", str(tmp_path / "locked.key"))
    times = {"expired": ("20200101000000Z", "20200201000000Z"), "future": ("20900101000000Z", "20910101000000Z")}
    config = tmp_path / "ca.cnf"
    for name, (start, end) in times.items():
        (tmp_path / "index").write_text("")
        (tmp_path / "serial").write_text("01\n")
        config.write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndatabase={tmp_path}/index\nserial={tmp_path}/serial\nnew_certs_dir={tmp_path}\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        openssl("req", "-new", "-key", good, "-subj", f"/CN={name}", "-out", str(tmp_path / "csr"))
        openssl(
            "ca", "-batch", "-selfsign", "-config", str(config), "-keyfile", good, "-in", str(tmp_path / "csr"),
            "-startdate", start, "-enddate", end, "-out", str(tmp_path / f"{name}.crt"),
        )  # fmt: skip
    (tmp_path / "garbage").write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    return {
        path.stem if path.suffix == ".crt" else path.name: str(path) for path in tmp_path.iterdir() if path.is_file()
    }


BAD_PAIRS = {
    "passphrase": ("good", "locked.key", "it has a passphrase"),
    "mismatched": ("good", "other.key", "doesn't belong to the certificate"),
    "expired": ("expired", "good.key", "it expired on 2020-02-01"),
    "not yet valid": ("future", "good.key", "not valid before 2090-01-01"),
    "garbage": ("garbage", "good.key", "is not a certificate"),
    "swapped": ("good.key", "good", "each holds what belongs in the other"),
    "no such file": ("nowhere", "good.key", "nor the path of a file"),
}


def test_s16_bad_pair(host: Host, admin: dict[str, Any], material: dict[str, str]) -> None:
    pairs = {
        case: {**admin, "certificate": material.get(certificate, certificate), "private_key": material.get(key, key)}
        for case, (certificate, key, _said) in BAD_PAIRS.items()
    }
    for state in ("trusted", "generated"):
        refused = host.refusals({case: {**pair, "state": state} for case, pair in pairs.items()})
        for case, (_certificate, _key, said) in BAD_PAIRS.items():
            assert refused[case]["code"] == "invalid", case
            assert said in refused[case]["msg"], case
    assert not host.site.registry.exists()
    assert not host.ours()


BAD_OPTIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no projects": ({"projects": []}, "invalid", "projects: empty"),
    "projects unsaid": ({"projects": None}, "invalid", "projects: not set"),
    "no name": ({"vmhost": None}, "invalid", "name: it is missing"),
    "key type": ({"key_type": "dsa"}, "invalid", "key_type"),
    "no validity": ({"valid_for": 0}, "invalid", "valid_for: 0"),
    "negative validity": ({"valid_for": -1}, "invalid", "valid_for: -1"),
    "renewal": ({"renew_within": -1}, "invalid", "renew_within: -1"),
    "wrong pin": ({"server_fingerprint": "0" * 64}, "not_trusted", "not the pinned one"),
    "bad pin": ({"server_fingerprint": "abc"}, "invalid", "not a SHA-256 fingerprint"),
    "no pin": ({"server_fingerprint": None}, "not_trusted", "nothing pins this server"),
    "nobody there": ({"url": "https://127.0.0.1:1"}, "unreachable", "no answer"),
    "key alone": ({"private_key": "x"}, "invalid", "private_key"),
    "no private key": (
        {"certificate": "{{ lookup('file', client_cert) }}", "client_cert": None, "client_key": None},
        "not_found",
        "its private key isn't there",
    ),
    "no owner": ({"owner": None}, "invalid", "owner: it is required"),
}


def test_bad_option(host: Host, admin: dict[str, Any]) -> None:
    cases = {case: {**admin, **options} for case, (options, _code, _said) in BAD_OPTIONS.items()}
    refused = host.refusals(cases, **admin)
    for case, (_options, code, said) in BAD_OPTIONS.items():
        assert refused[case]["code"] == code, case
        assert said in refused[case]["msg"], case
        assert not refused[case].get("changed"), case
    assert not host.site.registry.exists()
    assert not host.ours()


def test_connection_that_is_no_admins(host: Host, lxd: Daemon, tmp_path: Path) -> None:
    certificate, key = new_client_certificate(tmp_path, "nobody")
    nobody: dict[str, Any] = {"client_cert": str(certificate), "client_key": str(key)}
    assert "client_cert" in host.run(**nobody, fails=True)["msg"]
    lxd.trust(certificate.read_text(), name="tenant-of-something", projects=[host.project])
    assert host.run(**nobody, fails=True)["code"] == "not_trusted"
    assert not host.ours()


# Absent


def test_absent_by_an_admin_twice_and_with_files(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    foreign = host.folder / "vmhost.notes"
    foreign.write_text("mine\n")
    predicted = host.run(**admin, state="absent", check=True)
    assert host.entry is not None
    gone = host.run(**admin, state="absent")
    assert gone["changed"] is predicted["changed"] is True
    assert gone["actions"] == predicted["actions"]
    assert not host.ours()
    assert {"client.crt", "client.key"} <= host.files.keys()
    assert not host.run(**admin, state="absent")["changed"]
    assert host.run(**admin, state="absent", remove_files=True)["changed"]
    assert host.files == {"vmhost.notes": "mine\n"}
    assert not host.run(**admin, state="absent", remove_files=True)["changed"]
    assert not host.run(state="absent", remove_files=True)["changed"]


def test_absent_by_the_tenant_says_what_is_left(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    fingerprint_ = host.fingerprint
    said = host.run(state="absent", remove_files=True)
    assert said["orphaned_trust"] == [
        {"name": HOST, "fingerprint": fingerprint_, "command": f"lxc config trust remove {fingerprint_}"}
    ]
    assert fingerprint_[:12] in said["warnings"][0]
    assert fingerprint_ in host.ours()
    assert host.files == {}


# Rotation


def test_rotation_overlaps_with_an_admin(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    run_here(host, admin)
    old = dict(host.files)
    predicted = host.run(**admin, rotate="now", check=True)
    assert host.files == old
    done = host.run(**admin, rotate="now")
    assert as_check_mode_says(predicted) == as_check_mode_says(done)
    assert predicted["rotation"]["way"] == done["rotation"]["way"] == "overlap"
    assert predicted["rotation"]["new_fingerprint"] == LATER
    new = host.files
    assert done["rotation"]["old_fingerprint"] == fingerprint(old["client.crt"])
    assert done["rotation"]["new_fingerprint"] == host.fingerprint == done["certificate"]["fingerprint"]
    assert new.keys() == {"client.crt", "client.key", "client.crt.old"}
    assert new["client.crt.old"] == old["client.crt"]
    assert len(host.ours()) == 2
    # Every other controller keeps working in between.
    assert host.trusted_with(old["client.crt"], old["client.key"], tmp_path)
    assert host.trusted_with(new["client.crt"], new["client.key"], tmp_path)
    # The tenant alone can't end that, and says so.
    tenant = run_here(host, {})
    assert not tenant["changed"]
    assert "may still trust" in tenant["warnings"][0]
    assert run_here(host, admin, check=True)["changed"]
    assert run_here(host, admin)["changed"]
    assert set(host.ours()) == {host.fingerprint}
    assert host.files.keys() == {"client.crt", "client.key"}
    assert not run_here(host, admin)["changed"]


def test_rotation_retires_at_once_on_request(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    run_here(host, admin)
    old = dict(host.files)
    run_here(host, admin, rotate="now", retire=True)
    assert set(host.ours()) == {host.fingerprint}
    assert host.files.keys() == {"client.crt", "client.key"}
    assert not host.trusted_with(old["client.crt"], old["client.key"], tmp_path)


def test_rotation_overlaps_with_a_token(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    old = host.fingerprint
    done = host.run(rotate="now", trust_token=token_of(host.lxd, HOST, [host.project]))
    assert (done["rotation"]["way"], done["certificate"]["proved"]) == ("overlap", True)
    assert set(host.ours()) == {old, host.fingerprint}
    run_here(host, admin)
    assert set(host.ours()) == {host.fingerprint}


def test_rotation_by_the_tenant_alone_swaps(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    run_here(host, admin)
    old = dict(host.files)
    predicted = host.run(rotate="now", check=True)
    assert host.files == old
    done = host.run(rotate="now")
    assert as_check_mode_says(predicted) == as_check_mode_says(done)
    assert done["rotation"]["way"] == "swap"
    assert "tenant itself" in done["rotation"]["because"]
    assert host.files.keys() == {"client.crt", "client.key"}
    assert host.ours() == {host.fingerprint: {"name": HOST, "restricted": True, "projects": [host.project]}}
    assert not host.trusted_with(old["client.crt"], old["client.key"], tmp_path)
    assert not run_here(host, {})["changed"]


def test_rotation_of_an_expiring_certificate(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin, valid_for=20)
    old = host.fingerprint
    assert "expires in 19 days" in run_here(host, {})["warnings"][0]
    assert not run_here(host, {}, rotate="expiring", renew_within=10)["changed"]
    assert run_here(host, {}, rotate="expiring")["rotation"]["because"].startswith("the certificate has 19 days left")
    assert host.fingerprint != old
    assert not run_here(host, {}, rotate="expiring")["changed"]


def test_rotation_to_a_pair_that_was_brought(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    run_here(host, admin)
    certificate, key = new_client_certificate(tmp_path, "mine")
    mine: dict[str, Any] = {"certificate": str(certificate), "private_key": str(key), "rotate": "now"}
    # As a role does it: the admin's part trusts the public half, the controller then changes over.
    host.lxd.trust(certificate.read_text(), HOST, [host.project])
    done = host.run(**mine)
    assert done["rotation"]["way"] == "overlap"
    assert host.fingerprint == fingerprint(certificate.read_text())
    assert "client.crt.old" in host.files
    assert not host.run(**mine)["changed"]


def test_rotation_is_refused_where_a_new_key_would_be_lost(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    run_here(host, admin)
    keys = tmp_path / "keys"
    keys.mkdir()
    shutil.move(host.folder / "client.key", keys / f"{HOST}.key")
    before = tree(host.site)
    awx = {"environment": {"LXD_CLIENT_KEY_DIR": str(keys)}}
    assert host.run(play=awx)["certificate"]["proved"]
    refused = host.run(rotate="now", fails=True, play=awx)
    assert refused["code"] == "invalid"
    assert "end with" in refused["msg"]
    assert tree(host.site) == before
    other = Host(host.site, host.lxd, host.server, host.project, "kvm-02")
    assert "end with it" in other.run(**admin, fails=True, play=awx)["msg"]
    assert not other.folder.exists()
    pair: dict[str, Any] = {"certificate": host.files["client.crt"], "private_key": (keys / f"{HOST}.key").read_text()}
    alone = host.run(vmhost=None, name=HOST, **pair, rotate="now", fails=True)
    assert alone["code"] == "invalid"


# Cut short at any point


@dataclasses.dataclass(frozen=True)
class Way:
    """One thing that takes several steps: what is there before, its options, and how many entries there are then."""

    before: bool
    options: dict[str, Any]
    by_admin: bool
    entries: int


WAYS = {
    "first": Way(before=False, options={}, by_admin=True, entries=1),
    "overlap": Way(before=True, options={"rotate": "now"}, by_admin=True, entries=2),
    "overlap, retired": Way(before=True, options={"rotate": "now", "retire": True}, by_admin=True, entries=1),
    "swap": Way(before=True, options={"rotate": "now"}, by_admin=False, entries=1),
}


def cut(plan: Plan, steps: int) -> Plan:
    """The plan's first steps."""
    changes = []
    for change in plan.changes:
        changes.append(dataclasses.replace(change, steps=change.steps[:steps]))
        steps -= len(changes[-1].steps)
    return dataclasses.replace(plan, changes=tuple(changes))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_cut_short_after_each_step(host: Host, admin: dict[str, Any], way: Way) -> None:
    connection = admin if way.by_admin else {}
    steps, done = 0, 1
    while steps < done:
        if way.before:
            run_here(host, admin)
        with contextlib.closing(job_of(host, connection, way.options)) as job:
            plan = job.plan()
            done = sum(len(change.steps) for change in plan.changes)
            outcome = carry_out(cut(plan, steps), job.execution_context())
            assert not outcome.failed
            assert not outcome.stale
        # Whoever comes next says nothing of a rotation; where one hasn't reached the server yet, it is asked for again.
        after = run_here(host, connection)
        if any(name.endswith(".next") for name in host.files) and way.before:
            if "client.crt.next" in host.files:
                assert any("rotate: now goes on" in warning for warning in after["warnings"]), steps
            after = run_here(host, connection, **way.options)
        assert after["certificate"]["proved"], steps
        assert not any(name.endswith(".next") for name in host.files), steps
        assert after["certificate"]["fingerprint"] == host.fingerprint
        run_here(host, admin)
        again = run_here(host, connection)
        assert not again["changed"], steps
        assert again["certificate"]["proved"], steps
        assert set(host.ours()) == {host.fingerprint}, steps
        run_here(host, admin, state="absent", remove_files=True)
        assert host.files == {}
        steps += 1
    assert done > 5


class _Losing:
    """A connection whose answer to one kind of request never comes, though LXD did what it said."""

    def __init__(self, port: Port, method: str) -> None:
        self._port = port
        self._method = method
        self.server = port.server
        self.connection = port.connection

    def call(self, method: str, path: Any, **rest: Any) -> Any:
        answer = self._port.call(method, path, **rest)
        if method == self._method:
            raise errors.AnswerLost("the answer was lost", "run again")
        return answer

    def close(self) -> None:
        self._port.close()


@pytest.mark.parametrize(("method", "by_admin"), [("PATCH", False), ("POST", True)])
def test_lost_answer_is_looked_up(host: Host, admin: dict[str, Any], method: str, by_admin: bool) -> None:
    run_here(host, admin)
    old = host.fingerprint
    connection = admin if by_admin else {}
    with contextlib.closing(job_of(host, connection, {"rotate": "now"})) as job:
        plan = job.plan()
        means = job.execution_context()
        means.ports.update({name: _Losing(port, method) for name, port in means.ports.items()})  # type: ignore[attr-defined]
        outcome = carry_out(plan, means)
        assert outcome.stale
        assert not outcome.failed
        after = carry_out(job.plan(), job.execution_context())
        assert not after.failed
        assert not after.stale
        assert job.result(job.plan(), None)["certificate"]["proved"]
    assert host.fingerprint != old
    assert set(host.ours()) == {host.fingerprint} | ({old} if by_admin else set())


def test_killed_in_the_middle_of_rotations(host: Host, admin: dict[str, Any]) -> None:
    run_here(host, admin)
    for milliseconds in (5, 10, 20, 30, 40, 50, 60, 75, 90, 110, 130, 160):
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                run_here(host, {}, rotate="now")
            os._exit(0)
        time.sleep(milliseconds / 1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        done = run_here(host, {})
        assert done["certificate"]["proved"], milliseconds
        assert set(host.ours()) == {host.fingerprint}, milliseconds
    # What was put down for a swap that LXD never heard of is taken up again.
    run_here(host, {}, rotate="now")
    assert host.files.keys() == {"client.crt", "client.key"}


# Looking


def test_info_shows_files_and_server(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    run_here(host, admin)
    stranger, _key = new_client_certificate(tmp_path, "stranger")
    theirs = host.lxd.trust(stranger.read_text(), name=HOST, projects=[host.project])
    for name, url in ((HOST, host.lxd.url), ("kvm-02", "https://127.0.0.1:1")):
        folder = host.site.registry / name
        if name != HOST:
            shutil.copytree(host.folder, folder)
        (folder / "server.crt").write_text(host.lxd.certificate)
        (folder / "vmhost.yml").write_text(f"url: {url}\nproject: {host.project}\nowner: team-a\n")
    rows = host.site.run_task("lxd_tenant_cert_info", {})["certificates"]
    up, down = rows
    assert (up["vmhost"], up["name"], up["trusted"], up["restricted"]) == (HOST, HOST, True, True)
    assert (up["projects"], up["fingerprint"], up["days_left"]) == ([host.project], host.fingerprint, 3649)
    assert [orphan["fingerprint"] for orphan in up["orphaned"]] == [theirs]
    assert up["orphaned"][0]["command"] == f"lxc config trust remove {theirs}"
    assert (down["vmhost"], down["fingerprint"], down["trusted"]) == ("kvm-02", host.fingerprint, None)
    assert down["error"]["code"] == "unreachable"
    assert "PRIVATE" not in json.dumps(rows)
    picked = host.site.run_task("lxd_tenant_cert_info", {"vmhosts": [HOST], "query": "[].fingerprint"})["certificates"]
    assert picked == [host.fingerprint]
    assert host.site.run_task("lxd_tenant_cert_info", {"strict": True}, fails=True)["code"] == "unreachable"


# Secrets


def test_no_key_in_any_output(host: Host, admin: dict[str, Any], tmp_path: Path) -> None:
    certificate, key = new_client_certificate(tmp_path, "mine")
    base = {"vmhost": HOST, "owner": "a", "projects": [host.project], **host.server}
    tasks: list[dict[str, Any]] = [
        {"tenantry.lxd.lxd_tenant_cert": {**base, **admin}},
        {"tenantry.lxd.lxd_tenant_cert": {**base, "rotate": "now"}},
        {"tenantry.lxd.lxd_tenant_cert": {**base, **admin, "rotate": "now", "private_key": key.read_text(),
                                          "certificate": certificate.read_text()}},
        {"tenantry.lxd.lxd_tenant_cert_info": {"vmhosts": [HOST], **host.server}},
    ]  # fmt: skip
    keys = {key.read_text(), Path(admin["client_key"]).read_text()}
    output = ""
    for task in tasks:
        played: PlayResult = host.site.play([task], verbosity=3)
        assert played.rc == 0, played.output
        output += played.output + json.dumps(played.tasks)
        keys.add(host.files["client.key"])
    assert len(keys) >= 4
    for text in keys:
        # An elliptic key's last line is its public half, which a certificate's may happen to equal.
        for line in text.splitlines()[1:3]:
            assert line not in output
