# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a machine, one fact at a time and all of them together."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine import preflight
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine.preflight import Machine, PreflightSpec
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import spec as server

GOOD = Machine(
    root=True,
    os="debian",
    release=(12,),
    title="Debian GNU/Linux 12 (bookworm)",
    architecture="x86_64",
    kvm=True,
    cpu_virtualisation=True,
    vsock=True,
    memory=64 << 30,
    clock=1000.0,
    synchronised=True,
    modules=frozenset({"btrfs", "dm_mod", "dm_thin_pool"}),
    snap=None,
    tracking="",
    version="",
    held=False,
    apt_lists=True,
    candidate="5.0.2",
    lxd="",
    incus=False,
    instances=None,
    ssh_interface="eth0",
    interfaces={"eth0": ("192.0.2.11",), "eth1": (), "eth2": ("192.0.2.12",)},
    masters={},
    firewall="",
    network_manager="networkd",
)
STORE = """channels:
  5.21/stable:  5.21.3 2025-03-19 (1) 1MB -
  latest/edge:  git-b98b242 2025-08-28 (2) 1MB -
  6/stable:     --
"""
SNAP = {"snap": STORE, "lxd": "snap"}


def said(machine: dict[str, Any], asked: dict[str, Any], skip: tuple[str, ...] = ()) -> list[str]:
    wants = {"package": "auto", "channel": "", "hugepages": 0, "clock": None, **asked}
    wanted = server.parse_server_spec(wants.pop("wanted", {}))
    found = dataclasses.replace(GOOD, **machine)
    return [str(each) for each in preflight.problems(found, PreflightSpec(wanted=wanted, **wants), (), skip)]


def over(interface: str) -> dict[str, Any]:
    return {"wanted": {"networks": [{"name": "br0", "config": {"bridge.external_interfaces": interface}}]}}


@pytest.mark.parametrize(
    ("machine", "asked"),
    [
        ({}, {}),
        ({"os": "ubuntu", "release": (24, 4), "candidate": "", "snap": STORE}, {"channel": "5.21/stable"}),
        ({"os": "debian", "release": (9999,)}, {}),
        ({"os": "gentoo", "release": (2,), "snap": STORE}, {"package": "snap"}),
        ({**SNAP, "tracking": "5.21/stable"}, {}),
        ({**SNAP, "tracking": "5.0/stable", "version": "5.0.4"}, {"channel": "5.21/stable"}),
        ({**SNAP, "tracking": "5.21/stable", "version": "5.21.3"}, {"channel": "latest/edge"}),
        # The store has gone on; nothing is asked of it where the channel stays.
        ({**SNAP, "tracking": "5.21/stable/ubuntu-24.04", "version": "5.21.4"}, {"channel": "5.21/stable"}),
        ({"snap": ""}, {"package": "apt"}),
        ({"snap": "", "lxd": "snap"}, {}),
        ({"clock": 1100.0}, {"clock": 1000.0}),
        ({}, over("eth1")),
        ({}, {"hugepages": 32 << 30}),
        # The bridge that this network made of it.
        ({"masters": {"eth1": "br0"}}, over("eth1")),
        ({"candidate": "", "apt_lists": False}, {"package": "apt"}),
    ],
)
def test_nothing_speaks_against_it(machine: dict[str, Any], asked: dict[str, Any]) -> None:
    assert said(machine, asked) == []


