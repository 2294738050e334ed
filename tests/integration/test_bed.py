# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bed itself: what it promises to every other test here."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lxd import gaps, leftovers, teardown
from tests.lxd.admin import ApiError
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.firmware_probe import probe_firmware
from tests.lxd.gaps import measure, real_qemu
from tests.lxd.image import import_image, micro_image
from tests.lxd.place import default_root, find
from tests.lxd.teardown import discard_instances, discard_project, take_down, take_down_abandoned
from tests.lxd.world import differences

MACHINE: dict[str, Any] = {
    "type": "virtual-machine",
    "source": {"type": "image", "alias": "micro"},
    "config": {"security.secureboot": "false", "limits.memory": "160MiB"},
}
# A project of this kind uses the default project's images and profiles.
SHARING = {"features.images": "false", "features.profiles": "false"}


@pytest.fixture
def own() -> Iterator[Daemon]:
    """A second daemon, beside the run's, for what would disturb other tests."""
    with Daemon.new(f"own-{os.getpid()}", owned=True) as daemon:
        yield daemon


@pytest.fixture
def key_pair(tmp_path: Path) -> tuple[Path, Path]:
    return new_client_certificate(tmp_path)


def run_machine(daemon: Daemon, name: str, project: str = "default") -> None:
    daemon.api("POST", "/1.0/instances", {**MACHINE, "name": name}, {"project": project})
    daemon.api("PUT", f"/1.0/instances/{name}/state", {"action": "start"}, {"project": project})


def status(daemon: Daemon, name: str, project: str = "default") -> str:
    return str(daemon.api("GET", f"/1.0/instances/{name}", query={"project": project})["status"])


def get(daemon: Daemon, target: str, key_pair: tuple[Path, Path] | None = None) -> int:
    """The HTTP status of one GET over https, the server's certificate pinned."""
    context = ssl.create_default_context(cadata=daemon.certificate)
    context.check_hostname = False
    if key_pair:
        context.load_cert_chain(*key_pair)
    connection = http.client.HTTPSConnection(daemon.address, timeout=20, context=context)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_daemon_has_pool_bridge_profile_and_address(lxd: Daemon) -> None:
    server = lxd.api("GET", "/1.0")
    assert server["config"]["core.https_address"] == lxd.address
    assert "qemu" in server["environment"]["driver"]
    assert lxd.api("GET", "/1.0/storage-pools/default")["driver"] == "dir"
    assert lxd.api("GET", f"/1.0/networks/{lxd.bridge}")["config"]["ipv4.address"] == f"{lxd.place.gateway}/24"
    devices = lxd.api("GET", "/1.0/profiles/default")["devices"]
    assert devices["root"]["pool"] == "default"
    assert devices["eth0"]["network"] == lxd.bridge
    assert get(lxd, "/1.0") == 200


def test_machine_from_image_runs_takes_an_address_and_powers_off(lxd: Daemon) -> None:
    run_machine(lxd, "micro-1")
    try:
        listed = lxd.api("GET", "/1.0/instances", query={"recursion": 1})
        assert [(found["name"], found["type"], found["status"]) for found in listed] == [
            ("micro-1", "virtual-machine", "Running")
        ]
        leases = f"/1.0/networks/{lxd.bridge}/leases"
        until(lambda: [lease for lease in lxd.api("GET", leases) if lease["type"] == "dynamic"], 90, "an address")
        lxd.api("PUT", "/1.0/instances/micro-1/state", {"action": "stop", "timeout": 30})
        assert status(lxd, "micro-1") == "Stopped"
    finally:
        discard_instances(lxd, "default")


def test_requests_in_parallel_are_counted_exactly(lxd: Daemon, key_pair: tuple[Path, Path]) -> None:
    fingerprint = lxd.trust(key_pair[0].read_text())
    targets = [f"/1.0/instances?recursion=1&number={number}" for number in range(20)]
    get(lxd, "/1.0/before", key_pair)
    with lxd.requests() as seen, ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda target: get(lxd, target, key_pair), targets)) == {200}
        lxd.api("GET", "/1.0/projects")
    get(lxd, "/1.0/after", key_pair)
    assert sorted(request.url for request in seen) == sorted(targets)
    assert {(request.method, request.path, request.trusted) for request in seen} == {("GET", "/1.0/instances", True)}
    lxd.api("DELETE", f"/1.0/certificates/{fingerprint}")


def test_requests_without_trust_are_counted_too(lxd: Daemon, key_pair: tuple[Path, Path]) -> None:
    with lxd.requests() as seen:
        assert get(lxd, "/1.0") == 200
        assert get(lxd, "/1.0/instances", key_pair) == 403
        assert get(lxd, "/nowhere?a=%22b%22", key_pair) == 404
    found = [(request.method, request.url) for request in seen]
    assert found == [("GET", "/1.0"), ("", ""), ("GET", "/nowhere?a=%22b%22")]
    assert not any(request.trusted for request in seen)


