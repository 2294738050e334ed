# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a simulated fleet with the collection: what LXD answered once, served for a thousand hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows

from tests.bench import floor, ground
from tests.bench.fleet_server import VM, address_of, key_of, name_of
from tests.integration.playing import COLLECTIONS, Site
from tests.integration.tenancy import OWNER, Tenant
from tests.lxd.certificate import new_client_certificate

ROOT = Path(__file__).resolve().parents[2]
VMS_EACH = 50
_FIRST = f"{VM}00"
# What is read, by module: its options, and under which name the rows come.
_INFO: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "lxd_vm_info": ({"strict": True}, "vms"),
    "lxd_vmhost_info": ({"strict": True}, "vmhosts"),
}


@dataclasses.dataclass(frozen=True)
class Fleet:
    """A registry of hosts that are all answered for by one process."""

    site: Site
    hosts: int
    vms_each: int

    @property
    def names(self) -> list[str]:
        """The hosts."""
        return [name_of(number) for number in range(self.hosts)]

    def read_registry(self) -> list[dict[str, Any]]:
        """The rows of all hosts, as the action plugin reads them."""
        store = file_store.FileStore(str(self.site.registry))
        return [rows.row(store, name, _text, {}) for name in store.names()]

    def compose(self) -> None:
        """A check-mode run of lxd_vm_compose that names one VM of every host, and finds nothing to do."""
        vms = [{**ground.empty(f"{host}-{_FIRST}"), "vmhost": host} for host in self.names]
        answer = self._started("lxd_vm_compose", {"vms": vms, "_ansible_check_mode": True})
        if answer["changed"] or answer.get("unverified") or len(answer["vms"]) != self.hosts:
            raise RuntimeError(f"lxd_vm_compose found {len(answer['vms'])} VMs; would {answer['actions'][:3]}")

    def look(self, module: str, query: str = "") -> None:
        """A run of an info module over all hosts; `query` makes one short text of each row."""
        options, plural = _INFO[module]
        each = self.vms_each if plural == "vms" else 1
        found = self._started(module, {**options, **({"query": query} if query else {})})[plural]
        if len(found) != self.hosts * each:
            raise RuntimeError(f"{module} found {len(found)} {plural}")

    def play_compose(self) -> None:
        """The same as `compose` by a whole ansible-playbook run."""
        vms = [{**ground.empty(f"{host}-{_FIRST}"), "vmhost": host} for host in self.names]
        if self.site.run_task("lxd_vm_compose", {"vms": vms}, check=True)["changed"]:
            raise RuntimeError("lxd_vm_compose would change something")

    def _started(self, module: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """What a module answers when it is started with every host's row, as the action plugin would."""
        found = json.dumps({"_connections": self.read_registry()})
        said = {**options, "registry": str(self.site.registry), "_controller": found}
        name = f"ansible_collections.tenantry.lxd.plugins.modules.{module}"
        start = f"import runpy; runpy.run_module({name!r}, run_name='__main__')"
        environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
        process = subprocess.Popen(
            [sys.executable, "-c", start], env=environment, stdin=-1, stdout=-1, stderr=-1, text=True
        )
        return ground.read_answer(process, json.dumps({"ANSIBLE_MODULE_ARGS": said}))


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def record(tenant: Tenant, file: Path, vms: int = VMS_EACH) -> list[str]:
    """Write down what LXD answers to every request of the measured reads; returns what was asked."""
    ground.composed(tenant, [ground.empty(f"{VM}{number:02}") for number in range(vms)])
    daemon = ground.counting(tenant)
    with daemon.requests() as seen:
        ground.composed(tenant, [ground.empty(_FIRST)], _ansible_check_mode=True)
        for module, (options, _plural) in _INFO.items():
            ground.read_answer(tenant.site.start_module(module, {**options, "vmhost": tenant.vmhost}, tenant.vmhost))
    session = floor.Session(tenant)
    answers = {}
    for url in sorted({request.url for request in seen if request.trusted}):
        body, etag = session.read(url)
        answers[key_of(url)] = {"etag": etag, "body": body}
    session.close()
    file.write_text(json.dumps(answers))
    return list(answers)


@contextlib.contextmanager
def served(recording: Path, folder: Path, hosts: int, latency: float, vms: int = VMS_EACH) -> Iterator[Fleet]:
    """A fleet of so many hosts, each with a key pair and a registry entry of its own."""
    site = Site.create(folder / "site")
    (folder / "server").mkdir()
    certificate, key = new_client_certificate(folder / "server", "server", usage="serverAuth")
    entries = _registry(site, hosts, certificate.read_text())
    clients = folder / "server" / "clients.crt"
    clients.write_text("".join(pair.certificate.pem for pair in entries))
    command = [sys.executable, "-m", "tests.bench.fleet_server", "--latency", str(latency)]
    files = {"recording": recording, "certificate": certificate, "key": key, "clients": clients}
    command += [word for name, path in files.items() for word in (f"--{name}", str(path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            port = int(server.stdout.readline()) if server.stdout else 0
            for number in range(hosts):
                _enter(site, number, port)
            yield Fleet(site, hosts, vms)
        finally:
            server.terminate()


def _registry(site: Site, hosts: int, server: str) -> list[key_pair.KeyPair]:
    now = datetime.datetime.now(datetime.timezone.utc)
    pairs = [key_pair.generate_key_pair(f"{name_of(number)}@{OWNER}", "ecdsa-p384", 30, now) for number in range(hosts)]
    for number, pair in enumerate(pairs):
        folder = site.registry / name_of(number)
        folder.mkdir(parents=True)
        (folder / file_store.SERVER_CERTIFICATE_FILE).write_text(server)
        (folder / file_store.CERTIFICATE_FILE).write_text(pair.certificate.pem)
        (folder / file_store.KEY_FILE).write_text(pair.private_key)
        (folder / file_store.KEY_FILE).chmod(file_store.KEY_MODE)
    return pairs


def _enter(site: Site, number: int, port: int) -> None:
    entry = {
        "schema": 1,
        "url": f"https://{address_of(number)}:{port}",
        "project": ground.PROJECT,
        "owner": OWNER,
        "default_storage_pool": "default",
    }
    text = "".join(f"{key}: {value}\n" for key, value in entry.items())
    (site.registry / name_of(number) / file_store.ENTRY_FILE).write_text(text)


def readings(fleet: Fleet) -> Mapping[str, Callable[[], object]]:
    """What is measured over the fleet, by the label it has in the table."""
    return {
        "the registry alone, as the action plugin reads it": fleet.read_registry,
        "`lxd_vm_compose`, check mode, one VM of each host named, nothing to do": fleet.compose,
        "`lxd_vm_info`, `query: '[].name'`": lambda: fleet.look("lxd_vm_info", "[].name"),
        "`lxd_vmhost_info`, `query: '[].name'`": lambda: fleet.look("lxd_vmhost_info", "[].name"),
        "`lxd_vm_info`, every row in full": lambda: fleet.look("lxd_vm_info"),
        "`lxd_vm_compose` as above, the whole `ansible-playbook`": fleet.play_compose,
    }
