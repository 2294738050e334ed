# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate's life as the plays see it: rotated under load, cut short anywhere, expiring, expired, orphaned."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.carry_out import carry_out

from tests.integration.interpreters import host_pythons
from tests.integration.playing import Site
from tests.integration.tenancy import OWNER, create_confined_project
from tests.integration.test_roles import Estate, changed
from tests.integration.test_tenant_cert import Host, cut, entries, fingerprint, job_of
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until


@pytest.fixture
def estate(lxd: Daemon, site: Site, project_name: str) -> Iterator[Estate]:
    """A repository with one VM host in its inventory, of which nothing exists yet."""
    found = Estate(site, lxd, project_name, host_pythons()[0])
    yield found
    found.forget()


def pair(name: str, days: int, owner: str = OWNER, age: int = 0) -> key_pair.KeyPair:
    """A pair of our making with so many whole days left, begun so many days ago."""
    began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=age)
    return key_pair.generate_key_pair(key_pair.common_name_of(name, owner), "ecdsa-p384", days + age + 1, began)


def put(folder: Path, made: key_pair.KeyPair) -> None:
    (folder / "client.crt").write_text(made.certificate.pem)
    (folder / "client.key").write_text(made.private_key)
    (folder / "client.key").chmod(0o600)


class Lister:
    """Another controller: lists the project's VMs every 50 ms with a pair of its own, a new connection each time."""

    def __init__(self, lxd: Daemon, project: str, certificate: str, key: str, place: Path) -> None:
        self._lxd, self._project = lxd, project
        self._context = ssl.create_default_context(cadata=lxd.certificate)
        self._context.check_hostname = False
        both = place / "lister.pem"
        both.write_text(certificate + key)
        self._context.load_cert_chain(both)
        self.answers: list[int] = []
        self._over = threading.Event()

    def once(self) -> int:
        connection = http.client.HTTPSConnection(self._lxd.address, timeout=30, context=self._context)
        try:
            connection.request("GET", f"/1.0/instances?project={self._project}")
            return connection.getresponse().status
        finally:
            connection.close()

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """Lists until the end of the block, where it is told."""

        def run() -> None:
            while not self._over.wait(0.05):
                self.answers.append(self.once())

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


def test_rotation_under_load_refuses_nobody_and_retires_later(estate: Estate, tmp_path: Path) -> None:
    estate.play("register")
    folder = estate.site.registry / "kvm-01"
    old = (folder / "client.crt").read_text()
    other = Lister(estate.lxd, estate.project, old, (folder / "client.key").read_text(), tmp_path)
    now = ("-e", "vmhost_rotate=now")
    predicted = estate.play("rotate_certs", *now, check=True)
    assert (folder / "client.crt").read_text() == old and len(estate.trust()) == 1
    with other.listing():
        real = estate.play("rotate_certs", *now)
    assert set(other.answers) == {200}, other.answers
    print(f"{len(other.answers)} listings with the old pair during the rotation, all answered with 200")
    assert changed(predicted) == changed(real)
    assert real.named("tenantry.lxd.vmhost : Switch to the next key pair")["rotation"]["way"] == "overlap"
    new = (folder / "client.crt").read_text()
    assert {each for each, *_rest in estate.trust()} == {fingerprint(old), fingerprint(new)} and new != old

    # Not due, and the other controllers have a day: nothing changes, until that time is over.
    assert changed(estate.play("rotate_certs")) == {"kvm-01": 0}
    assert other.once() == 200
    estate.play("rotate_certs", "-e", "vmhost_retire_after=0")
    assert [each for each, *_rest in estate.trust()] == [fingerprint(new)]
    assert sorted(path.name for path in folder.iterdir()) == ["client.crt", "client.key", "server.crt", "vmhost.yml"]
    assert other.once() == 403


def test_without_the_admin_it_is_a_swap_and_one_host_that_fails_stops_no_other(
    estate: Estate, project_name: str
) -> None:
    estate.play("register")
    folder = estate.site.registry / "kvm-01"
    old = (folder / "client.crt").read_text()
    # kvm-02: registered, and its server is gone; kvm-03 is in the inventory only.
    broken = estate.site.registry / "kvm-02"
    broken.mkdir()
    put(broken, pair("kvm-02", 5))
    (broken / "server.crt").write_text(estate.lxd.certificate)
    (broken / "vmhost.yml").write_text(f"url: https://127.0.0.1:1\nproject: {project_name}\nowner: {OWNER}\n")
    away = {"vmhost_socket": "/nowhere/unix.socket"}
    estate.write({"kvm-01": away, "kvm-02": away, "kvm-03": away})
    refused = estate.play("rotate_certs", "-e", "vmhost_rotate=now", "-e", "vmhost_rotate_way=overlap", fails=True)
    assert "vmhost_rotate_way=swap" in refused.output
    assert (folder / "client.crt").read_text() == old

    # The pair that the refused run put down is the one that goes on.
    next_one = (folder / "client.crt.next").read_text()
    played = estate.play("rotate_certs", fails=True)
    assert changed(played)["kvm-01"] == 1 and changed(played)["kvm-03"] == 0
    assert "kvm-03 isn't registered" in played.output
    assert [each for each, *_rest in estate.trust()] == [fingerprint((folder / "client.crt").read_text())]
    assert (folder / "client.crt").read_text() == next_one and not (folder / "client.crt.next").exists()


