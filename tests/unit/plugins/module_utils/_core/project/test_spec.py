# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project's plan: missing, same, drift, adopted, somebody else's, absent; and every refusal before a write."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import (
    OWNER,
    Image,
    Instance,
    Network,
    Project,
    Server,
    StoragePool,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project import plan as project_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project import view as project_view
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project.keys import to_lxd_name
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project.reading import ProjectReading
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project.spec import ProjectSpec, parse_project_spec

OLD = ("projects", "projects_restrictions", "projects_networks", "projects_networks_restricted_access")
NEW = (*OLD, "projects_networks_zones", "storage_buckets")
OFF = {f"features.{name}": "false" for name in ("images", "profiles", "storage.volumes", "networks")}
MINE = {OWNER: "us"}
SHARED = {**OFF, **MINE}
CONFINED = {
    **MINE,
    "features.images": "true",
    "features.profiles": "true",
    "features.storage.volumes": "true",
    "features.networks": "false",
    "restricted": "true",
    "restricted.devices.nic": "block",
}
REACHING = {
    **{key: value for key, value in CONFINED.items() if not key.endswith("nic")},
    "restricted.networks.access": "br0",
}
BRIDGED = {**REACHING, "features.networks": "true", "restricted.devices.nic": "allow"}
PUT = ("PUT", ("projects", "p"))
PROFILE = "/1.0/profiles/default?project=p"
EMPTY: dict[str, Any] = {"name": "default", "description": "d", "config": {}, "devices": {}}


def wanted(**said: Any) -> ProjectSpec:
    return parse_project_spec({"name": "p", **said}, "us")


def found(
    config: dict[str, str] | None = None,
    *,
    used_by: tuple[str, ...] = (PROFILE,),
    extensions: tuple[str, ...] = OLD,
    profile: dict[str, Any] | None = None,
    **read: Any,
) -> ProjectReading:
    there = None if config is None else Project("p", "", config, used_by, "etag-p")
    own = (profile or EMPTY, "etag-d") if there and there.has_own("profiles") else None
    read.setdefault("networks", tuple(Network(name, "bridge", True, {}) for name in ("br0", "br1")))
    read.setdefault("pools", (StoragePool("fast", "dir", "Created"),))
    return ProjectReading(Server.from_api({"api_extensions": list(extensions)}), there, own, **read)


def planned(want_it: ProjectSpec, there: ProjectReading) -> Plan:
    project_plan.find_reading_needs(want_it, there)
    return project_plan.plan_project(want_it, there, "kvm-01")


def config_after(plan: Plan) -> dict[str, str]:
    after = plan.changes[0].after
    assert after is not None
    return dict(after["config"])


# What is said, the server's extensions, and the config of a project that wasn't there.
CREATED: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, str]]] = {
    "nothing said": ({}, OLD, SHARED),
    "shared": ({"isolation": "shared"}, OLD, SHARED),
    "shared, newer server": (
        {},
        NEW,
        {**SHARED, "features.networks.zones": "false", "features.storage.buckets": "false"},
    ),
    "shared but one": ({"features": {"storage_volumes": "yes"}}, OLD, {**SHARED, "features.storage.volumes": "true"}),
    "a feature off that the server lacks": ({"features": {"storage_buckets": False}}, OLD, SHARED),
    "a feature of a newer LXD": ({"features": {"time.travel": True}}, OLD, {**SHARED, "features.time.travel": "true"}),
    "confined": ({"isolation": "confined"}, OLD, CONFINED),
    "confined, newer server": (
        {"isolation": "confined"},
        NEW,
        {**CONFINED, "features.networks.zones": "true", "features.storage.buckets": "true"},
    ),
    "confined with networks": ({"isolation": "confined", "networks": ["br0"]}, OLD, REACHING),
    "confined with bridges": ({"isolation": "confined", "bridges": ["br0"]}, OLD, BRIDGED),
    "opened": (
        {"isolation": "confined", "restrictions": {"virtual_machines_lowlevel": "allow", "devices.usb": "allow"}},
        OLD,
        {**CONFINED, "restricted.virtual-machines.lowlevel": "allow", "restricted.devices.usb": "allow"},
    ),
    "limits": (
        {"limits": {"cpu": 4, "memory": "8GiB", "virtual_machines": 3, "disk": None}},
        OLD,
        {**SHARED, "limits.cpu": "4", "limits.memory": "8GiB", "limits.virtual-machines": "3"},
    ),
    "config": (
        {"config": {"user.team": "red", "limits.cpu": 2}},
        OLD,
        {**SHARED, "user.team": "red", "limits.cpu": "2"},
    ),
}


