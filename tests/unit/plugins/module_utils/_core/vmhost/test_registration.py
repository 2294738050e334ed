# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM host's registration: what is kept, what is refused, and who may change which limit."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import (
    Instance,
    Machine,
    Network,
    Project,
    Resources,
    Server,
    StoragePool,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Later, MoveFile, WriteFile
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import files as vmhost_files
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import registration as vmhost
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost.found import VmHostState

ENTRY = {"name": "kvm-01", "url": "https://h:8443", "project": "p", "owner": "us"}
MARK = "user.tenantry.cpu_overcommit"
MEMORY_MARK = "user.tenantry.memory_overcommit"


def server(**fields: Any) -> Server:
    return dataclasses.replace(
        Server.from_api({}), extensions=frozenset(vmhost.NEEDED), drivers=("lxc", "qemu"), **fields
    )


def found(admin: bool = False, vms: int = 0, **config: str) -> VmHostState:
    config = {key.replace("__", "."): value for key, value in config.items()}
    instances = tuple(
        Instance.from_api(
            {
                "name": f"vm-{n}",
                "type": "virtual-machine",
                "expanded_config": {"limits.cpu": "1", "limits.memory": "1GiB"},
            }
        )
        for n in range(vms)
    )
    body = {"cpu": {"total": 4}, "memory": {"total": 8 << 30}}
    return VmHostState(
        server(),
        Project("p", "said", {"user.tenantry.owner": "us", "features.images": "true", **config}, (), "etag"),
        instances,
        machines=(Machine("none", Resources.from_api(body)),),
        pools=(StoragePool("default", "dir", "Created"),),
        networks=(Network("br0", "bridge", True, {}), Network("eth0", "physical", False, {})),
        admin=admin,
    )


def wanted(
    before: dict[str, Any] | None = None, enforce: tuple[str, ...] = (), writes: bool = True, **said: Any
) -> vmhost.RegistrationSpec:
    after = vmhost.merge_entry("kvm-01", before if before is not None else ENTRY, said, [])
    return vmhost.RegistrationSpec("kvm-01", before, after, vmhost.said_keys(said), frozenset(enforce), writes)


MERGED = [
    pytest.param(ENTRY, {}, [], ENTRY, id="nothing said"),
    pytest.param(ENTRY, {"zone": "a"}, [], {**ENTRY, "zone": "a"}, id="said"),
    pytest.param({**ENTRY, "zone": "a", "tags": ["x"]}, {"zone": "", "tags": []}, [], ENTRY, id="emptied"),
    pytest.param({**ENTRY, "zone": "a"}, {"pool": "b"}, [], {**ENTRY, "zone": "a", "pool": "b"}, id="kept"),
    pytest.param(
        ENTRY, {}, ["https://a:1"], {k: v for k, v in ENTRY.items() if k != "url"} | {"urls": ["https://a:1"]}, id="url"
    ),
    pytest.param(
        None, {"project": "p", "owner": "us"}, [], {"name": "kvm-01", "project": "p", "owner": "us"}, id="new"
    ),
]


@pytest.mark.parametrize(("before", "params", "urls", "after"), MERGED)
def test_what_is_said_goes_over_what_is_there(before: Any, params: Any, urls: Any, after: Any) -> None:
    assert vmhost.merge_entry("kvm-01", before, params, urls) == after


@pytest.mark.parametrize("params", [{"owner": "us"}, {"project": "p"}, {"project": "", "owner": "us"}, {}])
def test_project_and_owner_have_no_default(params: dict[str, str]) -> None:
    with pytest.raises(errors.Invalid, match=r"kvm-01: (project|owner)"):
        vmhost.merge_entry("kvm-01", None, params, ["https://a:1"])


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (None, ENTRY, False),
        (ENTRY, dict(ENTRY), True),
        ({**ENTRY, "tags": ["a", "b"]}, {**ENTRY, "tags": ["b", "a"]}, True),
        ({**ENTRY, "tags": ["a"]}, ENTRY, False),
        (ENTRY, {**ENTRY, "zone": "z"}, False),
    ],
)
def test_entries_are_compared_by_what_they_mean(before: Any, after: Any, same: bool) -> None:
    assert vmhost.same_entry(before, after) is same


def test_a_server_that_can_run_no_vms_is_refused() -> None:
    vmhost.check_server("h", server())
    with pytest.raises(errors.Unsupported, match="can't run virtual machines"):
        vmhost.check_server("h", dataclasses.replace(server(), drivers=("lxc",)))


@pytest.mark.parametrize("extension", vmhost.NEEDED)
def test_a_server_without_an_extension_is_refused_by_its_name(extension: str) -> None:
    with pytest.raises(errors.Unsupported, match=extension):
        vmhost.check_server("h", dataclasses.replace(server(), extensions=frozenset(vmhost.NEEDED) - {extension}))


@pytest.mark.parametrize(("mark", "said"), [("others", "belongs to others"), ("", "no owner's mark")])
def test_a_project_that_is_not_ours_is_refused(mark: str, said: str) -> None:
    with pytest.raises(errors.NotOwned, match=said):
        vmhost.plan_registration(wanted(), found(user__tenantry__owner=mark), ())