# Cut short at any point


class Ended(Exception):
    """The rotator was killed here."""


class Rotator:
    """What the role's tasks do, in this process; `left`: how many steps it may still carry out before it is killed."""

    def __init__(self, host: Host, left: int) -> None:
        self.host, self.left, self.said = host, left, {"vault_key": False, "warn_within": 0}

    def task(self, connection: dict[str, Any], **options: Any) -> dict[str, Any]:
        with contextlib.closing(job_of(self.host, {}, {**self.said, **connection, **options})) as job:
            plan = job.plan()
            assert not plan.unverified
            steps = sum(len(change.steps) for change in plan.changes)
            done = carry_out(cut(plan, self.left), job.execution_context())
            assert not done.failed and not done.stale
            self.left -= steps
            if self.left < 0:
                raise Ended
            return dict(job.result(plan, done))

    def run(self, way: str, rotate: str) -> None:
        """tasks/rotate/renew.yml with the retiring in the same run."""
        socket = {"url": [f"unix:{self.host.lxd.directory}/unix.socket"], "server_fingerprint": None}
        before = self.task({}, state="generated", rotate=rotate)
        coming, former = before["next_certificate"], before["old_certificate"]
        if former:
            self.retire(socket, former["pem"])
        if not coming:
            return
        if way == "overlap":
            self.task({**socket, "prove": False}, certificate=coming["pem"])
        self.task({}, rotate="now", rotate_way=way)
        if way == "overlap":
            self.retire(socket, before["certificate"]["pem"])

    def retire(self, socket: dict[str, Any], certificate: str) -> None:
        self.task(socket, certificate=certificate, state="absent")
        self.task({}, state="generated", retire=True)


@pytest.fixture
def host(site: Site, lxd: Daemon, project_name: str) -> Iterator[Host]:
    create_confined_project(lxd, project_name, owner="team-a")
    before = set(entries(lxd))
    server = {"url": lxd.url, "server_fingerprint": fingerprint(lxd.certificate)}
    yield Host(site, lxd, server, project_name)
    for each in set(entries(lxd)) - before:
        lxd.api("DELETE", f"/1.0/certificates/{each}")


@pytest.mark.parametrize("way", ["overlap", "swap"])
def test_killed_before_and_after_each_step_and_run_again(host: Host, way: str) -> None:
    made = pair(host.name, 1000, "team-a")
    host.folder.mkdir(parents=True)
    put(host.folder, made)
    host.lxd.trust(made.certificate.pem, host.name, [host.project])
    steps, killed = 0, True
    while killed:
        before = host.fingerprint
        try:
            Rotator(host, steps).run(way, "now")
            killed = False
        except Ended:
            # What is under way goes on though it isn't due; what never began is asked for again.
            Rotator(host, 1000).run(way, "expiring")
            if host.files.keys() == {"client.crt", "client.key", "client.key.next"}:
                # Killed before its certificate was written: a key that nobody knows, which the next rotation replaces.
                Rotator(host, 1000).run(way, "now")
        assert host.files.keys() == {"client.crt", "client.key"}, f"killed after {steps} steps"
        assert set(host.ours()) == {host.fingerprint}, f"killed after {steps} steps"
        with contextlib.closing(job_of(host, {}, {})) as job:
            assert not job.plan().changes and job.result(job.plan(), None)["certificate"]["proved"], steps
        assert killed or host.fingerprint != before
        steps += 1
    assert steps > {"overlap": 10, "swap": 6}[way], "there were more places to be killed at"


# Expiring, expired


