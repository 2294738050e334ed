# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at this machine as it is; what it says of one on which everything is wrong is in test_deploy."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.on_host import content, disk, run_module
from tests.lxd.daemon import Daemon
from tests.lxd.world import differences

# This bed has a stand-in for vsock, and it may have no KVM.
ASKED = {"package": "auto", "skip": ["virtualisation"], "strict": False}


def look(server: Daemon, **said: Any) -> dict[str, Any]:
    return run_module("lxd_preflight", {"url": [f"unix:{server.directory}/unix.socket"], **ASKED, **said})


def test_it_looks_and_touches_nothing(lxd: Daemon, tmp_path: Path) -> None:
    before = lxd.fingerprint_of_world()
    with disk(tmp_path / "disk") as device:
        pool = {"name": "new", "driver": "btrfs", "source": device}
        assert look(lxd, storage_pools=[pool])["problems"] == []
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        was = content(device)
        said = look(
            lxd,
            storage_pools=[pool, {"name": "default", "driver": "btrfs"}],
            https_address="192.0.2.77",
            cluster_address="192.0.2.78",
        )
        assert content(device) == was
    assert len(said["problems"]) == 4, said["problems"]
    machine = said["machine"]
    assert machine["os"] and machine["memory"] > 1 << 30 and "127.0.0.1" not in str(machine["interfaces"])
    assert differences(before, lxd.fingerprint_of_world()) == []


def test_of_a_cluster_to_come_it_looks_at_what_this_member_will_have(lxd: Daemon, tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as device:
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        members = {"kvm-03": {"source": device}, "kvm-04": {"source": "/dev/there-is-none"}}
        pool = {"name": "new", "driver": "btrfs", "source": "/dev/nor-here", "members": members}
        for url in (f"unix:{lxd.directory}/unix.socket", f"unix:{tmp_path}/no.socket"):
            said = look(lxd, url=[url], member="kvm-03", storage_pools=[pool])
            (problem,) = said["problems"]
            assert f"{device}: it holds data: ext4" in problem


def test_an_interface_in_another_bridge_is_not_taken_from_it(lxd: Daemon) -> None:
    bridge, port = f"tb{os.getpid():x}", f"td{os.getpid():x}"
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "link", "add", port, "type", "veth", "peer", f"{port}p"], check=True)
        subprocess.run(["ip", "link", "set", port, "master", bridge], check=True)
        network = {"name": "br7", "members": {"kvm-03": {"bridge.external_interfaces": port}}}
        said = look(lxd, member="kvm-03", networks=[network])
        assert said["machine"]["masters"][port] == bridge
        assert [each for each in said["problems"] if f"{port} is a port of {bridge}" in each], said["problems"]
    finally:
        for link in (port, bridge):
            subprocess.run(["ip", "link", "delete", link], check=False)


@pytest.mark.parametrize(("driver", "modules"), [("lvm", {"dm_mod", "dm_thin_pool"}), ("zfs", {"zfs"})])
def test_a_pool_is_made_where_the_kernel_can_and_refused_in_words_where_it_cannot(
    lxd: Daemon, driver: str, modules: set[str], tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", 600) as device:
        pool = {"name": f"test-{driver}", "driver": driver, "source": device}
        said = look(lxd, storage_pools=[pool])
        if not modules <= set(said["machine"]["modules"]):
            assert [each for each in said["problems"] if f"this kernel has no {' '.join(sorted(modules))[:6]}" in each]
            return
        assert said["problems"] == []
        run_module("lxd_server", {"url": [f"unix:{lxd.directory}/unix.socket"], "storage_pools": [pool]})
        lxd.api("DELETE", f"/1.0/storage-pools/test-{driver}")
