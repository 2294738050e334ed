# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed as ratios measured side by side on a real LXD: what must hold on any machine, however slow or busy.

Each is taken from the best of a few turns, which leaves out most of what else the machine does;
docs/reference/benchmarks.md has all figures, medians and the peers.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench import cases, ground
from tests.bench.stopwatch import Times, best_ratio
from tests.integration.tenancy import Tenant
from tests.lxd.place import default_root


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """A tenant of a daemon of its own that writes no debug log."""
    with ground.ground(default_root(), tmp_path_factory.mktemp("speed") / "site") as tenant:
        yield tenant


def told(times: dict[str, Times]) -> str:
    """What was measured, for a test that fails."""
    return "\n".join(f"{label}: {each}" for label, each in times.items())


def test_a_run_without_changes_costs_three_requests_and_two_module_starts(quiet: Tenant) -> None:
    names = cases.named(100)
    assert cases.requests_of_no_change(quiet, names) <= 3
    times = cases.no_change(quiet, names, rounds=7, peers_too=False)
    ground.remove_all(quiet)
    assert best_ratio(times, cases.OURS, [cases.BARE]) <= 2, told(times)


def test_composing_is_about_as_fast_as_the_api_alone(quiet: Tenant) -> None:
    times = cases.compose(quiet, 50, rounds=4, peers_too=False)
    assert best_ratio(times, cases.OURS, [cases.FLOOR, cases.BARE]) <= 1.3, told(times)


def test_starting_is_not_far_from_lxds_bulk_start(quiet: Tenant) -> None:
    # Promised are 1.3, which the starts themselves keep. But where guests are translated, each keeps a core busy from
    # its first instant: our last reading then takes ten times as long. On a quiet machine 1.1 to 1.2 were measured.
    times = cases.start(quiet, 12, rounds=3)
    assert best_ratio(times, cases.OURS_WIDE, [cases.BULK_TOLD, cases.BARE]) <= 2, told(times)
