# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Placement over any hosts and VMs: an oracle counts again from LXD's raw answers, and imports nothing that counts."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.pinning import apply_pinning
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.search import Placements, place_vms
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.spec import parse_vm_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plugins.module_utils._core.placement.placement_world import (
    GIB,
    asks,
    host_of,
    instance,
    machine,
    raw_host,
)

UNITS = {"": 1, "MiB": 1 << 20, "GiB": GIB}

# The world, as LXD tells of it

MEMORIES = ["512MiB", "1GiB", "3GiB", "25%"]
RATIOS = ["0.5", "0.57", "1", "1.1", "2"]


@st.composite
def pools(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """A pool of its own, one that may be on the same filesystem as a third, or shared by all members."""
    used = draw(st.integers(0, 40)) * GIB
    driver = draw(st.sampled_from(["zfs", "dir", "ceph"]))
    found = [("default", driver, 60 * GIB, used)]
    if draw(st.booleans()):
        found.append(
            ("other", draw(st.sampled_from(["zfs", "dir"])), 60 * GIB, draw(st.sampled_from([used, 20 * GIB])))
        )
    return found


@st.composite
def hosts(draw: st.DrawFn, name: str) -> dict[str, Any]:
    held = draw(pools())
    members = draw(st.sampled_from([("none",), ("none",), ("a", "b"), ("a", "b", "c")]))
    machines = [
        machine(
            cores=draw(st.sampled_from([2, 4, 9])),
            memory=draw(st.integers(3, 12)) * GIB,
            member=member,
            nodes=draw(st.sampled_from([1, 2])),
            hugepages=draw(st.sampled_from([0, 0, 2])) * GIB,
            pools=held,
            status=draw(st.sampled_from(["Online", "Online", "Offline", "Evacuated"]))
            if len(members) > 1
            else "Online",
        )
        for member in members
    ]
    limits = {
        "limits.cpu": st.integers(1, 12).map(str),
        "limits.memory": st.integers(1, 16).map("{}GiB".format),
        "limits.disk": st.integers(5, 80).map("{}GiB".format),
        "limits.instances": st.integers(1, 4).map(str),
        "limits.virtual-machines": st.integers(1, 4).map(str),
    }
    kept = draw(st.sets(st.sampled_from(sorted(limits)), max_size=2))
    # Under a limit on memory LXD has no instance with a percentage of it.
    memories = MEMORIES[:3] if "limits.memory" in kept else MEMORIES
    there = [draw(instances(f"{name}-{number}", members, held, memories)) for number in range(draw(st.integers(0, 3)))]
    return raw_host(
        name,
        *machines,
        instances=there,
        project={key: draw(limits[key]) for key in sorted(kept)},
        ratios={"cpu": draw(st.sampled_from(RATIOS)), "memory": draw(st.sampled_from(RATIOS))},
    )


@st.composite
def instances(
    draw: st.DrawFn, name: str, members: tuple[str, ...], held: list[tuple[Any, ...]], memories: list[str]
) -> dict[str, Any]:
    return instance(
        name,
        cores=draw(st.sampled_from(["1", "2", "0-1", "1-1"])),
        memory=draw(st.sampled_from(memories)),
        disk=f"{draw(st.integers(1, 20))}GiB",
        pool=draw(st.sampled_from([pool[0] for pool in held])),
        location=draw(st.sampled_from(members)),
        status=draw(st.sampled_from(["Stopped", "Running"])),
        config={"limits.memory.hugepages": "true"} if draw(st.integers(0, 5)) == 5 else {},
    )


@st.composite
def vms(draw: st.DrawFn, names: list[str]) -> list[dict[str, Any]]:
    """New VMs, and some that are there and may grow."""
    known = draw(st.lists(st.sampled_from(names), unique=True, max_size=2)) if names else []
    found = []
    for name in [*(f"vm-{number}" for number in range(draw(st.integers(1, 6)))), *known]:
        said: dict[str, Any] = {"name": name, "memory": f"{draw(st.integers(1, 5))}GiB"}
        # A disk is never shrunk, and no smaller one is asked for.
        said["disks"] = [{"size": f"{draw(st.integers(20 if name in known else 1, 30))}GiB"}]
        count = draw(st.integers(1, 4))
        node = draw(st.sampled_from([None, 0, 1]))
        chosen = draw(st.sampled_from([{"cores": count}] * 3 + [{"pinned_cores": {"count": count, "numa_node": node}}]))
        if name not in known and draw(st.integers(0, 4)) == 0:
            said["disks"].append({"name": "data", "size": f"{draw(st.integers(1, 20))}GiB", "storage_pool": "other"})
            said["hugepages"] = draw(st.booleans())
        found.append({**said, **chosen})
    return found


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    raw = [draw(hosts(name)) for name in ("h1", "h2", "h3")[: draw(st.integers(1, 3))]]
    return raw, draw(vms([each["name"] for host in raw for each in host["instances"]]))


def run(raw: list[dict[str, Any]], wanted: list[dict[str, Any]], strategy: str) -> Placements:
    found = [host_of(each) for each in raw]
    return place_vms(asks(wanted, found), found, strategy)


# What LXD would hold afterwards, made without anything of the placement but its choices


def applied(raw: list[dict[str, Any]], wanted: list[dict[str, Any]], found: Placements) -> list[dict[str, Any]]:
    """The world once LXD has done it: new VMs where they were placed, those that grow where they are."""
    after = copy.deepcopy(raw)
    by_name = {host["name"]: host for host in after}
    for said in wanted:
        there = next((each for host in after for each in host["instances"] if each["name"] == said["name"]), None)
        before = Instance.from_api(there) if there else None
        choice = found.chosen.get(said["name"])
        if choice is None:
            continue
        host = by_name[choice.host]
        if there is None:
            there = instance(said["name"], location=choice.member or "none")
            host["instances"].append(there)
        config, devices = there["config"], there["devices"]
        config["limits.memory"] = said["memory"]
        if said.get("hugepages"):
            config["limits.memory.hugepages"] = "true"
        pinning = apply_pinning(parse_vm_spec(said), choice.cores, before)
        config.update({key: value for key, value in pinning.config.items() if value and "memory" not in key})
        for disk in said["disks"][:1]:
            devices["root"]["size"] = disk["size"]
        for disk in said["disks"][1:]:
            volume = {"pool": disk["storage_pool"], "name": f"{said['name']}-data", "content_type": "block"}
            # In a cluster a volume is on the member of its VM.
            volume.update(config={"size": disk["size"], "user.tenantry.owner": "us"}, location=there["location"])
            devices["data"] = {"type": "disk", "pool": disk["storage_pool"], "source": volume["name"]}
            host["volumes"].append(volume)
    return after


# The oracle


def size(text: str, whole: int = 0) -> int:
    if text.endswith("%"):
        return whole * int(text[:-1]) // 100
    number = text.rstrip("GMiB")
    return int(number) * UNITS[text[len(number) :]]


def cores_of(limit: str) -> set[int] | int:
    if limit.isdigit():
        return int(limit)
    found: set[int] = set()
    for part in limit.split(","):
        first, _dash, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def count(limit: str) -> int:
    cores = cores_of(limit)
    return cores if isinstance(cores, int) else len(cores)


def use(host: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Everything that a policy bounds: what is promised of it, and the bound."""
    found: dict[str, tuple[int, int]] = {}
    alone = len(host["machines"]) == 1
    everywhere: Counter[str] = Counter()
    for each in host["machines"]:
        total = each["memory"]["total"]
        here = [vm for vm in host["instances"] if alone or vm["location"] == each["member"]]
        memory = {vm["name"]: size(vm["config"]["limits.memory"], total) for vm in here}
        huge = {vm["name"] for vm in here if vm["config"].get("limits.memory.hugepages") == "true"}
        cores = sum(count(vm["config"]["limits.cpu"]) for vm in here)
        member = each["member"]
        cpu_ratio, memory_ratio = Fraction(host["ratios"]["cpu"]), Fraction(host["ratios"]["memory"])
        pages = each["memory"]["hugepages_total"]
        found[f"{member} cores"] = (cores, int(cpu_ratio * each["cpu"]["total"]))
        found[f"{member} memory"] = (sum(memory.values()), int(memory_ratio * total))
        ordinary = sum(bytes_ for name, bytes_ in memory.items() if name not in huge)
        found[f"{member} ordinary"] = (ordinary, int(memory_ratio * (total - pages)))
        found[f"{member} hugepages"] = (sum(memory[name] for name in huge), pages)
        disks: Counter[str] = Counter()
        for vm in here:
            disks[vm["devices"]["root"]["pool"]] += size(vm["devices"]["root"]["size"])
        for volume in host["volumes"]:
            if alone or volume["location"] == member:
                disks[volume["pool"]] += size(volume["config"]["size"])
        everywhere.update(disks)
        everywhere["cores"] += cores
        everywhere["memory"] += sum(memory.values())
        found.update(filesystems(member, each["pools"], disks))
    for name, driver, space, _used in host["machines"][0]["pools"]:
        if driver == "ceph":
            found[f"all {name}"] = (everywhere[name], space)
    limits = {
        "limits.cpu": everywhere["cores"],
        "limits.memory": everywhere["memory"],
        "limits.disk": sum(everywhere[pool[0]] for pool in host["machines"][0]["pools"]),
        "limits.instances": len(host["instances"]),
        "limits.virtual-machines": len(host["instances"]),
    }
    found.update({key: (limits[key], size(value)) for key, value in host["project"].items()})
    return found


def filesystems(member: str, held: list[tuple[Any, ...]], disks: Counter[str]) -> dict[str, tuple[int, int]]:
    found: dict[str, list[int]] = {}
    for name, driver, space, used in held:
        if driver != "ceph":
            key = f"{member} dir {space} {used}" if driver == "dir" else f"{member} {name}"
            found.setdefault(key, [0, space])[0] += disks[name]
    return {key: (promised, space) for key, (promised, space) in found.items()}


def used_of(host: Mapping[str, Any], key: str) -> int:
    """What is really used in the pool of a bound: what others use stays theirs."""
    for name, driver, _space, used in host["machines"][0]["pools"]:
        if key.endswith((f" {name}", f" dir {_space} {used}")) and (driver == "dir") == (" dir " in key):
            return used
    return 0


STRATEGIES = st.sampled_from(["spread", "pack"])
tries = settings(max_examples=100)


@tries
@given(worlds(), STRATEGIES)
def test_never_more_is_promised_than_the_policy_allows(world: Any, strategy: str) -> None:
    raw, wanted = world
    found = run(raw, wanted, strategy)
    after = applied(raw, wanted, found)
    for before, now in zip(raw, after):
        was = use(before)
        for key, (promised, bound) in use(now).items():
            # A host may have been promised out before: then nothing is added to it. What is used and not promised is
            # somebody else's, and what is left of the pool is all there is.
            others = max(0, used_of(before, key) - was[key][0])
            assert promised <= max(was[key][0], bound - others if others else bound), (now["name"], key)


@tries
@given(worlds(), STRATEGIES, st.randoms(use_true_random=False))
def test_the_order_of_hosts_and_vms_does_not_matter(world: Any, strategy: str, chance: Any) -> None:
    raw, wanted = world
    one = run(raw, wanted, strategy)
    chance.shuffle(raw)
    chance.shuffle(wanted)
    for host in raw:
        chance.shuffle(host["instances"])
        chance.shuffle(machines := list(host["machines"]))
        host["machines"] = tuple(machines)
    other = run(raw, wanted, strategy)
    assert one.chosen == other.chosen
    assert {key: str(error) for key, error in one.refused.items()} == {
        key: str(error) for key, error in other.refused.items()
    }


@tries
@given(worlds(), STRATEGIES)
def test_nothing_that_exists_moves(world: Any, strategy: str) -> None:
    raw, wanted = world
    where = {each["name"]: (host["name"], each["location"]) for host in raw for each in host["instances"]}
    for name, choice in run(raw, wanted, strategy).chosen.items():
        if name in where:
            assert (choice.host, choice.member or "none") == where[name]


@tries
@given(worlds(), STRATEGIES)
def test_a_plan_that_is_applied_leaves_nothing_to_plan(world: Any, strategy: str) -> None:
    raw, wanted = world
    found = run(raw, wanted, strategy)
    after = applied(raw, wanted, found)
    wanted = [each for each in wanted if each["name"] not in found.refused]
    # Pins that nobody marked are looked at again, for which the machine has to be known; they stay.
    for ask in asks(wanted, [host_of(each) for each in after]):
        assert ask.pinning and not (ask.cores or ask.memory or ask.hugepages or ask.disks), ask
    assert applied(after, wanted, run(after, wanted, strategy)) == after


@tries
@given(worlds(), STRATEGIES)
def test_every_vm_gets_an_answer_and_every_choice_a_reason(world: Any, strategy: str) -> None:
    raw, wanted = world
    found = run(raw, wanted, strategy)
    new = {said["name"] for said in wanted if said["name"].startswith("vm-")}
    assert new <= set(found.chosen) | set(found.refused) and not set(found.chosen) & set(found.refused)
    for choice in found.chosen.values():
        others = [label for labels in choice.against.values() for label in labels]
        assert choice.reason and len(others) == len(set(others))
        assert not {choice.host, f"{choice.host}/{choice.member}"} & set(others)
    assert all(f"VM {name}" in error.message for name, error in found.refused.items())


@tries
@given(worlds())
def test_one_vm_is_refused_only_where_nothing_has_room_for_it(world: Any) -> None:
    """A single ordinary VM: whoever refuses it must be right on every machine."""
    raw, wanted = world
    said = {**wanted[0], "disks": wanted[0]["disks"][:1], "hugepages": False}
    said["cores"] = said.pop("pinned_cores", {"count": said.get("cores")})["count"]
    if run(raw, [said], "spread").chosen:
        return
    for host in raw:
        for each in host["machines"]:
            if each["status"] == "Online":
                assert not fits(host, each["member"], said), (host["name"], each["member"])


def fits(host: dict[str, Any], member: str, said: Mapping[str, Any]) -> bool:
    """Whether the oracle would have put it there."""
    was = use(host)
    trial = copy.deepcopy(host)
    more = instance(said["name"], str(said["cores"]), said["memory"], said["disks"][0]["size"], location=member)
    trial["instances"].append(more)
    for key, (promised, bound) in use(trial).items():
        others = max(0, used_of(host, key) - was[key][0])
        if promised > was[key][0] and promised > bound - others:
            return False
    return True


def test_the_oracle_would_notice() -> None:
    """That it counts at all: a VM put where there is no room is more than its bound."""
    host = raw_host("h", ratios={"cpu": "1", "memory": "1"}, instances=[instance("x", cores="5")])
    assert use(host)["none cores"] == (5, 4) and not fits(
        host, "none", {"name": "y", "cores": 1, "memory": "1GiB", "disks": [{"size": "1GiB"}]}
    )
