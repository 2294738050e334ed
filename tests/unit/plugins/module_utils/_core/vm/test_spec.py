# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM as said: every option's way into LXD's words, and everything that can't be right whatever the server holds."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.spec import (
    STATES,
    ImageSource,
    VmSpec,
    merge_all_defaults,
    merge_defaults,
    parse_vm_spec,
)
from hypothesis import given
from hypothesis import strategies as st


def wanted(**said: Any) -> VmSpec:
    return parse_vm_spec({"name": "vm", **said})


CONFIG: list[tuple[dict[str, Any], dict[str, str | None]]] = [
    ({}, {}),
    ({"cores": 1}, {"limits.cpu": "1"}),
    ({"cores": 64}, {"limits.cpu": "64"}),
    # LXD reads "3" as a count.
    ({"pinned_cores": [3]}, {"limits.cpu": "3-3"}),
    ({"pinned_cores": [3, 0, 10]}, {"limits.cpu": "0,3,10"}),
    ({"memory": "2GiB"}, {"limits.memory": "2GiB"}),
    ({"memory": " 2 GiB "}, {"limits.memory": "2GiB"}),
    ({"memory": "2147483648"}, {"limits.memory": "2147483648"}),
    ({"hugepages": True}, {"limits.memory.hugepages": "true"}),
    ({"hugepages": False}, {"limits.memory.hugepages": "false"}),
    ({"numa_nodes": [1, 0]}, {"limits.cpu.nodes": "0,1"}),
    ({"numa_nodes": []}, {"limits.cpu.nodes": None}),
    ({"config": {"boot.autostart": True, "user.x": 5, "user.y": None}}, {"boot.autostart": "true", "user.x": "5"}),
    ({"cloud_init": {"user_data": "u", "network_config": "n", "vendor_data": None}}, {"cloud-init.user-data": "u"}),
    ({"config": {"cloud-init.user-data": None}}, {"cloud-init.user-data": None}),
    ({"pool": "prod", "zone": "north"}, {"user.tenantry.pool": "prod", "user.tenantry.zone": "north"}),
    ({"pool": "", "zone": ""}, {"user.tenantry.pool": None, "user.tenantry.zone": None}),
    ({"tags": ["b", "a", "b"]}, {"user.tenantry.tags": "a,b"}),
    ({"tags": []}, {"user.tenantry.tags": None}),
    ({"protected": True}, {"user.tenantry.protected": "true", "security.protection.delete": "true"}),
    ({"protected": False}, {"user.tenantry.protected": None, "security.protection.delete": None}),
]


@pytest.mark.parametrize(("said", "config"), CONFIG)
def test_options_in_lxds_words(said: dict[str, Any], config: dict[str, str | None]) -> None:
    found = dict(wanted(**said).config)
    assert {key: found.get(key, "unsaid") for key in config} == config
    more = {"user.y": None, "cloud-init.network-config": "n"}
    assert {key: value for key, value in found.items() if key not in config and more.get(key, "") != value} == {}


def test_what_is_not_said_is_none() -> None:
    found = wanted()
    assert (found.state, found.config, found.annotations, found.devices) == ("started", {}, {}, {})
    fields = (found.target, found.secure_boot, found.description, found.profiles, found.image, found.boot)
    assert fields == (None,) * 6 and (found.disks, found.interfaces) == (None, None)


def test_empty_is_said() -> None:
    found = wanted(description="", profiles=[], disks=[], interfaces=[])
    assert (found.description, found.profiles, found.disks, found.interfaces) == ("", (), (), ())


@pytest.mark.parametrize("state", STATES)
def test_states(state: str) -> None:
    assert wanted(state=state).state == state


def test_annotations() -> None:
    found = wanted(annotations={"team": "red", "cost": 5, "lent": None, "note": ""}).annotations
    assert found == {
        "user.tenantry.annotation.team": "red",
        "user.tenantry.annotation.cost": "5",
        "user.tenantry.annotation.lent": None,
        "user.tenantry.annotation.note": "",
    }


@pytest.mark.parametrize(
    ("said", "image"),
    [
        (None, None),
        ("", None),
        ("debian-12", ImageSource("debian-12")),
        ({"alias": "debian-12"}, ImageSource("debian-12")),
        ({"fingerprint": "abc", "alias": None}, ImageSource("abc")),
        ({"server": "https://x", "alias": "a"}, ImageSource("a", "https://x", "simplestreams")),
        ({"server": "https://x", "protocol": "lxd", "alias": "a"}, ImageSource("a", "https://x", "lxd")),
    ],
)
def test_images(said: Any, image: ImageSource | None) -> None:
    found = wanted(image=said).image
    assert found == image
    assert found is None or found.is_local == (found.server is None)


