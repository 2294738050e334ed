# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant set up by the admin's own API calls, for tests whose subject is what comes after."""

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
    """One VM host in a site's registry, with a confined project of ours and a certificate restricted to it."""

    site: Site
    lxd: Lxd
    project: str
    vmhost: str = "kvm-01"

    def compose(
        self, vms: list[dict[str, Any]], *, check: bool = False, fails: bool = False, **rest: Any
    ) -> dict[str, Any]:
        """Run lxd_vm_compose by its process, which takes a second less than a play; by a play where one matters.

        That is where the options of the play (`verbosity`, `environment`) are said, and for maps of cloud-init, which
        the action plugin makes texts of. Other options are the task's.
        """
        about_play = {key: rest.pop(key) for key in ("verbosity", "environment") if key in rest}
        options = {"vmhost": self.vmhost, "vms": vms, **rest}
        if about_play or any("cloud_init" in vm for vm in (*vms, rest.get("defaults") or {})):
            return self.site.run("lxd_vm_compose", options, check=check, fails=fails, **about_play)
        return self.site.call("lxd_vm_compose", options, self.vmhost, check=check, fails=fails)

    def instance(self, name: str) -> dict[str, Any]:
        """A VM as LXD itself has it."""
        return dict(self.lxd.api("GET", f"/1.0/instances/{name}", query={"project": self.project}))

    def instances(self) -> dict[str, dict[str, Any]]:
        """All VMs of the project as LXD itself has them, by name."""
        found = self.lxd.api("GET", "/1.0/instances", query={"project": self.project, "recursion": "1"})
        return {instance["name"]: instance for instance in found}

    def volumes(self) -> dict[str, dict[str, Any]]:
        """The custom volumes of the project in the pool `default`, by name."""
        path = "/1.0/storage-pools/default/volumes/custom"
        found = self.lxd.api("GET", path, query={"project": self.project, "recursion": "1"})
        return {volume["name"]: volume for volume in found}

    def change(self, name: str, **fields: Any) -> None:
        """Change a VM behind the collection's back, as a person with `lxc` would: maps are merged by key."""
        body = self.instance(name)
        for field, value in fields.items():
            merged = {**body[field], **value} if isinstance(value, dict) else value
            if isinstance(merged, dict):
                merged = {key: inner for key, inner in merged.items() if inner is not None}
            body[field] = merged
        self.lxd.api("PUT", f"/1.0/instances/{name}", body, query={"project": self.project})


Tenant = TenantOf[Daemon]

# A small machine promises what a large one has: what tests are about is seldom how much room there is.
ROOMY = {
    "user.tenantry.cpu_overcommit": "100",
    "user.tenantry.memory_overcommit": "4",
    "user.tenantry.storage_overcommit": "100",
}


def confined_project(lxd: Daemon | Cluster, name: str, owner: str | None = OWNER, **config: str) -> None:
    """A project as the admin would confine it, with the image of the default project in it."""
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


def registered(site: Site, lxd: Lxd, project: str, vmhost: str = "kvm-01", **entry: Any) -> TenantOf[Lxd]:
    """A VM host of the site's registry whose certificate is trusted for `project` and nothing else."""
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