@pytest.mark.parametrize(("said", "extensions", "config"), CREATED.values(), ids=CREATED.keys())
def test_created(said: dict[str, Any], extensions: tuple[str, ...], config: dict[str, str]) -> None:
    plan = planned(wanted(**said), found(None, extensions=extensions))
    assert [change.sentence for change in plan.changes] == ["create project p"]
    (step,) = plan.changes[0].steps
    assert step.body == {"name": "p", "description": "", "config": config}  # type: ignore[union-attr]
    # What was made is right: nothing more to do.
    assert not planned(wanted(**said), found(config, extensions=extensions)).changed


# What is there, what is said of it, and the keys that change (None: go).
CHANGED: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, str | None]]] = {
    "features drifted": ({**SHARED, "features.images": "true"}, {"isolation": "shared"}, {"features.images": "false"}),
    "unset is off": ({**MINE}, {"isolation": "shared"}, {}),
    "unsaid is kept": ({**SHARED, "features.images": "true", "limits.cpu": "4"}, {}, {}),
    "same by value": (
        {**SHARED, "limits.memory": "2147483648"},
        {"limits": {"memory": "2GiB"}},
        {},
    ),
    "a limit beside the rest": (REACHING, {"limits": {"cpu": 2}}, {"limits.cpu": "2"}),
    "a limit goes": ({**SHARED, "limits.cpu": "4"}, {"limits": {"cpu": None}}, {"limits.cpu": None}),
    "empty is gone": ({**SHARED, "user.x": "1"}, {"config": {"user.x": ""}}, {"user.x": None}),
    "unrestricted by hand": (
        {**REACHING, "restricted": "false"},
        {"isolation": "confined", "networks": ["br0"]},
        {"restricted": "true"},
    ),
    "networks kept": (REACHING, {"isolation": "confined"}, {}),
    "bridges kept": (BRIDGED, {"isolation": "confined"}, {}),
    "bridges again": (BRIDGED, {"isolation": "confined", "bridges": ["br0"]}, {}),
    "bridges instead of networks": (
        REACHING,
        {"bridges": ["br0"]},
        {"features.networks": "true", "restricted.devices.nic": "allow"},
    ),
    "networks instead of bridges": (
        BRIDGED,
        {"isolation": "confined", "networks": ["br0"]},
        {"features.networks": "false", "restricted.devices.nic": None},
    ),
    "networks in another order": (
        {**REACHING, "restricted.networks.access": "br1,br0"},
        {"networks": ["br0", "br1"]},
        {},
    ),
    "networks taken away": (
        REACHING,
        {"networks": []},
        {"restricted.networks.access": None, "restricted.devices.nic": "block"},
    ),
    "networks given": (
        CONFINED,
        {"networks": ["br0"]},
        {"restricted.networks.access": "br0", "restricted.devices.nic": None},
    ),
    "confined anew": (
        SHARED,
        {"isolation": "confined"},
        {key: value for key, value in CONFINED.items() if SHARED.get(key) != value},
    ),
    "shared anew": (
        CONFINED,
        {"isolation": "shared"},
        {
            "features.images": "false",
            "features.profiles": "false",
            "features.storage.volumes": "false",
            "restricted": None,
            "restricted.devices.nic": None,
        },
    ),
}


@pytest.mark.parametrize(("there", "said", "keys"), CHANGED.values(), ids=CHANGED.keys())
def test_changed(there: dict[str, str], said: dict[str, Any], keys: dict[str, str | None]) -> None:
    plan = planned(wanted(**said), found(there))
    expected = {key: value for key, value in {**there, **keys}.items() if value is not None}
    if not keys:
        assert plan.changes == ()
        return
    (change,) = plan.changes
    assert [(step.method, step.path) for step in change.steps] in ([PUT], [PUT, PUT])  # type: ignore[union-attr]
    assert change.steps[0].etag == "etag-p"  # type: ignore[union-attr]
    assert change.steps[-1].body == {"description": "", "config": expected}  # type: ignore[union-attr]