# What is said, how the message goes on behind "VM vm: ", and a word of the hint.
REFUSED = [
    ({"state": "running"}, "state: 'running'", ""),
    ({"cores": 0}, "cores: 0 ", "1 or more"),
    ({"cores": -2}, "cores: -2 ", "1 or more"),
    ({"cores": True}, "cores: True ", "1 or more"),
    ({"cores": 1, "pinned_cores": [1]}, "cores: it can't be combined with pinned_cores", "one of them"),
    ({"pinned_cores": []}, "pinned_cores: the list is empty", "[2, 3]"),
    ({"pinned_cores": [1, 1]}, "pinned_cores: [1, 1]", "once"),
    ({"pinned_cores": [-1]}, "pinned_cores: [-1]", "once"),
    ({"pinned_cores": [True]}, "pinned_cores: [True]", "once"),
    ({"numa_nodes": [-1]}, "numa_nodes: [-1]", "once"),
    ({"numa_nodes": [0, 0]}, "numa_nodes: [0, 0]", "once"),
    ({"memory": "2 gigs"}, "memory: '2 gigs'", "2GiB"),
    ({"memory": "50%"}, "memory: '50%'", "2GiB"),
    ({"memory": "0"}, "memory: ", "2GiB"),
    ({"memory": ""}, "memory: ''", "2GiB"),
    ({"memory": "16EiB"}, "memory: '16EiB'", "2GiB"),
    ({"config": {"user.x": ["a"]}}, "config.user.x: list", "quote"),
    ({"config": {"user.tenantry.owner": "me"}}, "config: user.tenantry.owner ", "tags"),
    ({"config": {"user.tenantry.anything": None}}, "config: user.tenantry.anything ", "annotations"),
    ({"config": {"volatile.uuid": "x"}}, "config: volatile.uuid ", "LXD"),
    ({"config": {"limits.cpu": "2"}}, "config: limits.cpu ", "cores"),
    ({"config": {"limits.cpu.nodes": "0"}}, "config: limits.cpu.nodes ", "numa_nodes"),
    ({"config": {"limits.memory": "2GiB"}}, "config: limits.memory ", "use memory"),
    ({"config": {"limits.memory.hugepages": True}}, "config: limits.memory.hugepages ", "hugepages"),
    ({"config": {"security.secureboot": False}}, "config: security.secureboot ", "secure_boot"),
    ({"config": {"boot.mode": "bios"}}, "config: boot.mode ", "secure_boot"),
    ({"config": {"security.protection.delete": None}}, "config: security.protection.delete ", "protected"),
    ({"config": {"cloud-init.user-data": "secret"}}, "config: cloud-init.user-data ", "cloud_init"),
    ({"config": {"cloud-init.vendor-data": "secret"}}, "config: cloud-init.vendor-data ", "cloud_init"),
    ({"cloud_init": {"userdata": "x"}}, "cloud_init: userdata ", ""),
    ({"cloud_init": {"user_data": ["x"]}}, "cloud_init.user_data: list", ""),
    ({"pool": "a\nb"}, "pool: 'a\\nb'", "one line"),
    ({"pool": " "}, "pool: ' '", "spaces"),
    ({"zone": "a "}, "zone: 'a '", "spaces"),
    ({"tags": ["a,b"]}, "tags: 'a,b'", "comma"),
    ({"tags": ["ok", ""]}, "tags: ''", "empty"),
    ({"tags": ["a\nb"]}, "tags: 'a\\nb'", "one line"),
    ({"annotations": {"a b": "x"}}, "annotations: 'a b'", "spaces"),
    ({"annotations": {"a=b": "x"}}, "annotations: 'a=b'", "equals"),
    ({"annotations": {"": "x"}}, "annotations: ''", ""),
    ({"annotations": {"a": {}}}, "annotations.a: dict", "quote"),
    ({"image": 5}, "image: neither", "alias"),
    ({"image": ["a"]}, "image: neither", "alias"),
    ({"image": {}}, "image: neither alias nor fingerprint", "alias"),
    ({"image": {"server": "https://x"}}, "image: neither alias nor fingerprint", "alias"),
    ({"image": {"alias": "a", "fingerprint": "b"}}, "image: both", "alias"),
    ({"image": {"alias": "a", "sever": "https://x"}}, "image: sever ", "server"),
    ({"image": {"alias": "a", "server": "http://x"}}, "image: server 'http://x'", "https"),
    ({"image": {"alias": "a", "server": "https://x", "protocol": "ftp"}}, "image: protocol 'ftp'", ""),
    ({"disks": [{}, {"state": "absent", "name": "root"}]}, "disks: two disks", "name"),
    ({"interfaces": [{}]}, "interfaces: eth0 has neither", "network"),
    ({"devices": {"x": None}}, "devices: x ", "absent"),
]


