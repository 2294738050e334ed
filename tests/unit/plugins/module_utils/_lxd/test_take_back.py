# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Creates that LXD let through beyond a limit, and what goes wrong while they are undone: all of it is told."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import COMPOSING, OWNER, Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Request
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.apply import apply
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection

VOLUME = ("storage-pools", "default", "volumes", "custom", "vm-data")
LOST = errors.AnswerLost("one: the answer was lost")
BUSY = errors.OperationFailed("one: the disk is busy")
RUNS = errors.Invalid("one: Instance is running")


@dataclasses.dataclass
class Full:
    """A project under limits.cpu 10 where others have 6 cores since a moment, and how LXD answers in it.

    `trouble`: what a request, as "METHOD last/segments", meets before (or, with `done`, after) it is carried out.
    """

    trouble: dict[str, Exception] = dataclasses.field(default_factory=dict)
    done: frozenset[str] = frozenset()
    meanwhile: Callable[[Full], None] | None = None
    things: dict[tuple[str, ...], dict[str, Any]] = dataclasses.field(default_factory=dict)
    clock: int = 0

    def __post_init__(self) -> None:
        self.connection = Connection(("https://one",))
        self.server = Server.from_api({"api_extensions": ["project_usage"]})
        self.make("theirs", 6)
        self.things[VOLUME] = {"name": VOLUME[-1], "config": {OWNER: "us"}}

    def make(self, name: str, cores: int, **config: str) -> None:
        self.clock += 1
        marks = {OWNER: "us", "limits.cpu": str(cores), "volatile.apply_template": "create", **config}
        self.things["instances", name] = {
            "name": name,
            "type": "virtual-machine",
            "location": "none",
            "created_at": f"2026-11-21T16:00:00.{self.clock:03}Z",
            "config": marks,
            "expanded_config": marks,
        }

    def call(self, method: str, path: Any, *, body: Any = None, **_rest: Any) -> Answer:
        said = f"{method} {'/'.join(path[-2:])}"
        if said in self.trouble and said not in self.done:
            raise self.trouble[said]
        answer = getattr(self, f"_{method.lower()}")(tuple(path), body)
        if method == "POST" and self.meanwhile:
            self.meanwhile(self)
        if said in self.trouble:
            raise self.trouble[said]
        return Answer(copy.deepcopy(answer), "etag")

    def _get(self, path: tuple[str, ...], _body: Any) -> Any:
        if path[-1] == "state":
            used = sum(int(each["config"]["limits.cpu"]) for place, each in self.things.items() if len(place) == 2)
            return {"resources": {"cpu": {"Limit": 10, "Usage": used}}}
        if path == ("operations",):
            return {}
        if path == ("instances",):
            return [each for place, each in sorted(self.things.items()) if len(place) == 2]
        if path not in self.things:
            raise errors.NotFound("one: not found")
        return self.things[path]

    def _post(self, _path: tuple[str, ...], body: Any) -> None:
        if ("instances", body["name"]) in self.things:
            raise errors.Conflict("one: it exists")
        config = dict(body["config"])
        self.make(body["name"], int(config.pop("limits.cpu")), **config)

    def _patch(self, path: tuple[str, ...], body: Any) -> None:
        changed = {**self._get(path, None)["config"], **body["config"]}
        self.things[path]["config"] = {key: value for key, value in changed.items() if value}

    def _delete(self, path: tuple[str, ...], _body: Any) -> None:
        if path not in self.things:
            raise errors.NotFound("one: not found")
        del self.things[path]

    def close(self) -> None:
        """Nothing is open."""


def create(cores: int = 6, name: str = "vm") -> Request:
    undone = {"volume default/vm-data": Request("DELETE", VOLUME, "p")}
    body = {"name": name, "config": {OWNER: "us", "limits.cpu": str(cores)}}
    made = ("instances", name)
    return Request("POST", ("instances",), "p", body=body, creates=made, consumes={"cpu": cores}, rollback=undone)


def refused(port: Full, cores: int = 6) -> errors.RolledBack:
    with pytest.raises(errors.NoRoom) as caught:
        apply(port, create(cores), {})
    assert isinstance(caught.value, errors.RolledBack)
    return caught.value


def names(port: Full) -> set[str]:
    return {place[-1] for place in port.things}


def test_what_fits_stays() -> None:
    port = Full()
    apply(port, create(4), {})
    assert names(port) == {"theirs", "vm", "vm-data"}
    assert COMPOSING not in port.things["instances", "vm"]["config"], "a trace that says nothing to anybody"


def test_a_mark_that_can_not_be_taken_off_fails_nobody() -> None:
    port = Full({"PATCH instances/vm": BUSY})
    apply(port, create(4), {})
    assert "vm" in names(port)


