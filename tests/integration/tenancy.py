# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant that API calls of the administrator set up, for tests of what comes afterwards."""

from __future__ import annotations

import dataclasses
from typing import Any, Generic, TypeVar

import yaml

from tests.integration.playing import Site
from tests.lxd.certificate import new_client_certificate
from tests.lxd.cluster import Cluster
from tests.lxd.daemon import Daemon

OWNER = "tests"
Lxd = TypeVar("Lxd", Daemon, Cluster)


@dataclasses.dataclass(frozen=True)
class TenantOf(Generic[Lxd]):
    """A VM host in a site's registry, with a confined project and a certificate restricted to it."""

    site: Site
    lxd: Lxd
    project: str
    vmhost: str = "kvm-01"

    def compose(
        self, vms: list[dict[str, Any]], *, check: bool = False, fails: bool = False, **rest: Any
    ) -> dict[str, Any]:
        """Run lxd_vm_compose as a process, which is faster than a play, or as a play where that matters.

        A play is run for the options of a play (`verbosity`, `environment`) and for maps under `cloud_init`, which the
        action plugin turns into texts. All other options are those of the task.
        """
        about_play = {key: rest.pop(key) for key in ("verbosity", "environment") if key in rest}
        options = {"vmhost": self.vmhost, "vms": vms, **rest}
        if about_play or any("cloud_init" in vm for vm in (*vms, rest.get("defaults") or {})):
            return self.site.run_task("lxd_vm_compose", options, check=check, fails=fails, **about_play)
        return self.site.run_module("lxd_vm_compose", options, self.vmhost, check=check, fails=fails)

    def instance(self, name: str) -> dict[str, Any]:
        """Read a VM from LXD."""
        return dict(self.lxd.api("GET", f"/1.0/instances/{name}", query={"project": self.project}))

    def instances(self) -> dict[str, dict[str, Any]]:
        """Read all VMs of the project from LXD, by name."""
        found = self.lxd.api("GET", "/1.0/instances", query={"project": self.project, "recursion": "1"})
        return {instance["name"]: instance for instance in found}

    def volumes(self) -> dict[str, dict[str, Any]]:
        """Read the project's custom volumes in the pool `default`, by name."""
        path = "/1.0/storage-pools/default/volumes/custom"
        found = self.lxd.api("GET", path, query={"project": self.project, "recursion": "1"})
        return {volume["name"]: volume for volume in found}

    def change(self, name: str, **fields: Any) -> None:
        """Change a VM as a person with `lxc` would, not through the collection; maps are merged by key."""
        body = self.instance(name)
        for field, value in fields.items():
            merged = {**body[field], **value} if isinstance(value, dict) else value
            if isinstance(merged, dict):
                merged = {key: inner for key, inner in merged.items() if inner is not None}
            body[field] = merged
        self.lxd.api("PUT", f"/1.0/instances/{name}", body, query={"project": self.project})


Tenant = TenantOf[Daemon]

# Ratios that let a small machine hold every test's VMs: few tests are about how much room there is.
OVERCOMMITTED = {
    "user.tenantry.cpu_overcommit": "100",
    "user.tenantry.memory_overcommit": "4",
    "user.tenantry.storage_overcommit": "100",
}


def create_confined_project(lxd: Daemon | Cluster, name: str, owner: str | None = OWNER, **config: str) -> None:
    """Create a project as an administrator would confine it."""
    lxd.api(
        "POST",
        "/1.0/projects",
        {
            "name": name,
            "config": {
                "features.images": "true",
                "features.profiles": "true",
                "features.storage.volumes": "true",
                "features.networks": "false",
                "restricted": "true",
                "restricted.networks.access": lxd.bridge,
                **({"user.tenantry.owner": owner} if owner else {}),
                **config,
            },
        },
    )


def register_vm_host(site: Site, lxd: Lxd, project: str, vmhost: str = "kvm-01", **entry: Any) -> TenantOf[Lxd]:
    """Add a VM host to the site's registry, with a certificate that is trusted for `project` only."""
    folder = site.registry / vmhost
    folder.mkdir(parents=True)
    certificate, key = new_client_certificate(folder, "client")
    key.chmod(0o600)
    lxd.trust(certificate.read_text(), name=f"{project}-{vmhost}", projects=[project])
    (folder / "server.crt").write_text(lxd.certificate)
    said = {
        "schema": 1,
        "url": lxd.url,
        "project": project,
        "owner": OWNER,
        "default_storage_pool": "default",
        "default_network": lxd.bridge,
        **entry,
    }
    (folder / "vmhost.yml").write_text(yaml.safe_dump({key: value for key, value in said.items() if value is not None}))
    return TenantOf(site, lxd, project, vmhost)
