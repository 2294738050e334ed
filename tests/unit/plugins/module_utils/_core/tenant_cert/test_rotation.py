# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which way a certificate is rotated, in which order, and how a rotation that was cut short goes on."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server, TrustEntry
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import (
    GenerateKeyPair,
    MoveFile,
    Prove,
    RemoveFile,
    Request,
    WriteFile,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.tenant_cert import plan as tenant_cert
from ansible_collections.tenantry.lxd.plugins.module_utils._core.tenant_cert.pair import (
    CertificatePair,
    Folder,
    TenantCertSpec,
    TrustReading,
    parse_tenant_cert_spec,
)

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
PEM = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"
SERVER = Server.from_api({"auth": "trusted", "api_extensions": ["certificate_project"]})
PLAIN = frozenset({"client.crt", "client.key"})
BOTH_NEXT = PLAIN | {"client.crt.next", "client.key.next"}


def wanted(**said: Any) -> TenantCertSpec:
    usual = {
        "name": None, "state": "trusted", "restricted": True, "projects": ["a"], "common_name": "kvm-01@me",
        "key_type": "ecdsa-p384", "valid_for": 3650, "vault_key": False, "prove": True, "rotate": "now",
        "renew_within": 30, "retire": False, "remove_files": False,
    }  # fmt: skip
    return parse_tenant_cert_spec({**usual, **said}, "kvm-01")


def pair(mark: str = "1", days: int = 3000, source: str = "file") -> CertificatePair:
    times = {"not_before": NOW - DAY, "not_after": NOW + days * DAY}
    return CertificatePair(PEM.replace("MAMCAQE=", f"MAMCAQ{mark}="), mark * 64, f"key {mark}", source, **times)


def entry(mark: str = "1") -> TrustEntry:
    return TrustEntry(mark * 64, "kvm-01", "client", True, frozenset({"a"}), PEM, f"etag {mark}")


def found(
    *trust: TrustEntry, files: frozenset[str] = PLAIN, place: dict[str, Any] | None = None, **rest: Any
) -> TrustReading:
    known = {each.fingerprint: each for each in trust}
    said: dict[str, Any] = {
        "server": SERVER, "folder": Folder("/r", files, **(place or {})), "pair": pair(), "trust": known,
        "trusted": frozenset(known),
    }  # fmt: skip
    if rest.get("admin"):
        said.update(projects=frozenset({"a"}), sees_all_trust=True)
    return TrustReading(NOW, **{**said, **rest})


SPOKEN: dict[type, Callable[[Any], str]] = {
    Request: lambda step: " ".join([step.method, *(part[0] for part in step.path[1:])]),
    WriteFile: lambda step: f"write {step.path[3:]}",
    MoveFile: lambda step: f"move {step.path[3:]}",
    RemoveFile: lambda step: f"remove {step.path[3:]}",
    Prove: lambda step: str(step.claim),
    GenerateKeyPair: lambda _step: "make",
}


def told(state: TrustReading, **said: Any) -> list[str]:
    """The steps in order, each as a word or two."""
    plan = tenant_cert.plan(wanted(**said), state).plan
    return [SPOKEN[type(step)](step) for change in plan.changes for step in change.steps]


DOWN = ["make", "write client.key.next", "write client.crt.next"]
PROOF = ["entry", "closed"]
UP = ["move client.key.next", "move client.crt.next"]
KEPT = ["write client.crt.old"]

WAYS: dict[str, tuple[TrustReading, dict[str, Any], list[str]]] = {
    "overlap by an admin": (found(entry(), admin=True), {}, [*DOWN, "POST", *PROOF, *KEPT, *UP]),
    "overlap, retired at once": (
        found(entry(), admin=True), {"retire": True},
        [*DOWN, "POST", *PROOF, *KEPT, *UP, "DELETE 1", "remove client.crt.old"],
    ),
    "overlap by a token": (
        found(entry(), joins_by="token", secret="t"), {}, [*DOWN, "connect", "POST", *PROOF, *KEPT, *UP],
    ),
    "overlap over an untrusted one": (found(admin=True), {}, [*DOWN, "POST", *PROOF, *UP]),
    "swap by the tenant": (found(entry()), {}, [*DOWN, "PATCH 1", *UP, *PROOF]),
    "to a pair that was brought": (
        found(entry(), brought=pair("2", source="option")), {}, [*DOWN[1:], "PATCH 1", *UP, *PROOF],
    ),
    "to a pair that is trusted already": (
        found(entry(), entry("2"), brought=pair("2", source="option")), {}, [*DOWN[1:], *PROOF, *KEPT, *UP],
    ),
    "to a pair that was brought, done": (found(entry(), brought=pair(source="option")), {}, []),
    "the one before goes first": (
        found(entry(), entry("0"), admin=True, former=pair("0")), {},
        [*DOWN, "POST", *PROOF, "DELETE 0", *KEPT, *UP],
    ),
    "not due": (found(entry()), {"rotate": "expiring"}, []),
    "due": (found(entry(), pair=pair(days=29)), {"rotate": "expiring"}, [*DOWN, "PATCH 1", *UP, *PROOF]),
    "due at the last": (found(entry(), admin=True, pair=pair(days=-3)), {"rotate": "expiring"},
                        [*DOWN, "POST", *PROOF, *KEPT, *UP]),
}  # fmt: skip


@pytest.mark.parametrize(("state", "said", "steps"), WAYS.values(), ids=WAYS)
def test_way(state: TrustReading, said: dict[str, Any], steps: list[str]) -> None:
    assert told(state, **said) == steps


CUT: dict[str, tuple[TrustReading, dict[str, Any], list[str]]] = {
    # The server has never heard of the next pair.
    "put down, not asked again": (found(entry(), files=BOTH_NEXT, coming=pair("2")), {"rotate": "never"}, []),
    "put down, asked again": (found(entry(), files=BOTH_NEXT, coming=pair("2")), {}, ["PATCH 1", *UP, *PROOF]),
    "put down, expiring itself": (
        found(entry(), files=BOTH_NEXT, coming=pair("2", days=3)), {}, [*DOWN, "PATCH 1", *UP, *PROOF],
    ),
    # It has.
    "swapped": (found(entry("2"), files=BOTH_NEXT, coming=pair("2")), {"rotate": "never"}, [*UP, *PROOF]),
    "swapped, key renamed": (
        found(entry("2"), files=PLAIN | {"client.crt.next"}, coming=pair("2")), {"rotate": "never"}, [UP[1], *PROOF],
    ),
    "added": (
        found(entry(), entry("2"), files=BOTH_NEXT, coming=pair("2"), admin=True), {"rotate": "never"},
        [*KEPT, *UP, *PROOF],
    ),
    "added, asked again": (
        found(entry(), entry("2"), files=BOTH_NEXT, coming=pair("2"), admin=True), {}, [*KEPT, *UP, *PROOF],
    ),
    "added, seen by the tenant": (
        found(entry(), entry("2"), files=BOTH_NEXT, coming=pair("2")), {"rotate": "never"}, [*KEPT, *UP, *PROOF],
    ),
    "in place, the old one not gone": (
        found(entry(), entry("2"), pair=pair("2"), former=pair("1"), admin=True), {"rotate": "never"},
        ["DELETE 1", "remove client.crt.old"],
    ),
    "in place, the old one gone": (
        found(entry("2"), pair=pair("2"), former=pair("1"), admin=True), {"rotate": "never"},
        ["remove client.crt.old"],
    ),
    "the old one's half kept, nothing renamed yet": (
        found(entry(), entry("2"), files=BOTH_NEXT, coming=pair("2"), former=pair("1"), admin=True),
        {"rotate": "never"}, [*KEPT, *UP, *PROOF],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("state", "said", "steps"), CUT.values(), ids=CUT)
def test_goes_on_where_it_was_cut_short(state: TrustReading, said: dict[str, Any], steps: list[str]) -> None:
    assert told(state, **said) == steps


@pytest.mark.parametrize(("sees_all", "warned"), [(True, True), (False, True)])
def test_tenant_is_told_of_the_old_one(sees_all: bool, warned: bool) -> None:
    trust = [entry(), entry("2")] if sees_all else [entry("2")]
    state = found(*trust, pair=pair("2"), former=pair("1"), sees_all_trust=sees_all)
    decision = tenant_cert.plan(wanted(rotate="never"), state)
    assert not decision.plan.changed
    assert any("may still trust" in warning for warning in decision.plan.warnings) is warned


def test_swap_guards_what_it_replaces() -> None:
    decision = tenant_cert.plan(wanted(), found(entry()))
    (patch,) = [s for c in decision.plan.changes for s in c.steps if isinstance(s, Request)]
    assert patch.etag == "etag 1"
    assert patch.body.keys() == {"certificate"}
    assert decision.turn is not None
    assert (decision.turn.way, decision.turn.old.fingerprint) == ("swap", "1" * 64)


def test_swap_stops_at_an_entry_that_is_not_as_wanted() -> None:
    with pytest.raises(errors.Conflict, match="projects"):
        tenant_cert.plan(wanted(projects=["b"]), found(entry()))


LOST: dict[str, tuple[TrustReading, str]] = {
    "from the environment": (found(entry(), pair=pair(source="environment")), "came from the environment"),
    "from an option": (found(entry(), pair=pair(source="option")), "came from an option"),
    "no folder": (found(entry(), folder=None, pair=pair(source="option")), "directory"),
    "in a job's checkout": (found(entry(), place={"ephemeral": True}), "end with it"),
    "vaulted until now": (found(entry(), place={"vaulted": True}), "vaulted"),
}


@pytest.mark.parametrize(("state", "about"), LOST.values(), ids=LOST)
def test_refused_where_the_new_key_would_be_lost_or_plain(state: TrustReading, about: str) -> None:
    with pytest.raises(errors.Invalid, match=about):
        tenant_cert.plan(wanted(), state)
    tenant_cert.plan(wanted(rotate="expiring"), state)


def test_said_directory_lasts() -> None:
    state = found(entry(), pair=pair(source="environment"), place={"said": True, "ephemeral": True})
    assert told(state)[0] == "make"


def test_nobody_may_rotate_an_expired_one_alone() -> None:
    with pytest.raises(errors.Invalid, match=r"expired on .*"):
        tenant_cert.plan(wanted(), found(pair=pair(days=-3)))
