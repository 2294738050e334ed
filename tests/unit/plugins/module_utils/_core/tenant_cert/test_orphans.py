# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which trust entries are listed as left behind, when a certificate is warned of, and what an LXD is kept for."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Image, TrustEntry
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Publish
from ansible_collections.tenantry.lxd.plugins.module_utils._core.tenant_cert import expiry, orphans
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import registry_push, vacancy
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost.registry_push import File

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)


def entry(mark: str, name: str, kind: str = "client", made_for: str = "") -> TrustEntry:
    return TrustEntry(mark * 64, name, kind, True, frozenset({"a"}), made_for)


def test_only_what_looks_like_ours_and_is_used_by_nobody_is_an_orphan() -> None:
    entries = [
        entry("1", "kvm-01", made_for="us"),
        entry("2", "kvm-09", made_for="us"),
        entry("3", "kvm-01", made_for="them"),
        entry("4", "other", made_for="them"),
        entry("5", "kvm-01", "metrics", made_for="us"),
        entry("6", "brought"),
    ]
    found = orphans.find_orphans(entries, frozenset({"1" * 64}), "us", "kvm-01", lambda pem: pem)
    assert [(each.fingerprint[0], why.partition(" ")[0]) for each, why in found] == [("3", "it"), ("2", "it")]
    assert "anybody's" in found[0][1] and "owner us" in found[1][1]
    assert orphans.find_orphans(entries, frozenset(), None, None, lambda pem: pem) == []
    shown = orphans.build_orphan_view(*found[1], "incus")
    assert shown["command"] == f"incus config trust remove {'2' * 64}" and shown["projects"] == ["a"]
    evil = orphans.build_orphan_view(TrustEntry("$(id)", "x", "client", True, frozenset(), ""), "", "lxd")
    assert evil["command"] == "lxc config trust remove <fingerprint>"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (datetime.timedelta(days=30), ""),
        (datetime.timedelta(days=29, hours=23), "in 29 days (2026-12-20)"),
        (datetime.timedelta(days=1, hours=1), "in 1 day (2026-11-22)"),
        (datetime.timedelta(hours=3), "today (2026-11-21)"),
        (datetime.timedelta(0), ""),
        (-datetime.timedelta(days=1), ""),
    ],
)
def test_a_certificate_is_warned_of_while_it_can_still_be_renewed(left: datetime.timedelta, said: str) -> None:
    told = expiry.warning("kvm-01", NOW + left, NOW, 30)
    assert told == (f"certificate of kvm-01 expires {said}; run rotate_certs.yml" if said else "")


def image(name: str, cached: bool) -> Image:
    return Image(name * 12, "virtual-machine", (name,), cached, "x86_64", {})


def test_everything_of_anybody_keeps_an_lxd_but_its_own_cache() -> None:
    found = [
        vacancy.ProjectContents(
            "b", ["web"], ["pool/data"], ["pool/s3"], [image("kept", False), image("fetched", True)]
        ),
        vacancy.ProjectContents("default", images=[image("fetched", True)]),
    ]
    assert vacancy.find_remaining_objects(found, False, ()) == [
        "instance web of project b",
        "volume pool/data of project b",
        "bucket pool/s3 of project b",
        "image kept of project b",
    ]
    assert vacancy.find_remaining_objects(found[1:], False, ()) == []
    assert vacancy.find_remaining_objects((), True, ["m2", "m1"]) == ["its membership in a cluster of m1, m2"]


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "written"),
    [
        ("1", "1", "1", False),
        ("2", "1", "1", True),
        ("2", "1", "2", False),
        ("1", "1", "3", False),
        (None, "1", "1", True),
        ("1", None, None, True),
        (None, "1", None, False),
    ],
)
def test_what_is_pushed(ours: str | None, base: str | None, theirs: str | None, written: bool) -> None:
    plan = registry_push.plan_push("kvm-01", [File("v/kvm-01/x", ours, base, theirs)], "origin", "main", "tip")
    steps = [step for change in plan.changes for step in change.steps]
    assert [isinstance(step, Publish) and dict(step.content) for step in steps] == [{"v/kvm-01/x": ours}] * written


def test_what_both_changed_is_nobodys_to_overwrite() -> None:
    with pytest.raises(errors.Conflict, match="v/x was changed on origin main"):
        registry_push.plan_push("kvm-01", [File("v/x", "2", "1", "3")], "origin", "main", "tip")
    with pytest.raises(errors.Invalid, match=r"v/client\.key is a plain private key"):
        registry_push.refuse_plain({"v/client.key": False, "v/client.key.next": True})
