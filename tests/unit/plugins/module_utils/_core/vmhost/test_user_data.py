# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User data: what is in it, what is refused, and that a project made by it is the one that the module would make."""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import Any

import pytest
import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Project, Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project import plan as project_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project import spec as project
from ansible_collections.tenantry.lxd.plugins.module_utils._core.project.reading import ProjectReading
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import user_data
from ansible_collections.tenantry.lxd.plugins.plugin_utils import first_boot as program

SECRET = "5e" * 32
DER = b"\x30\x03\x02\x01\x05"
SAID: dict[str, Any] = {
    "vmhost": "kvm-01",
    "project": "tenant-a",
    "owner": "team-a",
    "isolation": "confined",
    "networks": ["lxdbr0"],
    "default_profile": {"storage_pool": "default", "network": "lxdbr0"},
    "server": {"storage_pools": [{"name": "default", "driver": "dir"}], "networks": [{"name": "lxdbr0"}]},
}


def made(**more: Any) -> str:
    return user_data.user_data({**SAID, **more}, DER, SECRET, inspect.getsource(program))


def contents(text: str) -> dict[str, Any]:
    return dict(json.loads(yaml.safe_load(text)["write_files"][-2]["content"]))


def test_it_is_one_cloud_config_with_two_files_and_one_command() -> None:
    text = made()
    config = yaml.safe_load(text)
    assert text.startswith("#cloud-config\n")
    assert [(each["path"], each["permissions"]) for each in config["write_files"]] == [
        ("/var/lib/tenantry/first-boot.json", "0600"),
        ("/var/lib/tenantry/first-boot.py", "0600"),
    ]
    assert config["runcmd"] == [
        ["python3", "/var/lib/tenantry/first-boot.py", "/var/lib/tenantry/first-boot.json"],
    ]
    assert config["write_files"][1]["content"] == inspect.getsource(program)
    assert len(text.encode()) < 16384, "some clouds take no more"
    assert made() == text


def test_theirs_comes_first_and_stays_as_it_is() -> None:
    odd = {"content": "a: b\n# \x7f ü\n", "path": "/etc/theirs"}
    config = yaml.safe_load(
        made(cloud_config={"users": [{"name": "å"}], "write_files": [odd], "runcmd": ["true", ["echo", "a b"]]})
    )
    assert config["users"] == [{"name": "å"}]
    assert config["write_files"][0] == odd and len(config["write_files"]) == 3
    assert config["runcmd"][:2] == ["true", ["echo", "a b"]] and config["runcmd"][2][0] == "python3"


def test_trust_is_restricted_to_the_project_and_asked_for_last() -> None:
    found = contents(made())
    trust = found["requests"][-1]
    assert trust["body"] == {
        "certificate": "MAMCAQU=",
        "name": "kvm-01",
        "projects": ["tenant-a"],
        "restricted": True,
        "type": "client",
    }
    assert trust["made"].endswith(hashlib.sha256(DER).hexdigest())
    assert found["secret"] == SECRET and found["address"] == "[::]:8443"


def test_the_address_is_no_part_of_the_preseed_since_listening_comes_last() -> None:
    found = contents(made(server={**SAID["server"], "https_address": "192.0.2.1"}))
    assert found["address"] == "192.0.2.1:8443"
    assert "core.https_address" not in json.dumps(found["preseed"])


@pytest.mark.parametrize("isolation", ["confined", "shared"])
@pytest.mark.parametrize("late", [(), ("storage_buckets",), ("storage_buckets", "projects_networks_zones")])
def test_an_admin_who_comes_later_finds_nothing_to_change(isolation: str, late: tuple[str, ...]) -> None:
    said: dict[str, Any] = {"isolation": isolation, "cpu_overcommit": "2.50", "limits": {"instances": 5}}
    if isolation == "shared":
        said |= {"networks": None, "default_profile": {}}
    found = contents(made(**said))
    config = dict(found["requests"][0]["body"]["config"])
    # As the program does for an LXD that has these extensions.
    for key, extension in found["late"].items():
        if extension not in late:
            config.pop(key, None)
    assert config["user.tenantry.cpu_overcommit"] == "2.5"
    extensions = [
        "projects",
        "projects_restrictions",
        "projects_networks",
        "projects_networks_restricted_access",
        *late,
    ]
    profile = found["requests"][1]["body"] if isolation == "confined" else {}
    there = ProjectReading(
        Server.from_api({"api_extensions": extensions}), Project("tenant-a", "", config, ()), (profile, "etag")
    )
    wanted = project.parse_project_spec({**SAID, **said, "name": "tenant-a", "state": "present"}, "team-a")
    assert project_plan.plan_project(wanted, there, "kvm-01").changes == ()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"nonsense": 1}, "nonsense"),
        ({"vmhost": ""}, "vmhost"),
        ({"owner": ""}, "owner"),
        ({"project": "a b"}, "can't be a project's name"),
        ({"package": "rpm"}, "package"),
        ({"package": "apt", "channel": "5.21/stable"}, "only a snap has one"),
        ({"channel": "5.21/nightly"}, "'5.21/nightly' is no channel"),
        ({"channel": "edge"}, "edge names no track"),
        ({"enforce": ["storage"]}, "can't hold storage"),
        ({"memory_overcommit": 11}, "out of range"),
        ({"memory_overcommit": 2, "limits": {"memory": "1GiB"}}, "limits.memory"),
        ({"cloud_config": ["a"]}, "write a map"),
        ({"cloud_config": {"runcmd": "reboot"}}, "are lists"),
        ({"networks": ["lxdbr0", "br9"]}, "br9 is to be used"),
        ({"default_profile": {"storage_pool": "fast", "network": "lxdbr0"}}, "fast is to be used"),
        ({"server": {**SAID["server"], "secret_config": {}}}, "secret_config"),
        ({"server": {**SAID["server"], "config": {"core.trust_password": "hidden"}}}, "core.trust_password"),
    ],
)
def test_what_can_not_be_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        made(**more)
    assert words in str(refused.value) and "hidden" not in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(errors.Invalid) as refused:
        made(package="rpm", cpu_overcommit=0, server={"storage_pools": [{"name": "p"}]}, cloud_config={"runcmd": 1})
    for words in ("package", "cpu_overcommit", "driver", "default is to be used", "are lists"):
        assert words in str(refused.value), words
