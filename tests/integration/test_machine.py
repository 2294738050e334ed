# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Target machines: that they are what a role would find on a server that somebody just installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lxd import leftovers
from tests.lxd.daemon import Daemon
from tests.lxd.machine import Machine
from tests.lxd.machine_image import USER
from tests.lxd.place import default_root


@pytest.fixture(scope="module")
def fresh(outer: Daemon) -> Iterator[Machine]:
    with Machine(outer, "fresh") as machine:
        yield machine


def test_machine_has_systemd_ssh_and_python_and_nothing_of_lxd(fresh: Machine) -> None:
    assert fresh.run("ps -p 1 -o comm=; systemctl is-system-running").split() == ["systemd", "running"]
    assert fresh.run("id -u; sudo -n id -u", user=USER).split() == ["1000", "0"]
    assert fresh.run("hostname; python3 -c 'import apt'").split() == ["fresh"]
    assert fresh.run("ls -d /var/lib/lxd /usr/bin/lxd /var/snap /usr/bin/qemu* 2>/dev/null || true") == ""


def test_machine_installs_lxd_with_no_download_and_it_runs_virtual_machines(fresh: Machine) -> None:
    wanted = "lxd lxd-client qemu-system-x86 qemu-utils ovmf genisoimage dnsmasq-base"
    said = fresh.run(f"DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {wanted}")
    assert "Need to get 0 B" in said, said
    assert "qemu" in fresh.api("GET", "/1.0")["environment"]["driver"]


def test_machine_reaches_the_mirror(fresh: Machine) -> None:
    fresh.run("apt-get -qq update --error-on=any")


def test_power_cut_and_disk(fresh: Machine) -> None:
    boot = fresh.run("systemctl show -p UserspaceTimestampMonotonic")
    fresh.kill()
    fresh.start()
    assert fresh.run("systemctl show -p UserspaceTimestampMonotonic") != boot
    disk = fresh.add_disk("data", 16)
    assert fresh.run(f"blockdev --getsize64 {disk}").strip() == str(16 << 20)


def test_machine_goes_with_its_daemon_and_leaves_nothing() -> None:
    daemon = Daemon.new(f"gone-{os.getpid()}", default_root(), owned=True).start()
    machine = Machine(daemon, "gone")
    machine.create()
    machine.start()
    loop = machine.add_disk("data", 16)
    daemon.destroy()
    assert leftovers.find(str(daemon.directory), daemon.bridge).lines() == []
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(daemon.directory) in line]
    assert leftovers.loops_of(str(daemon.directory)) == [], f"{loop} is still there"