def test_what_fits_stays_though_the_answer_was_lost() -> None:
    port = Full({"POST instances": LOST}, frozenset({"POST instances"}))
    with pytest.raises(errors.OutcomeUnknown):
        apply(port, create(4), {})
    assert COMPOSING not in port.things["instances", "vm"]["config"]


def test_what_was_too_late_goes_with_what_was_made_for_it() -> None:
    port = Full()
    told = refused(port)
    assert names(port) == {"theirs"}
    assert told.deleted == ("VM vm", "volume default/vm-data") and told.remaining == ()
    assert "limits.cpu is 10" in told.message and "deleted again: VM vm, volume default/vm-data" in told.message


@pytest.mark.parametrize("trouble", [LOST, BUSY, RUNS], ids=["lost", "busy", "somebody started it"])
def test_what_can_not_be_taken_back_is_told_and_never_planned_again(trouble: errors.TenantryError) -> None:
    port = Full({"DELETE instances/vm": trouble})
    told = refused(port)
    assert names(port) == {"theirs", "vm", "vm-data"}
    assert told.remaining == ("VM vm", "volume default/vm-data") and told.deleted == ()
    assert "could not be deleted again" in told.message and trouble.message in told.message and "VM vm" in told.hint


def test_a_lost_answer_to_a_delete_that_was_done_is_no_failure() -> None:
    port = Full({"DELETE instances/vm": LOST}, frozenset({"DELETE instances/vm"}))
    assert refused(port).deleted == ("VM vm", "volume default/vm-data")
    assert names(port) == {"theirs"}


def test_a_volume_that_stays_is_named() -> None:
    port = Full({"DELETE custom/vm-data": BUSY})
    told = refused(port)
    assert (told.deleted, told.remaining) == (("VM vm",), ("volume default/vm-data",))
    assert "volume default/vm-data could not be deleted" in told.message and BUSY.message in told.message


@pytest.mark.parametrize("which", ["GET p/state", "GET instances"])
@pytest.mark.parametrize("why", [BUSY, errors.Unreachable("one: no answer")], ids=["fails", "silent"])
def test_what_nobody_could_count_does_not_stay(which: str, why: errors.TenantryError) -> None:
    port = Full({which: why})
    told = refused(port)
    assert names(port) == {"theirs"} and told.deleted[0] == "VM vm"
    assert "could not be read" in told.message and why.message in told.message


def test_a_failing_count_does_not_hide_why_lxd_refused() -> None:
    port = Full({"POST instances": BUSY, "GET p/state": errors.OperationFailed("one: no count")})
    with pytest.raises(errors.OperationFailed, match="busy"):
        apply(port, create(), {})


def at(stamp: str, member: str) -> Full:
    """What others made at that time by their member's clock; ours is made at 16:00:00.002 by that of m2."""

    class Ours(Full):
        def make(self, name: str, cores: int, **config: str) -> None:
            super().make(name, cores, **config)
            self.things["instances", name]["location"] = "m2"

    port = Ours()
    port.things["instances", "theirs"].update(created_at=f"2026-11-21T{stamp}Z", location=member)
    return port


CLOCKS = [
    pytest.param("16:00:00.001", "m2", False, id="before, by the same clock"),
    pytest.param("16:00:00.003", "m2", True, id="after, by the same clock"),
    pytest.param("16:00:00.0021", "m2", True, id="after, and before as a text"),
    pytest.param("15:59:59", "m1", False, id="before, by another clock"),
    pytest.param("16:00:03", "m1", False, id="after, by a clock that may be ahead"),
    pytest.param("16:00:13", "m1", True, id="long after, whatever the clock"),
]


@pytest.mark.parametrize(("stamp", "member", "stays"), CLOCKS)
def test_of_two_members_whose_clocks_can_not_tell_neither_stays(stamp: str, member: str, stays: bool) -> None:
    port = at(stamp, member)
    if stays:
        apply(port, create(), {})
    else:
        refused(port)
    assert ("vm" in names(port)) == stays


# A create whose answer is lost


def test_ours_is_taken_back_though_its_answer_was_lost() -> None:
    port = Full({"POST instances": LOST}, frozenset({"POST instances"}))
    told = refused(port)
    assert names(port) == {"theirs"} and told.deleted[0] == "VM vm"


@pytest.mark.parametrize("owner", ["us", "them"])
def test_what_another_run_made_by_that_name_is_never_deleted(owner: str) -> None:
    """Our create was lost on its way; theirs was not, and it is whole, and beyond the limit by another's fault."""
    port = Full({"POST instances": LOST})
    port.make("vm", 6, **{OWNER: owner, COMPOSING: "7c0a5a0e-95a1-4e4f-9e0e-6f1f1d1f1a11"})
    with pytest.raises(errors.OutcomeUnknown):
        apply(port, create(), {})
    assert names(port) == {"theirs", "vm", "vm-data"}