def test_a_project_gets_its_own_profiles_before_its_restrictions() -> None:
    (change,) = planned(wanted(isolation="confined"), found(SHARED)).changes
    first, second = change.steps
    features = {key: value for key, value in CONFINED.items() if key.startswith(("features.", "user."))}
    assert first.body["config"] == features  # type: ignore[union-attr]
    assert second.expect == first.body  # type: ignore[union-attr]
    assert second.etag is None  # type: ignore[union-attr]


def test_a_description_alone_is_a_change() -> None:
    (change,) = planned(wanted(description="new"), found(SHARED)).changes
    assert change.sentence == "change project p: description"


def test_a_feature_that_came_with_an_upgrade_is_left_alone_in_a_used_project() -> None:
    used = (PROFILE, "/1.0/instances/v1?project=p")
    assert not planned(wanted(isolation="confined"), found(CONFINED, used_by=used, extensions=NEW)).changed
    assert planned(wanted(isolation="confined"), found(CONFINED, extensions=NEW)).changed


@pytest.mark.parametrize(("owner", "adopt"), [(None, False), ("them", False), ("them", True)])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_not_ours(owner: str | None, adopt: bool, state: str) -> None:
    there = found({**OFF, **({OWNER: owner} if owner else {})})
    with pytest.raises(errors.NotOwned, match=owner or "no owner's mark"):
        planned(wanted(adopt=adopt, state=state), there)


def test_adopting_marks_and_changes_no_feature() -> None:
    theirs = {"features.images": "true", "features.profiles": "true", "user.x": "1"}
    said = {"adopt": True, "isolation": "shared", "limits": {"cpu": 2}}
    plan = planned(wanted(**said), found(theirs))
    assert plan.changes[0].verb == "adopt"
    assert config_after(plan) == {**theirs, **MINE, "limits.cpu": "2"}
    assert "images" in plan.warnings[0]
    assert not planned(wanted(**said), found(config_after(plan))).changed


def test_adopting_never_calls_confined_what_is_not() -> None:
    with pytest.raises(errors.Conflict, match=r"features\.images is off"):
        planned(wanted(adopt=True, isolation="confined"), found({**CONFINED, "features.images": "false"}))
    assert not planned(wanted(adopt=True, isolation="confined"), found(CONFINED)).changed


def test_features_of_a_used_project_are_not_changed() -> None:
    used = (PROFILE, "/1.0/storage-pools/fast/volumes/custom/data?project=p", "/1.0/images/0123456789abcdef?project=p")
    with pytest.raises(errors.Conflict) as refused:
        planned(wanted(isolation="shared"), found(CONFINED, used_by=used))
    assert refused.value.details["inside"] == ["image 0123456789ab", "volume data (storage pool fast)"]


def test_the_default_projects_features_are_not_changed() -> None:
    there = ProjectReading(found(None).server, Project("default", "", {**MINE, "features.images": "true"}, ()))
    with pytest.raises(errors.Invalid, match="default"):
        planned(parse_project_spec({"name": "default", "isolation": "shared"}, "us"), there)


# The default profile

LOOKS = {
    "root": {"type": "disk", "path": "/", "pool": "fast"},
    "eth0": {"type": "nic", "network": "br0", "name": "eth0"},
}
BOTH = {"isolation": "confined", "networks": ["br0"], "default_profile": {"storage_pool": "fast", "network": "br0"}}


def test_the_default_profile_of_a_new_project() -> None:
    plan = planned(wanted(**BOTH), found(None))
    assert [change.sentence for change in plan.changes] == ["create project p", "change profile p/default: eth0, root"]
    (step,) = plan.changes[1].steps
    assert step.expect == {"config": {}, "devices": {}}  # type: ignore[union-attr]
    assert step.body["devices"] == LOOKS  # type: ignore[union-attr]
    assert not planned(wanted(**BOTH), found(REACHING, profile={**EMPTY, "devices": LOOKS})).changed


