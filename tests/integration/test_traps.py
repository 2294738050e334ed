# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each trap of pylxd and of LXD's API that touches us, sprung on purpose: our port and our writer against a real LXD.

The numbers are those of the reference that lists the traps. No Ansible runs here but one module's `main()`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import gc
import itertools
import json
import os
import pty
import socket
import subprocess
import sys
import termios
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Request
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import operations
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.apply import apply
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.https import HttpsPort
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection, Port
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.unix import UnixPort
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import pem
from ansible_collections.tenantry.lxd.plugins.modules import lxd_vm_compose

from tests.integration.playing import COLLECTIONS
from tests.integration.tenancy import OVERCOMMITTED, OWNER, create_confined_project
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.image import import_image, micro_image
from tests.lxd.impostor import Impostor, page
from tests.lxd.relay import Loss, Relay
from tests.lxd.teardown import discard_instances, discard_project
from tests.lxd.world import differences

# What a test may need beyond the timeout that is its subject, on a machine that is busy.
SLACK = 6
NUMBERS = itertools.count()
# Taken by LXD, and found by the operation that makes the instance.
UNKNOWN: dict[str, Any] = {"no.such.key": "x"}


@dataclasses.dataclass(frozen=True)
class Bench:
    """A confined project, the tenant's pair that is trusted for it alone, and an admin's pair."""

    lxd: Daemon
    project: str
    folder: Path

    @property
    def pin(self) -> str:
        return pem.fingerprint(self.lxd.certificate)

    def pair(self, who: str) -> tuple[str, str]:
        return (self.folder / f"{who}.crt").read_text(), (self.folder / f"{who}.key").read_text()

    def connection(self, who: str = "tenant", **fields: Any) -> Connection:
        certificate, key = self.pair(who) if who else ("", "")
        said = {"urls": (self.lxd.url,), "certificate": certificate, "private_key": key, "pin": self.pin, "timeout": 15}
        return Connection(**{**said, **fields})

    @property
    def socket(self) -> Connection:
        return Connection((f"unix:{self.lxd.directory}/unix.socket",))

    @contextlib.contextmanager
    def https(self, who: str = "tenant", **fields: Any) -> Iterator[HttpsPort]:
        with contextlib.closing(HttpsPort(self.connection(who, **fields))) as port:
            yield port

    def empty_vm(self, port: Port, name: str = "", **config: Any) -> str:
        """The cheapest VM there is, not started."""
        name = name or f"vm-{next(NUMBERS)}"
        apply(port, self.create(name, **config), {})
        return name

    def create(self, name: str, image: str = "", tries: int = 1, **config: Any) -> Request:
        source = {"type": "image", "alias": image} if image else {"type": "none"}
        usual = {"limits.memory": "160MiB", "security.secureboot": "false", "user.tenantry.owner": OWNER}
        body = {
            "name": name,
            "type": "virtual-machine",
            "source": source,
            "config": {**usual, **config},
            "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}},
            "profiles": [],
        }
        return Request("POST", ("instances",), self.project, body=body, creates=("instances", name), tries=tries)

    def state(self, name: str, action: str, force: bool = False, timeout: int = 20) -> Request:
        body = {"action": action, "timeout": timeout, "force": force}
        goal = ("Stopped",) if action == "stop" else ("Running",)
        return Request("PUT", ("instances", name, "state"), self.project, body=body, target_statuses=goal, deadline=40)

    def delete(self, name: str) -> Request:
        return Request("DELETE", ("instances", name), self.project)

    def update(self, port: Port, name: str, **config: str) -> Request:
        """A change of some keys, planned on a listing as our core plans it."""
        found = next(vm for vm in Reader(port).instances(self.project) if vm.name == name)
        expect = {"config": found.config, "devices": found.devices, "profiles": list(found.profiles)}
        body = {**expect, "config": {**found.config, **config}, "architecture": found.architecture}
        return Request("PUT", ("instances", name), self.project, body=body, expect=expect)

    def change(self, name: str, **config: str) -> None:
        """What somebody else does meanwhile."""
        path, query = f"/1.0/instances/{name}", {"project": self.project}
        with contextlib.suppress(Exception):
            self.lxd.api("PATCH", path, {"config": config}, query=query)
        assert config.items() <= self.instance(name)["config"].items()

    def instance(self, name: str) -> dict[str, Any]:
        return dict(self.lxd.api("GET", f"/1.0/instances/{name}", query={"project": self.project}))

    def forgot(self, operation: str) -> bool:
        """Whether LXD has no such operation any more."""
        status, _body = self.lxd.admin.raw("GET", f"/1.0/operations/{operation}")
        return status == 404

    def names(self) -> set[str]:
        urls = self.lxd.api("GET", "/1.0/instances", query={"project": self.project})
        return {url.partition("?")[0].rpartition("/")[2] for url in urls}


