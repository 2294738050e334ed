# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is planned for a tenant certificate, by what was found: missing, same, drift, absent, absent twice."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server, TrustEntry
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Later, MoveFile, Prove, Request, WriteFile
from ansible_collections.tenantry.lxd.plugins.module_utils._core.tenant_cert import plan as tenant_cert
from ansible_collections.tenantry.lxd.plugins.module_utils._core.tenant_cert.commands import (
    revoke_command,
    trust_command,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.tenant_cert.pair import (
    FILES,
    CertificatePair,
    Folder,
    TenantCertSpec,
    TrustReading,
    build_certificate_view,
    parse_tenant_cert_spec,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
PEM = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"
SERVER = Server.from_api({"auth": "trusted", "api_extensions": ["certificate_project"]})
OLD_SERVER = Server.from_api({"auth": "trusted"})
SAID: dict[str, Any] = {
    "name": None, "state": "trusted", "restricted": True, "projects": ["a"], "common_name": "kvm-01@me",
    "key_type": "ecdsa-p384", "valid_for": 3650, "vault_key": False, "prove": True, "rotate": "never",
    "renew_within": 30, "retire": False, "remove_files": False,
}  # fmt: skip


def wanted(**said: Any) -> TenantCertSpec:
    return parse_tenant_cert_spec({**SAID, **said}, "kvm-01")


def pair(mark: str = "1", key: str = "the key", days: int = 3000, **rest: Any) -> CertificatePair:
    fields = {"key_source": "file", "not_before": NOW - DAY, "not_after": NOW + days * DAY, "subject": "CN=x", **rest}
    return CertificatePair(PEM, mark * 64, key, **fields)


def folder(*files: str, **rest: Any) -> Folder:
    return Folder("/r/kvm-01", frozenset(files or ("client.crt", "client.key")), **rest)


def entry(mark: str = "1", **fields: Any) -> TrustEntry:
    said = {"name": "kvm-01", "type": "client", "restricted": True, "projects": frozenset({"a"}), "pem": PEM}
    return TrustEntry(fingerprint=mark * 64, **{**said, **fields})


def found(*trust: TrustEntry, **fields: Any) -> TrustReading:
    known = {each.fingerprint: each for each in trust}
    said = {"server": SERVER, "folder": folder(), "pair": pair(), "trust": known, "trusted": frozenset(known)}
    return TrustReading(NOW, **{**said, **fields})


def admin(*trust: TrustEntry, **fields: Any) -> TrustReading:
    return found(
        *trust, **{"admin": True, "projects": frozenset({"a", "b", "default"}), "sees_all_trust": True, **fields}
    )


def verbs(decision: tenant_cert.Decision) -> list[str]:
    return [change.sentence for change in decision.plan.changes]


def steps(decision: tenant_cert.Decision, kind: type) -> list[Any]:
    return [step for change in decision.plan.changes for step in change.steps if isinstance(step, kind)]


def test_the_files_are_those_of_the_registry() -> None:
    names = {
        file_store.CERTIFICATE_FILE, file_store.KEY_FILE, file_store.NEXT_CERTIFICATE_FILE,
        file_store.NEXT_KEY_FILE, file_store.OLD_CERTIFICATE_FILE,
    }  # fmt: skip
    assert set(FILES) == names


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "projects empty": ({"projects": []}, "projects: empty"),
    "project without a name": ({"projects": ["a", ""]}, "projects: empty"),
    "validity": ({"valid_for": 0}, "valid_for"),
    "validity too long": ({"valid_for": 40000}, "valid_for"),
    "renewal": ({"renew_within": -1}, "renew_within"),
    "renewal at once": ({"renew_within": 30, "valid_for": 30, "rotate": "expiring"}, "renew_within"),
    "name": ({"name": " x"}, "name"),
    "name in two lines": ({"name": "a\nb"}, "name"),
}


@pytest.mark.parametrize(("said", "about"), BAD.values(), ids=BAD)
def test_refused_options(said: dict[str, Any], about: str) -> None:
    with pytest.raises(errors.Invalid, match=about):
        wanted(**said)


def test_name_is_needed() -> None:
    with pytest.raises(errors.Invalid, match="name: it is missing"):
        parse_tenant_cert_spec(SAID, None)


def test_projects_are_free_where_nothing_is_asked_of_a_server() -> None:
    assert wanted(state="generated", projects=[]).projects == frozenset()
    assert wanted(restricted=False, projects=[]).projects == frozenset()


# By an admin


def test_missing_is_added_and_proven() -> None:
    decision = tenant_cert.plan(wanted(), admin())
    assert verbs(decision) == ["add trust entry kvm-01: restricted to a", "prove tenant certificate kvm-01"]
    (post,) = steps(decision, Request)
    assert (post.method, post.path) == ("POST", ("certificates",))
    assert post.body == {
        "type": "client", "name": "kvm-01", "restricted": True, "projects": ["a"], "certificate": "MAMCAQE=",
    }  # fmt: skip
    assert [step.claim for step in steps(decision, Prove)] == ["entry", "closed"]


def test_same_is_quiet() -> None:
    assert verbs(tenant_cert.plan(wanted(), admin(entry()))) == []


DRIFTS: dict[str, dict[str, Any]] = {
    "name": {"name": "other"},
    "restricted": {"restricted": False},
    "projects": {"projects": frozenset({"a", "b"})},
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_drift_is_mended_with_its_etag(drift: dict[str, Any]) -> None:
    decision = tenant_cert.plan(wanted(), admin(entry(etag="e1", **drift)))
    (put,) = steps(decision, Request)
    assert (put.method, put.path[1], put.etag) == ("PUT", "1" * 64, "e1")
    assert put.body == {
        "type": "client", "certificate": PEM, "name": "kvm-01", "restricted": True, "projects": ["a"],
    }  # fmt: skip
    assert decision.plan.changes[0].detail == next(iter(drift))
    assert verbs(decision)[-1] == "prove tenant certificate kvm-01"


@pytest.mark.parametrize("drift", [DRIFTS["projects"], {"projects": frozenset()}], ids=["wider", "narrower"])
def test_tenant_is_told_what_differs(drift: dict[str, Any]) -> None:
    with pytest.raises(errors.Conflict, match=r"projects .* and a is wanted"):
        tenant_cert.plan(wanted(), found(entry(**drift)))


def test_tenant_minds_the_name_only_where_it_is_said() -> None:
    assert verbs(tenant_cert.plan(wanted(), found(entry(name="other")))) == []
    with pytest.raises(errors.Conflict, match="name other"):
        tenant_cert.plan(wanted(name="kvm-01"), found(entry(name="other")))


def test_tenant_keeps_projects_that_nobody_said() -> None:
    decision = tenant_cert.plan(wanted(projects=None), found(entry(projects=frozenset({"b"}))))
    assert verbs(decision) == []
    assert decision.entry == {"name": "kvm-01", "restricted": True, "projects": ["b"]}


def test_unrestricted_tenant_restricts_itself_by_its_own_connection() -> None:
    decision = tenant_cert.plan(wanted(), found(entry(restricted=False)))
    assert [(change.verb, change.host) for change in decision.plan.changes] == [("change", "own"), ("prove", "")]


def test_trusted_without_an_entry_is_no_trust() -> None:
    with pytest.raises(errors.Conflict, match="without an entry"):
        tenant_cert.plan(wanted(), found(trusted=frozenset({"1" * 64})))


def test_server_that_would_make_an_admin() -> None:
    with pytest.raises(errors.Unsupported, match="certificate_project"):
        tenant_cert.plan(wanted(), admin(server=OLD_SERVER))
    assert verbs(tenant_cert.plan(wanted(restricted=False), admin(server=OLD_SERVER)))


@pytest.mark.parametrize("state", [admin(), found(joins_by="password", secret="s"), found(entry(restricted=False))])
def test_projects_are_needed_by_whoever_chooses_them(state: TrustReading) -> None:
    with pytest.raises(errors.Invalid, match="projects: not set"):
        tenant_cert.plan(wanted(projects=None), state)


def test_project_that_is_not_there_is_unverified() -> None:
    decision = tenant_cert.plan(wanted(projects=["nowhere"]), admin())
    assert [type(error) for error in decision.plan.unverified] == [errors.NotFound]
    assert decision.plan.changed


def test_strangers_are_left_alone() -> None:
    decision = tenant_cert.plan(wanted(), admin(entry(), entry("2"), entry("3", name="else")))
    assert not decision.plan.changed
    assert [orphan.fingerprint for orphan in decision.orphans] == ["2" * 64]
    assert decision.plan.warnings[0].endswith(f"lxc config trust remove {'2' * 64}")


# By token, password, or nobody


def test_token_asks_for_nothing_that_it_says_itself() -> None:
    decision = tenant_cert.plan(wanted(projects=None), found(joins_by="token", secret="t0ken"))
    (post,) = steps(decision, Request)
    assert post.body == {"type": "client", "name": "kvm-01", "password": "t0ken", "trust_token": "t0ken"}
    newer = Server.from_api({"api_extensions": ["certificate_project", "explicit_trust_token"]})
    decision = tenant_cert.plan(wanted(), found(joins_by="token", secret="t0ken", server=newer))
    assert steps(decision, Request)[0].body == {"type": "client", "name": "kvm-01", "trust_token": "t0ken"}
    assert [step.claim for step in steps(decision, Prove)] == ["connect", "entry", "closed"]
    assert "t0ken" not in repr(decision)


def test_password_asks_for_the_restriction() -> None:
    decision = tenant_cert.plan(wanted(), found(joins_by="password", secret="pa55"))
    (post,) = steps(decision, Request)
    assert (post.body["restricted"], post.body["projects"], post.body["password"]) == (True, ["a"], "pa55")
    assert "pa55" not in repr(decision)


def test_nobody_may_so_a_person_has_to() -> None:
    decision = tenant_cert.plan(wanted(), found())
    assert not decision.plan.changed
    (error,) = decision.plan.unverified
    assert isinstance(error, errors.NotTrusted)
    assert error.details["trust_command"].startswith(
        "lxc config trust add - --name kvm-01 --restricted --projects a <<"
    )


def test_new_pair_is_made_before_a_person_is_asked() -> None:
    decision = tenant_cert.plan(wanted(), found(pair=None, folder=folder("server.crt")))
    assert verbs(decision) == ["generate key pair kvm-01", "await trust in tenant certificate kvm-01"]
    assert decision.plan.unverified == ()
    assert [step.claim for step in steps(decision, Prove)] == ["trusted"]


# On disk


def test_pair_comes_in_two_moves() -> None:
    decision = tenant_cert.plan(wanted(state="generated"), found(pair=None, folder=folder("server.crt")))
    assert [(step.path[10:], step.mode) for step in steps(decision, WriteFile)] == [
        ("client.key.next", 0o600), ("client.crt.next", 0o644),
    ]  # fmt: skip
    assert [(step.path[10:], step.to[10:]) for step in steps(decision, MoveFile)] == [
        ("client.key.next", "client.key"), ("client.crt.next", "client.crt"),
    ]  # fmt: skip
    assert decision.pair is not None
    assert isinstance(decision.pair.fingerprint, Later)


def test_half_put_away_pair_is_put_away() -> None:
    half = found(pair=None, coming=pair("2"), folder=folder("client.key", "client.crt.next"))
    decision = tenant_cert.plan(wanted(state="generated"), half)
    assert [step.path[10:] for step in steps(decision, MoveFile)] == ["client.crt.next"]
    assert steps(decision, WriteFile) == []


def test_vault_is_for_the_key_alone() -> None:
    decision = tenant_cert.plan(wanted(state="generated", vault_key=True), found(pair=None, folder=folder("x")))
    assert [step.vaulted for step in steps(decision, WriteFile)] == [True, False]


NOWHERE: dict[str, tuple[TrustReading, type[errors.TenantryError], str]] = {
    "no folder": (found(pair=None, folder=None), errors.Invalid, "directory"),
    "ephemeral": (found(pair=None, folder=folder("x", ephemeral=True)), errors.Invalid, "end with it"),
    "a key alone": (found(pair=None, folder=folder("client.key")), errors.Conflict, "no client.crt beside it"),
    "a certificate alone": (found(pair=pair(key="")), errors.Conflict, "no private key beside it"),
    "expired": (found(pair=pair(days=-2)), errors.Invalid, "expired on 2026-11-19"),
    "too early": (found(pair=pair(not_before=NOW + DAY)), errors.Invalid, "not valid before 2026-11-22"),
    "another": (found(brought=pair("2")), errors.Conflict, "is another one"),
}


@pytest.mark.parametrize(("state", "kind", "about"), NOWHERE.values(), ids=NOWHERE)
def test_no_pair_is_made_or_used(state: TrustReading, kind: type[errors.TenantryError], about: str) -> None:
    with pytest.raises(kind, match=about):
        tenant_cert.plan(wanted(state="generated"), state)


def test_owner_or_common_name_is_needed_for_a_new_pair_only() -> None:
    with pytest.raises(errors.Invalid, match="owner"):
        tenant_cert.plan(wanted(state="generated", common_name=None), found(pair=None, folder=folder("x")))
    assert verbs(tenant_cert.plan(wanted(state="generated", common_name=None), found())) == []


def test_said_directory_lasts_whatever_the_job() -> None:
    lasting = folder("x", ephemeral=True, said=True)
    assert verbs(tenant_cert.plan(wanted(state="generated"), found(pair=None, folder=lasting)))


SECURED = {
    "plain is encrypted": ({"vault_key": True}, folder(), ["encrypt private key /r/kvm-01/client.key"]),
    "vaulted stays": ({"vault_key": True}, folder(vaulted=True), []),
    "vaulted stays, unsaid": ({}, folder(vaulted=True), []),
    "wide is tightened": ({}, folder(wide=True), ["tighten private key /r/kvm-01/client.key"]),
}


@pytest.mark.parametrize(("said", "place", "done"), SECURED.values(), ids=SECURED)
def test_key_is_secured(said: dict[str, Any], place: Folder, done: list[str]) -> None:
    decision = tenant_cert.plan(wanted(state="generated", **said), found(folder=place))
    assert verbs(decision) == done
    assert "the key" not in repr(decision)


def test_expiry_is_told() -> None:
    (told,) = tenant_cert.plan(wanted(), admin(entry(), pair=pair(days=29))).plan.warnings
    assert told == "certificate of kvm-01 expires in 29 days (2026-12-20); run rotate_certs.yml"
    assert tenant_cert.plan(wanted(), admin(entry(), pair=pair(days=30))).plan.warnings == ()


# Absent


def test_absent_by_an_admin_and_twice() -> None:
    decision = tenant_cert.plan(wanted(state="absent"), admin(entry(etag="e1")))
    (delete,) = steps(decision, Request)
    assert (delete.method, delete.path[1], delete.etag) == ("DELETE", "1" * 64, "e1")
    assert verbs(tenant_cert.plan(wanted(state="absent"), admin())) == []
    assert verbs(tenant_cert.plan(wanted(state="absent"), found(server=None, pair=None, folder=None))) == []


def test_absent_ends_every_entry_of_ours_and_its_own_last() -> None:
    state = admin(entry("1"), entry("2"), entry("3"), former=pair("2"), coming=pair("3"))
    decision = tenant_cert.plan(wanted(state="absent"), state)
    assert [step.path[1][0] for step in steps(decision, Request)] == ["3", "2", "1"]


def test_absent_by_the_tenant_leaves_an_orphan() -> None:
    decision = tenant_cert.plan(wanted(state="absent"), found(entry()))
    assert not decision.plan.changed
    assert [orphan.fingerprint for orphan in decision.orphans] == ["1" * 64]
    assert revoke_command("1" * 64) in decision.plan.warnings[0]


def test_absent_without_files_shows_what_may_be_ours() -> None:
    decision = tenant_cert.plan(wanted(state="absent"), admin(entry("2"), entry("3", name="else"), pair=None))
    assert not decision.plan.changed
    assert [orphan.fingerprint for orphan in decision.orphans] == ["2" * 64]
    assert revoke_command("2" * 64) in decision.plan.warnings[0]


def test_absent_removes_our_files_only_when_asked() -> None:
    there = folder("client.crt", "client.key", "client.crt.old", "vmhost.yml", "server.crt")
    assert verbs(tenant_cert.plan(wanted(state="absent"), admin(folder=there))) == []
    decision = tenant_cert.plan(wanted(state="absent", remove_files=True), admin(folder=there))
    assert verbs(decision) == ["remove key pair kvm-01: client.crt, client.crt.old, client.key"]


# Shown


def test_view_without_cryptography_has_nulls() -> None:
    bare = CertificatePair(PEM, "1" * 64)
    view = build_certificate_view(wanted(), bare, None, TrustReading(NOW), proved=False)
    assert {key for key, value in view.items() if value is None} == {
        "subject", "not_before", "not_after", "days_left", "key_type", "path", "private_key_path", "restricted",
    }  # fmt: skip


@pytest.mark.parametrize("days", [-1, 0, 5])
def test_days_left(days: int) -> None:
    assert pair(days=days).days_left(NOW) == days
    assert dataclasses.replace(pair(), not_after=NOW + DAY / 2).days_left(NOW) == 0


COMMANDS = {
    "plain": (("kvm-01", True, ["b", "a"], "lxd"), "lxc config trust add - --name kvm-01 --restricted --projects a,b"),
    "open": (("kvm-01", False, [], "lxd"), "lxc config trust add - --name kvm-01"),
    "incus": (("x", True, ["a"], "incus"), "incus config trust add-certificate - --name x --restricted --projects a"),
    "unsaid": (("x", True, [], "lxd"), "lxc config trust add - --name x --restricted --projects '<project>'"),
}


@pytest.mark.parametrize(("said", "line"), COMMANDS.values(), ids=COMMANDS)
def test_trust_command(said: tuple[str, bool, list[str], str], line: str) -> None:
    assert trust_command(PEM, *said) == f"{line} <<'END'\n{PEM}END"


@pytest.mark.parametrize("name", ["it's", "$(touch x)", "a b", "--restricted", "é"])
def test_trust_command_means_the_same_to_a_shell(name: str) -> None:
    line = trust_command(PEM, name, True, ["a"])
    script = 'lxc() { for word; do printf "%s\\n" "$word"; done; cat; }\n' + line
    heard = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    words = ["config", "trust", "add", "-", "--name", name, "--restricted", "--projects", "a"]
    assert heard == "\n".join(words) + f"\n{PEM}"