AGAINST: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"root": False}, {}, "not root"),
    ({"release": (10,), "title": "Debian 10"}, {}, "Debian 10 is too old; debian 11 or newer"),
    ({"os": "ubuntu", "release": (20, 4), "snap": STORE}, {}, "ubuntu 22.04 or newer"),
    ({"kvm": False}, {}, "no /dev/kvm: this machine can't run virtual machines; load the module"),
    ({"kvm": False, "cpu_virtualisation": False}, {}, "turn it on in the firmware"),
    ({"vsock": False}, {}, "vhost_vsock"),
    ({"memory": 1 << 29}, {}, "512MiB of memory"),
    ({}, {"hugepages": 64 << 30}, "hugepages: 64GiB is more"),
    ({"clock": 2000.0}, {"clock": 1000.0}, "1000 s ahead of the controller's"),
    ({"clock": 0.0}, {"clock": 1000.0}, "1000 s behind the controller's"),
    ({"incus": True}, {}, "Incus is installed"),
    ({"lxd": "apt", "instances": 3}, {"package": "snap"}, "there already as apt, with 3 instances"),
    ({"candidate": ""}, {"package": "apt"}, "has no package lxd"),
    ({"os": "ubuntu", "release": (22, 4)}, {"package": "apt"}, "installs the snap"),
    ({}, {"channel": "5.21/stable"}, "5.21/stable is of the snap"),
    ({"snap": STORE}, {"package": "snap", "channel": "a b"}, "'a b' is no channel"),
    ({"snap": STORE}, {"package": "snap", "channel": "6/stable"}, "no 6/stable; write one of 5.21/stable"),
    ({"snap": ""}, {"package": "snap"}, "the snap store has no information"),
    ({"os": "rocky"}, {"package": "snap"}, "there is no snap"),
    ({"snap": STORE}, {"package": "snap", "channel": "edge"}, "'edge' names no track"),
    (
        {**SNAP, "tracking": "latest/stable", "version": "6.5-f9edc1c"},
        {"channel": "5.21/stable"},
        "5.21.3 in 5.21/stable is older than 6.5-f9edc1c of latest/stable",
    ),
    (
        {**SNAP, "tracking": "latest/edge", "version": "git-b98b242"},
        {"channel": "5.21/stable"},
        "older than git-b98b242",
    ),
    ({}, {"wanted": {"storage_pools": [{"name": "z", "driver": "zfs"}]}}, "storage pool z: this kernel has no zfs"),
    ({}, over("eth0"), "eth0 carries Ansible's connection, which would be lost"),
    ({}, over("eth2"), "eth2 has the address 192.0.2.12"),
    ({"masters": {"eth1": "bond0"}}, over("eth1"), "eth1 is a port of bond0"),
    ({}, over("eth1,eth9"), "eth9: there is no such interface"),
]


@pytest.mark.parametrize(("machine", "asked", "why"), AGAINST, ids=[why for *_rest, why in AGAINST])
def test_what_speaks_against_it(machine: dict[str, Any], asked: dict[str, Any], why: str) -> None:
    (problem,) = said(machine, asked)
    assert why in problem


def test_all_of_it_is_said_at_once_but_what_was_left_out() -> None:
    machine = {"kvm": False, "vsock": False, "memory": 1, "clock": 9e9, "incus": True}
    asked = {"clock": 0.0, **over("eth0")}
    assert len(said(machine, asked)) == 6
    assert len(said(machine, asked, ("virtualisation", "network"))) == 3


@pytest.mark.parametrize(
    ("machine", "package", "method"),
    [
        ({}, "auto", "apt"),
        ({"release": (11,)}, "auto", "snap"),
        ({"candidate": ""}, "auto", "snap"),
        ({"candidate": "", "apt_lists": False}, "auto", "apt"),
        ({"os": "ubuntu", "release": (24, 4)}, "auto", "snap"),
        ({"lxd": "snap"}, "auto", "snap"),
        ({"lxd": "apt", "os": "ubuntu"}, "auto", "apt"),
        ({}, "snap", "snap"),
    ],
)
def test_how_lxd_gets_there(machine: dict[str, Any], package: str, method: str) -> None:
    assert preflight.method(dataclasses.replace(GOOD, **machine), package) == method


@pytest.mark.parametrize(
    ("machine", "channel", "switches"),
    [
        ({"lxd": "snap", "tracking": "5.0/stable"}, "5.21", True),
        ({"lxd": "snap", "tracking": "5.21/stable"}, "5.21", False),
        ({"lxd": "snap", "tracking": "5.21/stable/ubuntu-24.04"}, "5.21/stable", False),
        ({"lxd": "snap", "tracking": "5.21/stable/ubuntu-24.04"}, "5.21/stable/fix-1", True),
        ({"lxd": "snap", "tracking": "5.21/stable/fix-1"}, "5.21/stable/fix-1", False),
        ({"lxd": "snap", "tracking": "5.21/stable"}, "", False),
        ({}, "5.21/stable", False),
    ],
)
def test_when_an_installed_snap_follows_another_channel(machine: dict[str, Any], channel: str, switches: bool) -> None:
    assert preflight.switches(dataclasses.replace(GOOD, **machine), channel) is switches


def test_a_clock_that_nothing_keeps_is_a_warning() -> None:
    assert preflight.warnings(GOOD) == []
    assert "NTP" in preflight.warnings(dataclasses.replace(GOOD, synchronised=False))[0]
