# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for composed VMs on a real LXD, and what a person sees meanwhile.

What can't be shown here: a VM with an agent, where the machine has no vsock for guests. A container stands in for what
LXD answers to a command in a guest; it is the same request.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import guest
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.https import HttpsPort
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Connection, Port
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.unix import UnixPort
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.progress import Progress
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.readers.vm_waits import AwaitedVm, VmWaits

from tests.integration.playing import Site
from tests.integration.tenancy import OVERCOMMITTED, Tenant, create_confined_project, register_vm_host
from tests.integration.test_vm_compose import SMALL, bare
from tests.lxd import image, leftovers
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.teardown import discard_project

# In the firmware of so small a VM everything ends: LXD calls it Running, and nothing is ever heard of it.
HUNG = {**SMALL, "memory": "128MiB"}
# A guest of the test machine takes 8 seconds, and several times that where nothing translates for it.
PATIENT = 180


def listings(tenant: Tenant, mark: int) -> list[str]:
    return [each.url for each in tenant.lxd.requests_since(mark) if each.trusted]


def test_an_address_is_waited_for_in_one_request_a_round(tenant: Tenant) -> None:
    vms = [{**SMALL, "name": name} for name in ("a", "b")]
    mark = tenant.lxd.request_mark()
    result = tenant.compose(vms, wait="address", wait_timeout=PATIENT)
    asked = listings(tenant, mark)

    leased = leases(tenant)
    assert {vm["name"]: vm["addresses"] for vm in result["vms"]} == leased
    assert [(row["name"], row["reached"], row["missing"]) for row in result["waits"]] == [
        ("a", True, None),
        ("b", True, None),
    ]
    assert result["failed_vms"] == []
    assert not [url for url in asked if "/state" in url and "/instances/" in url and "operations" not in url][2:], (
        "VMs are asked one by one"
    )
    rounds = [url for url in asked if "recursion=2" in url]
    # 0.5, 0.75, 1.1, 1.7, 2.5 and then every 3 seconds.
    longest = max(row["seconds"] for row in result["waits"])
    assert 1 < len(rounds) <= 6 + longest / 3

    mark = tenant.lxd.request_mark()
    again = tenant.compose(vms, wait="address", wait_timeout=PATIENT)
    assert len(listings(tenant, mark)) == 4, "the server, the project, its instances, and once more with their state"
    assert not again["changed"] and again["waits"][0]["reached"] and again["vms"][0]["addresses"] == leased["a"]

    mark = tenant.lxd.request_mark()
    quiet = tenant.compose(vms)
    assert len(listings(tenant, mark)) == 3, "that they run was known"
    assert not quiet["changed"] and "waits" not in quiet


def leases(tenant: Tenant) -> dict[str, list[str]]:
    found = tenant.lxd.api("GET", f"/1.0/networks/{tenant.lxd.bridge}/leases", query={"project": tenant.project})
    names = set(tenant.instances())
    return {lease["hostname"]: [lease["address"]] for lease in found if lease["hostname"] in names}


def test_a_deadline_is_a_result_of_that_vm_and_others_go_on(tenant: Tenant) -> None:
    tenant.compose([{**SMALL, "name": "good"}], wait="address", wait_timeout=PATIENT)
    vms = [{**HUNG, "name": "hung"}, {**SMALL, "name": "good"}]
    result = tenant.compose(vms, wait="address", wait_timeout=3, fails=True)
    (failed,) = result["failed_vms"]
    assert (failed["name"], failed["vmhost"], failed["code"]) == ("hung", "kvm-01", "timeout")
    assert failed["msg"] == "VM hung on kvm-01: no address after 3 s: it runs; no lease and no agent"
    assert "DHCP" in failed["hint"]
    assert result["code"] == "timeout" and result["msg"].startswith("VM hung on kvm-01: no address after 3 s")
    assert [(row["name"], row["reached"]) for row in result["waits"]] == [("hung", False), ("good", True)]
    assert [vm["name"] for vm in result["vms"]] == ["hung", "good"] and result["vms"][1]["addresses"]
    assert "start VM hung" in result["actions"], "what was done isn't told"
    assert tenant.instance("hung")["status"] == "Running"

    mended = tenant.compose(vms)
    assert not mended["changed"], "a wait that ran out leaves something to do"


