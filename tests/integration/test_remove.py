# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing a host with its LXD: refused while anybody would miss anything, and nothing else of the machine goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import OWNER
from tests.integration.test_roles import changed
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.machine import Machine
from tests.lxd.world import differences

PROJECT = "tenant-a"
INSTALLED = "dpkg-query --show --showformat '${db:Status-Status}' lxd || true"


def test_a_server_with_anything_on_it_is_not_vacant(lxd: Daemon, site: Site, project_name: str) -> None:
    own = {f"features.{feature}": "true" for feature in ("images", "profiles", "storage.volumes")}
    lxd.api("POST", "/1.0/projects", {"name": project_name, "config": own})
    import_image(lxd, micro_image(), project=project_name)
    body = {"name": "data", "config": {}}
    lxd.api("POST", "/1.0/storage-pools/default/volumes/custom", body, query={"project": project_name})
    before = lxd.fingerprint_of_world()
    look = {"url": f"unix:{lxd.directory}/unix.socket", "strict": True}
    (row,) = site.run_task("lxd_vacancy_info", look)["vacancies"]
    of_it = f"of project {project_name}"
    assert not row["vacant"]
    assert {f"volume default/data {of_it}", f"image micro {of_it}", "image micro of project default"} <= set(
        row["inside"]
    )
    assert differences(before, lxd.fingerprint_of_world()) == []
    # Over https not all of it may be seen, so that "nothing" would mean nothing.
    https = {"url": lxd.url, "server_cert": lxd.certificate}
    assert "error" in site.run_task("lxd_vacancy_info", https)["vacancies"][0]


@pytest.fixture
def machine(outer: Daemon) -> Iterator[Machine]:
    """A machine whose LXD listens, with a pool and a bridge."""
    with Machine(outer, "kvm-01", "lxd") as made:
        made.api("POST", "/1.0/storage-pools", {"name": "default", "driver": "dir", "config": {}})
        network = {"ipv4.address": "10.213.7.1/24", "ipv6.address": "none", "ipv4.nat": "false"}
        made.api("POST", "/1.0/networks", {"name": "br0", "type": "bridge", "config": network})
        made.api("PATCH", "/1.0", {"config": {"core.https_address": "[::]:8443"}})
        yield made


def test_uninstalled_when_nobody_would_miss_anything(machine: Machine, site: Site) -> None:
    variables = {
        "vmhost_project": PROJECT,
        "vmhost_owner": OWNER,
        "vmhost_default_storage_pool": "default",
        "vmhost_default_network": "br0",
        "vmhost_remove_files": True,
        "vmhost_uninstall": False,
    }
    inventory = {"lxd_vmhosts": {"hosts": {"kvm-01": machine.inventory}, "vars": variables}}
    (site.root / "inventory" / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def play(name: str, *arguments: str, fails: bool = False, check: bool = False) -> PlayResult:
        played = site.play(f"tenantry.lxd.{name}", python="", arguments=arguments, check=check)
        assert (played.rc != 0) == fails, played.output
        return played

    play("register")
    entry = site.registry / "kvm-01" / "vmhost.yml"
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    theirs = {"name": "theirs", "type": "container", "source": {"type": "none"}, "devices": root}
    machine.api("POST", "/1.0/instances", theirs)
    machine.api("POST", "/1.0/storage-pools/default/volumes/custom", {"name": "data", "config": {}})
    uninstall = ("--limit", "kvm-01", "-e", "vmhost_uninstall=true")
    refused = play("remove", *uninstall, fails=True).last["msg"]
    assert "instance theirs of project default, volume default/data of project default" in refused
    assert entry.exists() and len(machine.api("GET", "/1.0/certificates")) == 1, "refused, and changed all the same"

    machine.api("DELETE", "/1.0/instances/theirs")
    machine.api("DELETE", "/1.0/storage-pools/default/volumes/custom/data")
    predicted = play("remove", *uninstall, check=True)
    assert machine.run(INSTALLED) == "installed" and entry.exists()
    real = play("remove", *uninstall)
    assert changed(predicted) == changed(real)
    assert machine.run(INSTALLED) != "installed"
    assert [path.name for path in site.registry.rglob("*")] == [".gitignore"]
    # Nothing is purged: the directory is the machine's owner's to look at.
    machine.run("test -d /var/lib/lxd")
    assert changed(play("remove", *uninstall)) == {"kvm-01": 0}
