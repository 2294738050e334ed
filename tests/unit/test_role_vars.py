# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles make of an inventory before they ask anything: rendered by Ansible itself, without a play."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = {"vmhost_cluster": "kvm"}
LEAVES = {**CLUSTER, "vmhost_cluster_state": "absent"}


def rendered(
    role: str,
    name: str,
    hosts: Mapping[str, Mapping[str, Any]],
    host: str = "",
    play: Sequence[str] | None = None,
    **variables: Any,
) -> Any:
    """A variable of a role as `host` (the first of the play) has it; `variables` are those of the whole play."""
    loader = DataLoader()
    in_play = list(hosts if play is None else play)
    here = host or in_play[0]
    told = {each: {"inventory_hostname": each, **said} for each, said in hosts.items()}
    defaults, role_vars = (
        [loader.load_from_file(file, trusted_as_template=True) for file in loader.find_vars_files(str(folder), "main")]
        for folder in (ROOT / "roles" / role / "defaults", ROOT / "roles" / role / "vars")
    )
    about_play = {
        "inventory_hostname": here,
        "hostvars": told,
        "groups": {"all": list(hosts), "lxd_vmhosts": list(hosts)},
        **dict.fromkeys(("ansible_play_hosts", "ansible_play_batch", "ansible_play_hosts_all"), in_play),
        "ansible_check_mode": False,
    }
    known = dict(ChainMap(variables, about_play, *role_vars, told[here], *defaults))
    return Templar(loader, variables=known).template(trust_as_template("{{ " + name + " }}"))


# Which VMs are composed


VMS = [{"name": "anywhere"}, {"name": "clustered", "vmhost": "kvm"}, {"name": "alone", "vmhost": "h1"}]
ALL = {"k1": CLUSTER, "k2": CLUSTER, "h1": {}}


@pytest.mark.parametrize(
    ("hosts", "play", "composed"),
    [
        (ALL, None, ["anywhere", "clustered", "alone"]),
        (ALL, ["h1"], ["alone"]),
        (ALL, ["k1"], ["clustered"]),
        # One member stands for the cluster.
        (ALL, ["k1", "h1"], ["anywhere", "clustered", "alone"]),
        ({**ALL, "k3": LEAVES}, ["k1", "k2", "h1"], ["anywhere", "clustered", "alone"]),
        ({**ALL, "h2": {"vmhost_state": "absent"}}, ["k1", "k2", "h1"], ["anywhere", "clustered", "alone"]),
        ({**ALL, "h2": {}}, ["k1", "k2", "h1"], ["clustered", "alone"]),
    ],
)
def test_vms_are_composed_where_the_play_reaches(
    hosts: Mapping[str, Mapping[str, Any]], play: Sequence[str] | None, composed: list[str]
) -> None:
    with_facts = {name: {**said, "__vms_of_host": []} for name, said in hosts.items()}
    found = rendered("vms", "__vms_all", with_facts, play=play, vms_list=VMS)
    assert [vm["name"] for vm in found] == composed


# What happens to a VM host that is a cluster


SAID = {"vmhost_owner": "team-a", "vmhost_project": "tenant-a", "ansible_host": "192.0.2.1"}
MEMBERS = {"k1": CLUSTER, "k2": CLUSTER, "k3": CLUSTER}


def problems(
    hosts: Mapping[str, Mapping[str, Any]], play: Sequence[str], host: str = "", **variables: Any
) -> list[str]:
    """What is said against it before anything is asked; `vmhost_state` is that of a playbook, as remove's."""
    state = variables.get("vmhost_state")
    told = {
        name: {**said, **({"__vmhost_state": state or said.get("vmhost_state", "present")} if name in play else {})}
        for name, said in hosts.items()
    }
    demands = "__vmhost_requirements | rejectattr('met') | map(attribute='message')"
    return list(rendered("vmhost", demands, told, host, play, **SAID, **variables))


@pytest.mark.parametrize(
    ("hosts", "play", "variables"),
    [
        ({**MEMBERS, "h1": {}}, ["h1"], {"vmhost_state": "absent"}),
        ({**MEMBERS, "h1": {}}, ["k1", "k2", "k3"], {"vmhost_state": "absent"}),
        ({**MEMBERS, "k4": LEAVES}, ["k1", "k2", "k3"], {"vmhost_state": "absent"}),
        ({**MEMBERS, "k4": LEAVES}, ["k1", "k2", "k3", "k4"], {"vmhost_state": "absent"}),
        ({name: {**CLUSTER, "vmhost_state": "absent"} for name in MEMBERS}, ["k1", "k2", "k3"], {}),
        ({**MEMBERS, "k4": LEAVES}, ["k1"], {"vmhost_state": "rotated"}),
        ({**MEMBERS, "k4": LEAVES}, ["k4"], {}),
        (MEMBERS, ["k2"], {}),
    ],
)
def test_what_is_said_for_a_whole_cluster_holds(
    hosts: Mapping[str, Mapping[str, Any]], play: list[str], variables: dict[str, str]
) -> None:
    assert problems(hosts, play, **variables) == []