PLACES = [
    pytest.param({"default_storage_pool": "default"}, {}, "", id="pool"),
    pytest.param({"default_storage_pool": "gone"}, {}, "no storage pool gone", id="no such pool"),
    pytest.param(
        {"default_storage_pool": "default"}, {"restricted__storage-pools__access": "x"}, "no storage", id="hidden"
    ),
    pytest.param({"default_network": "br0"}, {}, "", id="network"),
    pytest.param({"default_network": "eth0"}, {}, "no network eth0", id="unmanaged"),
    pytest.param(
        {"default_network": "br0"},
        {"restricted": "true", "restricted__networks__access": "br1"},
        "no network",
        id="out of reach",
    ),
    pytest.param(
        {"default_network": "br0"},
        {"restricted": "true", "restricted__devices__nic": "block"},
        "no network",
        id="blocked",
    ),
    pytest.param({"default_network": ""}, {}, "", id="taken out"),
]


@pytest.mark.parametrize(("said", "config", "refusal"), PLACES)
def test_defaults_must_be_of_use_to_the_project(said: dict[str, str], config: dict[str, str], refusal: str) -> None:
    if not refusal:
        assert vmhost.plan_registration(wanted(ENTRY, **said), found(**config), ()).pending == ()
        return
    with pytest.raises(errors.NotFound, match=refusal):
        vmhost.plan_registration(wanted(ENTRY, **said), found(**config), ())


def test_a_default_that_nobody_says_is_not_looked_for() -> None:
    kept = {**ENTRY, "default_storage_pool": "gone"}
    assert not vmhost.plan_registration(wanted(kept), found(), ()).plan.changed


RATIOS = [
    pytest.param({}, {}, (), None, None, id="nothing enforced, nothing said"),
    pytest.param({"cpu_overcommit": "2"}, {}, (), None, {MARK: "2"}, id="said"),
    pytest.param(
        {"cpu_overcommit": "2"},
        {"limits__cpu": "4", "user__tenantry__cpu_overcommit": "1"},
        (),
        [("limits.cpu", "4", "8"), (MARK, "1", "2")],
        {"limits.cpu": "8", MARK: "2"},
        id="enforced with a mark",
    ),
    pytest.param(
        {"cpu_overcommit": "2"},
        {"limits__cpu": "4"},
        (),
        [("limits.cpu", "4", "8"), (MARK, None, "2")],
        {"limits.cpu": "8", MARK: "2"},
        id="without one",
    ),
    pytest.param({"cpu_overcommit": "2"}, {"limits__cpu": "8"}, (), None, {MARK: "2"}, id="a limit that says the same"),
    pytest.param(
        {"cpu_overcommit": "2"},
        {"user__tenantry__cpu_overcommit": "1"},
        (),
        [(MARK, "1", "2")],
        {MARK: "2"},
        id="a mark alone",
    ),
    pytest.param({"zone": "z"}, {"limits__cpu": "3"}, (), None, {}, id="unsaid is left alone"),
    pytest.param(
        {"memory_overcommit": "0.5"},
        {"limits__memory": "8GiB"},
        (),
        [("limits.memory", "8GiB", "4GiB"), (MEMORY_MARK, None, "0.5")],
        {"limits.memory": "4GiB", MEMORY_MARK: "0.5"},
        id="memory",
    ),
    pytest.param(
        {"memory_overcommit": "1"}, {"limits__memory": "8192MiB"}, (), None, {MEMORY_MARK: "1"}, id="the same size"
    ),
    pytest.param(
        {},
        {},
        ("cpu",),
        [("limits.cpu", None, "4"), (MARK, None, "1")],
        {"limits.cpu": "4", MARK: "1"},
        id="enforce from now on",
    ),
    pytest.param(
        {"cpu_overcommit": "1.4"},
        {},
        ("cpu",),
        [("limits.cpu", None, "5"), (MARK, None, "1.4")],
        {"limits.cpu": "5", MARK: "1.4"},
        id="rounded down",
    ),
]


@pytest.mark.parametrize(("said", "config", "enforce", "pending", "written"), RATIOS)
def test_who_may_change_a_ratio(said: Any, config: Any, enforce: Any, pending: Any, written: Any) -> None:
    file = vmhost_files.entry("kvm-01", "/r/kvm-01", ENTRY, {**ENTRY, "zone": "z"}, "text")
    ours = vmhost.plan_registration(wanted(ENTRY, enforce, **said), found(**config), [file])
    told = [(each["limit"], each["in_force"], each["wanted"]) for each in ours.pending]
    assert told == sorted(pending or [])
    assert ours.plan.changes == (() if pending else (file,)), "with something pending nothing at all is changed"
    assert bool(ours.plan.warnings) == bool(pending)

    admins = vmhost.plan_registration(wanted(ENTRY, enforce, **said), found(admin=True, **config), [file])
    assert admins.pending == ()
    assert admins.plan.changes[-1] == file, "the entry is the last"
    if not written:
        assert admins.plan.changes == (file,)
        return
    (put,) = admins.plan.changes[0].steps
    before = found(**config).project
    assert before is not None and (put.method, put.path, put.etag) == ("PUT", ("projects", "p"), "etag")
    assert put.body == {"description": "said", "config": {**before.config, **written}}