def test_admin_sees_errors_and_failed_operations(lxd: Daemon) -> None:
    with pytest.raises(ApiError) as missing:
        lxd.api("GET", "/1.0/instances/none")
    assert missing.value.status == 404
    with pytest.raises(ApiError) as failed:
        lxd.api("POST", "/1.0/instances", {**MACHINE, "name": "odd", "config": {"limits.memory": "lots"}})
    assert failed.value.status == 400


def test_admin_gets_every_machine_of_many_at_once(lxd: Daemon, project_name: str) -> None:
    lxd.api("POST", "/1.0/projects", {"name": project_name, "config": SHARING})
    names = [f"many-{number:02}" for number in range(40)]
    with ThreadPoolExecutor(len(names)) as workers:

        def make(name: str) -> None:
            lxd.api("POST", "/1.0/instances", {**MACHINE, "name": name}, {"project": project_name}, timeout=120)

        list(workers.map(make, names))
    made = lxd.api("GET", "/1.0/instances", query={"project": project_name, "recursion": 1})
    assert {each["name"] for each in made} == set(names)


def test_world_shows_what_changed_and_only_outside_the_excluded_project(lxd: Daemon, project_name: str) -> None:
    lxd.api("POST", "/1.0/projects", {"name": project_name, "config": SHARING})
    before = lxd.fingerprint_of_world(exclude_project=project_name)
    everything = lxd.fingerprint_of_world()
    run_machine(lxd, "inside", project_name)
    assert differences(before, lxd.fingerprint_of_world(exclude_project=project_name)) == []
    assert lxd.fingerprint_of_world() != everything
    lxd.api("PATCH", "/1.0/profiles/default", {"description": "touched"})
    after = lxd.fingerprint_of_world(exclude_project=project_name)
    assert [line.partition(":")[0] for line in differences(before, after)] == [
        "/projects/default/profiles/default/description"
    ]
    lxd.api("PATCH", "/1.0/profiles/default", {"description": "Default LXD profile"})


def test_world_shows_a_restart(lxd: Daemon, project_name: str) -> None:
    lxd.api("POST", "/1.0/projects", {"name": project_name, "config": SHARING})
    run_machine(lxd, "inside", project_name)
    before = lxd.fingerprint_of_world()
    assert lxd.fingerprint_of_world() == before
    lxd.api("PUT", "/1.0/instances/inside/state", {"action": "restart", "force": True}, {"project": project_name})
    assert lxd.fingerprint_of_world() != before


def test_project_is_discarded_with_all_in_it(lxd: Daemon) -> None:
    before = lxd.fingerprint_of_world()
    lxd.api("POST", "/1.0/projects", {"name": "full", "config": {**SHARING, "features.profiles": "true"}})
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    machine = {**MACHINE, "name": "kept", "devices": root}
    machine["config"] = {**MACHINE["config"], "security.protection.delete": "true"}
    lxd.api("POST", "/1.0/instances", machine, {"project": "full"})
    lxd.api("POST", "/1.0/profiles", {"name": "extra"}, {"project": "full"})
    lxd.api("POST", "/1.0/storage-pools/default/volumes/custom", {"name": "data"}, {"project": "full"})
    discard_project(lxd, "full")
    assert lxd.fingerprint_of_world() == before


def test_other_properties_make_another_image(own: Daemon) -> None:
    first, second = import_image(own, micro_image()), import_image(own, micro_image(), "other", {"release": "two"})
    assert first != second
    assert {image["fingerprint"] for image in own.api("GET", "/1.0/images", query={"recursion": 1})} == {first, second}


def test_daemons_run_side_by_side(lxd: Daemon, own: Daemon) -> None:
    assert own.certificate != lxd.certificate
    assert len({lxd.bridge, own.bridge, lxd.place.subnet, own.place.subnet, lxd.url, own.url}) == 6
    assert get(own, "/1.0") == get(lxd, "/1.0") == 200


def test_killed_daemon_starts_again_with_its_machine_running(own: Daemon) -> None:
    import_image(own, micro_image())
    run_machine(own, "survivor")
    process = own.api("GET", "/1.0/instances/survivor/state")["pid"]
    own.kill()
    assert not own.running
    with pytest.raises(OSError, match="refused"):
        get(own, "/1.0")
    own.start()
    assert status(own, "survivor") == "Running"
    assert own.api("GET", "/1.0/instances/survivor/state")["pid"] == process
    assert get(own, "/1.0") == 200


def test_stopped_daemon_starts_again(own: Daemon) -> None:
    own.stop()
    assert not own.running
    own.start()
    assert get(own, "/1.0") == 200


