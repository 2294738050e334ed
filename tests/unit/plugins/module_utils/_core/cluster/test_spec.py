# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of clusters: what is refused before anything is written, and what is done in which order."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.cluster import address as cluster_address
from ansible_collections.tenantry.lxd.plugins.module_utils._core.cluster import evacuation as cluster_leaving
from ansible_collections.tenantry.lxd.plugins.module_utils._core.cluster import join_token
from ansible_collections.tenantry.lxd.plugins.module_utils._core.cluster import plan as cluster_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.cluster import spec as cluster
from ansible_collections.tenantry.lxd.plugins.module_utils._core.cluster.spec import ClusterMember, ClusterReading
from ansible_collections.tenantry.lxd.plugins.module_utils._core.errors import (
    Conflict,
    Invalid,
    NotFound,
    NotTrusted,
    TenantryError,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance, Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import KNOWN_AFTER_APPLY, Request, WipeDevice
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.block_devices import BlockDevice

FINGERPRINT = "ab" * 32
SECRET = "5e" * 32
LISTENING = Server.from_api({"config": {"core.https_address": "192.0.2.1:8443"}})
SILENT = Server.from_api({})
NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.timezone.utc)
NEWER = Server.from_api({"api_extensions": ["explicit_trust_token"]})
INCUS = Server.from_api({"environment": {"server": "incus"}})
M1, M2 = (
    ClusterMember("m1", "Online", "https://192.0.2.1:8443"),
    ClusterMember("m2", "Online", "https://192.0.2.2:8443"),
)
TWO = ClusterReading(LISTENING, "m1", "etag", (M1, M2))
ALONE = ClusterReading(SILENT, etag="etag")


def opened(name: str, minutes: int | None = None) -> join_token.OpenJoinToken:
    """A token that nobody has used, as LXD tells of it: with nanoseconds, and the zone that it runs in."""
    if minutes is None:
        return join_token.OpenJoinToken(name, "op", "0001-01-01T00:00:00Z")
    ends = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=1))) + datetime.timedelta(minutes=minutes)
    return join_token.OpenJoinToken(name, "op", ends.strftime("%Y-%m-%dT%H:%M:%S.123456789+01:00"))


def token(name: str = "m2") -> str:
    addresses = ["192.0.2.1:8443", "192.0.2.3:8443"]
    return join_token.text_of(
        {"serverName": name, "fingerprint": FINGERPRINT, "addresses": addresses, "secret": SECRET, "expiresAt": "x"}
    )


def want(fingerprint: str = FINGERPRINT, **said: Any) -> cluster.ClusterMemberSpec:
    return cluster.parse_member_spec({"name": "m2", "state": "present", **said}, fingerprint)


def joining(**said: Any) -> cluster.ClusterMemberSpec:
    return want(**{"address": "192.0.2.2", "token": token(), "cluster_certificate": "PEM", **said})


def steps(wanted: cluster.ClusterMemberSpec, found: ClusterReading) -> list[Any]:
    return [step for change in cluster_plan.plan_member(wanted, found, "here", NOW).changes for step in change.steps]


def said_by(wanted: cluster.ClusterMemberSpec, found: ClusterReading) -> list[str]:
    return [change.sentence for change in cluster_plan.plan_member(wanted, found, "here", NOW).changes]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": "-m2"}, "can't be a member's"),
        ({"name": "m/2"}, "can't be a member's"),
        ({"bootstrap": True}, "address: set where"),
        ({"bootstrap": True, "address": "[::]:8443"}, "every address of the host"),
        ({"bootstrap": True, "address": "0.0.0.0:8443"}, "every address of the host"),
        ({"bootstrap": True, "address": "kvm-01"}, "is no address to listen on"),
        ({"token": "nonsense", "address": "192.0.2.2"}, "no token to join"),
        ({"token": token("m3"), "address": "192.0.2.2", "cluster_certificate": "PEM"}, "lets 'm3' in"),
        ({"token": token(), "address": "192.0.2.2"}, "cluster_certificate: set"),
        ({"token": token(), "address": "192.0.2.2", "cluster_certificate": "PEM", "bootstrap": True}, "leave one"),
        ({"storage_pools": [{"name": "a"}]}, "driver is not set"),
    ],
)
def test_what_can_never_be_right_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        want(**said)
    assert SECRET not in str(refused.value)


def test_a_token_for_another_cluster_is_refused_before_it_is_sent() -> None:
    with pytest.raises(Invalid, match="isn't the certificate of the cluster"):
        joining(fingerprint="cd" * 32)


def test_the_text_of_a_token_is_in_no_view_of_it() -> None:
    wanted = joining()
    plan = cluster_plan.plan_member(wanted, ALONE, "here", NOW)
    for shown in (repr(wanted), repr(plan), str(plan.diff()), str(plan.changes[0].sentence)):
        assert SECRET not in shown and token() not in shown