def test_on_another_machine_only_lxd_is_written() -> None:
    file = vmhost_files.entry("kvm-01", "/r/kvm-01", None, ENTRY, "text")
    decision = vmhost.plan_registration(wanted(ENTRY, writes=False, cpu_overcommit="2"), found(admin=True), [file])
    assert [change.kind for change in decision.plan.changes] == ["project"]


ROOM = [
    pytest.param({"cpu_overcommit": "1"}, {}, ENTRY, 5, "5 cores are allocated", id="below what is in use"),
    pytest.param({"cpu_overcommit": "1.25"}, {}, ENTRY, 5, "", id="exactly what is in use"),
    pytest.param({"memory_overcommit": "0.5"}, {}, ENTRY, 5, "5.00 GiB are allocated", id="memory"),
    pytest.param({"cpu_overcommit": "1"}, {}, {**ENTRY, "cpu_overcommit": "1"}, 5, "", id="as it was"),
    pytest.param({}, {}, ENTRY, 5, "", id="unsaid"),
    pytest.param(
        {"cpu_overcommit": "1"},
        {"limits__cpu": "9"},
        {**ENTRY, "cpu_overcommit": "1"},
        5,
        "5 cores are allocated",
        id="as it was, but the limit sinks",
    ),
]


@pytest.mark.parametrize(("said", "config", "before", "vms", "refusal"), ROOM)
@pytest.mark.parametrize("admin", [True, False])
def test_a_ratio_below_what_is_in_use_has_no_room(
    said: Any, config: Any, before: Any, vms: int, refusal: str, admin: bool
) -> None:
    if not refusal:
        vmhost.plan_registration(wanted(before, **said), found(admin, vms, **config), ())
        return
    with pytest.raises(errors.NoRoom, match=refusal) as refused:
        vmhost.plan_registration(wanted(before, **said), found(admin, vms, **config), ())
    assert refused.value.details["promised"] in (5, 5 << 30)


def test_a_limit_for_a_cluster_with_a_member_down_is_nobodys_guess() -> None:
    down = dataclasses.replace(found(admin=True, limits__cpu="4"), machines=(Machine("a", None),))
    with pytest.raises(errors.Unreachable, match="member"):
        vmhost.plan_registration(wanted(ENTRY, cpu_overcommit="2"), down, ())


def test_an_unread_project_is_predicted_as_if_nothing_were_there() -> None:
    nothing = VmHostState(Server.from_api({}))
    file = vmhost_files.entry("kvm-01", "/r/kvm-01", None, ENTRY, "text")
    said = {"cpu_overcommit": "2", "default_storage_pool": "x"}
    decision = vmhost.plan_registration(wanted(ENTRY, **said), nothing, [file])
    assert decision.plan.changes == (file,) and decision.pending == ()


def test_a_project_missing_and_one_forbidden_say_what_to_do() -> None:
    assert vmhost.project_not_found_error("h", "p").code == "not_found"
    hidden = vmhost.project_not_found_error("h", "p", errors.NotTrusted("x"))
    assert hidden.code == "not_trusted" and "lxd_project" in hidden.hint


# Files


def test_a_pair_is_whole_beside_the_present_one_before_it_takes_its_place() -> None:
    (change,) = vmhost_files.pair("h", "/r/h", "old", "new", "PEM", "KEY")
    key, certificate, move_key, move_certificate = change.steps
    assert key == WriteFile("/r/h/client.key.next", "KEY", 0o600) and certificate.path == "/r/h/client.crt.next"
    assert move_key == MoveFile("/r/h/client.key.next", "/r/h/client.key") and move_certificate.to == "/r/h/client.crt"
    assert (change.before, change.after) == ({"fingerprint": "old"}, {"fingerprint": "new"})
    assert "KEY" not in repr(change), "a key is shown"


def test_the_server_certificate_is_written_only_when_it_differs() -> None:
    assert vmhost_files.server_certificate("h", "/r/h", "same", "same", "PEM") == []
    (change,) = vmhost_files.server_certificate("h", "/r/h", None, "new", Later("server.certificate"))
    assert change.before is None and change.after == {"fingerprint": "new"}


def test_what_goes_goes_behind_the_entry() -> None:
    changes = vmhost_files.plan_removal("h", "/r/h", ENTRY, ["server.crt", "client.key"], "g")
    assert [change.sentence for change in changes] == [
        "unregister VM host h",
        "remove files of VM host h: client.key, server.crt",
    ]
    assert vmhost_files.plan_removal("h", "/r/h", None, [], "g") == []


def test_the_gitignore_is_written_where_it_lacks_something() -> None:
    assert vmhost_files.git_ignore("/r/.gitignore", "a", "a") == []
    assert vmhost_files.git_ignore("/r/.gitignore", "", "a")[0].before is None
