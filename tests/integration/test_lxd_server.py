# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, storage pools and networks of a running server: made, changed, kept, and refused before anything is."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.on_host import content, disk, run_module
from tests.integration.playing import Site
from tests.lxd.admin import ApiError
from tests.lxd.cluster import Cluster
from tests.lxd.daemon import Daemon
from tests.lxd.relay import SlowSocket
from tests.lxd.world import differences


@pytest.fixture(scope="module")
def server() -> Iterator[Daemon]:
    """A server of its own: what a test changes here is everybody's."""
    with Daemon.new(f"server-{os.getpid()}", owned=True) as started:
        yield started


def url(server: Daemon) -> str:
    return f"unix:{server.directory}/unix.socket"


def have(server: Daemon, **said: Any) -> dict[str, Any]:
    """Run lxd_server; `check` and `fails` are about the run."""
    about_run = {key: said.pop(key) for key in ("check", "fails") if key in said}
    return run_module("lxd_server", {"url": [url(server)], **said}, **about_run)


def test_what_is_missing_is_made_what_differs_is_changed_and_the_rest_is_kept(server: Daemon, tmp_path: Path) -> None:
    bridge = f"ts{os.getpid():x}"
    network: dict[str, Any] = {
        "name": bridge,
        "dhcp": False,
        "dns": False,
        "config": {"ipv4.address": "none", "ipv6.address": "none"},
    }
    with disk(tmp_path / "disk") as device:
        said: dict[str, Any] = {
            "config": {"images.auto_update_interval": 0, "images.compression_algorithm": "zstd"},
            "secret_config": {"core.proxy_https": "http://user:hidden-word@192.0.2.1:3128"},
            "storage_pools": [
                {"name": "disk", "driver": "btrfs", "source": device, "description": "on a disk"},
                {"name": "loop", "driver": "btrfs", "size": "128MiB"},
                {"name": "folder", "driver": "dir"},
            ],
            "networks": [network],
        }
        before = server.fingerprint_of_world()
        predicted = have(server, check=True, **said)
        assert differences(before, server.fingerprint_of_world()) == [], "check mode wrote"
        made = have(server, **said)
        assert made["changed"] and made["actions"] == predicted["actions"]
        assert "hidden-word" not in str(made) + str(predicted)
        config = server.api("GET", "/1.0")["config"]
        assert config["images.auto_update_interval"] == "0" and config["core.https_address"] == server.address
        assert config["core.proxy_https"] == "http://user:hidden-word@192.0.2.1:3128"
        pools = {pool["name"]: pool for pool in server.api("GET", "/1.0/storage-pools", query={"recursion": 1})}
        assert {"disk", "loop", "folder", "default"} == pools.keys()
        assert pools["disk"]["config"]["source"] == device and pools["disk"]["description"] == "on a disk"
        made_network = server.api("GET", f"/1.0/networks/{bridge}")["config"]
        assert (made_network["ipv4.dhcp"], made_network["dns.mode"]) == ("false", "none")

        again = have(server, **said)
        assert (again["changed"], again["actions"]) == (False, []), again.get("diff")

        # One key of each: what isn't said stays, by whatever name a device is called.
        (tmp_path / "by-id").symlink_to(device)
        network["config"] = {"ipv4.nat": True}
        changed = have(
            server,
            config={"images.compression_algorithm": None},
            storage_pools=[
                {"name": "folder", "driver": "dir", "config": {"rsync.bwlimit": "10MB"}},
                {"name": "loop", "driver": "btrfs", "size": 128 << 20},
                {"name": "disk", "driver": "btrfs", "source": str(tmp_path / "by-id"), "wipe": False},
            ],
            networks=[network],
        )
        assert [action.split(" unix:")[0] for action in changed["actions"]] == [
            "change server",
            "change storage pool folder: rsync.bwlimit",
            f"change network {bridge}: ipv4.nat",
        ]
        config = server.api("GET", "/1.0")["config"]
        assert "images.compression_algorithm" not in config and config["images.auto_update_interval"] == "0"
        assert server.api("GET", "/1.0/storage-pools/folder")["config"]["source"]
        assert server.api("GET", f"/1.0/networks/{bridge}")["config"]["dns.mode"] == "none"
        for path in ("storage-pools/disk", "storage-pools/loop", "storage-pools/folder", f"networks/{bridge}"):
            server.api("DELETE", f"/1.0/{path}")


