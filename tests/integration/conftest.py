# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real LXD for each test run, and a project for each test. With CI=true, a skipped test fails."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.integration.playing import Site
from tests.integration.tenancy import OVERCOMMITTED, Tenant, create_confined_project, register_vm_host
from tests.lxd import packages
from tests.lxd.cluster import Cluster
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.place import default_root
from tests.lxd.teardown import discard_project, take_down, take_down_abandoned


def _obstacle() -> str:
    """Return why no daemon can be started here; empty if one can."""
    if os.geteuid() != 0:
        return "LXD needs root: run the tests with sudo"
    try:
        packages.require({**packages.RUNNING, **packages.BUILDING})
    except packages.PackagesMissing as error:
        return str(error)
    return ""


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("true", "1")


# A file's tests run on one worker: the longest files begin first, so that none of them runs alone at the end.
_LONGEST = (
    "test_vmhost_cluster",
    "test_deploy",
    "test_host_bridge",
    "test_interrupted",
    "test_vmhost",
    "test_roles",
    "test_cloud_init_host",
    "test_remove",
    "test_vm_compose",
    "test_vm_waits",
    "test_vm_fleet",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the order within a file stays."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip all tests from one line of code, so that the summary has one line for all of them."""
    obstacle = _obstacle()
    if obstacle:
        pytest.skip(obstacle)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail skipped tests in CI: a pipeline that tests nothing must not succeed."""
    report = yield
    if _in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def lxd() -> Iterator[Daemon]:
    """Start one daemon for the whole run, with the image `micro` in its default project."""
    root = default_root()
    take_down_abandoned(root)
    daemon = Daemon.new(f"pytest-{os.getpid()}", root, owned=True)
    try:
        daemon.start()
        import_image(daemon, micro_image())
        yield daemon
    finally:
        take_down(root, [daemon.name])


@pytest.fixture
def project_name(lxd: Daemon) -> Iterator[str]:
    """Return an unused project name; a project that the test creates by that name is removed with all its content."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    discard_project(lxd, name)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Create a user's repository with nothing but an inventory."""
    return Site.create(tmp_path / "site")


@pytest.fixture
def tenant(lxd: Daemon, site: Site, project_name: str) -> Tenant:
    """Register a VM host with a confined, empty project that has the image `micro`."""
    create_confined_project(lxd, project_name, **OVERCOMMITTED)
    import_image(lxd, micro_image(), project=project_name)
    return register_vm_host(site, lxd, project_name)


@pytest.fixture(scope="session")
def outer() -> Iterator[Daemon]:
    """Start a daemon for target machines (tests/lxd/machine.py) for the whole run."""
    root = default_root()
    take_down_abandoned(root)
    with Daemon.new(f"outer-{os.getpid()}", root, owned=True, debug=False) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def formed_cluster() -> Iterator[Cluster]:
    """Start one cluster of three members for the whole run, with the image `micro` in its default project."""
    root = default_root()
    take_down_abandoned(root)
    formed = Cluster.new(f"cluster-{os.getpid()}", root=root, owned=True)
    try:
        formed.start()
        import_image(formed.members[0], micro_image())
        yield formed
    finally:
        formed.destroy()


@pytest.fixture
def cluster(formed_cluster: Cluster) -> Iterator[Cluster]:
    """Return the cluster with every member running; members that a test stopped or evacuated are restored after it."""
    yield formed_cluster
    formed_cluster.heal()