def test_the_first_member_listens_and_begins() -> None:
    listen, enable = steps(want(bootstrap=True, address="192.0.2.2"), ALONE)
    both = {"cluster.https_address": "192.0.2.2:8443", "core.https_address": "192.0.2.2:8443"}
    assert (listen.method, listen.path, listen.body) == ("PATCH", (), {"config": both})
    assert (enable.method, enable.path, enable.etag) == ("PUT", ("cluster",), "etag")
    assert enable.body == {"server_name": "m2", "enabled": True}


def test_the_first_member_keeps_where_it_listens() -> None:
    everywhere = Server.from_api({"config": {"core.https_address": "[::]:8443"}})
    listen, _enable = steps(want(bootstrap=True, address="192.0.2.2"), ClusterReading(everywhere))
    assert listen.body == {"config": {"cluster.https_address": "192.0.2.2:8443"}}


@pytest.mark.parametrize(
    ("server", "key"), [(SILENT, "cluster_password"), (NEWER, "cluster_token"), (INCUS, "cluster_token")]
)
def test_one_that_joins_says_what_is_its_own(server: Server, key: str) -> None:
    pools = [
        {"name": "fast", "driver": "btrfs", "source": "/dev/vdb", "members": {"m2": {"source": "/dev/vdc"}}},
        {"name": "plain", "driver": "dir", "config": {"rsync.bwlimit": "1MiB"}},
    ]
    (join,) = steps(joining(storage_pools=pools), dataclasses.replace(ALONE, server=server))
    assert join.body["member_config"] == [
        {"entity": "storage-pool", "name": "fast", "key": "source", "value": "/dev/vdc"}
    ]
    assert (join.body["cluster_address"], join.body["server_address"]) == ("192.0.2.1:8443", "192.0.2.2:8443")
    assert join.body[key] == token()


def test_one_that_joins_asks_a_member_that_it_reaches() -> None:
    (join,) = steps(joining(), dataclasses.replace(ALONE, door="192.0.2.3:8443"))
    assert join.body["cluster_address"] == "192.0.2.3:8443"


def test_one_that_joins_takes_no_disk_with_data_unless_that_is_said() -> None:
    full = dataclasses.replace(ALONE, devices={"/dev/vdb": BlockDevice("/dev/vdb", signatures=("ext4 filesystem",))})
    pool = {"name": "fast", "driver": "btrfs", "source": "/dev/vdb"}
    with pytest.raises(Conflict, match="it holds data: ext4"):
        steps(joining(storage_pools=[pool]), full)
    wipe, join = steps(joining(storage_pools=[{**pool, "wipe": True}]), full)
    assert isinstance(wipe, WipeDevice) and isinstance(join, Request)


