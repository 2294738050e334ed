# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory costs: of a simulated fleet, and of one host against community.general's plugin `lxd`.

That one asks twice for each VM. It can't use a certificate that is restricted to a project, so it gets an admin's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests import published
from tests.bench import fleet, ground
from tests.bench.fleet_server import VM, key_of, name_of
from tests.bench.stopwatch import Rival, Times, in_turns
from tests.integration.playing import COLLECTIONS, Site
from tests.integration.tenancy import Tenant
from tests.lxd.certificate import new_client_certificate

HOSTS, VMS_EACH, ALONE = 100, 100, 200
NOTHING = "`ansible-inventory` of nothing"
FLEET, FLEET_LISTED = "`ansible-inventory --graph lxd_vmhosts`", "`ansible-inventory --list`"
OURS, THEIRS = "`tenantry.lxd.lxd_vms`", "`community.general.lxd`"
OURS_FAR, THEIRS_FAR = f"{OURS}, 20 ms away", f"{THEIRS}, 20 ms away"
_NET = ", without Ansible's start"
NET = {label: f"{label}{_NET}" for label in (FLEET, FLEET_LISTED, OURS, THEIRS, OURS_FAR, THEIRS_FAR)}


def of_fleet(simulated: fleet.Fleet, rounds: int) -> dict[str, Times]:
    """The inventory of a fleet, told in short and in full; what it costs beyond the program's own start."""
    source = _ours(simulated.site)
    expected = simulated.hosts * simulated.vms_each
    rivals = [
        Rival(NOTHING, lambda: _told(simulated.site, _nothing(simulated.site))),
        Rival(FLEET, lambda: _told(simulated.site, source, "--graph", "lxd_vmhosts")),
        Rival(FLEET_LISTED, lambda: _counted(simulated.site, source, expected, "--list")),
    ]
    return _net(in_turns(rivals, rounds))


def of_one(tenant: Tenant, folder: Path, rounds: int, latency: float) -> dict[str, Times]:
    """One host with 200 VMs: on the real LXD at no distance, and simulated at some."""
    ground.make_all(tenant, [f"{VM}{number:03}" for number in range(ALONE)], marked=True)
    recording, site = folder / "alone.json", tenant.site
    ours, near = _ours(site), _theirs(site, f"unix:{tenant.lxd.directory}/unix.socket", site.registry / tenant.vmhost)
    _record(tenant, folder, recording, [ours])
    with fleet.served(recording, folder, 1, latency, ALONE) as simulated:
        far_site, far = simulated.site, simulated.site.registry / name_of(0)
        url = yaml.safe_load((far / "vmhost.yml").read_text())["url"]
        far_ours, far_theirs = _ours(far_site), _theirs(far_site, url, far)
        rivals = [
            Rival(NOTHING, lambda: _told(site, _nothing(site))),
            Rival(OURS, lambda: _counted(site, ours, ALONE)),
            Rival(THEIRS, lambda: _counted(site, near, ALONE)),
            Rival(OURS_FAR, lambda: _counted(far_site, far_ours, ALONE)),
            Rival(THEIRS_FAR, lambda: _counted(far_site, far_theirs, ALONE)),
        ]
        return _net(in_turns(rivals, rounds))


def _record(tenant: Tenant, folder: Path, file: Path, sources: list[str]) -> None:
    """Write down what LXD answers to every request of both plugins."""
    daemon = ground.counting(tenant)
    (folder / "admin").mkdir()
    certificate, _key = new_client_certificate(folder / "admin", "client")
    daemon.trust(certificate.read_text(), name="admin")
    (folder / "admin" / "server.crt").write_text(daemon.certificate)
    with daemon.requests() as seen:
        for source in [*sources, _theirs(tenant.site, daemon.url, folder / "admin", "recorded")]:
            _counted(tenant.site, source, ALONE)
    answers = {}
    for url in sorted({request.url for request in seen if request.trusted}):
        _status, body = daemon.admin.raw("GET", url)
        answers[key_of(url)] = {"etag": "", "body": body.decode()}
    file.write_text(json.dumps(answers))
    ground.uncounted(tenant)


def _ours(site: Site) -> str:
    return _source(site, "ours.lxd_vms.yml", {"plugin": "tenantry.lxd.lxd_vms", "registry": str(site.registry)})


def _theirs(site: Site, url: str, pair: Path, name: str = "theirs") -> str:
    said: dict[str, Any] = {"plugin": "community.general.lxd", "url": url, "project": ground.PROJECT}
    if urlsplit(url).scheme == "https":
        files = {"client_cert": "client.crt", "client_key": "client.key", "server_cert": "server.crt"}
        said |= {option: str(pair / file) for option, file in files.items()} | {"server_check_hostname": False}
    return _source(site, f"{name}.lxd.yml", {**said, "type_filter": "virtual-machine"})


def _nothing(site: Site) -> str:
    return _source(site, "nothing.yml", {"all": {}})


def _source(site: Site, name: str, said: Mapping[str, Any]) -> str:
    (site.root / name).write_text(yaml.safe_dump(dict(said)))
    return name


def _told(site: Site, source: str, *words: str) -> subprocess.CompletedProcess[str]:
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{published.COLLECTIONS}"}
    ended = site.inventory(*(words or ("--graph",)), source=source, environment=paths, timeout=600)
    if ended.returncode or "WARNING" in ended.stderr:
        raise RuntimeError(f"{source}: {ended.stderr[:2000]}")
    return ended


def _counted(site: Site, source: str, expected: int, words: str = "--graph") -> None:
    """The inventory's hosts and groups; an error if it lacks a VM."""
    told = _told(site, source, words).stdout
    if words == "--list":
        names = set(json.loads(told)["_meta"]["hostvars"])
    else:
        names = {line.partition("--")[2] for line in told.splitlines()}
    found = sum(VM in name for name in names)
    if found != expected:
        raise RuntimeError(f"{source}: {found} VMs instead of {expected}")


def _net(times: Mapping[str, Times]) -> dict[str, Times]:
    """Each with what it takes beyond the program's own start, of the same round."""
    started = times[NOTHING].seconds
    found = dict(times)
    for label, each in times.items():
        if label != NOTHING:
            less = tuple(taken - start for taken, start in zip(each.seconds, started, strict=True))
            found[NET[label]] = Times(NET[label], less)
    return found