def test_the_lease_of_an_earlier_start_is_no_address(tenant: Tenant) -> None:
    tenant.compose([{**SMALL, "name": "v"}], wait="address", wait_timeout=PATIENT)
    (address,) = leases(tenant)["v"]
    small = [{**HUNG, "name": "v", "state": "restarted"}]
    result = tenant.compose(small, allow_restart=True, force_stop=True, wait="address", wait_timeout=3, fails=True)
    told = tenant.lxd.api("GET", "/1.0/instances/v/state", query={"project": tenant.project})["network"]["eth0"]
    assert [each["address"] for each in told["addresses"]] == [address], "LXD doesn't tell it: the test shows nothing"
    assert f"{address} was leased before this start" in result["failed_vms"][0]["msg"]


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        ("agent", "no agent after 2 s: it runs"),
        ("cloud_init", "cloud-init isn't done after 2 s: it runs; no address either; it is asked through LXD's agent"),
    ],
)
def test_without_an_agent_the_deadline_says_so(tenant: Tenant, wait: str, said: str) -> None:
    result = tenant.compose([{**HUNG, "name": "v"}], wait=wait, wait_timeout=2, fails=True)
    (failed,) = result["failed_vms"]
    assert failed["code"] == "timeout" and said in failed["msg"] and "agent" in failed["msg"]


def test_nothing_is_waited_for_in_check_mode_and_for_vms_that_are_off(tenant: Tenant) -> None:
    mark = tenant.lxd.request_mark()
    predicted = tenant.compose([{**HUNG, "name": "v"}], wait="agent", wait_timeout=100, check=True)
    off = tenant.compose([bare("p"), bare("s", state="stopped")], wait="agent", wait_timeout=100)
    assert "waits" not in predicted and "waits" not in off
    assert not [url for url in listings(tenant, mark) if "recursion=2" in url]


@pytest.mark.parametrize("wait_timeout", [0, -1])
def test_a_timeout_of_nothing_is_refused(tenant: Tenant, wait_timeout: int) -> None:
    result = tenant.compose([bare("v")], wait="agent", wait_timeout=wait_timeout, fails=True)
    assert result["code"] == "invalid" and "wait_timeout" in result["msg"]
    assert tenant.instances() == {}


def test_a_vm_without_an_interface_is_not_waited_for(tenant: Tenant) -> None:
    vms = [{**HUNG, "name": "v", "interfaces": []}]
    result = tenant.compose(vms, wait="address", wait_timeout=PATIENT, fails=True)
    assert result["failed_vms"][0]["code"] == "unsupported"
    assert result["waits"][0]["seconds"] < PATIENT / 2


def test_lxd_may_restart_meanwhile(tmp_path: Path) -> None:
    with Daemon.new(f"restarted-{tmp_path.name[-6:]}".replace("_", "-"), owned=True) as lxd:
        create_confined_project(lxd, "waits", **OVERCOMMITTED)
        image.import_image(lxd, image.micro_image(), project="waits")
        tenant = register_vm_host(Site.create(tmp_path / "site"), lxd, "waits")
        said = {"vms": [{**SMALL, "name": "v"}], "wait": "address", "wait_timeout": PATIENT}
        process = tenant.site.start_module("lxd_vm_compose", said, tenant.vmhost)
        until(lambda: "recursion=2" in lxd.place.log.read_text(), 60, "the wait")
        lxd.kill()
        lxd.start()
        output, stderr = process.communicate(timeout=PATIENT + 60)
        result = json.loads(output)
        assert not stderr and result["failed_vms"] == [], result
        assert result["waits"][0]["reached"] and result["vms"][0]["addresses"]


# A guest that can be asked


@pytest.fixture
def container(lxd: Daemon, project_name: str, tmp_path: Path) -> Iterator[str]:
    """A running container of busybox whose `cloud-init` says what /tmp/said holds; its project's name."""
    lxd.api("POST", "/1.0/projects", {"name": project_name, "config": {"features.images": "true"}})
    archive = busybox(tmp_path)
    answer = lxd.admin.raw(
        "POST", f"/1.0/images?project={project_name}", archive, {"Content-Type": "application/octet-stream"}
    )
    fingerprint = lxd.admin.finished(lxd.admin.decoded(*answer)["operation"])["metadata"]["fingerprint"]
    body = {
        "name": "guest",
        "type": "container",
        "source": {"type": "image", "fingerprint": fingerprint},
        "config": {"security.privileged": "true"},
        "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}},
    }
    query = {"project": project_name}
    lxd.api("POST", "/1.0/instances", body, query)
    lxd.api("PUT", "/1.0/instances/guest/state", {"action": "start"}, query)
    yield project_name
    lxd.api("PUT", "/1.0/instances/guest/state", {"action": "stop", "force": True}, query)
    discard_project(lxd, project_name)


