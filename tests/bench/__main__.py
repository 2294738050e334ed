# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All benchmarks, or the named ones: prints Markdown, and with --write puts it into docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench import cases, fleet, ground, inventories, peers, report
from tests.bench.report import Ratio
from tests.bench.stopwatch import Rival, in_turns
from tests.integration.tenancy import Tenant
from tests.lxd import packages
from tests.lxd.place import default_root

VMS, MADE, STARTED, HOSTS, LATENCY = 100, 50, 12, 1000, 20.0


def _no_change(tenant: Tenant, rounds: int) -> str:
    names = cases.named(VMS)
    counted = cases.requests_of_no_change(tenant, names)
    times = cases.no_change(tenant, names, rounds)
    ground.remove_all(tenant)
    targets = [
        Ratio(cases.OURS, (cases.BARE,), 2),
        Ratio(cases.OURS_PLAYED, (cases.BARE_PLAYED,), 2),
        Ratio(cases.OURS, (cases.COMMUNITY,), 40, faster=True),
        Ratio(cases.OURS_PLAYED, (cases.COMMUNITY,), 40, faster=True),
    ]
    note = f"LXD got {counted} requests from `lxd_vm_compose`; the target is at most 3. {_scaled(VMS)}"
    return report.section(f"Nothing to change, {VMS} VMs on one host", times, targets, [note])


def _compose(tenant: Tenant, rounds: int) -> str:
    times = cases.compose(tenant, MADE, rounds)
    targets = [
        Ratio(cases.OURS, (cases.FLOOR, cases.BARE), 1.3),
        Ratio(cases.OURS, (cases.COMMUNITY,), 10, faster=True),
        Ratio(cases.OURS_PLAYED, (cases.COMMUNITY,), 10, faster=True),
    ]
    return report.section(f"Composing {MADE} empty VMs", times, targets, [_scaled(MADE)])


def _start(tenant: Tenant, rounds: int) -> str:
    times = cases.start(tenant, STARTED, rounds)
    targets = [
        Ratio(cases.OURS, (cases.BULK,), 1.3),
        Ratio(cases.OURS_WIDE, (cases.BULK,), 1.3),
        Ratio(cases.OURS_WIDE, (cases.BULK_TOLD, cases.BARE), 1.3),
    ]
    return report.section(f"Starting {STARTED} VMs", times, targets)


def _fleet(tenant: Tenant, rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording.json"
        asked = fleet.record(tenant, recording)
        with fleet.served(recording, Path(folder), HOSTS, LATENCY) as simulated:
            rivals = [Rival(label, run) for label, run in fleet.readings(simulated).items()]
            times = in_turns(rivals, max(1, rounds // 2))
    note = (
        f"{HOSTS} hosts with {fleet.VMS_EACH} VMs each, simulated by one process on the same machine that answers "
        f"{len(asked)} kinds of request {LATENCY:g} ms late. Target: read in under 15 s."
    )
    return report.section("Reading a simulated fleet", times, [], [note])


def _inventory(tenant: Tenant, rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        one = inventories.of_one(tenant, Path(folder), rounds, LATENCY)
    ground.remove_all(tenant)
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording.json"
        fleet.record(tenant, recording, inventories.VMS_EACH)
        with fleet.served(recording, Path(folder), inventories.HOSTS, LATENCY, inventories.VMS_EACH) as simulated:
            many = inventories.of_fleet(simulated, rounds)
    net = inventories.NET
    targets = [
        Ratio(inventories.OURS, (inventories.THEIRS,), 20, faster=True),
        Ratio(net[inventories.OURS], (net[inventories.THEIRS],), 20, faster=True),
        Ratio(inventories.OURS_FAR, (inventories.THEIRS_FAR,), 20, faster=True),
        Ratio(net[inventories.OURS_FAR], (net[inventories.THEIRS_FAR],), 20, faster=True),
    ]
    title = f"Inventory of one host with {inventories.ALONE} VMs, by `ansible-inventory --graph`"
    note = (
        "`community.general.lxd` uses the UNIX socket where the host is local, and https with an administrator's "
        f"certificate where the host is simulated, {LATENCY:g} ms away."
    )
    size = f"{inventories.HOSTS} simulated hosts with {inventories.VMS_EACH} VMs each"
    note_of_fleet = f"Answers come {LATENCY:g} ms late. Target: read in under 4 s."
    return "\n".join(
        [report.section(title, one, targets, [note]), report.section(f"Inventory of {size}", many, [], [note_of_fleet])]
    )


def _scaled(count: int) -> str:
    return f"`lxd_container`: {cases.SAMPLE} VMs measured, and the time without Ansible's start scaled to {count}."


CASES: Mapping[str, Callable[[Tenant, int], str]] = {
    "no-change": _no_change,
    "compose": _compose,
    "start": _start,
    "fleet": _fleet,
    "inventory": _inventory,
}


def main(arguments: Sequence[str]) -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all if none is named")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--write", action="store_true", help="put the result into docs/reference/benchmarks.md")
    said = parser.parse_args(arguments)
    unknown = set(said.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    packages.require()
    busy = os.getloadavg()[0]
    community = peers.community_general()
    sections = []
    for name in said.cases or CASES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as site, ground.ground(default_root(), Path(site) / "site") as tenant:
            lxd = tenant.lxd.api("GET", "/1.0")["environment"]["server_version"]
            translated = bool(tenant.lxd.gaps and tenant.lxd.gaps.kvm)
            sections.append(CASES[name](tenant, said.rounds))
            print(sections[-1], file=sys.stderr, flush=True)
    day = datetime.datetime.now(datetime.timezone.utc).date()
    first = f"{day}, {said.rounds} rounds, community.general {community}. {report.machine(lxd, translated, busy)}"
    text = "\n\n".join([first, *sections])
    print(text)
    if said.write:
        report.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