def test_every_play_warns_once_and_an_expired_one_is_renewed_by_the_admin(estate: Estate) -> None:
    estate.play("register")
    # LXD takes no expired one into its trust store: this one ends in a moment, while the others are looked at.
    began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1, seconds=-8)
    over = key_pair.generate_key_pair(key_pair.common_name_of("kvm-01", OWNER), "ecdsa-p384", 1, began)
    estate.lxd.trust(over.certificate.pem, "kvm-01", [estate.project])
    folder = estate.site.registry / "kvm-01"
    first = fingerprint((folder / "client.crt").read_text())
    soon = pair("kvm-01", 12)
    put(folder, soon)
    estate.lxd.trust(soon.certificate.pem, "kvm-01", [estate.project])
    estate.lxd.api("DELETE", f"/1.0/certificates/{first}")
    looks: list[dict[str, Any]] = [
        {"tenantry.lxd.lxd_vm_info": {}},
        {"tenantry.lxd.lxd_project_info": {"vmhost": "kvm-01"}},
        {"tenantry.lxd.lxd_vm_compose": {"vmhost": "kvm-01", "vms": []}},
    ]
    # The time in the sentence is that of the certificate, whatever the day is here.
    sentence = f"certificate of kvm-01 expires in 12 days ({soon.certificate.not_after:%Y-%m-%d}); run rotate_certs.yml"
    said = estate.site.play(looks)
    assert said.rc == 0, said.output
    assert " ".join(said.output.split()).count(sentence) == 1, said.output
    assert all(sentence in str(task["result"].get("warnings")) for task in said.tasks), said.tasks
    quiet = estate.site.play(looks, environment={"LXD_WARN_WITHIN": "10"})
    assert "expires in" not in quiet.output

    ended = over.certificate.not_after
    until(lambda: datetime.datetime.now(datetime.timezone.utc) > ended, 10, "the certificate's end")
    put(folder, over)
    looked = estate.site.run_task("lxd_vm_info", {})["vms"]
    assert "expired" in looked[0]["error"]["msg"] and "rotate_certs.yml" in looked[0]["error"]["hint"]
    one = [{"name": "web-1", "state": "present", "image": "micro"}]
    refused = estate.site.run_task("lxd_vm_compose", {"vmhost": "kvm-01", "vms": one}, fails=True)
    assert refused["code"] == "invalid" and "rotate_certs.yml" in refused["hint"]
    played = estate.play("rotate_certs")
    new = fingerprint((folder / "client.crt").read_text())
    assert new != over.certificate.fingerprint
    # Nobody can use the expired one any more, so it goes at once; the one that it replaced by hand is an orphan now.
    assert {each for each, *_rest in estate.trust()} == {new, soon.certificate.fingerprint}
    assert f"lxc config trust remove {soon.certificate.fingerprint}" in played.output
    assert json.dumps(estate.site.run_task("lxd_vm_info", {})["vms"]) == "[]"
    assert changed(estate.play("rotate_certs")) == {"kvm-01": 0}


def test_orphans_are_listed_with_the_command_that_ends_each(estate: Estate) -> None:
    estate.play("register")
    trusted = {
        "lost": pair("kvm-77", 100),
        "used": pair("kvm-02", 100),
        "foreign": pair("kvm-01", 100, owner="somebody-else"),
        "other": pair("kvm-88", 100, owner="somebody-else"),
    }
    for name, made in trusted.items():
        estate.lxd.trust(made.certificate.pem, "kvm-01" if name == "foreign" else name, [estate.project])
    used = estate.site.registry / "kvm-02"
    used.mkdir()
    put(used, trusted["used"])
    (used / "server.crt").write_text(estate.lxd.certificate)
    (used / "vmhost.yml").write_text(f"url: {estate.lxd.url}\nproject: {estate.project}\nowner: {OWNER}\n")
    socket = f"unix:{estate.lxd.directory}/unix.socket"
    look = {"url": socket, "vmhost": "kvm-01", "owner": OWNER}
    ((row),) = estate.site.run_task("lxd_tenant_cert_info", look)["certificates"]
    assert row["trusted"] is True
    came = {each for each, *_rest in estate.trust()}
    found = {each["fingerprint"]: each for each in row["orphaned"] if each["fingerprint"] in came}
    assert found.keys() == {trusted["lost"].certificate.fingerprint, trusted["foreign"].certificate.fingerprint}
    lost = found[trusted["lost"].certificate.fingerprint]
    assert lost["because"].startswith(f"it was made for owner {OWNER}") and lost["projects"] == [estate.project]
    assert lost["command"] == f"lxc config trust remove {lost['fingerprint']}"
    assert "anybody's" in found[trusted["foreign"].certificate.fingerprint]["because"]

    removed = estate.play("remove", "--limit", "kvm-01")
    assert lost["command"] in removed.output
    left = {each for each, *_rest in estate.trust()}
    assert left == {made.certificate.fingerprint for made in trusted.values()}, "a removal ended somebody else's trust"
