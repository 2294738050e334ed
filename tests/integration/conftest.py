# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real LXD for each test run, and a project name for each test. In CI (CI=true) nothing here may be skipped."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.integration.playing import Site
from tests.integration.tenancy import ROOMY, Tenant, confined_project, registered
from tests.lxd import packages
from tests.lxd.cluster import Cluster
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.place import default_root
from tests.lxd.teardown import discard_project, take_down, take_down_abandoned


def _obstacle() -> str:
    """Why no daemon can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "a real LXD wants root: run with sudo"
    try:
        packages.require({**packages.RUNNING, **packages.BUILDING})
    except packages.PackagesMissing as error:
        return str(error)
    return ""


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("true", "1")


# A file's tests run on one worker: the longest ones first, or the others have long gone home when they end.
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
    """Begin with the files that take longest; within a file the order stays."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip from this one line, so that the summary has one line for all tests."""
    obstacle = _obstacle()
    if obstacle:
        pytest.skip(obstacle)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one: a pipeline that tests nothing must not be green."""
    report = yield
    if _in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def lxd() -> Iterator[Daemon]:
    """One daemon for the whole run, with the image `micro` in its default project."""
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
    """A name that no project has; a project that the test makes by that name is removed afterwards, with all in it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    discard_project(lxd, name)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A user's repository with nothing but an inventory."""
    return Site.made(tmp_path / "site")


@pytest.fixture
def tenant(lxd: Daemon, site: Site, project_name: str) -> Tenant:
    """A registered VM host with a confined, empty project that holds the image `micro`."""
    confined_project(lxd, project_name, **ROOMY)
    import_image(lxd, micro_image(), project=project_name)
    return registered(site, lxd, project_name)


@pytest.fixture(scope="session")
def outer() -> Iterator[Daemon]:
    """A daemon for target machines (tests/lxd/machine.py) for the whole run."""
    root = default_root()
    take_down_abandoned(root)
    with Daemon.new(f"outer-{os.getpid()}", root, owned=True, debug=False) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def formed_cluster() -> Iterator[Cluster]:
    """One cluster of three for the whole run, with the image `micro` in its default project."""
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
    """The cluster with every member running; what a test ended, cut off or evacuated is put right after it."""
    yield formed_cluster
    formed_cluster.heal()