@pytest.mark.parametrize(
    ("hosts", "play", "variables", "words"),
    [
        (MEMBERS, ["k2"], {"vmhost_state": "absent", "vmhost_vms": "delete"}, "k1, k3 is not to go in this run"),
        ({**MEMBERS, "k4": LEAVES}, ["k4"], {"vmhost_state": "absent"}, "k1, k2, k3 is not to go in this run"),
        ({**MEMBERS, "k1": {**CLUSTER, "vmhost_state": "absent"}}, ["k1", "k2", "k3"], {}, "k2, k3 is not to go"),
        ({**MEMBERS, "k4": LEAVES}, ["k4"], {"vmhost_state": "rotated"}, "has left kvm or is to leave it"),
        (dict.fromkeys(MEMBERS, LEAVES), ["k1", "k2", "k3"], {}, "k1, k2, k3 are to leave kvm"),
        ({"k1": {}, "k2": {}}, ["k1"], CLUSTER, "set it in the inventory"),
    ],
)
def test_one_member_takes_nothing_with_it_that_is_the_clusters(
    hosts: Mapping[str, Mapping[str, Any]], play: list[str], variables: dict[str, str], words: str
) -> None:
    said = problems(hosts, play, **variables)
    assert len(said) >= 1 and words in " ".join(said[0].split()), said


# Whether a cluster may be begun


def looked(*, clustered: bool | None = None) -> dict[str, Any]:
    """A row of lxd_vmhost_info: of a server that answers, or of one that doesn't."""
    silent = {"server": None, "error": {"code": "unreachable", "msg": "no LXD answers"}}
    return {"vmhosts": [silent if clustered is None else {"server": {"clustered": clustered}, "error": None}]}


STOPPED, SINGLE, MEMBER = looked(), looked(clustered=False), looked(clustered=True)
BARE = {"machine": {"lxd": "", "incus": False}}
INSTALLED = {"machine": {"lxd": "apt", "incus": False}}


@pytest.mark.parametrize(
    ("k1", "k2", "seed", "silent"),
    [
        (MEMBER, None, "k1", []),
        (SINGLE, None, "", []),
        # Installed by this run, and yet nothing answers.
        (STOPPED, None, "", ["k1"]),
        (SINGLE, {**MEMBER, "item": "k2"}, "k2", []),
        (SINGLE, {**SINGLE, "item": "k2"}, "", []),
        (SINGLE, {"unreachable": True, "item": "k2"}, "", ["k2"]),
        (SINGLE, {**STOPPED, "item": "k2", "then": INSTALLED}, "", ["k2"]),
        (SINGLE, {**STOPPED, "item": "k2", "then": {"unreachable": True}}, "", ["k2"]),
        (SINGLE, {**STOPPED, "item": "k2", "then": {"skipped": True}}, "", ["k2"]),
        (SINGLE, {**STOPPED, "item": "k2", "then": BARE}, "", []),
    ],
)
def test_a_server_that_does_not_answer_may_be_a_member(
    k1: dict[str, Any], k2: dict[str, Any] | None, seed: str, silent: list[str]
) -> None:
    then = [{**k2["then"], "item": "k2"}] if k2 and "then" in k2 else []
    hosts = {
        "k1": {
            **CLUSTER,
            "__vmhost_cluster_info": k1,
            "__vmhost_cluster_info_elsewhere": {"results": [k2] if k2 else []},
            "__vmhost_preflight_elsewhere": {"results": then},
        },
        "k2": CLUSTER,
    }
    assert (
        rendered("vmhost", "__vmhost_existing_member", hosts, play=["k1"], __vmhost_first_member="k1", **SAID) == seed
    )
    assert (
        rendered("vmhost", "__vmhost_unanswered_members", hosts, play=["k1"], __vmhost_first_member="k1", **SAID)
        == silent
    )


def test_check_mode_knows_that_nothing_is_installed_yet() -> None:
    for machine, silent in ((BARE, []), (INSTALLED, ["k1"])):
        hosts = {"k1": {**CLUSTER, "__vmhost_cluster_info": STOPPED, "__vmhost_preflight": machine}}
        assert (
            rendered(
                "vmhost",
                "__vmhost_unanswered_members",
                hosts,
                ansible_check_mode=True,
                __vmhost_first_member="k1",
                **SAID,
            )
            == silent
        )


# Where members are reached, and what the firewall lets through


