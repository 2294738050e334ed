# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Composing while LXD is killed at random instants: the next run finishes what was begun, whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.playing import Site
from tests.integration.tenancy import OVERCOMMITTED, Tenant, create_confined_project, register_vm_host
from tests.integration.test_vm_compose import SMALL
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.image import import_image, micro_image
from tests.lxd.place import default_root
from tests.lxd.teardown import take_down

# The run is divided into as many parts, and LXD is killed once in each of them.
PARTS = 6
# At night it is killed as often again at any instant of the run.
MORE_KILLS = 14
PROJECT = "interrupted"

VMS: list[dict[str, Any]] = [
    {
        **SMALL,
        "name": f"vm-{number}",
        # Three are started: more would only keep the machine busy with ten firmwares.
        "state": "started" if number < 3 else "present",
        "disks": [{}, {"name": "data", "size": "5MiB"}] if number % 2 else [{}],
    }
    for number in range(10)
]


@contextlib.contextmanager
def fragile(site: Path) -> Iterator[Tenant]:
    """A tenant of a daemon of its own: what a kill may leave in LXD itself is nobody else's."""
    root = default_root()
    daemon = Daemon.new(f"fragile-{time.monotonic_ns() % 10**6}", root, owned=True)
    try:
        daemon.start()
        create_confined_project(daemon, PROJECT, **OVERCOMMITTED)
        import_image(daemon, micro_image(), project=PROJECT)
        yield register_vm_host(Site.create(site), daemon, PROJECT)
    finally:
        take_down(root, [daemon.name])


def compose(tenant: Tenant, wait_timeout: int = 20) -> subprocess.Popen[str]:
    options = {"vms": VMS, "concurrency": 4, "wait_timeout": wait_timeout}
    return tenant.site.start_module("lxd_vm_compose", options, tenant.vmhost)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors + output, errors + output
    return dict(json.loads(output))


def content(path: Path, length: int) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(length)).hexdigest()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """What the first disk of a whole VM begins with: SHA-256 and length in bytes."""
    raw = tmp_path_factory.mktemp("image") / "image.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(micro_image()), str(raw)], check=True)
    length = raw.stat().st_size
    return content(raw, length), length


@pytest.fixture(scope="module")
def requests_of_a_whole_run(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many requests LXD gets when nobody interferes."""
    with fragile(tmp_path_factory.mktemp("calm") / "site") as tenant:
        before = requests_logged(tenant)
        assert ended(compose(tenant))["changed"]
        return requests_logged(tenant) - before


def requests_logged(tenant: Tenant) -> int:
    return tenant.lxd.place.log.read_text().count("protocol=tls")


KILLS = [*range(PARTS), *(pytest.param(kill, marks=pytest.mark.nightly) for kill in range(PARTS, PARTS + MORE_KILLS))]


def request_to_kill_at(kill: int, requests: int, instant: random.Random) -> int:
    """The number of the request after which LXD is killed: one in each part of the run, then anywhere in it."""
    if kill >= PARTS:
        return instant.randrange(5, requests)
    part = (requests - 5) / PARTS
    return 5 + int(part * kill) + instant.randrange(max(1, int(part)))


@pytest.mark.parametrize("kill", KILLS)
def test_killed_at_a_random_instant_it_ends_with_exactly_what_was_asked(
    kill: int, tmp_path: Path, image: tuple[str, int], requests_of_a_whole_run: int
) -> None:
    instant = random.Random(kill)
    with fragile(tmp_path / "site") as tenant:
        before, after = requests_logged(tenant), request_to_kill_at(kill, requests_of_a_whole_run, instant)
        # Whoever was started before the kill is waited for in vain; nobody starts LXD again meanwhile.
        process = compose(tenant, wait_timeout=3)
        until(lambda: requests_logged(tenant) - before >= after or process.poll() is not None, 120, "the instant")
        # Between two requests, too. The one wait that is no condition: the instant is the subject.
        time.sleep(instant.uniform(0, 0.1))
        tenant.lxd.kill()
        ended(process)
        tenant.lxd.start()
        half_made = [name for name, vm in tenant.instances().items() if not _is_whole(vm)]

        second = ended(compose(tenant))
        named = {failed["name"] for failed in second["failed_vms"]}
        print(f"kill {kill} at request {after}: half made {half_made}, left to the admin {sorted(named)}")
        assert set(tenant.instances()) == {vm["name"] for vm in VMS}, json.dumps(second["failed_vms"], indent=1)
        for vm in VMS:
            check_whole(tenant, vm["name"], image)
        for failed in second["failed_vms"]:
            # LXD itself can't get at the QEMU that it had just started; whoever has the host can.
            assert failed["code"] == "operation_failed" and "QEMU" in failed["hint"], failed
            assert tenant.instance(failed["name"])["status"] == "Stopped"
            end_stray_qemu(tenant, failed["name"])
        third = ended(compose(tenant))
        assert third["changed"] == bool(named) and third["failed_vms"] == []
        for vm in VMS:
            expected = "Running" if vm["state"] == "started" else "Stopped"
            assert tenant.instance(vm["name"])["status"] == expected
        assert set(tenant.volumes()) == {f"{vm['name']}-data" for vm in VMS if len(vm["disks"]) > 1}


def end_stray_qemu(tenant: Tenant, name: str) -> None:
    """What the admin of the host does; a stray QEMU that isn't there fails the test."""
    pattern = rf"qemu-system.* -name {name} .*{tenant.lxd.directory}/"
    subprocess.run(["pkill", "-KILL", "-f", pattern], check=True)
    until(lambda: subprocess.run(["pgrep", "-f", pattern], check=False, capture_output=True).returncode, 10, "it ended")


def check_whole(tenant: Tenant, name: str, image: tuple[str, int]) -> None:
    expected, length = image
    assert _is_whole(tenant.instance(name)), f"{name} is half made and was left so"
    assert content(_root_disk(tenant, name), length) == expected, f"{name} isn't what its image is"


def _root_disk(tenant: Tenant, name: str) -> Path:
    return tenant.lxd.directory / "storage-pools" / "default" / "virtual-machines" / f"{PROJECT}_{name}" / "root.img"


def _is_whole(vm: dict[str, Any]) -> bool:
    marks = ("volatile.apply_template", "volatile.last_state.power", "volatile.vsock_id")
    return vm["status"] == "Running" or any(mark in vm["config"] for mark in marks)
