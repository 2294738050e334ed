# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""exposure: which sentence each setting earns."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Project, Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project.exposure import find_exposure

OLD = ("projects", "projects_restrictions", "projects_networks")
NEW = (*OLD, "projects_networks_zones", "storage_buckets", "access_management")
CONFINED = {
    "features.images": "true",
    "features.profiles": "true",
    "features.storage.volumes": "true",
    "features.storage.buckets": "true",
    "features.networks.zones": "true",
    "features.networks": "false",
    "restricted": "true",
    "restricted.devices.nic": "block",
}

DISCREET = Project("p", "", CONFINED, ())
ALWAYS = find_exposure(DISCREET, Server.from_api({"api_extensions": list(NEW)}))


def told(
    config: dict[str, str], extensions: tuple[str, ...] = NEW, name: str = "p", restricted: bool = True
) -> list[str]:
    project = Project(name, "", config, ())
    server = Server.from_api({"api_extensions": list(extensions)})
    return [each for each in find_exposure(project, server, certificate_restricted=restricted) if each not in ALWAYS]


def test_every_server_tells_what_no_project_closes() -> None:
    assert len(ALWAYS) == 2
    assert "ask any address" in ALWAYS[0] and "firewall" in ALWAYS[0] and "what hardware the host has" in ALWAYS[1]


@pytest.mark.parametrize(
    ("version", "mended"),
    [
        ("5.0.2", False),
        ("5.0.6", False),
        ("5.0.7", True),
        ("5.0.10", True),
        ("5.20", False),
        ("5.21.4", False),
        ("5.21.5", True),
        ("6.8", False),
        ("6.9", True),
        ("7.0", True),
        ("", True),
    ],
)
def test_a_version_before_the_fixes_of_2026_is_told(version: str, mended: bool) -> None:
    environment = {"server_version": version}
    said = find_exposure(DISCREET, Server.from_api({"api_extensions": list(NEW), "environment": environment}))
    assert len(said) == len(ALWAYS) + (0 if mended else 2)
    assert mended or ("CVE-2026-34178" in said[0] and "any other project" in said[1] and version in said[0])
    incus = Server.from_api({"api_extensions": list(NEW), "environment": {**environment, "server": "incus"}})
    assert find_exposure(DISCREET, incus) == ALWAYS


def test_confined_on_a_discreet_server_is_silent() -> None:
    assert told(CONFINED) == []


def test_a_server_without_access_management_tells_its_trust_store() -> None:
    acls, trusted = told(CONFINED, OLD)
    assert "access_management" in trusted
    assert "network ACLs" in acls and "bridges" in acls
    assert told({**CONFINED, "features.networks": "true"}, OLD) == [trusted]


def test_an_unrestricted_certificate_is_everything() -> None:
    (said,) = told(CONFINED, restricted=False)
    assert "administrator of the whole server" in said


@pytest.mark.parametrize("extensions", [OLD, NEW, ()])
def test_shared_is_never_empty(extensions: tuple[str, ...]) -> None:
    said = " ".join(told({}, extensions))
    for word in (
        "raw.qemu",
        "any path of the host",
        "features.images",
        "features.profiles",
        "features.storage.volumes",
    ):
        assert word in said
    assert ("features.storage.buckets" in said) == ("storage_buckets" in extensions)


# What is set beside CONFINED (None: taken away), and the words of the one sentence that it earns.
OPENED = {
    "not restricted": ({"restricted": None, "features.networks": "true"}, ("root on the host", "restricted=true")),
    "images": ({"features.images": "false"}, ("features.images", "change and delete")),
    "profiles": ({"features.profiles": "0"}, ("features.profiles", "profile default")),
    "volumes, unset": ({"features.storage.volumes": None}, ("custom volumes of project default",)),
    "buckets": ({"features.storage.buckets": "false"}, ("buckets of project default",)),
    "zones": ({"features.networks.zones": "false"}, ("network zones",)),
    "raw options of VMs": ({"restricted.virtual-machines.lowlevel": "allow"}, ("raw QEMU", "root on the host")),
    "raw options of containers": ({"restricted.containers.lowlevel": "allow"}, ("raw LXC",)),
    "privileged": ({"restricted.containers.privilege": "allow"}, ("root is the host's root",)),
    "host paths": ({"restricted.devices.disk": "allow"}, ("any path of the host",)),
    "some host paths": (
        {"restricted.devices.disk": "allow", "restricted.devices.disk.paths": "/srv"},
        ("these paths of the host", "/srv"),
    ),
    "snapshots": ({"restricted.snapshots": "allow"}, ("snapshots",)),
    "block devices": ({"restricted.devices.unix-block": "allow"}, ("block devices",)),
    "uplinks": ({"restricted.networks.uplinks": "up0"}, ("up0", "uplinks")),
    "one of a newer LXD": ({"restricted.time.travel": "allow"}, ("restricted.time.travel",)),
}


@pytest.mark.parametrize(("change", "words"), OPENED.values(), ids=OPENED.keys())
def test_what_is_opened_earns_one_sentence(change: dict[str, str | None], words: tuple[str, ...]) -> None:
    config = {key: value for key, value in {**CONFINED, **change}.items() if value is not None}
    (said,) = told(config)
    assert all(word in said for word in words), said
    assert said.endswith(".")


# What a project may be connected to, and the words of the sentences that it earns, one after the other.
REACH = {
    "one network": (
        {"restricted.devices.nic": None, "restricted.networks.access": "br0"},
        ("change the configuration of network br0:", "on network br0 could have the host send"),
    ),
    "two networks": (
        {"restricted.devices.nic": "managed", "restricted.networks.access": "br1, br0"},
        ("networks br0, br1:", "ipv4.routes"),
    ),
    "all networks": ({"restricted.devices.nic": None}, ("names no networks", "ipv4.routes")),
    "bridges": (
        {"features.networks": "true", "restricted.devices.nic": "allow", "restricted.networks.access": "br0"},
        ("on network br0 could have the host send",),
    ),
    "every card": (
        {"features.networks": "true", "restricted.devices.nic": "allow"},
        ("any network interface of the host", "ipv4.routes"),
    ),
}


@pytest.mark.parametrize(("change", "words"), REACH.values(), ids=REACH.keys())
def test_what_is_reached_is_told(change: dict[str, str | None], words: tuple[str, ...]) -> None:
    said = told({key: value for key, value in {**CONFINED, **change}.items() if value is not None})
    assert len(said) == len(words)
    assert all(word in said[at] for at, word in enumerate(words)), said


@pytest.mark.parametrize(
    "closed",
    [
        {"restricted.snapshots": "block"},
        {"restricted.containers.privilege": "isolated"},
        {"restricted.devices.disk": "managed"},
        {"restricted.devices.disk.paths": "/srv"},
        {"restricted.cluster.groups": "blue"},
        {"user.restricted.snapshots": "allow"},
    ],
    ids=lambda closed: next(iter(closed)),
)
def test_what_opens_nothing_is_not_told(closed: dict[str, str]) -> None:
    assert told({**CONFINED, **closed}) == []


def test_images_are_only_used_where_lxd_checks_each() -> None:
    (said,) = told({**CONFINED, "features.images": "false"}, (*NEW, "access_management_tls"))
    assert "see and use" in said
    assert "delete" not in said


def test_the_default_project_lends_to_the_others() -> None:
    said = told(CONFINED, name="default")
    assert "other projects use" in said[0]