@pytest.mark.parametrize(
    ("wanted", "found", "kind", "words"),
    [
        (joining(), dataclasses.replace(ALONE, holds=("storage pool data",)), Conflict, "loses what it holds"),
        (want(), ALONE, Invalid, "neither bootstrap nor token is set"),
        (want(), TWO, Conflict, "is the member m1 of a cluster"),
        (want(state="invited"), ALONE, Conflict, "is in no cluster"),
        (want(name="m1", state="absent"), TWO, Conflict, "run this on m2|doesn't remove itself"),
        (want(state="absent"), dataclasses.replace(TWO, left=("volume a/default/b",)), Conflict, "volume a/default/b"),
        (
            want(state="absent"),
            dataclasses.replace(TWO, members=(M1, dataclasses.replace(M2, status="Offline"))),
            NotFound,
            "doesn't answer",
        ),
    ],
)
def test_what_would_lose_something_is_refused(
    wanted: cluster.ClusterMemberSpec, found: ClusterReading, kind: type[TenantryError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        cluster_plan.plan_member(wanted, found, "here", NOW)


@pytest.mark.parametrize(
    ("wanted", "found", "sentences"),
    [
        (want(), dataclasses.replace(TWO, here="m2"), []),
        (joining(), dataclasses.replace(TWO, here="m2"), []),
        (want(state="invited"), TWO, []),
        (want(name="m3", state="invited"), TWO, ["make join token for m3"]),
        (want(name="m3", state="invited"), dataclasses.replace(TWO, tokens=(opened("m3"),)), []),
        (
            want(name="m3", state="invited"),
            dataclasses.replace(TWO, tokens=(opened("m3", 9), opened("m4", 9))),
            ["cancel join token for m3", "make join token for m3"],
        ),
        (want(name="m3", state="invited"), dataclasses.replace(TWO, tokens=(opened("m3", 11),)), []),
        (want(state="uninvited"), TWO, []),
        (
            want(state="uninvited"),
            dataclasses.replace(TWO, tokens=(opened("m2"), opened("m3"))),
            ["cancel join token for m2"],
        ),
        (want(name="m3", state="absent"), TWO, []),
        (want(state="absent"), TWO, ["evacuate member m2", "remove member m2"]),
        (
            want(state="absent"),
            dataclasses.replace(TWO, members=(M1, dataclasses.replace(M2, status="Evacuated"))),
            ["remove member m2"],
        ),
        (
            want(state="absent", force=True),
            dataclasses.replace(TWO, members=(M1, dataclasses.replace(M2, status="Offline")), left=("instance a/b",)),
            ["remove dead member m2"],
        ),
    ],
)
def test_each_state_is_reached_once(
    wanted: cluster.ClusterMemberSpec, found: ClusterReading, sentences: list[str]
) -> None:
    assert said_by(wanted, found) == sentences


def test_only_a_dead_member_is_forced() -> None:
    for status, params in (("Online", {}), ("Offline", {"force": "1"})):
        found = dataclasses.replace(TWO, members=(M1, dataclasses.replace(M2, status=status)))
        assert steps(want(state="absent", force=True), found)[-1].params == params


def test_a_token_that_comes_later_is_planned_with() -> None:
    wanted = want(token=KNOWN_AFTER_APPLY, address="192.0.2.2", fingerprint="")
    assert said_by(wanted, ALONE) == ["join cluster as m2"]


def test_a_token_is_read_as_it_was_written() -> None:
    read = join_token.parse(f" {token()}\n")
    assert (read.server_name, read.fingerprint, read.addresses[0]) == ("m2", FINGERPRINT, "192.0.2.1:8443")
    assert SECRET not in repr(read)


@pytest.mark.parametrize(
    ("said", "came_in_by", "where"),
    [
        ("192.0.2.2", "", ("192.0.2.2", 8443)),
        ("192.0.2.2:9443", "192.0.2.9", ("192.0.2.2", 9443)),
        (":9443", "192.0.2.9", ("192.0.2.9", 9443)),
        (":8443", "2001:db8::9", ("2001:db8::9", 8443)),
    ],
)
def test_a_port_alone_is_at_the_address_that_we_came_in_by(said: str, came_in_by: str, where: tuple[str, int]) -> None:
    assert cluster_address.complete_address(said, "cluster_address", came_in_by) == where


@pytest.mark.parametrize(
    ("said", "came_in_by", "words"),
    [
        (":8443", "", "doesn't show by which address"),
        ("[::]:8443", "192.0.2.9", "every address of the host"),
        ("kvm-01.example.com:8443", "192.0.2.9", "is no address to listen on"),
    ],
)
def test_members_are_told_no_address_that_leads_nowhere(said: str, came_in_by: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        cluster_address.complete_address(said, "cluster_address", came_in_by)


def test_a_time_that_nobody_can_read_is_no_time() -> None:
    assert not join_token.OpenJoinToken("m2", "op", "soon").lasts(NOW)


def test_a_token_that_the_server_keeps_to_itself_is_an_error_with_words() -> None:
    with pytest.raises(NotTrusted, match="without its content"):
        join_token.text_of({"serverName": "m2", "fingerprint": FINGERPRINT, "addresses": ["192.0.2.1:8443"]})


ROOT_DISK = {"root": {"type": "disk", "path": "/", "pool": "local"}}


@pytest.mark.parametrize(
    ("policy", "devices", "why"),
    [
        (None, {}, ""),
        ("auto", {"eth0": {"type": "nic", "network": "lxdbr0"}}, ""),
        ("auto", {"tpm": {"type": "tpm"}, "data": {"type": "disk", "pool": "ceph", "source": "data"}}, ""),
        ("auto", {"data": {"type": "disk", "pool": "local", "source": "data"}}, "device data"),
        ("", {"host": {"type": "disk", "path": "/mnt", "source": "/srv"}}, "device host"),
        (None, {"gpu": {"type": "gpu"}, "stick": {"type": "usb"}}, "device gpu, stick"),
        (None, {"eth0": {"type": "nic", "nictype": "bridged", "parent": "br0"}}, "device eth0"),
        ("migrate", {"gpu": {"type": "gpu"}}, ""),
        ("live-migrate", {"gpu": {"type": "gpu"}}, ""),
        ("stop", {}, "cluster.evacuate: stop"),
        ("stateful-stop", {}, "cluster.evacuate: stateful-stop"),
        ("force-stop", {}, "cluster.evacuate: force-stop"),
    ],
)
def test_what_an_evacuation_leaves_behind(policy: str | None, devices: dict[str, Any], why: str) -> None:
    config = {} if policy is None else {"cluster.evacuate": policy}
    body = {"name": "web-1", "expanded_config": config, "expanded_devices": {**ROOT_DISK, **devices}}
    assert cluster_leaving.stays(Instance.from_api(body), {"ceph"}) == why