@pytest.mark.parametrize(
    ("said", "address", "ports"),
    [
        ({}, "192.0.2.1:8443", ["8443"]),
        ({"ansible_host": "kvm-01.example.com"}, ":8443", ["8443"]),
        ({"ansible_host": "2001:db8::1"}, "[2001:db8::1]:8443", ["8443"]),
        ({"vmhost_listen_address": "192.0.2.2"}, "192.0.2.2:8443", ["8443"]),
        ({"vmhost_listen_address": "192.0.2.2:9443"}, "192.0.2.2:9443", ["9443"]),
        ({"vmhost_listen_address": "[::]:9443"}, "192.0.2.1:9443", ["9443"]),
        ({"vmhost_listen_address": "[::]:9443", "ansible_host": "kvm-01"}, ":9443", ["9443"]),
        ({"vmhost_cluster_address": "192.0.2.12:9443"}, "192.0.2.12:9443", ["9443"]),
        (
            {"vmhost_cluster_address": "192.0.2.12:9443", "vmhost_listen_address": "[2001:db8::1]:8444"},
            "192.0.2.12:9443",
            ["8444", "9443"],
        ),
        ({"vmhost_server_config": {"core.https_address": "[::]:8445"}}, "192.0.2.1:8443", ["8445", "8443"]),
    ],
)
def test_the_ports_that_a_member_is_reached_at_are_opened(said: dict[str, Any], address: str, ports: list[str]) -> None:
    hosts = {"k1": CLUSTER}
    known = {**SAID, **said, "__vmhost_info_before": STOPPED}
    assert rendered("vmhost", "__vmhost_declared_cluster_address", hosts, **known) == address
    assert rendered("vmhost", "__vmhost_opened_ports", hosts, **known) == ports


def test_a_server_that_is_alone_keeps_its_port() -> None:
    listens = {"vmhosts": [{"server": {"https_address": "[::]:9443"}, "error": None}]}
    assert rendered("vmhost", "__vmhost_opened_ports", {"h1": {}}, __vmhost_info_before=listens, **SAID) == ["9443"]


@pytest.mark.parametrize(
    ("rule", "opens"),
    [
        ("allow 22/tcp", True),
        ("allow 8443/tcp", False),
        ("allow 8443", False),
        ("allow 80,8443/tcp", False),
        ("deny in on eth0 8443/tcp", False),
        ("limit 8443/tcp comment 'ours'", False),
        ("allow from 10.0.0.0/8 to any port 8443", False),
        ("allow from 10.0.0.0/8 to any port 8443 proto tcp", False),
        ("allow in on eth0 from 10.0.0.0/8 to any port 8443 proto tcp", False),
        ("allow from 10.0.0.0/8 to any port 8443 proto udp", True),
        ("allow 8443/udp", True),
        ("allow out 8443/tcp", True),
        ("route allow in on eth0 to any port 8443", True),
        ("allow from 2001:db8:8443::/48", True),
        ("allow 18443/tcp", True),
    ],
)
def test_ufw_keeps_the_rule_that_somebody_has_for_the_port(rule: str, opens: bool) -> None:
    known = {
        "__vmhost_info_before": STOPPED,
        "__vmhost_ufw_output": {"stdout_lines": [f"ufw {rule}", "ufw allow in on lxdbr0"]},
    }
    networks = {"vmhost_networks": [{"name": "lxdbr0"}]}
    said = rendered("vmhost", "__vmhost_ufw_missing_rules", {"h1": {}}, **SAID, **known, **networks)
    bridge = ["route allow in on lxdbr0", "route allow out on lxdbr0"]
    assert said == (["allow 8443/tcp"] if opens else []) + bridge


@pytest.mark.parametrize(
    ("zone", "rich", "rules"),
    [
        ({"rc": 0, "stdout": "internal"}, [], [["--zone=internal", "--add-port=8443/tcp"]]),
        ({"rc": 2, "stdout": "no zone"}, [], [["--add-port=8443/tcp"]]),
        (
            {"skipped": True},
            ['rule family="ipv4" source-port port="8443" protocol="tcp" accept'],
            [["--add-port=8443/tcp"]],
        ),
        (
            {"rc": 0, "stdout": "public"},
            ['rule family="ipv4" source address="10.0.0.0/8" port port="8443" protocol="tcp" accept'],
            [],
        ),
    ],
)
def test_firewalld_opens_the_zone_that_we_come_in_by(
    zone: dict[str, Any], rich: list[str], rules: list[list[str]]
) -> None:
    known = {
        "__vmhost_info_before": STOPPED,
        "__vmhost_firewalld_zone_query": zone,
        "__vmhost_firewalld_rich_rules": {"stdout_lines": rich},
    }
    networks = {"vmhost_networks": [{"name": "lxdbr0"}]}
    said = rendered("vmhost", "__vmhost_firewalld_rules", {"h1": {}}, **SAID, **known, **networks)
    wanted = [*rules, ["--zone=trusted", "--change-interface=lxdbr0"]]
    assert said == [["--permanent", *rule] for rule in wanted] + wanted