def test_other_devices_of_the_default_profile_stay() -> None:
    devices = {
        "disk0": {"type": "disk", "path": "/", "pool": "slow", "size": "5GiB"},
        "eth0": {"type": "nic", "nictype": "bridged", "parent": "br9", "name": "lan"},
        "gpu": {"type": "gpu"},
    }
    plan = planned(wanted(**BOTH), found(REACHING, profile={**EMPTY, "devices": devices}))
    (step,) = plan.changes[0].steps
    assert step.etag == "etag-d"  # type: ignore[union-attr]
    assert step.body == {  # type: ignore[union-attr]
        "description": "d",
        "config": {},
        "devices": {
            "disk0": {"type": "disk", "path": "/", "pool": "fast", "size": "5GiB"},
            "eth0": {"type": "nic", "network": "br0", "name": "lan"},
            "gpu": {"type": "gpu"},
        },
    }


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"default_profile": {"storage_pool": "nopool"}}, "nopool"),
        ({"networks": ["br0", "nonet"]}, "nonet"),
        ({"networks": ["nonet"], "default_profile": {"network": "nonet"}}, "nonet"),
    ],
)
def test_what_is_not_there(said: dict[str, Any], names: str) -> None:
    with pytest.raises(errors.NotFound, match=names) as refused:
        planned(wanted(**{"isolation": "confined", **said}), found(None))
    assert refused.value.details["there"] in (["br0", "br1"], ["fast"])


# Bad input

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": ""}, "name"),
    "slash": ({"name": "a/b"}, "a/b"),
    "underscore": ({"name": "a_b"}, "a_b"),
    "dots": ({"name": ".."}, "name"),
    "feature misspelt": ({"features": {"storage_volume": True}}, "storage_volume"),
    "feature no boolean": ({"features": {"images": "perhaps"}}, "features.images"),
    "feature null": ({"features": {"images": None}}, "features.images"),
    "feature a list": ({"features": {"images": [1]}}, "features.images"),
    "limit no number": ({"limits": {"cpu": "many"}}, "limits.cpu"),
    "limit pinned": ({"limits": {"cpu": "0-3"}}, "limits.cpu"),
    "limit no size": ({"limits": {"memory": "2 gigs"}}, "limits.memory"),
    "limit of a pool no size": ({"limits": {"disk_pool_fast": "much"}}, "limits.disk.pool.fast"),
    "limit misspelt": ({"limits": {"virtual_machine": 1}}, "virtual_machine"),
    "restriction misspelt": ({"isolation": "confined", "restrictions": {"devices_nics": "x"}}, "devices_nics"),
    "restriction no word": ({"isolation": "confined", "restrictions": {"backups": True}}, "restrictions.backups"),
    "config a map": ({"config": {"user.x": {"a": 1}}}, "config.user.x"),
    "our mark": ({"config": {"user.tenantry.owner": "x"}}, "mark"),
    "twice": ({"limits": {"cpu": 1}, "config": {"limits.cpu": 1}}, "twice"),
    "twice by spelling": ({"limits": {"virtual_machines": 1, "virtual-machines": 1}}, "twice"),
    "network with a comma": ({"isolation": "confined", "networks": ["a,b"]}, "a,b"),
    "shared networks": ({"isolation": "shared", "networks": ["br0"]}, "networks"),
    "networks and bridges": ({"isolation": "confined", "networks": ["br0"], "bridges": ["br0"]}, "bridges"),
    "shared bridges": ({"isolation": "shared", "bridges": ["br0"]}, "bridges"),
    "unreachable bridge": (
        {"isolation": "confined", "bridges": ["br0"], "default_profile": {"network": "br1"}},
        "br0 only, not br1",
    ),
    "shared no networks": ({"isolation": "shared", "networks": []}, "networks"),
    "shared restrictions": ({"isolation": "shared", "restrictions": {"backups": "allow"}}, "restrictions"),
    "shared profile": ({"isolation": "shared", "default_profile": {"storage_pool": "fast"}}, "default_profile"),
    "new shared profile": ({"default_profile": {"storage_pool": "fast"}}, "default_profile"),
    "new unrestricted networks": ({"networks": ["br0"]}, "networks"),
    "new restricted without profiles": ({"config": {"restricted": True}}, "features.profiles"),
    "restricted twice": ({"isolation": "confined", "config": {"restricted": False}}, "config.restricted"),
    "confined without images": ({"isolation": "confined", "features": {"images": False}}, "features.images"),
    "confined with networks": ({"isolation": "confined", "features": {"networks": True}}, "features.networks"),
    "own networks and others": ({"features": {"networks": True}, "networks": ["br0"]}, "networks"),
    "access twice": (
        {"isolation": "confined", "networks": ["br0"], "restrictions": {"networks_access": "br1"}},
        "networks.access",
    ),
    "blocked networks": (
        {"isolation": "confined", "networks": ["br0"], "restrictions": {"devices_nic": "block"}},
        "devices.nic",
    ),
    "every network": ({"isolation": "confined", "restrictions": {"devices_nic": "managed"}}, "devices.nic"),
    "unreachable": ({"isolation": "confined", "networks": ["br0"], "default_profile": {"network": "br1"}}, "br1"),
    "reaching nothing": ({"isolation": "confined", "default_profile": {"network": "br1"}}, "br1"),
}