@pytest.mark.parametrize("ending", ["alive", "killed"])
def test_destroyed_daemon_leaves_nothing(ending: str) -> None:
    daemon = Daemon.new(f"gone-{os.getpid()}", owned=True).start()
    import_image(daemon, micro_image())
    run_machine(daemon, "left")
    daemon.api(
        "POST",
        "/1.0/networks",
        {"name": f"{daemon.bridge}x", "config": {"ipv4.address": "none", "ipv6.address": "none"}},
    )
    before = leftovers.find(str(daemon.directory), daemon.bridge)
    assert all((before.processes, before.mounts, before.links, before.chains))
    if ending == "killed":
        daemon.kill()
    daemon.destroy()
    assert leftovers.find(str(daemon.directory), daemon.bridge).lines() == []
    assert not set(before.links) & set(os.listdir("/sys/class/net"))
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert not [link for link in before.links if link in rules]
    assert not [pid for pid in before.processes if os.path.exists(f"/proc/{pid}/exe") and _environment(pid)]
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if str(daemon.directory) in line]
    assert not daemon.directory.exists()
    assert not list(daemon.place.file.parent.glob(f"{daemon.name}.*"))


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text()
    except OSError:
        return ""


def test_daemon_of_a_run_that_died_is_taken_down_by_the_next() -> None:
    name = f"orphan-{os.getpid()}"
    code = f"from tests.lxd.daemon import Daemon; import os; Daemon.new({name!r}, owned=True).start(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": os.getcwd()})
    place = find(name, default_root())
    assert place is not None and place.abandoned
    assert Daemon(place).running
    assert name in take_down_abandoned(default_root())
    assert leftovers.find(place.directory, place.bridge).lines() == []
    assert find(name, default_root()) is None


@pytest.mark.nightly
def test_daemon_is_quickly_there_and_quickly_gone() -> None:
    measure(default_root())
    began = time.monotonic()
    daemon = Daemon.new(f"quick-{os.getpid()}", owned=True).start()
    ready = time.monotonic()
    daemon.destroy()
    gone = time.monotonic()
    # A bound for a machine that is busy with other things; on an idle one it is about 1.2 s and 0.3 s.
    assert ready - began < 6
    assert gone - ready < 6


# Machines whose KVM doesn't work

INTERNAL_ERROR = "KVM internal error. Suberror: 1"
# As QEMU does where KVM fails in the firmware: it prints one line, and never ends.
BROKEN_KVM = """#!/bin/sh
case " $* " in *" kvm "*) echo "{error}" >&2; exec sleep 1000 ;; esac
exec {qemu} "$@"
"""


@pytest.fixture
def broken_kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A QEMU, first in the PATH, that hangs with KVM; and a /dev/kvm."""
    program = tmp_path / gaps.QEMU
    program.write_text(BROKEN_KVM.format(error=INTERNAL_ERROR, qemu=real_qemu()))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    gaps.make_kvm_device(tmp_path)
    yield str(program)
    gaps.remove_kvm_device(tmp_path)


def test_a_guest_that_gets_through_the_firmware_is_recognized() -> None:
    assert probe_firmware(real_qemu(), "tcg").works


def test_kvm_that_fails_in_the_firmware_is_not_used(broken_kvm: str, tmp_path: Path) -> None:
    found = probe_firmware(broken_kvm, "kvm", seconds=60)
    assert (found.works, found.reason) == (False, INTERNAL_ERROR)
    daemon = Daemon.new("kvmless", tmp_path / "bed", owned=True)
    try:
        daemon.start()
        assert daemon.gaps is not None and daemon.gaps.kvm
        assert INTERNAL_ERROR in daemon.gaps.lines()[0] and "TCG" in daemon.gaps.lines()[0]
        import_image(daemon, micro_image())
        run_machine(daemon, "vm")
        assert status(daemon, "vm") == "Running"
    finally:
        take_down(tmp_path / "bed", [daemon.name])


def test_a_qemu_that_prints_nothing_is_given_up(tmp_path: Path) -> None:
    silent = tmp_path / "qemu"
    silent.write_text("#!/bin/sh\nexec sleep 1000\n")
    silent.chmod(0o755)
    found = probe_firmware(str(silent), "kvm", seconds=0.5)
    assert (found.works, found.reason) == (False, "no guest program ran within 0.5 s")


def test_without_a_kvm_device_qemu_translates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gaps, "_KVM", tmp_path / "no-kvm")
    assert measure(tmp_path, fresh=True).lines()[0].startswith("kvm: there is no /dev/kvm; QEMU translates instead")


@pytest.mark.parametrize("project", ["default", "hung"])
def test_a_hung_vm_is_removed_with_its_project(own: Daemon, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "_PATIENCE", 3.0)
    if project != "default":
        own.api("POST", "/1.0/projects", {"name": project, "config": SHARING})
    import_image(own, micro_image())
    run_machine(own, "vm", project)
    (qemu,) = leftovers.guests_of(str(own.directory), project)
    os.kill(qemu, signal.SIGSTOP)
    discard_instances(own, project)
    assert own.api("GET", "/1.0/instances", query={"project": project}) == []
    assert leftovers.guests_of(str(own.directory), project) == []
    if project != "default":
        discard_project(own, project)
        assert f"/1.0/projects/{project}" not in own.api("GET", "/1.0/projects")