def busybox(work: Path) -> bytes:
    image._download(work, ["busybox-static"])
    image._pick(work, "busybox-static", "/bin/busybox|/usr/bin/busybox")
    programs = {
        "sbin/init": b"#!/bin/busybox sh\n/bin/busybox --install -s /bin\nwhile :; do sleep 3600 & wait; done\n",
        "bin/cloud-init": b"#!/bin/sh\ncat /tmp/said\nexit $(cat /tmp/code)\n",
        "bin/busybox": (work / "busybox").read_bytes(),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        metadata = b"architecture: x86_64\ncreation_date: 1700000000\nproperties: {description: guest}\n"
        for name, mode, content in [
            ("metadata.yaml", 0o644, metadata),
            *((f"rootfs/{name}", 0o755, content) for name, content in programs.items()),
        ]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
        for name in ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var"):
            member = tarfile.TarInfo(f"rootfs/{name}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
    return out.getvalue()


@pytest.fixture(params=["https", "unix"])
def port(request: pytest.FixtureRequest, lxd: Daemon, container: str, tmp_path: Path) -> Port:
    """The tenant's connection, and the admin's."""
    if request.param == "unix":
        return UnixPort(Connection((f"unix:{lxd.directory}/unix.socket",)))
    certificate, key = new_client_certificate(tmp_path, "client")
    lxd.trust(certificate.read_text(), name=container, projects=[container])
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(lxd.certificate)).hexdigest()
    return HttpsPort(Connection((lxd.url,), certificate.read_text(), key.read_text(), pin))


def sh(port: Port, project: str, script: str) -> guest.Ran:
    return guest.run(port, project, "guest", ["/bin/busybox", "sh", "-c", script], 30)


def installed(port: Port, project: str) -> None:
    until(lambda: sh(port, project, "test -e /bin/cat").code == 0, 20, "the guest's start")


def test_a_command_in_a_guest_and_no_trace_of_it(port: Port, container: str, lxd: Daemon) -> None:
    installed(port, container)
    before = lxd.api("GET", "/1.0/instances/guest/logs", query={"project": container})
    ran = sh(port, container, 'echo \'{"type": "ä"}\'; echo err >&2; exit 3')
    assert ran == (3, '{"type": "ä"}\n')
    assert lxd.api("GET", "/1.0/instances/guest/logs", query={"project": container}) == before
    with pytest.raises(errors.OperationFailed):
        guest.run(port, container, "guest", ["no-such-program"], 30)
    with pytest.raises(errors.OperationFailed, match="exec_none"):
        port.text(("instances", "guest", "logs", "exec_none.stdout"), project=container)


def waited(port: Port, project: str, seconds: int = 20) -> tuple[dict[str, Any], dict[str, Any]]:
    waits = VmWaits("cloud_init", seconds, Progress())
    failed = waits.carry_out([AwaitedVm("kvm-01", port, project, ["guest"], {})])
    (row,) = waits.rows()
    return row, dict(failed)


def test_cloud_init_is_asked_for_its_end_and_its_errors(port: Port, container: str) -> None:
    installed(port, container)
    done = {"status": "done", "recoverable_errors": {"WARNING": ["no locale"]}}
    # It works for some rounds, and is done then.
    sh(port, container, f"echo 2 > /tmp/code; echo '{json.dumps(done)}' > /tmp/done")
    sh(port, container, 'echo \'{"status": "running", "stage": "init"}\' > /tmp/said')
    sh(port, container, "(sleep 2; mv /tmp/done /tmp/said) > /dev/null 2>&1 < /dev/null &")
    row, failed = waited(port, container)
    assert row["reached"] and not failed and row["warnings"] == ["WARNING: no locale"]
    assert row["seconds"] >= 1

    broken = {"status": "error", "errors": ["('runcmd', 'it broke')"]}
    sh(port, container, f"echo 1 > /tmp/code; echo '{json.dumps(broken).replace(chr(39), chr(39) * 3)}' > /tmp/said")
    row, failed = waited(port, container)
    assert not row["reached"] and failed["kvm-01/guest"].code == "operation_failed"
    assert "runcmd" in failed["kvm-01/guest"].message and row["seconds"] < 15

    sh(port, container, 'echo \'{"status": "running", "stage": "modules"}\' > /tmp/said')
    row, failed = waited(port, container, 2)
    assert failed["kvm-01/guest"].code == "timeout"
    assert (
        "cloud-init isn't done after 2 s: cloud-init reports running, stage modules" in failed["kvm-01/guest"].message
    )

    sh(port, container, "rm /bin/cloud-init")
    row, failed = waited(port, container)
    assert failed["kvm-01/guest"].code == "unsupported" and row["seconds"] < 15


# What a person sees


def play(tenant: Tenant, wait_timeout: int, **more: Any) -> subprocess.Popen[str]:
    site = tenant.site
    options = {"vmhost": tenant.vmhost, "vms": [{**HUNG, "name": "v"}], "wait": "agent", "wait_timeout": wait_timeout}
    task = {"tenantry.lxd.lxd_vm_compose": options, **more.get("task", {})}
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        *("-i", "inventory"),
        *("-e", json.dumps({"ansible_python_interpreter": sys.executable})),
        site._playbook([task]),
    ]
    environment = site._environment(site.root / "results.jsonl", more.get("environment", {}))
    return subprocess.Popen(
        command,
        cwd=site.root,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def results(tenant: Tenant) -> str:
    """The one result, as the collecting callback wrote it: the wait ran out, and nothing else went wrong."""
    (line,) = (tenant.site.root / "results.jsonl").read_text().splitlines()
    assert '"code": "timeout"' in line or "censored" in line, line
    return line


def test_long_work_is_seen_to_move_while_it_goes_on(tenant: Tenant) -> None:
    with play(tenant, 30) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert process.poll() is None, "nothing is shown before the end"
        assert line.startswith("localhost: lxd_vm_compose: 0 of 1 VMs with an agent, ")
        # The person has seen enough; the module ends with its terminal.
        process.terminate()


def test_what_is_shown_is_no_part_of_the_result_or_of_standard_output(tenant: Tenant) -> None:
    with play(tenant, 8, environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}) as process:
        output, shown = process.communicate(timeout=120)
    assert "0 of 1 VMs with an agent" in shown
    assert "VMs with an agent" not in output
    line = results(tenant)
    assert "VMs with an agent" not in line and "_progress" not in line and "progress-" not in line