@pytest.mark.parametrize(("said", "names"), INVALID.values(), ids=INVALID.keys())
def test_bad_input(said: dict[str, Any], names: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        planned(wanted(**said), found(None))
    assert names in refused.value.message
    assert refused.value.message.startswith("project ")
    assert "\n" not in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize("owner", [None, "", " us", "a\nb", "x" * 256])
def test_bad_owner(owner: str | None) -> None:
    with pytest.raises(errors.Invalid, match="owner"):
        parse_project_spec({"name": "p"}, owner)


@pytest.mark.parametrize(
    ("said", "extensions", "names"),
    [
        ({"features": {"storage_buckets": True}}, OLD, "storage_buckets"),
        ({"isolation": "confined", "networks": ["br0"]}, OLD[:-1], "projects_networks_restricted_access"),
        ({"limits": {"disk.pool.fast": "1GiB"}}, OLD, "projects_limits_disk_pool"),
    ],
)
def test_a_server_without_an_extension(said: dict[str, Any], extensions: tuple[str, ...], names: str) -> None:
    with pytest.raises(errors.Unsupported) as refused:
        planned(wanted(**said), found(None, extensions=extensions))
    assert names in refused.value.hint


@pytest.mark.parametrize(
    ("option", "said", "name"),
    [
        ("limits", "virtual_machines", "virtual-machines"),
        ("restrictions", "virtual_machines_lowlevel", "virtual-machines.lowlevel"),
        ("restrictions", "devices_nic", "devices.nic"),
        ("restrictions", "devices_unix_char", "devices.unix-char"),
        ("restrictions", "storage_pools_access", "storage-pools.access"),
        ("features", "storage_volumes", "storage.volumes"),
        ("limits", "disk_pool_my_pool", "disk.pool.my_pool"),
        ("limits", "networks.uplink_ips.ipv4.up0", "networks.uplink_ips.ipv4.up0"),
        ("limits", "time-travel", "time-travel"),
    ],
)
def test_names(option: str, said: str, name: str) -> None:
    assert to_lxd_name(option, said) == name


def test_a_misspelling_is_met_with_a_suggestion() -> None:
    with pytest.raises(errors.Invalid) as refused:
        to_lxd_name("restrictions", "devices_nix")
    assert "devices.nic" in refused.value.hint


# What stands against restrictions and limits


def instance(
    name: str, kind: str = "virtual-machine", config: dict[str, str] | None = None, **devices: Any
) -> Instance:
    body = {"name": name, "type": kind, "config": config, "devices": devices}
    return Instance.from_api({**body, "expanded_config": config, "expanded_devices": devices})


NIC = {"type": "nic", "network": "br0"}
FORBIDDEN: dict[str, tuple[Instance, str]] = {
    "raw": (instance("v", config={"raw.qemu": "-x"}), "virtual-machines.lowlevel"),
    "hugepages": (instance("v", config={"limits.memory.hugepages": "true"}), "virtual-machines.lowlevel"),
    "raw of a container": (instance("c", "container", {"raw.lxc": "x"}), "containers.lowlevel"),
    "nested": (instance("c", "container", {"security.nesting": "1"}), "containers.nesting"),
    "privileged": (instance("c", "container", {"security.privileged": "true"}), "containers.privilege"),
    "host path": (instance("v", etc={"type": "disk", "source": "/etc", "path": "/x"}), "devices.disk"),
    "agent": (instance("v", agent={"type": "disk", "source": "agent:config"}), "devices.disk"),
    "parent": (instance("v", eth0={"type": "nic", "nictype": "macvlan", "parent": "e0"}), "devices.nic"),
    "other network": (instance("v", eth0={"type": "nic", "network": "br1"}), "networks.access"),
    "usb": (instance("v", u={"type": "usb"}), "devices.usb"),
}


@pytest.mark.parametrize(("holds", "key"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_what_confinement_would_forbid(holds: Instance, key: str) -> None:
    loose = {**REACHING, "restricted": "false"}
    there = found(loose, used_by=(PROFILE, f"/1.0/instances/{holds.name}?project=p"), instances=(holds,))
    with pytest.raises(errors.Conflict, match=rf"{holds.name}: .*restricted\.{key}"):
        planned(wanted(isolation="confined", networks=["br0"]), there)


def test_what_confinement_allows() -> None:
    root = {"type": "disk", "path": "/", "pool": "fast"}
    seed = {"type": "disk", "source": "cloud-init:config"}
    fine = instance("v", config={"limits.cpu": "0-1", "security.secureboot": "false"}, root=root, seed=seed, eth0=NIC)
    nested = instance("w", config={"security.nesting": "true"}, data={"type": "disk", "pool": "fast", "source": "d"})
    there = found(
        {**REACHING, "restricted": "false"}, instances=(fine, nested), profiles=({**EMPTY, "devices": {"n": NIC}},)
    )
    assert planned(wanted(isolation="confined", networks=["br0"]), there).changed


def test_profiles_are_looked_at_too() -> None:
    profile = {"name": "big", "config": {"raw.lxc": "x"}, "devices": {}}
    there = found({**REACHING, "restricted": "false"}, profiles=(profile,))
    with pytest.raises(errors.Conflict, match=r"profile big: config raw\.lxc"):
        planned(wanted(isolation="confined", networks=["br0"]), there)


def test_an_opened_key_lets_it_stay() -> None:
    there = found({**REACHING, "restricted": "false"}, instances=(FORBIDDEN["raw"][0],))
    said = {"isolation": "confined", "networks": ["br0"], "restrictions": {"virtual_machines_lowlevel": "allow"}}
    assert planned(wanted(**said), there).changed


ROOT = {"type": "disk", "path": "/", "pool": "fast", "size": "10GiB"}
FULL = instance("v", config={"limits.cpu": "2", "limits.memory": "4GiB"}, root=ROOT)


@pytest.mark.parametrize(
    ("limits", "usage", "holds", "says"),
    [
        ({"memory": "3GiB"}, {"memory": {"Limit": -1, "Usage": 4 * 1024**3}}, FULL, "below the 4GiB in use"),
        ({"instances": 0}, {"instances": {"Limit": -1, "Usage": 1}}, FULL, "below the 1 in use"),
        ({"cpu": 4}, {}, instance("v"), "limits.cpu needs a plain figure"),
        ({"cpu": 4}, {}, instance("v", config={"limits.cpu": "0-1"}), "these have none: v"),
        ({"memory": "8GiB"}, {}, instance("v", config={"limits.memory": "50%"}), "limits.memory needs"),
        ({"disk": "80GiB"}, {}, instance("v", root={**ROOT, "size": ""}), "limits.disk needs"),
        ({"processes": 9}, {}, instance("c", "container"), "limits.processes needs"),
    ],
)
def test_limits_that_do_not_fit(limits: dict[str, Any], usage: dict[str, Any], holds: Instance, says: str) -> None:
    with pytest.raises(errors.Conflict, match=says):
        planned(wanted(limits=limits), found(SHARED, state=usage, instances=(holds,)))


def test_limits_that_fit() -> None:
    said = wanted(limits={"cpu": 2, "memory": "4GiB", "disk": "10GiB", "processes": 1})
    state = {"cpu": {"Limit": -1, "Usage": 2}, "memory": {"Limit": -1, "Usage": 4 * 1024**3}}
    assert planned(said, found(SHARED, state=state, instances=(FULL,))).changed


# Absent


def image(fingerprint: str, cached: bool) -> Image:
    return Image(fingerprint, "virtual-machine", (), cached, "x86_64", {})


def test_absent_when_gone_already() -> None:
    assert not planned(wanted(state="absent"), found(None)).changed


def test_absent_takes_cached_images_along() -> None:
    used = (PROFILE, "/1.0/images/aa?project=p")
    plan = planned(wanted(state="absent"), found(CONFINED, used_by=used, images=(image("aa", True),)))
    steps = [step for change in plan.changes for step in change.steps]
    assert [(step.method, step.path, step.project) for step in steps] == [  # type: ignore[union-attr]
        ("DELETE", ("images", "aa"), "p"),
        ("DELETE", ("projects", "p"), None),
    ]


@pytest.mark.parametrize(
    ("url", "thing"),
    [
        ("/1.0/instances/v1?project=p", "instance v1"),
        ("/1.0/images/aa?project=p", "image aa"),
        ("/1.0/profiles/big?project=p", "profile big"),
        ("/1.0/networks/ovn0?project=p", "network ovn0"),
        ("/1.0/network-acls/a%20b?project=p", "network acl a b"),
        ("/1.0/storage-pools/fast/volumes/custom/data?project=p", "volume data (storage pool fast)"),
        ("/1.0/storage-pools/fast/buckets/b?project=p", "bucket b (storage pool fast)"),
    ],
)
def test_absent_refuses_what_is_inside(url: str, thing: str) -> None:
    there = found(CONFINED, used_by=(PROFILE, url), images=(image("aa", False), image("bb", True)))
    with pytest.raises(errors.Conflict) as refused:
        planned(wanted(state="absent"), there)
    assert refused.value.details["inside"] == [thing]


def test_the_default_project_is_not_deleted() -> None:
    there = ProjectReading(found(None).server, Project("default", "", MINE, ()))
    with pytest.raises(errors.Invalid, match="default"):
        planned(parse_project_spec({"name": "default", "state": "absent"}, "us"), there)


# Seen by people


@pytest.mark.parametrize(
    ("config", "isolation"),
    [
        (SHARED, "shared"),
        ({}, "shared"),
        (CONFINED, "confined"),
        (REACHING, "confined"),
        ({**CONFINED, "restricted": "false"}, "mixed"),
        ({**CONFINED, "restricted.devices.nic": "managed"}, "mixed"),
        ({**CONFINED, "features.images": "false"}, "mixed"),
        ({**CONFINED, "features.networks": "true"}, "mixed"),
        ({**SHARED, "features.images": "true"}, "mixed"),
        (BRIDGED, "confined"),
        ({key: value for key, value in BRIDGED.items() if not key.endswith("access")}, "mixed"),
    ],
)
def test_isolation(config: dict[str, str], isolation: str) -> None:
    assert project_view.find_isolation(Project("p", "", config, ()), found(None).server) == isolation


def test_unread_predicts_a_creation() -> None:
    unread = ProjectReading(Server.from_api({}), unread=True)
    assert config_after(planned(wanted(**BOTH), unread)) == REACHING
    assert not planned(wanted(state="absent"), unread).changed


def test_the_prediction_is_what_lxd_will_hold() -> None:
    after = project_plan.predict_project(wanted(**BOTH), found(None))
    assert after is not None
    assert after[0].config == REACHING
    assert project_view.read_default_profile(after[1]) == {"storage_pool": "fast", "network": "br0"}
    assert project_plan.predict_project(wanted(state="absent"), found(CONFINED)) is None


def test_a_confined_project_of_a_cluster_lets_its_tenant_choose_members() -> None:
    there = found()
    server = Server.from_api({"api_extensions": list(OLD), "environment": {"server_clustered": True}})
    clustered = ProjectReading(server, there.project, there.profile, networks=there.networks, pools=there.pools)
    said = wanted(isolation="confined")
    assert config_after(planned(said, clustered)) == {**CONFINED, "restricted.cluster.target": "allow"}
    closed = wanted(isolation="confined", restrictions={"cluster.target": "block"})
    assert config_after(planned(closed, clustered))["restricted.cluster.target"] == "block"
    assert "restricted.cluster.target" not in config_after(planned(said, there))