def test_a_device_with_data_is_refused_unless_wiping_it_is_said_and_never_one_in_use(
    server: Daemon, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk") as device:
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        before = content(device)
        pool: dict[str, Any] = {"name": "once", "driver": "btrfs", "source": device}
        refused = have(server, storage_pools=[pool], fails=True)
        assert refused["code"] == "conflict" and f"{device}: it holds data: ext4 filesystem" in refused["msg"]

        (tmp_path / "mounted").mkdir()
        subprocess.run(["mount", device, str(tmp_path / "mounted")], check=True)
        try:
            used = have(server, storage_pools=[{**pool, "wipe": True}], fails=True)
            assert f"{device} is mounted at {tmp_path}/mounted" in used["msg"]
        finally:
            subprocess.run(["umount", device], check=True)
        # As an imported zfs pool has it, or a mount in another namespace: no list shows who.
        held = os.open(device, os.O_RDONLY | os.O_EXCL)
        try:
            said = have(server, storage_pools=[{**pool, "wipe": True}], fails=True)["msg"]
            assert f"{device}: it is in use: something on this machine holds" in said
        finally:
            os.close(held)
        before = content(device)
        predicted = have(server, storage_pools=[{**pool, "wipe": True}], check=True)
        assert content(device) == before, "check mode wiped"
        made = have(server, storage_pools=[{**pool, "wipe": True}])
        assert made["actions"] == predicted["actions"]
        assert made["actions"] == [f"wipe device {device}: ext4 filesystem", "create storage pool once"]
        assert not have(server, storage_pools=[{**pool, "wipe": True}])["changed"], (
            "a pool's own device was wiped again"
        )
        server.api("DELETE", "/1.0/storage-pools/once")


def test_no_password_is_shown_that_a_network_has(server: Daemon, site: Site) -> None:
    bridge, at = f"tp{os.getpid():x}", {"url": url(server)}
    peer = {"bgp.peers.one.address": "192.0.2.1", "bgp.peers.one.asn": 65000, "bgp.peers.one.password": "{{ word }}"}
    network = {"name": bridge, "config": {"ipv4.address": "none", "ipv6.address": "none", **peer}}
    changed = {**network, "config": {"ipv4.nat": True, "bgp.peers.one.password": "{{ word }}2"}}
    tasks: list[dict[str, Any]] = [
        {"tenantry.lxd.lxd_preflight": {**at, "networks": [network], "strict": False}},
        {"tenantry.lxd.lxd_server": {**at, "networks": [network]}, "check_mode": True},
        {"tenantry.lxd.lxd_server": {**at, "networks": [network]}},
        {"tenantry.lxd.lxd_server": {**at, "networks": [changed]}},
        {"tenantry.lxd.lxd_server": {**at, "networks": []}},
        # Refused by the checks of the options, and by the module.
        {"tenantry.lxd.lxd_server": {**at, "networks": [{**network, "type": "ring"}]}, "ignore_errors": True},
        {"tenantry.lxd.lxd_cluster_member": {**at, "name": "m1", "networks": [network]}, "ignore_errors": True},
    ]
    try:
        played = site.play(tasks, verbosity=3, variables={"word": "hunter2"})
        assert [each["outcome"] for each in played.tasks] == ["ok"] * 5 + ["failed"] * 2, played.output
        assert server.api("GET", f"/1.0/networks/{bridge}")["config"]["bgp.peers.one.password"] == "hunter22"
        said = played.output
        assert f"change network {bridge}: bgp.peers.one.password, ipv4.nat" in said
        assert "hunter2" not in said, [line for line in said.splitlines() if "hunter2" in line]
        assert "hunter2" not in str(played.results)
    finally:
        server.api("DELETE", f"/1.0/networks/{bridge}")


def test_a_pool_that_takes_longer_than_a_request_may_is_asked_for_once(server: Daemon, tmp_path: Path) -> None:
    pool = {"name": "slow", "driver": "dir"}
    with SlowSocket(f"{server.directory}/unix.socket", tmp_path / "slow", "POST /1.0/storage-pools", 5) as slow:
        options = {"url": [f"unix:{slow.path}"], "timeout": 4, "storage_pools": [pool]}
        made = run_module("lxd_server", options)
    assert (slow.seen, made["changed"], made["actions"]) == (1, True, ["create storage pool slow"])
    server.api("DELETE", "/1.0/storage-pools/slow")


def test_a_pool_that_a_killed_server_left_begun_is_finished(server: Daemon) -> None:
    pool = {"name": "left", "driver": "dir", "config": {"rsync.bwlimit": "10MB"}}
    server.api("POST", "/1.0/storage-pools", pool)
    where = "WHERE storage_pool_id = (SELECT id FROM storage_pools WHERE name = 'left')"
    for query in (
        "UPDATE storage_pools SET state = 0 WHERE name = 'left'",
        f"UPDATE storage_pools_nodes SET state = 0 {where}",
    ):
        server.api("POST", "/internal/sql", {"database": "global", "query": query})
    shutil.rmtree(f"{server.directory}/storage-pools/left")
    assert server.api("GET", "/1.0/storage-pools/left")["status"] == "Pending"
    pool["config"] = {"rsync.bwlimit": "20MB"}
    have(server, storage_pools=[pool])
    left = server.api("GET", "/1.0/storage-pools/left")
    assert (left["status"], left["config"]["rsync.bwlimit"]) == ("Created", "20MB")
    assert not have(server, storage_pools=[pool])["changed"]
    server.api("DELETE", "/1.0/storage-pools/left")


def test_what_stands_in_the_way_is_said_at_once_and_before_anything_is_written(server: Daemon, tmp_path: Path) -> None:
    before = server.fingerprint_of_world()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = have(
            server,
            fails=True,
            https_address=f"127.0.0.1:{port}",
            config={"images.auto_update_interval": 7},
            storage_pools=[
                {"name": "default", "driver": "btrfs"},
                {"name": "new", "driver": "dir"},
                {"name": "gone", "driver": "btrfs", "source": "/dev/there-is-none"},
            ],
            networks=[{"name": "lo"}, {"name": server.bridge, "type": "macvlan", "config": {"parent": "lo"}}],
        )
    for said in (
        f"port {port} is in use",
        "storage pool default: it exists with driver dir, not btrfs",
        "/dev/there-is-none: there is no such device",
        "network lo: the host has an interface of that name",
        f"network {server.bridge}: it exists with type bridge, not macvlan",
    ):
        assert said in refused["msg"]
    foreign = have(server, https_address="192.0.2.77", fails=True)
    assert "192.0.2.77 is not an address of this machine" in foreign["msg"]
    other = {"name": "default", "driver": "dir", "source": str(tmp_path)}
    assert "it exists with source" in have(server, storage_pools=[other], fails=True)["msg"]
    clear = have(server, config={"core.trust_password": "hidden-word"}, fails=True)
    assert clear["code"] == "invalid" and "hidden-word" not in str(clear)
    assert differences(before, server.fingerprint_of_world()) == []
    assert server.api("GET", "/1.0")["config"]["core.https_address"] == server.address


def test_check_mode_where_no_lxd_is_says_what_the_real_run_would_do(site: Site, tmp_path: Path) -> None:
    said = {"url": f"unix:{tmp_path}/unix.socket", "storage_pools": [{"name": "default", "driver": "dir"}]}
    predicted = site.run_task("lxd_server", said, check=True)
    assert predicted["actions"] == ["create storage pool default"] and predicted["unverified"]
    real = site.run_task("lxd_server", said, fails=True)
    assert real["code"] == "unreachable"


def test_on_a_cluster_pools_are_made_on_all_members_and_finished_where_cut_short(
    cluster: Cluster, tmp_path: Path
) -> None:
    first = cluster.members[0]
    own = tmp_path / "own"
    names = [member["server_name"] for member in first.api("GET", "/1.0/cluster/members", query={"recursion": 1})]
    said = {
        "storage_pools": [
            {
                "name": "each",
                "driver": "dir",
                "members": {names[1]: {"source": str(own)}},
            }
        ]
    }
    # Begun and cut short, as a run that was killed leaves it.
    begun = {"name": "each", "driver": "dir"}
    first.api("POST", "/1.0/storage-pools", begun, query={"target": names[0]})
    try:
        failed = have(first, **said, fails=True)
        assert str(own) in failed["msg"], "a member without that directory made a pool of it"
        own.mkdir()
        assert have(first, **said)["actions"] == ["create storage pool each"]
        pool = first.api("GET", "/1.0/storage-pools/each")
        assert pool["status"] == "Created" and sorted(pool["locations"]) == sorted(names)
        source = first.api("GET", "/1.0/storage-pools/each", query={"target": names[1]})["config"]["source"]
        assert source == str(own)
        assert not have(first, **said)["changed"]
        assert (
            "members: nobody"
            in have(first, storage_pools=[{"name": "x", "driver": "dir", "members": {"nobody": {}}}], fails=True)["msg"]
        )
        limit = [{"name": "each", "driver": "dir", "config": {"rsync.bwlimit": "10MB"}}]
        assert have(first, storage_pools=limit)["actions"] == ["change storage pool each: rsync.bwlimit"]
        assert not have(first, storage_pools=limit)["changed"]
    finally:
        first.api("DELETE", "/1.0/storage-pools/each")


def test_on_a_cluster_a_pool_that_one_member_could_not_make_is_finished_and_no_disk_wiped_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    first = cluster.members[0]
    names = [member["server_name"] for member in first.api("GET", "/1.0/cluster/members", query={"recursion": 1})]
    here = first.api("GET", "/1.0")["environment"]["server_name"]
    other, *_rest = (name for name in names if name != here)
    late = tmp_path / "late"
    with contextlib.ExitStack() as disks:
        made = {name: disks.enter_context(disk(tmp_path / f"disk-{name}")) for name in names}
        members = {name: {"source": str(late) if name == other else device} for name, device in made.items()}
        said: dict[str, Any] = {
            "name": "disks",
            "driver": "btrfs",
            "description": "of each",
            "config": {"rsync.bwlimit": "10MB"},
            "members": members,
        }
        try:
            # The other's disk isn't there yet.
            failed = have(first, storage_pools=[said], fails=True)
            assert str(late) in failed["msg"], failed
            assert failed["actions"] == ["create storage pool disks: cut short"], failed
            here_now = first.api("GET", "/1.0/storage-pools/disks", query={"target": here})
            assert here_now["status"] == "Created", "there is nothing that a second wipe could take"
            before = content(made[here])
            late.symlink_to(made[other])
            said["config"]["rsync.bwlimit"] = "20MB"
            again = have(first, storage_pools=[{**said, "wipe": True}])
            assert again["actions"][0] == "create storage pool disks", again["actions"]
            assert content(made[here])[64 << 10 :][:64] == before[64 << 10 :][:64], "the disk here was made anew"
            pool = first.api("GET", "/1.0/storage-pools/disks")
            assert (pool["status"], pool["config"]["rsync.bwlimit"]) == ("Created", "20MB")
            quiet = have(first, storage_pools=[said])
            assert not quiet["changed"], quiet["actions"]

            other_pool = {"name": "thief", "driver": "btrfs", "wipe": True, "members": {here: {"source": made[here]}}}
            refused = have(first, storage_pools=[other_pool], fails=True)
            assert f"{made[here]}: it belongs to storage pool disks" in refused["msg"]
        finally:
            for each in ("disks", "thief"):
                with contextlib.suppress(ApiError):
                    first.api("DELETE", f"/1.0/storage-pools/{each}")


def test_on_a_cluster_a_network_that_one_member_could_not_make_is_finished(cluster: Cluster) -> None:
    first, second = cluster.members[:2]
    bridge = f"tn{os.getpid():x}"
    network: dict[str, Any] = {
        "name": bridge,
        "config": {"ipv4.address": "10.99.7.1/24", "ipv4.nat": "false", "ipv6.address": "none"},
    }
    # A link of that name stands in its way on one member alone.
    second.run(["ip", "link", "add", bridge, "type", "bridge"])
    try:
        failed = have(first, networks=[network], fails=True)
        assert failed["code"] == "operation_failed", failed
        assert first.api("GET", f"/1.0/networks/{bridge}")["status"] == "Errored"
        second.run(["ip", "link", "del", bridge])
        assert have(first, networks=[network])["actions"] == [f"create network {bridge}"]
        assert first.api("GET", f"/1.0/networks/{bridge}")["status"] == "Created"
        quiet = have(first, networks=[network])
        assert not quiet["changed"], quiet["actions"]
    finally:
        first.api("DELETE", f"/1.0/networks/{bridge}")