@pytest.mark.parametrize("more", [{"environment": {"TENANTRY_PROGRESS": "no"}}, {"task": {"no_log": True}}])
def test_nothing_is_shown_to_who_wants_none(tenant: Tenant, more: dict[str, Any]) -> None:
    with play(tenant, 8, **more) as process:
        _output, shown = process.communicate(timeout=120)
    assert "lxd_vm_compose" not in shown and results(tenant)


def test_a_vm_that_fails_ends_its_wait_at_once(tenant: Tenant) -> None:
    tenant.compose([bare("good"), {**HUNG, "name": "fails"}])
    process = tenant.site.start_module(
        "lxd_vm_compose",
        {"vms": [{"name": "good", "state": "present"}, {"name": "fails"}], "wait": "address", "wait_timeout": PATIENT},
        tenant.vmhost,
    )
    mark = tenant.lxd.request_mark()
    until(lambda: [url for url in listings(tenant, mark) if "recursion=2" in url], 30, "the first round of the wait")
    (qemu,) = leftovers.guests_of(str(tenant.lxd.directory), tenant.project)
    began = time.monotonic()
    os.kill(qemu, signal.SIGKILL)
    output, complaint = process.communicate(timeout=PATIENT)
    result = json.loads(output)
    assert time.monotonic() - began < PATIENT / 3, "the whole timeout was waited for"
    (failed,) = result["failed_vms"]
    assert (failed["name"], failed["code"]) == ("fails", "operation_failed"), complaint
    assert failed["msg"].startswith("VM fails on kvm-01: it has ") and "--show-log" in failed["hint"]
