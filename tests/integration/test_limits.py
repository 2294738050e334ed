# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is free is one figure everywhere; and what LXD let through beyond a project's limits is undone, or told."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.https import HttpsPort
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer

from tests.integration.tenancy import OVERCOMMITTED, OWNER, Tenant, create_confined_project
from tests.integration.test_traps import Bench, composed
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.relay import Relay
from tests.lxd.teardown import discard_project

GIB = 1 << 30
POOL = "storage pool default"


def bare(name: str, **more: Any) -> dict[str, Any]:
    """A VM without content that isn't started: the cheapest there is."""
    return {"name": name, "state": "present", "memory": "64MiB", "interfaces": [], **more}


# One figure


def configure(lxd: Daemon, project: str, **config: str | None) -> None:
    """Change the project's config as its admin."""
    found = lxd.api("GET", f"/1.0/projects/{project}")
    changed = {key: value for key, value in {**found["config"], **config}.items() if value}
    lxd.api("PUT", f"/1.0/projects/{project}", {"description": found["description"], "config": changed})


def free_in_pool(tenant: Tenant) -> int:
    """What lxd_vmhost_info shows as free."""
    row = tenant.site.run_task("lxd_vmhost_info", {})["vmhosts"][0]
    (pool,) = (each for each in row["resources"]["storage_pools"] if each["name"] == "default")
    return int(pool["free"])


def free_to_placement(tenant: Tenant, **said: Any) -> int:
    """What placement says that there is, to a VM that wants more than that."""
    options = {"vms": [bare("huge", disks=[{"size": "4EiB"}])], **said}
    refused = tenant.site.run_task("lxd_vm_compose", options, fails=True)
    assert refused["code"] == "no_room", refused
    return int(refused["hosts"][0]["free"][POOL])


def test_a_thin_volume_of_ours_is_no_more_free_to_placement_than_to_the_info_module(tenant: Tenant) -> None:
    configure(tenant.lxd, tenant.project, **{"user.tenantry.storage_overcommit": "1"})
    space = tenant.lxd.api("GET", "/1.0/storage-pools/default/resources")["space"]
    size = space["used"] + (space["total"] - space["used"]) // 2
    volume = {"name": "old-data", "type": "custom", "content_type": "block", "config": {"size": str(size)}}
    path = "/1.0/storage-pools/default/volumes/custom"
    tenant.lxd.api("POST", path, volume, query={"project": tenant.project})

    free = free_in_pool(tenant)
    assert free == space["total"] - size
    assert free_to_placement(tenant, vmhost=tenant.vmhost) == free, "a VM host that the task says"
    assert free_to_placement(tenant) == free, "a VM host that is chosen"
    fits, big = ([bare("new", disks=[{"size": f"{count}B"}])] for count in (free, free + 1))
    assert tenant.compose(fits, check=True)["actions"] == ["create VM new"]
    assert tenant.compose(big, fails=True)["code"] == "no_room"


def test_under_a_limit_what_lxd_counts_is_counted_everywhere(tenant: Tenant) -> None:
    configure(tenant.lxd, tenant.project, **{"limits.disk": "5GiB"})
    tenant.compose([bare("one", disks=[{"size": "1GiB"}])])
    counted = tenant.lxd.api("GET", f"/1.0/projects/{tenant.project}/state")["resources"]["disk"]["Usage"]
    assert counted > GIB, "LXD counts no more than the disk: this shows nothing"
    assert free_in_pool(tenant) == free_to_placement(tenant) == 5 * GIB - counted


# Beyond a limit


@dataclasses.dataclass(frozen=True)
class Held(Bench):
    """A project whose `limits.cpu` can be made lower than what is promised: what LXD's own race leads to."""

    def lower(self, cores: int = 6) -> None:
        """To less than what is promised, which LXD refuses to everybody who asks."""
        query = (
            f"UPDATE projects_config SET value='{cores}' WHERE key='limits.cpu' AND project_id="
            f"(SELECT id FROM projects WHERE name='{self.project}')"
        )
        self.lxd.api("POST", "/internal/sql", {"database": "global", "query": query})
        assert self.lxd.api("GET", f"/1.0/projects/{self.project}")["config"]["limits.cpu"] == str(cores)

    def compose(self, vm: dict[str, Any], **more: Any) -> dict[str, Any]:
        """One VM, by the module itself in this process."""
        defaults = {"disks": [{"storage_pool": "default"}]}
        return composed(more.pop("connection", self.connection()), self.project, [vm], defaults=defaults, **more)

    def make(self, name: str) -> None:
        """What another run of ours does: a VM of one core."""
        config = {"limits.cpu": "1", "limits.memory": "64MiB", "user.tenantry.owner": OWNER}
        body = {"name": name, "type": "virtual-machine", "source": {"type": "none"}, "config": config, "profiles": []}
        root = {"type": "disk", "path": "/", "pool": "default"}
        self.lxd.api("POST", "/1.0/instances", {**body, "devices": {"root": root}}, query={"project": self.project})

    def warned(self, result: dict[str, Any]) -> list[str]:
        """What a result warns of this project; warnings of earlier runs of this process are among them."""
        return [text for text in map(str, result.get("warnings") or ()) if f"project {self.project}: " in text]

    def volumes(self) -> list[str]:
        path, query = "/1.0/storage-pools/default/volumes/custom", {"project": self.project, "recursion": "1"}
        return [volume["name"] for volume in self.lxd.api("GET", path, query=query)]