@pytest.fixture(scope="module")
def bench(lxd: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(lxd, f"traps-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("pairs"))
    create_confined_project(lxd, made.project, **OVERCOMMITTED)
    import_image(lxd, micro_image(), project=made.project)
    for who, projects in (("tenant", [made.project]), ("admin", None), ("stranger", ())):
        certificate, _key = new_client_certificate(made.folder, who)
        if projects != ():
            lxd.trust(certificate.read_text(), name=f"{made.project}-{who}", projects=projects)
    yield made
    discard_project(lxd, made.project)


@pytest.fixture(scope="module")
def port(bench: Bench) -> Iterator[HttpsPort]:
    """The tenant's."""
    with bench.https() as opened:
        yield opened


@pytest.fixture(scope="module", params=["https", "unix"])
def admin(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Port]:
    """The admin's, by either transport."""
    if request.param == "unix":
        yield UnixPort(bench.socket)
    else:
        with bench.https("admin") as opened:
            yield opened


@pytest.fixture(scope="module")
def running(bench: Bench, port: HttpsPort) -> str:
    """A running VM without a system: its firmware looks for one, and listens to nobody."""
    name = bench.empty_vm(port, "running")
    apply(port, bench.state(name, "start"), {})
    return name


@dataclasses.dataclass
class Through:
    """A port with something that happens before or after a call: what else goes on in the world, at an exact moment."""

    inner: Port
    before: Callable[[str], object] = bool
    after: Callable[[str], object] = bool

    def __post_init__(self) -> None:
        self.connection, self.server = self.inner.connection, self.inner.server

    def call(self, method: str, path: Sequence[str], **rest: Any) -> Answer:
        self.before(method)
        answer = self.inner.call(method, path, **rest)
        self.after(method)
        return answer

    def text(self, path: Sequence[str], *, project: str) -> str:
        return self.inner.text(path, project=project)

    def close(self) -> None:
        self.inner.close()


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds + SLACK


# In a process of its own, for what is read from the environment and from the home.

LOOK = """
import json, sys
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import https, port
for said in json.load(sys.stdin):
    try:
        opened = https.HttpsPort(port.Connection(**said))
        opened.call("GET", ())
        print("trusted" if opened.server.trusted else "unknown")
    except errors.TenantryError as error:
        print(error.code)
"""


def seen_from(environment: Mapping[str, str], *connections: Connection) -> list[str]:
    """What becomes of connections that a process with this environment opens."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOK],
        input=json.dumps([dataclasses.asdict(connection) for connection in connections]),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(COLLECTIONS), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


@pytest.mark.parametrize("bundle", ["the server's own", "somebody's"])
def test_trap_01_ca_bundle_and_proxy_do_not_replace_the_pin(bench: Bench, tmp_path: Path, bundle: str) -> None:
    """requests lets the environment overrule a session, pylxd then pins the first certificate of the bundle."""
    said = bench.lxd.certificate if bundle == "the server's own" else bench.pair("stranger")[0]
    (tmp_path / "ca.pem").write_text(said)
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    environment = {variable: str(tmp_path / "ca.pem") for variable in variables}
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        nobody = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment |= dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), nobody)
        wrong = bench.connection(pin=pem.fingerprint(bench.pair("stranger")[0]))
        assert seen_from(environment, bench.connection(), wrong) == ["trusted", "not_trusted"]


ODD = ["../projects/{project}", "..", ".", "", "a?b", "a#b", "a%2Fb", "a/b", "ü", "a b", "default/../default", "%2e%2e"]


def test_trap_02_a_name_reaches_that_object_or_none(bench: Bench, admin: Port) -> None:
    """pylxd pastes names into URLs: `../projects/x` reads the project, and a DELETE of it deletes the project."""
    before = bench.lxd.fingerprint_of_world()
    for odd, kind, method in itertools.product(ODD, ("instances", "profiles"), ("GET", "PUT", "DELETE")):
        name = odd.format(project=bench.project)
        for path in ((kind, name), (kind, name, "..", "default")):
            try:
                answer = admin.call(method, path, project=bench.project, body={} if method == "PUT" else None)
            except (errors.NotFound, errors.Invalid):
                continue
            pytest.fail(f"{method} of {path} is answered: {answer}")
    assert differences(before, bench.lxd.fingerprint_of_world()) == []


@pytest.mark.parametrize("suffix", ["?b", "#b", "%2Fb", "+b", ";b", "&b", "-ü"])
def test_trap_02_names_that_lxd_allows_are_reached_exactly(bench: Bench, admin: Port, suffix: str) -> None:
    plain = f"odd-{uuid.uuid4().hex[:6]}"
    name = plain + suffix
    apply(admin, Request("POST", ("projects",), body={"name": plain, "config": {}}, creates=("projects", plain)), {})
    try:
        admin.call("POST", ("projects",), body={"name": name, "config": {}})
        assert admin.call("GET", ("projects", name)).metadata["name"] == name
        assert Reader(admin).profile(name, "default") is not None
        apply(admin, Request("DELETE", ("projects", name)), {})
        assert Reader(admin).project(name) is None
        assert Reader(admin).project(plain) is not None, "its neighbour went instead"
    finally:
        admin.call("DELETE", ("projects", plain))


@pytest.mark.parametrize("answer", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_trap_02_a_write_follows_nobody_elsewhere(bench: Bench, answer: str) -> None:
    """requests repeats a redirected DELETE at the other place, and makes a GET of a redirected POST."""
    pair = bench.folder / "stranger.crt", bench.folder / "stranger.key"
    pin = pem.fingerprint(pair[0].read_text())
    elsewhere = page('{"type": "sync", "metadata": {}, "error": ""}')
    with Impostor(elsewhere, pair) as other, Impostor(page("{}", answer, Location=other.url), pair) as first:
        with pytest.raises(errors.Unreachable), bench.https(urls=(first.url,), pin=pin):
            pass
        with bench.https(urls=(other.url,), pin=pin) as opened:
            other.requests.clear()
            opened._client.api._api_endpoint = f"{first.url}/1.0"
            with pytest.raises(errors.Unreachable):
                opened.call("DELETE", ("instances", "a"))
        assert first.requests[-1].startswith("DELETE") and other.requests == []


# Silence


@contextlib.contextmanager
def hole(kind: str, bench: Bench, folder: Path) -> Iterator[Connection]:
    """A server that is there and never answers."""
    pair = bench.folder / "stranger.crt", bench.folder / "stranger.key"
    if kind == "tcp":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield bench.connection(urls=(f"https://127.0.0.1:{listener.getsockname()[1]}",), timeout=1)
    elif kind == "tls":
        with Impostor(None, pair) as server:
            yield bench.connection(urls=(server.url,), pin=pem.fingerprint(pair[0].read_text()), timeout=1)
    else:
        with Impostor(None, path=folder / "s") as server:
            yield Connection((server.url,), timeout=1)


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_trap_03_a_silent_server_is_unreachable_within_the_timeout(bench: Bench, tmp_path: Path, kind: str) -> None:
    """pylxd has no timeout of its own: it would wait for ever."""
    transport: Any = UnixPort if kind == "unix" else HttpsPort
    with hole(kind, bench, tmp_path) as connection, at_most(1), pytest.raises(errors.Unreachable) as caught:
        transport(connection)
    assert caught.value.code == "unreachable" and not isinstance(caught.value, errors.AnswerLost)
    assert connection.urls[0].removeprefix("unix:") in caught.value.message


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_trap_03_the_next_member_is_tried(bench: Bench, tmp_path: Path, kind: str) -> None:
    with hole(kind, bench, tmp_path) as silent, at_most(1):
        opened = HttpsPort(bench.connection(urls=(silent.urls[0], bench.lxd.url), timeout=1))
        assert opened.server.trusted
        opened.close()


def test_trap_03_and_04_a_server_that_falls_silent_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """pylxd raises requests' own exceptions, or nothing ever, as its timeout is set or not."""
    monkeypatch.setattr(operations, "_SLICE", 1)
    monkeypatch.setattr(operations, "_SLACK", 0.5)
    with Relay(bench.lxd.place.port) as relay, bench.https(urls=(relay.url,), timeout=1) as opened:
        relay.go_silent()
        for method, kind in (("GET", errors.Unreachable), ("POST", errors.AnswerLost), ("DELETE", errors.AnswerLost)):
            with at_most(1), pytest.raises(errors.Unreachable) as caught:
                opened.call(method, ("instances", "a"), project=bench.project, body={})
            assert caught.value.__class__ is kind
        with at_most(2), pytest.raises(errors.Unreachable):
            operations.wait_for_operation(opened, Answer(None, None, str(uuid.uuid4())), 60, "it")
        # A write that is lost isn't repeated while nobody can look.
        with at_most(3), pytest.raises(errors.Unreachable):
            apply(opened, bench.create("nobody"), {})
    assert "nobody" not in bench.names()


# Operations


def test_trap_05_how_a_forgotten_operation_ended_is_not_guessed(bench: Bench, port: HttpsPort) -> None:
    """LXD forgets an operation 5 s after its end, the failed one too; "not found" must mean neither."""
    good = bench.create("forgotten")
    bad = bench.create("forgotten-too", **UNKNOWN)
    answers = [port.call("POST", r.path, project=r.project, body=r.body) for r in (good, bad)]
    for answer in answers:
        until(functools.partial(bench.forgot, answer.operation), 20, "LXD forgets")
        with pytest.raises(errors.AnswerLost):
            operations.wait_for_operation(port, answer, 10, "it")
    assert "forgotten" in bench.names() and "forgotten-too" not in bench.names()


def test_trap_05_a_wait_goes_in_slices_and_has_a_deadline(
    bench: Bench, port: HttpsPort, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_SLICE", 1)
    request = bench.state(running, "stop", timeout=30)
    answer = port.call("PUT", request.path, project=request.project, body=request.body)
    with bench.lxd.requests() as seen, at_most(2), pytest.raises(errors.TimedOut) as caught:
        operations.wait_for_operation(port, answer, 2.5, "stop")
    assert caught.value.code == "timeout" and answer.operation in caught.value.hint
    assert [request.url for request in seen] == [f"/1.0/operations/{answer.operation}/wait?timeout=1"] * len(seen)
    assert 2 <= len(seen) <= 3
    # It still went on, as the error says. A forced stop ends both.
    apply(port, bench.state(running, "stop", force=True), {})
    ended = operations.wait_for_operation(port, answer, 10, "stop")
    assert ended is not None and ended.has_succeeded
    apply(port, bench.state(running, "start"), {})


def test_trap_06_a_create_that_fails_is_told(bench: Bench, port: HttpsPort) -> None:
    """pylxd's create(wait=False) throws the operation away: the VM never exists and nobody says why."""
    with pytest.raises(errors.OperationFailed, match=r"no\.such\.key"):
        apply(port, bench.create("never", **UNKNOWN), {})
    assert "never" not in bench.names()


def test_trap_07_a_write_is_one_request_and_one_wait(bench: Bench, port: HttpsPort) -> None:
    with bench.lxd.requests() as seen:
        name = bench.empty_vm(port)
        apply(port, bench.delete(name), {})
    assert [(request.method, request.path.rpartition("/")[2]) for request in seen] == [
        ("POST", "instances"),
        ("GET", "wait"),
        ("DELETE", name),
        ("GET", "wait"),
    ]


# Readings


def test_trap_08_a_reading_is_never_an_earlier_one(bench: Bench, admin: Port) -> None:
    name, reader = bench.empty_vm(admin), Reader(admin)
    first = next(vm for vm in reader.instances(bench.project) if vm.name == name)
    bench.change(name, **{"user.said": "later"})
    second = next(vm for vm in reader.instances(bench.project) if vm.name == name)
    assert (first.config.get("user.said"), second.config.get("user.said")) == (None, "later")


def test_trap_09_state_comes_with_the_listing_that_asked_for_it(bench: Bench, port: HttpsPort, running: str) -> None:
    with bench.lxd.requests() as seen:
        found = {vm.name: vm for vm in Reader(port).instances(bench.project, state=True)}
    assert len(seen) == 1
    assert (found[running].state or {})["status"] == "Running"
    assert all(vm.state is None for vm in Reader(port).instances(bench.project))


LISTINGS: dict[str, Callable[[Reader, str], Sequence[Any]]] = {
    "instances": lambda reader, project: reader.instances(project),
    "profiles": lambda reader, project: reader.profiles(project),
    "volumes": lambda reader, project: reader.volumes(project, "default"),
    "networks": lambda reader, project: reader.networks(project),
    "images": lambda reader, project: reader.images(project),
    "pools": lambda reader, _project: reader.pools(),
    "projects": lambda reader, _project: reader.projects(),
    "certificates": lambda reader, _project: reader.trust_entries(),
}


@pytest.fixture(scope="module")
def full(bench: Bench) -> Bench:
    """The project with two things of each kind."""
    path = "/1.0/storage-pools/default/volumes/custom"
    for number in range(2):
        body = {"name": f"listed-{number}", "config": {}, "devices": {}}
        bench.lxd.api("POST", "/1.0/profiles", body, query={"project": bench.project})
        body = {"name": f"listed-{number}", "content_type": "block", "config": {"size": "5MiB"}}
        bench.lxd.api("POST", path, body, query={"project": bench.project})
        bench.empty_vm(UnixPort(bench.socket), f"listed-{number}")
    return bench


@pytest.mark.parametrize("kind", LISTINGS)
def test_trap_10_and_11_a_listing_is_one_request_and_its_names_are_clean(
    full: Bench, port: HttpsPort, kind: str
) -> None:
    """pylxd reads each again, and calls things of another project than the default `name?project=x`."""
    with full.lxd.requests() as seen:
        found = LISTINGS[kind](Reader(port), full.project)
    assert len(seen) == 1, seen
    names = {str(each["name"] if isinstance(each, Mapping) else getattr(each, "name", "")) for each in found}
    assert names and not any("?" in name or "/" in name for name in names)
    if kind in ("instances", "profiles", "volumes"):
        assert {"listed-0", "listed-1"} <= names


def test_trap_12_containers_are_told_apart(bench: Bench, port: HttpsPort) -> None:
    virtual = bench.empty_vm(port)
    request = bench.create(f"ct-{next(NUMBERS)}")
    body = {**request.body, "type": "container", "config": {}}
    apply(port, dataclasses.replace(request, body=body), {})
    name = body["name"]
    found = {vm.name: vm for vm in Reader(port).instances(bench.project)}
    assert (found[name].is_vm, found[virtual].is_vm) == (False, True)
    apply(port, bench.delete(name), {})


def test_trap_13_what_lxd_did_not_say_is_false_or_none(bench: Bench, port: HttpsPort) -> None:
    """pylxd gives a truthy sentinel for a field that this server doesn't have."""
    with bench.https("stranger") as opened:
        assert opened.server.version == "" and not opened.server.clustered and opened.server.config == {}
    assert not port.server.has("an_extension_of_next_year")
    pool = next(pool for pool in Reader(port).pools() if pool.name == "default")
    assert pool.total is None and pool.used is None
    assert Reader(port).instance(bench.project, "nobody") is None
    answer = port.call("GET", ("profiles", "default"), project=bench.project)
    assert answer.metadata.__class__ is dict and answer.metadata.get("no_such") is None


# ETags

GUARDED: dict[str, tuple[str, str]] = {
    "server": ("", "config"),
    "project": ("projects/{project}", "config"),
    "instance": ("instances/{name}?", "config"),
    "profile": ("profiles/{name}?", "config"),
    "network": ("networks/{bridge}", "config"),
    "certificate": ("certificates/{certificate}", "name"),
}


@pytest.mark.parametrize("kind", GUARDED)
def test_trap_14_a_write_on_a_stale_reading_is_refused(full: Bench, admin: Port, kind: str) -> None:
    """pylxd sends no If-Match: the last writer wins, and nobody knows."""
    pattern, field = GUARDED[kind]
    certificate = pem.fingerprint(full.pair("tenant")[0])
    said = pattern.format(project=full.project, name="listed-0", bridge=full.lxd.bridge, certificate=certificate)
    path = tuple(segment for segment in said.rstrip("?").split("/") if segment)
    project = full.project if said.endswith("?") else None

    def write(value: str, reading: Answer, method: str = "PUT") -> None:
        mark = {**reading.metadata["config"], "user.trap": value} if field == "config" else value
        # What LXD shows of a network and a certificate has fields that it doesn't take back.
        known = ("config", "description", "devices", "architecture", "profiles", "type", "restricted", "projects")
        kept = {key: reading.metadata[key] for key in known if key in reading.metadata and path}
        body = {**kept, field: mark}
        apply(admin, Request(method, path, project, body=body, etag=reading.etag), {})

    def now() -> Answer:
        return admin.call("GET", path, project=project)

    first = now()
    assert first.etag
    write("theirs", dataclasses.replace(now(), etag=None))
    with pytest.raises(errors.Stale) as caught:
        write("ours", first)
    assert caught.value.code == "conflict" and caught.value.details["status"] == 412
    held = now().metadata
    assert (held["config"]["user.trap"] if field == "config" else held["name"]) == "theirs"
    write("ours", now())
    if path:
        write(f"{full.project}-tenant" if kind == "certificate" else "back", now())


def test_trap_14_a_plan_made_before_somebody_elses_change_is_not_written(bench: Bench, port: HttpsPort) -> None:
    name = bench.empty_vm(port)
    planned = bench.update(port, name, **{"user.ours": "1"})
    bench.change(name, **{"user.theirs": "1"})
    with bench.lxd.requests() as seen, pytest.raises(errors.Stale, match=f"instances/{name}"):
        apply(port, planned, {})
    assert [request.method for request in seen] == ["GET"]
    assert "user.ours" not in bench.instance(name)["config"]


def test_trap_14_a_change_between_looking_and_writing_is_noticed(bench: Bench, port: HttpsPort) -> None:
    name = bench.empty_vm(port)
    planned = bench.update(port, name, **{"user.ours": "1"})

    def meddle(method: str) -> None:
        if method == "GET":
            bench.change(name, **{"user.theirs": "1"})

    with pytest.raises(errors.Stale):
        apply(Through(port, after=meddle), planned, {})
    config = bench.instance(name)["config"]
    assert config["user.theirs"] == "1" and "user.ours" not in config


def test_trap_14_lxds_own_keys_are_as_they_are_now(bench: Bench, port: HttpsPort) -> None:
    """A start since the listing changed volatile.*: a body with the old ones would take a running VM's away."""
    name = bench.empty_vm(port)
    planned = bench.update(port, name, **{"user.ours": "1"})
    apply(port, bench.state(name, "start"), {})
    started = {key: value for key, value in bench.instance(name)["config"].items() if key.startswith("volatile.")}
    assert set(started) - set(planned.body["config"]), "a start leaves no trace: the test shows nothing"
    apply(port, planned, {})
    after = bench.instance(name)["config"]
    assert after["user.ours"] == "1"
    assert {key: after.get(key) for key in started} == started
    apply(port, bench.state(name, "stop", force=True), {})


# Errors


@dataclasses.dataclass(frozen=True)
class Refused:
    """A request that this LXD refuses, and what the refusal is to us."""

    kind: type[errors.TenantryError]
    method: str
    path: str
    body: Any = None
    project: bool = True
    etag: str | None = None


VOLUME = {"name": "listed-0", "content_type": "block", "config": {"size": "5MiB"}}
REFUSED = {
    "400": Refused(errors.Invalid, "POST", "instances", {"name": "a b", "source": {"type": "none"}}),
    "403 another project": Refused(errors.NotTrusted, "GET", "projects/default", project=False),
    "403 no project": Refused(errors.NotTrusted, "GET", "instances", project=False),
    "403 the admin's": Refused(errors.NotTrusted, "POST", "projects", {"name": "x"}, project=False),
    "404": Refused(errors.NotFound, "GET", "instances/nobody"),
    "409": Refused(errors.Conflict, "POST", "storage-pools/default/volumes/custom", VOLUME),
    "412": Refused(errors.Stale, "PUT", "profiles/default", {"config": {}}, etag="old"),
    "500": Refused(errors.OperationFailed, "PUT", "profiles/default", {"config": {"no.such.key": "x"}}),
    "501": Refused(errors.Unsupported, "POST", "resources", {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_trap_15_every_refusal_has_its_kind(full: Bench, port: HttpsPort, case: str) -> None:
    """To pylxd most are one exception, with the reason in English."""
    refused = REFUSED[case]
    path = refused.path.split("/")
    with pytest.raises(errors.TenantryError) as caught:
        port.call(
            refused.method,
            path,
            project=full.project if refused.project else None,
            body=refused.body,
            etag=refused.etag,
        )
    assert caught.value.__class__ is refused.kind
    assert caught.value.details["status"] == int(case[:3])
    assert caught.value.message.startswith(f"{full.lxd.url}: {refused.path}: ")
    assert "\n" not in str(caught.value)


LXDS = '{"type": "sync", "metadata": {}}'
NONSENSE = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "nothing": b"",
    "half an answer": page("x" * 100)[:-50],
    "a web page": page("<html>It works!</html>"),
    "a web page's 404": page("<html>Not Found</html>", "404 Not Found"),
    "a proxy's error": page("<html>Bad Gateway</html>", "502 Bad Gateway"),
    "a list": page("[]"),
    "a text": page('"hello"'),
    "null": page("null"),
    "somebody else's object": page('{"kind": "Status", "code": 200}'),
    "somebody else's error": page('{"error": {"message": "no"}}', "401 Unauthorized"),
    "no metadata": page('{"type": "sync"}'),
    "not UTF-8": page("x", Content_Type="application/json").replace(b"\r\n\r\nx", b"\r\n\r\n\xff"),
}


@pytest.mark.parametrize("transport", ["https", "unix"])
@pytest.mark.parametrize("case", NONSENSE)
def test_trap_15_what_is_not_lxd_is_unreachable(bench: Bench, tmp_path: Path, transport: str, case: str) -> None:
    """Never an exception of requests', of http.client's or of our own code's."""
    pair = bench.folder / "stranger.crt", bench.folder / "stranger.key"
    where: dict[str, Any] = {"pair": pair} if transport == "https" else {"path": tmp_path / "s"}
    with Impostor(NONSENSE[case], **where) as server:
        connection = bench.connection(urls=(server.url,), pin=pem.fingerprint(pair[0].read_text()), timeout=2)
        with pytest.raises(errors.Unreachable) as caught:
            (HttpsPort if transport == "https" else UnixPort)(connection)
    assert server.url.removeprefix("unix:") in caught.value.message and caught.value.hint


@pytest.mark.parametrize("case", NONSENSE)
def test_trap_15_what_stops_being_lxd_is_told_in_mid_run(bench: Bench, case: str) -> None:
    pair = bench.folder / "stranger.crt", bench.folder / "stranger.key"
    with Impostor(page(LXDS), pair) as good, Impostor(NONSENSE[case], pair) as bad:
        opened = HttpsPort(bench.connection(urls=(good.url,), pin=pem.fingerprint(pair[0].read_text()), timeout=2))
        opened._client.api._api_endpoint = f"{bad.url}/1.0"
        for method in ("GET", "POST", "PUT", "DELETE"):
            with pytest.raises(errors.Unreachable):
                opened.call(method, ("instances", "a"), body={})
        opened.close()


def test_trap_15_no_connection_has_its_kind(bench: Bench, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"https://127.0.0.1:{free.getsockname()[1]}"
    with Impostor(page(LXDS)) as plain:
        for url in (nobody, plain.url, "https://no-such-host.invalid:8443"):
            with pytest.raises(errors.Unreachable, match=url):
                HttpsPort(bench.connection(urls=(url,), timeout=2))
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale"))
    for name in ("nowhere", "stale", "file"):
        with pytest.raises(errors.Unreachable, match=name):
            UnixPort(Connection((f"unix:{tmp_path / name}",)))


def test_trap_15_a_wrong_pin_is_not_trusted_at_first_and_in_mid_run(bench: Bench) -> None:
    other = pem.fingerprint(bench.pair("stranger")[0])
    with pytest.raises(errors.NotTrusted) as caught:
        HttpsPort(bench.connection(pin=other))
    assert caught.value.details["fingerprint"] == bench.pin and other in caught.value.message
    # Another machine takes the address over: nothing is sent to it.
    pair = bench.folder / "stranger.crt", bench.folder / "stranger.key"
    with Impostor(page(LXDS), pair) as thief, bench.https() as opened:
        opened._client.api._api_endpoint = f"{thief.url}/1.0"
        opened._url = thief.url
        for method in ("GET", "POST"):
            with pytest.raises(errors.NotTrusted):
                opened.call(method, ("instances", "a"), body={"secret": "x"})
        assert not any("instances" in request for request in thief.requests)


def test_trap_17_a_failed_operation_is_an_error_though_http_says_200(bench: Bench, admin: Port) -> None:
    request = bench.create("failing", **UNKNOWN)
    answer = admin.call("POST", request.path, project=request.project, body=request.body)
    assert answer.operation
    with pytest.raises(errors.OperationFailed, match=r"it: .*no\.such\.key"):
        operations.wait_for_operation(admin, answer, 20, "it")


# pylxd's ways


def test_trap_18_parameters_are_the_callers_own(bench: Bench, admin: Port) -> None:
    """pylxd writes into the dictionary that it is given, fails without one, and takes `target` in a POST only."""
    params = {"recursion": "1"}
    admin.call("GET", ("instances",), project=bench.project, params=params)
    assert params == {"recursion": "1"}
    admin.call("GET", ("profiles", "default"), project=bench.project, params=None)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        # Refused for the name, or ignored where there is no cluster; never a TypeError.
        with pytest.raises((errors.Invalid, errors.NotFound, errors.OperationFailed, errors.Unsupported)):
            admin.call(method, ("instances", "a b"), project=bench.project, params={"target": "none"}, body={})


def test_trap_19_the_socket_leaves_nothing_open(bench: Bench) -> None:
    """pylxd keeps a socket for each URL."""
    port = UnixPort(bench.socket)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(60):
        port.call("GET", ("profiles", "default"), params={"n": str(number)})
        with pytest.raises(errors.NotFound):
            port.call("GET", ("profiles", f"none-{number}"))
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("name", ["get", "post", "put", "patch", "delete", "session", "scheme", "storage_pools", "api"])
def test_trap_22_a_name_may_be_pylxds_own_word(bench: Bench, port: HttpsPort, name: str) -> None:
    body = {"name": name, "config": {}, "devices": {}}
    apply(port, Request("POST", ("profiles",), bench.project, body=body, creates=("profiles", name)), {})
    assert port.call("GET", ("profiles", name), project=bench.project).metadata["name"] == name
    apply(port, Request("DELETE", ("profiles", name), bench.project), {})


def test_trap_23_of_a_chain_the_first_certificate_is_pinned(bench: Bench) -> None:
    own, other = bench.lxd.certificate, bench.pair("stranger")[0]
    with bench.https(pin=pem.fingerprint(own + other)) as opened:
        assert opened.server.trusted
    with pytest.raises(errors.NotTrusted):
        HttpsPort(bench.connection(pin=pem.fingerprint(other + own)))


@pytest.mark.parametrize("place", [".config/lxc", "snap/lxd/common/config"])
def test_trap_24_the_users_own_certificates_are_never_picked_up(bench: Bench, tmp_path: Path, place: str) -> None:
    """pylxd takes the pair and the server's certificate of `lxc` where it isn't told otherwise."""
    folder = tmp_path / place
    (folder / "servercerts").mkdir(parents=True)
    certificate, key = bench.pair("admin")
    (folder / "client.crt").write_text(certificate)
    (folder / "client.key").write_text(key)
    (folder / "servercerts" / "127.0.0.1.crt").write_text(bench.lxd.certificate)
    wrong = bench.connection(pin=pem.fingerprint(bench.pair("stranger")[0]))
    seen = seen_from({"HOME": str(tmp_path)}, bench.connection(""), bench.connection("stranger"), wrong)
    assert seen == ["unknown", "unknown", "not_trusted"]


def test_trap_25_an_untrusted_client_is_told_so(bench: Bench) -> None:
    """To pylxd the connection is a success, and asking for the cluster a KeyError."""
    with bench.https("stranger") as opened:
        assert not opened.server.trusted and opened.server.extensions and Reader(opened).members() == []
        with pytest.raises(errors.NotTrusted):
            Reader(opened).instances(bench.project)


def test_trap_28_nothing_is_printed_about_a_newer_server(full: Bench) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with full.https() as opened:
            for listing in LISTINGS.values():
                listing(Reader(opened), full.project)
    assert [str(warning.message) for warning in told if "ttribute" in str(warning.message)] == []


# TLS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_tls_the_pin_holds_by_whatever_name_the_server_is_reached(bench: Bench, host: str) -> None:
    """The certificate names neither; a fingerprint needs no name."""
    with Relay(bench.lxd.place.port, host) as relay:
        with bench.https(urls=(relay.url,)) as opened:
            assert opened.server.trusted
        with pytest.raises(errors.NotTrusted):
            HttpsPort(bench.connection(urls=(relay.url,), pin=pem.fingerprint(bench.pair("stranger")[0])))


def test_tls_a_key_with_a_passphrase_is_refused_at_once_without_a_prompt(bench: Bench, tmp_path: Path) -> None:
    """OpenSSL asks at the terminal, whatever stdin is; so there is one here, and nobody types."""
    locked = tmp_path / "locked.key"
    encrypt = ["openssl", "ec", "-aes256", "-passout", "pass:sesame", "-out", str(locked)]
    subprocess.run([*encrypt, "-in", str(bench.folder / "tenant.key")], check=True, capture_output=True)
    connection = bench.connection(private_key=locked.read_text())
    terminal, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", LOOK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(COLLECTIONS)},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(child, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (one system call, no lock)
        text=True,
    )
    try:
        output, complaint = process.communicate(json.dumps([dataclasses.asdict(connection)]), timeout=20)
    finally:
        process.kill()
        os.set_blocking(terminal, False)
        asked = b""
        with contextlib.suppress(OSError):
            asked = os.read(terminal, 1000)
        os.close(terminal)
        os.close(child)
    assert (output.strip(), asked) == ("invalid", b""), complaint


def test_tls_a_pair_that_does_not_match_is_invalid(bench: Bench) -> None:
    with pytest.raises(errors.Invalid):
        HttpsPort(bench.connection(private_key=bench.pair("admin")[1]))
    for damaged in ("", "nonsense", bench.pair("tenant")[1][:80]):
        with pytest.raises(errors.Invalid):
            HttpsPort(bench.connection(private_key=damaged))


KEYS_TRACE = """
import json, os, sys, traceback
opened = []
def watch(event, arguments):
    if event == "open":
        opened.append((str(arguments[0]), arguments[2]))
    elif event.startswith(("tempfile.", "os.rename", "shutil.", "subprocess.", "os.exec")):
        opened.append((event, -1))
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import https, port
said = json.load(sys.stdin)
sys.addaudithook(watch)
https.HttpsPort(port.Connection(**said)).call("GET", ())
writing = [(name, flags) for name, flags in opened if flags == -1 or flags & (os.O_WRONLY | os.O_RDWR)]
held = [entry.path for entry in os.scandir("/proc/self/fd") if "memfd" in os.path.realpath(entry.path)]
print(json.dumps({"writing": writing, "held": held}))
"""


def test_tls_the_key_touches_no_disk(bench: Bench, tmp_path: Path) -> None:
    """Python's ssl takes files only: the key goes through memory that has no name, closed as soon as it was read."""
    ended = subprocess.run(
        [sys.executable, "-B", "-c", KEYS_TRACE],
        input=json.dumps(dataclasses.asdict(bench.connection())),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(COLLECTIONS), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"writing": [], "held": []}
    assert list(tmp_path.iterdir()) == []


def test_tls_the_key_is_in_no_error_and_in_no_repr(bench: Bench, tmp_path: Path) -> None:
    _certificate, key = bench.pair("tenant")
    secret = key.splitlines()[1]
    told = []
    with hole("tcp", bench, tmp_path) as silent:
        for fields in (
            {"certificate": bench.pair("admin")[0]},
            {"certificate": "nonsense"},
            {"private_key": key.replace("BEGIN", "BEGUN", 1)},
            {"pin": "0" * 64},
            {"urls": silent.urls, "timeout": 1},
        ):
            connection = bench.connection(**fields)
            try:
                HttpsPort(connection)
            except errors.TenantryError as error:
                told += ["".join(traceback.format_exception(error)), repr(error), str(error.details)]
            told += [repr(connection), str(connection)]
    with bench.https() as opened:
        told += [repr(opened), repr(opened.connection), repr(opened._session)]
    assert len(told) == 5 * 5 + 3
    assert not [text for text in told if secret in text]


# Threads


def test_threads_share_a_port_without_mixing_answers(bench: Bench) -> None:
    names = [f"thread-{number}" for number in range(16)]
    admin = UnixPort(bench.socket)
    for name in names:
        admin.call("POST", ("profiles",), project=bench.project, body={"name": name, "config": {"user.me": name}})
    with Relay(bench.lxd.place.port) as relay, bench.https(urls=(relay.url,)) as opened:

        def read(name: str) -> set[tuple[str, str, str | None]]:
            found = set()
            for _time in range(50):
                answer = opened.call("GET", ("profiles", name), project=bench.project)
                found.add((answer.metadata["name"], answer.metadata["config"]["user.me"], answer.etag))
            return found

        with ThreadPoolExecutor(16) as workers:
            answers = list(workers.map(read, names))
        accepted = relay.accepted
    assert [{(name, own) for name, own, _etag in found} for found in answers] == [{(name, name)} for name in names]
    assert all(len(found) == 1 for found in answers), "an ETag of another's"
    assert accepted <= 16 + 1, "connections are thrown away"
    for name in names:
        admin.call("DELETE", ("profiles", name), project=bench.project)


# Faults


def composed(connection: Connection, project: str, vms: Sequence[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
    """What lxd_vm_compose tells; it runs right here, so that a fault can be put at an exact moment."""
    said = {
        "url": list(connection.urls),
        "client_cert": connection.certificate,
        "client_key": connection.private_key,
        "server_fingerprint": connection.pin,
        "timeout": connection.timeout,
        "project": project,
        "owner": OWNER,
        "vms": [dict(vm) for vm in vms],
        **options,
    }
    output: list[str] = []
    with patch_module_args(said), pytest.MonkeyPatch.context() as patch:
        # Other tests of this process may have made it a controller, which prints warnings in place of telling them.
        patch.setattr("ansible.module_utils._internal.is_controller", False)
        patch.setattr("builtins.print", lambda text, **_rest: output.append(text))
        with pytest.raises(SystemExit):
            lxd_vm_compose.main()
    return dict(json.loads(output[-1]))


@pytest.mark.parametrize(("how", "image"), [("cut", None), ("silent", None), ("cut", "micro")])
def test_fault_4_a_create_whose_answer_is_lost_is_looked_for_and_not_repeated(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, how: Loss, image: str | None
) -> None:
    name = f"lost-{next(NUMBERS)}"
    vm: dict[str, Any] = {
        "name": name,
        "state": "present",
        "memory": "160MiB",
        "image": image,
        "interfaces": [],
        "secure_boot": False,
    }
    with Relay(bench.lxd.place.port) as relay:
        call = HttpsPort.call

        def losing(self: HttpsPort, method: str, path: Sequence[str], **rest: Any) -> Answer:
            if method == "POST" and not relay.lost.is_set():
                relay.lose_next_answer(how)
            return call(self, method, path, **rest)

        monkeypatch.setattr(HttpsPort, "call", losing)
        connection = bench.connection(urls=(relay.url,), timeout=3)
        with bench.lxd.requests() as seen:
            result = composed(connection, bench.project, [vm], defaults={"disks": [{"storage_pool": "default"}]})
        assert relay.lost.is_set()
    assert not result.get("failed") and result["failed_vms"] == [], result
    assert (result["changed"], result["actions"]) == (True, [f"create VM {name}"]), "it was made, and not told"
    assert [vm["name"] for vm in result["vms"]] == [name]
    assert [request.path for request in seen if request.method == "POST"] == ["/1.0/instances"]
    assert bench.instance(name)["status"] == "Stopped" and bench.instance(name)["config"]["volatile.apply_template"]


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_fault_4_a_lost_create_asks_for_a_new_plan(bench: Bench, how: Loss) -> None:
    name = f"lost-{next(NUMBERS)}"
    with Relay(bench.lxd.place.port) as relay, bench.https(urls=(relay.url,), timeout=2) as opened:
        relay.lose_next_answer(how)
        with pytest.raises(errors.OutcomeUnknown, match="POST"):
            apply(opened, bench.create(name, image="micro", tries=3), {})
        # Whoever plans again sees all of it: the operation behind the lost answer has ended.
        found = Reader(opened).instance(bench.project, name)
        assert found is not None and found.is_complete and Reader(opened).running_operations(bench.project) == []


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_fault_4_a_lost_answer_to_other_writes_is_looked_up(bench: Bench, port: HttpsPort, how: Loss) -> None:
    name = bench.empty_vm(port)
    with Relay(bench.lxd.place.port) as relay, bench.https(urls=(relay.url,), timeout=2) as opened:
        steps = [
            (bench.update(opened, name, **{"user.ours": "1"}), "PUT"),
            (bench.state(name, "start"), "PUT"),
            (bench.state(name, "stop", force=True), "PUT"),
            (bench.delete(name), "DELETE"),
        ]
        for step, method in steps:

            def lose(sent: str, method: str = method) -> None:
                if sent == method:
                    relay.lose_next_answer(how)

            lost = Through(opened, before=lose)
            with bench.lxd.requests() as seen:
                apply(lost, step, {})
            assert relay.lost.is_set()
            assert [request.method for request in seen].count(method) == 1
            if step is steps[0][0]:
                assert bench.instance(name)["config"]["user.ours"] == "1"
    assert name not in bench.names()


def test_fault_6_what_another_run_does_at_the_same_time_is_no_failure(bench: Bench, port: HttpsPort) -> None:
    name = bench.empty_vm(port)
    with ThreadPoolExecutor(4) as workers:

        def all_at_once(step: Request) -> list[str]:
            def one(_number: int) -> str:
                try:
                    apply(port, step, {})
                except errors.Stale:
                    return "plan again"
                return "done"

            return list(workers.map(one, range(4)))

        assert set(all_at_once(bench.state(name, "start"))) == {"done"}
        assert set(all_at_once(bench.state(name, "start"))) == {"done"}
        assert set(all_at_once(bench.state(name, "stop", force=True))) == {"done"}
        assert set(all_at_once(bench.delete(name))) == {"done"}
        assert name not in bench.names()
        ended = all_at_once(bench.create(name))
        assert sorted(ended) == ["done", "plan again", "plan again", "plan again"]
    apply(port, bench.delete(name), {})


def test_fault_7_a_create_that_lxd_cleaned_up_after_is_tried_again(bench: Bench, port: HttpsPort) -> None:
    """Made to fail once by a storage pool that comes late, since LXD's own race can't be had when asked for."""
    pool = f"late-{uuid.uuid4().hex[:6]}"
    request = bench.create(f"late-{next(NUMBERS)}", tries=3)
    devices = {"root": {"type": "disk", "path": "/", "pool": pool}}
    request = dataclasses.replace(request, body={**request.body, "devices": devices})
    sent: list[str] = []

    def pool_comes_late(method: str) -> None:
        sent.append(method)
        if sent.count("POST") == 2 and method == "POST":
            bench.lxd.api("POST", "/1.0/storage-pools", {"name": pool, "driver": "dir"})

    try:
        apply(Through(port, before=pool_comes_late), request, {})
        assert sent.count("POST") == 2
        apply(port, bench.delete(request.creates[1]), {})
    finally:
        bench.lxd.api("DELETE", f"/1.0/storage-pools/{pool}")
    with bench.lxd.requests() as seen, pytest.raises(errors.OperationFailed):
        apply(port, request, {})
    assert [each.method for each in seen].count("POST") == 3, "not within its bounds"


def test_fault_7_forty_creates_at_once_from_one_image_all_succeed(bench: Bench) -> None:
    """LXD 5.0 fails one in ten to twenty of them for a race of its own."""
    vms = [{"name": f"many-{number:02}", "state": "present", "image": "micro"} for number in range(40)]
    defaults = {"memory": "160MiB", "interfaces": [], "disks": [{"storage_pool": "default"}]}
    with bench.lxd.requests() as seen:
        result = composed(bench.connection(), bench.project, vms, defaults=defaults, concurrency=40)
    assert not result.get("failed") and result["failed_vms"] == [], result
    posts = [request for request in seen if request.method == "POST"]
    print(f"{len(posts) - 40} creates were sent again")
    assert 40 <= len(posts) <= 120
    made = [bench.instance(vm["name"]) for vm in vms]
    assert all(vm["config"]["volatile.apply_template"] and vm["config"]["volatile.base_image"] for vm in made)


def test_fault_8_a_running_vm_is_not_deleted(bench: Bench, port: HttpsPort, running: str) -> None:
    with pytest.raises(errors.TenantryError):
        apply(port, bench.delete(running), {})
    assert bench.instance(running)["status"] == "Running"


def test_fault_9_a_guest_that_does_not_stop_is_told_and_a_forced_stop_ends_both(
    bench: Bench, port: HttpsPort, running: str
) -> None:
    with at_most(1), pytest.raises(errors.OperationFailed):
        apply(port, dataclasses.replace(bench.state(running, "stop", timeout=1), hint="force it"), {})
    assert bench.instance(running)["status"] == "Running"
    with ThreadPoolExecutor(1) as worker:
        graceful = worker.submit(apply, port, bench.state(running, "stop", timeout=30), {})
        until(lambda: Reader(port).running_operations(bench.project), 10, "the graceful stop")
        with at_most(3):
            apply(port, bench.state(running, "stop", force=True), {})
            graceful.result(20)
    apply(port, bench.state(running, "start"), {})


def test_fault_user_keys_of_a_running_vm_without_an_agent_are_saved_and_no_failure(
    bench: Bench, port: HttpsPort, running: str
) -> None:
    """LXD 5.0 saves them, then fails since there is no agent to tell."""
    planned = bench.update(port, running, **{"user.ours": uuid.uuid4().hex})
    apply(port, planned, {})
    assert bench.instance(running)["config"]["user.ours"] == planned.body["config"]["user.ours"]
    body = {"config": {"user.ours": "again"}}
    with pytest.raises(errors.OperationFailed):
        port.call("PATCH", ("instances", running), project=bench.project, body=body)
    assert bench.instance(running)["config"]["user.ours"] == "again", "LXD no longer saves it: read the reference"


def test_fault_1_a_daemon_killed_in_mid_wait_is_unreachable_then_lost(
    bench: Bench, port: HttpsPort, running: str
) -> None:
    stop = bench.state(running, "stop", timeout=40)
    with bench.https() as opened, ThreadPoolExecutor(1) as worker:
        answer = opened.call("PUT", stop.path, project=stop.project, body=stop.body)
        waiting = worker.submit(operations.wait_for_operation, opened, answer, 40, "stop")
        bench.lxd.kill()
        try:
            with pytest.raises(errors.Unreachable) as caught:
                waiting.result(20)
            assert not isinstance(caught.value, errors.AnswerLost)
            with pytest.raises(errors.Unreachable):
                apply(opened, bench.create("while-down"), {})
        finally:
            bench.lxd.start()
        with pytest.raises(errors.AnswerLost):
            operations.wait_for_operation(opened, answer, 20, "stop")
    assert bench.instance(running)["status"] == "Running" and "while-down" not in bench.names()


def test_fault_5_connections_gone_stale_over_a_restart_are_replaced(bench: Bench, port: HttpsPort) -> None:
    with bench.https() as reading, bench.https() as writing:
        name = bench.empty_vm(writing)
        request = bench.update(writing, name, **{"user.ours": "1"})
        bench.lxd.kill()
        bench.lxd.start()
        assert name in {vm.name for vm in Reader(reading).instances(bench.project)}
        apply(writing, request, {})
    assert bench.instance(name)["config"]["user.ours"] == "1"
    discard_instances(bench.lxd, bench.project)
