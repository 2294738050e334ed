# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured on one real LXD: a run that finds nothing to do, making VMs, starting them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench import floor, ground, peers
from tests.bench.stopwatch import Rival, Times, in_turns, seconds_of
from tests.integration.tenancy import Tenant

OURS, OURS_PLAYED = "`lxd_vm_compose`", "`lxd_vm_compose`, the whole `ansible-playbook`"
BARE, BARE_PLAYED = "a bare module on pylxd", "a bare module on pylxd, the whole `ansible-playbook`"
COMMUNITY, LXC = "`lxd_container` in a loop, the whole `ansible-playbook`", "`lxc` in a loop"
FLOOR, BULK = f"the API alone, {floor.WORKERS} threads", "LXD's bulk start"
BULK_TOLD = f"{BULK} and a listing of what runs then"
OURS_WIDE = "`lxd_vm_compose`, `concurrency` as many as VMs"
# Slow ones are measured over so many VMs, and scaled.
SAMPLE = 10


def named(count: int) -> list[str]:
    """So many VMs."""
    return [f"vm-{number:03}" for number in range(count)]


def requests_of_no_change(tenant: Tenant, names: Sequence[str]) -> int:
    """How many requests LXD gets in a run that finds nothing to do; the VMs are made first."""
    vms = [ground.empty(name) for name in names]
    ground.composed(tenant, vms)
    daemon = ground.counting(tenant)
    with daemon.requests() as seen:
        if ground.composed(tenant, vms)["changed"]:
            raise RuntimeError("lxd_vm_compose changed something")
    ground.uncounted(tenant)
    return len(seen)


def no_change(tenant: Tenant, names: Sequence[str], rounds: int, peers_too: bool = True) -> dict[str, Times]:
    """A run over VMs that are as they should be; they were made by `requests_of_no_change`."""
    vms = [ground.empty(name) for name in names]
    sample = [f"peer-{number:03}" for number in range(SAMPLE)]
    rivals = [
        Rival(OURS, lambda: ground.composed(tenant, vms)),
        Rival(BARE, lambda: peers.bare_module(tenant)),
    ]
    if peers_too:
        # Its own VMs: what it makes is not marked as ours.
        peers.community_loop(tenant, sample, changed=True)
        rivals += [
            Rival(OURS_PLAYED, lambda: peers.compose_played(tenant, vms)),
            Rival(BARE_PLAYED, lambda: peers.bare_played(tenant)),
            Rival(
                COMMUNITY,
                lambda: peers.community_loop(tenant, sample, changed=False),
                scale=len(names) / SAMPLE,
                once=lambda: seconds_of(lambda: peers.nothing_played(tenant)),
            ),
            Rival(LXC, lambda: peers.lxc_looked(tenant, names)),
        ]
    return in_turns(rivals, rounds)


def compose(tenant: Tenant, count: int, rounds: int, peers_too: bool = True) -> dict[str, Times]:
    """Empty VMs made, in a project that has none, and removed again."""
    names, vms = named(count), [ground.empty(name) for name in named(count)]
    bodies = [ground.body_of(tenant, name) for name in names]

    def clear() -> None:
        ground.remove_all(tenant)

    rivals = [
        Rival(OURS, lambda: ground.composed(tenant, vms), after=clear),
        Rival(FLOOR, lambda: floor.posted(tenant, bodies), after=clear),
        Rival(BARE, lambda: peers.bare_module(tenant)),
    ]
    if peers_too:
        rivals += [
            Rival(OURS_PLAYED, lambda: peers.compose_played(tenant, vms), after=clear),
            Rival(
                COMMUNITY,
                lambda: peers.community_loop(tenant, names[:SAMPLE], changed=True),
                # A create takes LXD longer the more VMs there are: the sample is from the middle.
                before=lambda: ground.make_all(tenant, names[SAMPLE : SAMPLE + (count - SAMPLE) // 2]),
                after=clear,
                scale=count / SAMPLE,
                once=lambda: seconds_of(lambda: peers.nothing_played(tenant)),
            ),
            Rival(LXC, lambda: peers.lxc_made(tenant, names), after=clear),
        ]
    return in_turns(rivals, rounds)


def start(tenant: Tenant, count: int, rounds: int) -> dict[str, Times]:
    """VMs started that are there and stopped, all at once; the plug is pulled between the runs."""
    vms = [ground.empty(name, "started") for name in named(count)]
    ground.make_all(tenant, named(count), marked=True)

    def stop() -> None:
        ground.stop_all(tenant)

    rivals = [
        Rival(OURS, lambda: ground.composed(tenant, vms), after=stop),
        Rival(BULK, lambda: floor.bulk_started(tenant), after=stop),
        Rival(OURS_WIDE, lambda: ground.composed(tenant, vms, concurrency=count), after=stop),
        Rival(BULK_TOLD, lambda: floor.bulk_started(tenant, told=True), after=stop),
        Rival(BARE, lambda: peers.bare_module(tenant)),
    ]
    try:
        return in_turns(rivals, rounds)
    finally:
        ground.remove_all(tenant)