@pytest.fixture
def held(lxd: Daemon, tmp_path: Path) -> Iterator[Held]:
    """A project under a limit, with a VM of 6 cores in it."""
    made = Held(lxd, f"held-{uuid.uuid4().hex[:8]}", tmp_path)
    try:
        create_confined_project(lxd, made.project, **OVERCOMMITTED, **{"limits.cpu": "100"})
        certificate, _key = new_client_certificate(tmp_path, "tenant")
        lxd.trust(certificate.read_text(), name=made.project, projects=[made.project])
        assert made.compose(bare("theirs", cores=6))["changed"]
        assert "user.tenantry.composing" not in made.instance("theirs")["config"], "a trace of the create"
        yield made
    finally:
        discard_project(lxd, made.project)


LATE = bare("late", cores=1, disks=[{"storage_pool": "default"}, {"name": "data", "size": "5MiB"}])
Before = Callable[[str, Sequence[str]], object]


def meddle(monkeypatch: pytest.MonkeyPatch, before: Before) -> None:
    """Have something happen before each request of the run."""
    call = HttpsPort.call

    def meddled(self: HttpsPort, method: str, path: Sequence[str], **rest: Any) -> Answer:
        before(method, path)
        return call(self, method, path, **rest)

    monkeypatch.setattr(HttpsPort, "call", meddled)


def lowering(held: Held, then: Before = lambda _method, _path: None) -> Before:
    """Another run was faster: the limit is full once LXD has let our create through, and before anybody looks again."""
    posted: list[bool] = []

    def before(method: str, path: Sequence[str]) -> None:
        if method == "POST" and tuple(path) == ("instances",):
            posted.append(True)
        elif posted and path[-1] == "state" and path[0] == "projects" and len(posted) == 1:
            posted.append(True)
            held.lower()
        then(method, path)

    return before


def test_what_came_too_late_is_taken_back_with_its_volumes(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    meddle(monkeypatch, lowering(held))
    result = held.compose(LATE)
    assert result.get("failed") and result["code"] == "no_room", result
    assert "limits.cpu is 6" in result["msg"], result["msg"]
    assert "deleted again: VM late, volume default/late-data" in result["msg"], result["msg"]
    assert held.names() == {"theirs"} and held.volumes() == []
    assert (result["changed"], result["actions"]) == (False, []), "told as made, and it is not there"


def test_what_somebody_started_meanwhile_is_left_and_told(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(method: str, path: Sequence[str]) -> None:
        if method == "DELETE" and tuple(path) == ("instances", "late"):
            body, query = {"action": "start", "timeout": 30}, {"project": held.project}
            held.lxd.api("PUT", "/1.0/instances/late/state", body, query=query)

    with monkeypatch.context() as patch:
        meddle(patch, lowering(held, start))
        result = held.compose({**LATE, "secure_boot": False, "memory": "160MiB"})
    assert result.get("failed") and result["code"] == "no_room", result
    assert "VM late could not be deleted again" in result["msg"] and "delete VM late" in result["hint"], result
    assert held.instance("late")["status"] == "Running"
    assert result["changed"] and result["actions"] == ["create volume default/late-data", "create VM late: cut short"]
    again = held.compose(bare("theirs"), _ansible_check_mode=True)
    (warning,) = held.warned(again)
    assert not again["changed"] and "limits.cpu is 6" in warning and "7 are allocated" in warning, warning


def test_a_lost_answer_while_taking_back_changes_nothing(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    with Relay(held.lxd.place.port) as relay:

        def lose(method: str, path: Sequence[str]) -> None:
            if method == "DELETE" and tuple(path) == ("instances", "late"):
                relay.lose_next_answer("cut")

        meddle(monkeypatch, lowering(held, lose))
        result = held.compose(LATE, connection=held.connection(urls=(relay.url,), timeout=3))
        assert relay.lost.is_set()
    assert result.get("failed") and result["code"] == "no_room" and "deleted again: VM late" in result["msg"], result
    assert held.names() == {"theirs"}


def test_ours_is_taken_back_though_the_answer_to_its_create_was_lost(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Relay(held.lxd.place.port) as relay:

        def lose(method: str, path: Sequence[str]) -> None:
            if method == "POST" and tuple(path) == ("instances",):
                relay.lose_next_answer("cut")

        meddle(monkeypatch, lowering(held, lose))
        result = held.compose(LATE, connection=held.connection(urls=(relay.url,), timeout=3))
        assert relay.lost.is_set()
    assert result.get("failed") and result["code"] == "no_room" and "deleted again: VM late" in result["msg"], result
    assert held.names() == {"theirs"} and held.volumes() == []


def test_what_another_run_of_ours_made_by_that_name_stays(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs: list[str] = []

    def faster(method: str, path: Sequence[str]) -> None:
        if method == "POST" and tuple(path) == ("instances",) and not theirs:
            held.make("late")
            held.lower()
            theirs.append(held.instance("late")["config"]["volatile.uuid"])
            raise errors.AnswerLost("the answer to a POST was lost", "run again")

    meddle(monkeypatch, faster)
    result = held.compose(bare("late", cores=1))
    assert theirs and held.instance("late")["config"]["volatile.uuid"] == theirs[0], result
    assert result.get("code") != "no_room", result


def test_growth_that_another_run_leaves_no_room_for_is_warned_of(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    held.compose(bare("small", cores=1))
    configure(held.lxd, held.project, **{"limits.cpu": "8"})
    sent: list[str] = []

    def before(method: str, _path: Sequence[str]) -> None:
        if "PUT" in sent and "other" not in held.names():
            configure(held.lxd, held.project, **{"limits.cpu": "100"})
            held.make("other")
            held.lower(8)
        sent.append(method)

    meddle(monkeypatch, before)
    result = held.compose(bare("small", cores=2))
    assert not result.get("failed") and result["actions"] == ["update VM small: limits.cpu"], result
    (warning,) = held.warned(result)
    assert "limits.cpu is 8" in warning and "9 are allocated" in warning, warning
    assert held.instance("small")["config"]["limits.cpu"] == "2"
