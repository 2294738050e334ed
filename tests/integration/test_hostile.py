# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each attempt of docs/reference/hostile.md with a stolen key, in a project of each kind."""

from __future__ import annotations

import dataclasses
import http.client
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration import attempts
from tests.integration.attempts import ATTEMPTS, BRIDGES, NETWORKS, SHARED, Attempt, Step
from tests.integration.playing import Site
from tests.integration.tenancy import OWNER
from tests.lxd import place
from tests.lxd.admin import ApiError
from tests.lxd.certificate import new_client_certificate
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.world import differences

TABLE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "hostile.md"
KINDS = (SHARED, NETWORKS, BRIDGES)
NEIGHBOUR = "hostile-neighbour"


class Listener:
    """An address of the host's own: it counts who asks it for anything, and has nothing."""

    def __init__(self) -> None:
        self.calls = 0
        listener = self

        class Counting(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                listener.calls += 1
                self.send_error(404)

            do_GET = do_HEAD  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_said: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclasses.dataclass
class Ground:
    """One server with another tenant's project, things in the default one, and a project of each kind of ours."""

    lxd: Daemon
    site: Site
    listener: Listener
    image: str = ""
    other: str = ""
    bridge: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def things(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Project, where to make it, and body of everything that an attempt is about."""
        for project in ("default", NEIGHBOUR):
            yield project, "/1.0/instances", {"name": "victim", **_bare()}
            yield project, attempts.CUSTOM, {"name": "treasure", "content_type": "block", "config": {"size": "5MiB"}}
            yield project, "/1.0/profiles", {"name": "house", "config": {}, "devices": {}}
        yield "default", "/1.0/networks", {"name": self.other, "type": "bridge", "config": attempts.UNADDRESSED}
        yield "default", "/1.0/network-acls", {"name": "wall", "config": {}}
        yield "default", "/1.0/network-zones", {"name": "wall.example", "config": {}}
        for kind in KINDS:
            yield kind, "/1.0/instances", {"name": "mine", **_bare()}
            yield kind, attempts.CUSTOM, {"name": "stock", "content_type": "block", "config": {"size": "5MiB"}}

    def put_back(self, kind: str) -> None:
        """All that an attempt may have made, changed or taken away is as before."""
        self.clear(kind)
        self._delete("/1.0/instances/mine", {"project": kind})
        self._delete(f"/1.0/networks/new{self.other[:8]}", {})
        for path in ("profiles/house", f"networks/{self.other}", "network-acls/wall"):
            self._delete(f"/1.0/{path}", {"project": "default"})
        network = f"/1.0/networks/{self.lxd.bridge}"
        self._delete(f"{network}/forwards/198.51.100.7", {})
        self.lxd.api("PUT", network, self.bridge)
        self.make()

    def clear(self, kind: str) -> None:
        """What the holder made in the own project is gone."""
        query = {"project": kind}
        for path in ("instances/tool", "profiles/tool"):
            self._delete(f"/1.0/{path}", query)
        self._delete(f"{attempts.CUSTOM}/loot", query)

    def make(self) -> None:
        """What isn't there is made."""
        for project, path, body in self.things:
            try:
                self.lxd.api("GET", f"{path}/{body['name']}", None, {"project": project})
            except ApiError as error:
                if error.status != 404:
                    raise
                self.lxd.api("POST", path, body, {"project": project})
        held = {each["fingerprint"]: each for each in self.lxd.api("GET", "/1.0/images", query={"recursion": 1})}
        image = held.get(self.image, {})
        if not image.get("aliases") or "x" in image["properties"]:
            self._delete(f"/1.0/images/{self.image}", {})
            self.image = import_image(self.lxd, micro_image())

    def _delete(self, path: str, query: Mapping[str, str]) -> None:
        try:
            if path == "/1.0/instances/tool":
                self.lxd.api("PUT", f"{path}/state", {"action": "stop", "force": True}, query)
        except ApiError:
            # It isn't there, or doesn't run.
            pass
        try:
            self.lxd.api("DELETE", path, None, query)
        except ApiError as error:
            if error.status != 404:
                raise

    def words(self, kind: str) -> dict[str, str]:
        """What stands for what in an attempt."""
        return {
            "OWN": kind,
            "NEIGHBOUR": NEIGHBOUR,
            "BRIDGE": self.lxd.bridge,
            "OTHER": self.other,
            "IMAGE": self.image,
            "CERT": self.fingerprints[f"kvm-{kind}"],
            "THEIRS": self.fingerprints["neighbour"],
            "LISTENER": self.listener.url,
            "NEW": f"new{self.other[:8]}",
            # A network of LXD's, or a bridge of the host's to a project with networks of its own.
            "ON": "parent" if kind == BRIDGES else "network",
        }

    def holder(self, kind: str) -> Holder:
        return Holder(self.lxd, self.site.registry / f"kvm-{kind}", self.words(kind))

    def world(self, kind: str) -> dict[str, Any]:
        """All that isn't the project's, the host's routes with it."""
        routes = subprocess.run(["ip", "route"], check=True, capture_output=True, text=True).stdout.splitlines()
        # An interface that comes or goes on a bridge switches its route on or off; other daemons of the bed run too.
        own = [route for route in routes if f" dev {place.BRIDGES}" not in route or "198.51.100" in route]
        return {**self.lxd.fingerprint_of_world(kind), "routes": own}


def _bare() -> dict[str, Any]:
    return {"type": "virtual-machine", "source": {"type": "none"}, "profiles": [], "devices": {"root": attempts.ROOT}}


class Holder:
    """Somebody with the tenant's certificate and key, and any program."""

    def __init__(self, lxd: Daemon, folder: Path, words: Mapping[str, str]) -> None:
        self._port, self._words = lxd.place.port, words
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.load_verify_locations(cadata=lxd.certificate)
        self._context.load_cert_chain(folder / "client.crt", folder / "client.key")

    def tries(self, attempt: Attempt, listener: Listener) -> str:
        """Empty if it went through, else what LXD said."""
        before, answer = listener.calls, ""
        for step in attempt.steps:
            said, answer = self._take(step)
            if said and not (attempt.calls and listener.calls > before):
                return said
        return "" if re.search(self._filled(attempt.shows), answer) else "nothing of it is in the answer"

    def _take(self, step: Step) -> tuple[str, str]:
        path = self._filled(step.path)
        if "project" not in path.partition("?")[2]:
            path += f"{'&' if '?' in path else '?'}project={self._words['OWN']}"
        status, answer = self._request(step.method, path, self._filled(step.body))
        try:
            found = json.loads(answer)
        except ValueError:
            return ("" if status < 400 else f"{status}: {answer[:80]}"), answer
        if status >= 400:
            return f"{found['error_code']}: {found['error']}", answer
        if found["type"] == "async" and found["metadata"]["class"] == "task":
            operation = found["operation"].partition("?")[0]
            ended = json.loads(self._request("GET", f"{operation}/wait?timeout=60", None)[1])["metadata"]
            return (ended["err"] if ended["status_code"] != 200 else ""), answer
        return "", answer

    def _request(self, method: str, path: str, body: Any) -> tuple[int, str]:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=90)
        try:
            connection.request(method, path, content, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def _filled(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            filled = {self._filled(key): self._filled(inner) for key, inner in value.items()}
            if filled.get("parent") == self._words["BRIDGE"]:
                filled["nictype"] = "bridged"
            return filled
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        return re.sub("|".join(rf"\b{word}\b" for word in self._words), lambda found: self._words[found[0]], value)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The three projects and their certificates are made by the role, as its users have them."""
    folder = tmp_path_factory.mktemp("hostile")
    listener = Listener()
    with Daemon.new(f"hostile-{os.getpid()}", place.default_root(), owned=True) as lxd:
        made = Ground(lxd, Site.create(folder / "site"), listener, other=f"o{lxd.bridge}"[:15])
        made.bridge = lxd.api("GET", f"/1.0/networks/{lxd.bridge}")
        lxd.api("POST", "/1.0/projects", {"name": NEIGHBOUR, "config": {}})
        certificate, _key = new_client_certificate(folder, "neighbour")
        lxd.trust(certificate.read_text(), name="neighbour", projects=[NEIGHBOUR])
        _register(made)
        trusted = lxd.api("GET", "/1.0/certificates", query={"recursion": 1})
        made.fingerprints = {each["name"]: each["fingerprint"] for each in trusted}
        made.make()
        yield made
    listener.close()


def _register(made: Ground) -> None:
    reach: dict[str, dict[str, Any]] = {
        SHARED: {"vmhost_isolation": "shared"},
        NETWORKS: {},
        BRIDGES: {"vmhost_bridges": [made.lxd.bridge]},
    }
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "vmhost_socket": str(made.lxd.directory / "unix.socket"),
        "vmhost_owner": OWNER,
        "vmhost_default_storage_pool": "default",
        "vmhost_default_network": made.lxd.bridge,
    }
    hosts = {f"kvm-{kind}": {"vmhost_project": kind, **said} for kind, said in reach.items()}
    inventory = made.site.root / "inventory" / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"lxd_vmhosts": {"hosts": hosts, "vars": common}}))
    played = made.site.play("tenantry.lxd.register", python="")
    assert played.rc == 0, played.output


def exposures(ground: Ground) -> dict[str, str]:
    """What lxd_vmhost_info names, as one text for each kind."""
    shown = ground.site.play([{"tenantry.lxd.lxd_vmhost_info": {"vmhosts": [f"kvm-{kind}" for kind in KINDS]}}])
    rows = {row["name"]: row for row in shown.last["vmhosts"]}
    assert not [row["error"] for row in rows.values() if row.get("error")], shown.output
    return {kind: "\n".join(rows[f"kvm-{kind}"]["exposure"]) for kind in KINDS}


def tried(ground: Ground, kind: str, names: list[str]) -> dict[str, str]:
    """What LXD said to each; empty where it went through."""
    answers = {}
    for name in names:
        attempt = ATTEMPTS[name]
        answers[name] = ground.holder(kind).tries(attempt, ground.listener)
        if answers[name]:
            ground.clear(kind)
        else:
            ground.put_back(kind)
    return answers


@pytest.mark.parametrize("kind", [NETWORKS, BRIDGES])
def test_a_confined_project_holds(ground: Ground, kind: str) -> None:
    """Refused, with the world outside untouched; what LXD lets through all the same is named as exposure."""
    refused = [name for name, attempt in ATTEMPTS.items() if kind not in attempt.through]
    before = ground.world(kind)
    answers = tried(ground, kind, refused)
    assert [name for name, said in answers.items() if not said] == []
    assert differences(before, ground.world(kind)) == []
    known = [name for name, attempt in ATTEMPTS.items() if kind in attempt.through]
    answers = tried(ground, kind, known)
    assert {name: said for name, said in answers.items() if said} == {}, "LXD refuses these now: amend the table"
    named = exposures(ground)[kind]
    assert [name for name in known if not ATTEMPTS[name].told or ATTEMPTS[name].told not in named] == [], named


def test_a_project_as_maas_made_it_does_not(ground: Ground) -> None:
    """The same table where it should fail: if nothing went through here, nothing would be proven above."""
    answers = tried(ground, SHARED, list(ATTEMPTS))
    through = {name for name, said in answers.items() if not said}
    print(f"{len(through)} of {len(ATTEMPTS)} went through")
    wanted = {name for name, attempt in ATTEMPTS.items() if SHARED in attempt.through}
    assert {name: answers[name] for name in through ^ wanted} == {}
    assert len(through) >= 16


def test_a_bridge_that_nobody_may_configure_carries_vms(ground: Ground) -> None:
    """What `bridges` closes costs nothing: the default network's VMs are on it by parent, and start."""
    vm = {"name": "wired", "state": "started", "memory": "160MiB", "secure_boot": False}
    for changed in (True, False):
        process = ground.site.start_module("lxd_vm_compose", {"vms": [vm], "wait": "none"}, f"kvm-{BRIDGES}")
        output, errors = process.communicate(timeout=120)
        assert json.loads(output).get("changed") is changed, (output, errors)
    found = ground.lxd.api("GET", "/1.0/instances/wired", query={"project": BRIDGES})
    assert found["status"] == "Running"
    assert {"nictype": "bridged", "parent": ground.lxd.bridge}.items() <= found["devices"]["eth0"].items()
    ground.lxd.api("PUT", "/1.0/instances/wired/state", attempts.STOP, {"project": BRIDGES})
    ground.lxd.api("DELETE", "/1.0/instances/wired", None, {"project": BRIDGES})


def test_a_read_only_folder_of_backups_stops_the_import(ground: Ground) -> None:
    """What the exposure says to do about it."""
    [name] = [name for name in ATTEMPTS if "second config" in name]
    folder = str(ground.lxd.directory / "backups")
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        assert "read-only" in tried(ground, NETWORKS, [name])[name]
    finally:
        subprocess.run(["umount", folder], check=True)


def test_the_table_is_what_was_tried() -> None:
    lines = [
        line for line in TABLE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| attempt")
    ]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    wanted = [
        [name, *("**goes through**" if kind in attempt.through else "refused" for kind in KINDS)]
        for name, attempt in ATTEMPTS.items()
    ]
    assert [row[:4] for row in cells if len(row) >= 4] == wanted