@pytest.mark.parametrize(("said", "message", "hint"), REFUSED)
def test_what_cannot_be_right(said: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        wanted(**said)
    assert refused.value.message.startswith(f"VM vm: {message}")
    assert hint in refused.value.hint
    assert "\n" not in str(refused.value) and "secret" not in str(refused.value)


NAMES = [None, "", "1vm", "-vm", "vm-", "v_m", "v.m", "vm 1", "vm/../x", "väm", "a" * 64, "a\nb", 5]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lxd_refuses(name: Any) -> None:
    with pytest.raises(errors.Invalid) as refused:
        parse_vm_spec({"name": name})
    assert refused.value.message.startswith("vms: name: ") and "63" in refused.value.hint
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["v", "V1", "web-1", "a" * 63, "a--b"])
def test_names_that_lxd_takes(name: str) -> None:
    assert parse_vm_spec({"name": name}).name == name


MERGED: list[Any] = [
    pytest.param(None, {"cores": 2}, {"cores": 2}, id="no defaults"),
    pytest.param({"cores": 1}, {"cores": None}, {"cores": 1}, id="unsaid is the default"),
    pytest.param({"cores": 1}, {"cores": 2}, {"cores": 2}, id="said wins"),
    pytest.param({"cores": None}, {"memory": "1GiB"}, {"memory": "1GiB"}, id="unsaid in both"),
    pytest.param({"memory": None}, {"memory": None}, {"memory": None}, id="none in both"),
    pytest.param({"config": {"a": 1, "b": 1}}, {"config": {"b": 2}}, {"config": {"a": 1, "b": 2}}, id="maps"),
    pytest.param({"config": {"a": 1}}, {"config": {"a": None}}, {"config": {"a": None}}, id="a null is said in a map"),
    pytest.param({"config": {"a": 1}}, {"config": {}}, {"config": {"a": 1}}, id="an empty map says nothing"),
    pytest.param({"tags": ["a"]}, {"tags": ["b"]}, {"tags": ["b"]}, id="lists"),
    pytest.param({"tags": ["a"]}, {"tags": []}, {"tags": []}, id="an empty list is said"),
    pytest.param({"image": "a"}, {"image": {"alias": "b"}}, {"image": {"alias": "b"}}, id="a map over a text"),
    pytest.param({"image": "a"}, {"image": ""}, {"image": ""}, id="no image"),
    pytest.param(
        # Ansible fills in every option of a map of options.
        {"cloud_init": {"user_data": "d", "vendor_data": None}},
        {"cloud_init": {"user_data": None, "vendor_data": "v"}},
        {"cloud_init": {"user_data": "d", "vendor_data": "v"}},
        id="unsaid in cloud_init",
    ),
    pytest.param({"cores": 2}, {"pinned_cores": [1], "cores": None}, {"pinned_cores": [1], "cores": None}, id="pinned"),
    pytest.param({"pinned_cores": [1]}, {"cores": 2}, {"cores": 2}, id="not pinned"),
]


@pytest.mark.parametrize(("defaults", "vm", "expected"), MERGED)
def test_defaults(defaults: Any, vm: dict[str, Any], expected: dict[str, Any]) -> None:
    before = (repr(defaults), repr(vm))
    assert merge_defaults(defaults, vm) == expected
    assert (repr(defaults), repr(vm)) == before


SAID = st.dictionaries(st.sampled_from(["memory", "zone", "config", "tags"]), st.none() | st.text(max_size=2))


@given(SAID, SAID)
def test_merging_twice_changes_nothing(defaults: dict[str, Any], vm: dict[str, Any]) -> None:
    once = merge_defaults(defaults, vm)
    assert merge_defaults(defaults, once) == once
    assert all(once[key] == value for key, value in vm.items() if value is not None)


def test_two_entries_for_one_vm() -> None:
    with pytest.raises(errors.Invalid, match=r"^vms: a is listed twice"):
        merge_all_defaults([{"name": "a"}, {"name": "b"}, {"name": "a"}], None)
    with pytest.raises(errors.Invalid, match="twice"):
        merge_all_defaults([{"name": "a", "vmhost": "x"}, {"name": "a"}], {"vmhost": "x"})
    on_two = [{"name": "a", "vmhost": "x"}, {"name": "a", "vmhost": "y"}]
    assert merge_all_defaults(on_two, {"memory": "1GiB"}) == [{**vm, "memory": "1GiB"} for vm in on_two]
