# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection, each named once: `make test` runs all, `.build/venv/bin/nox -l` lists them."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / ".build"
HOME = BUILD / "home"
PIP_CONF = HOME / ".config" / "pip" / "pip.conf"
PYTHONS = BUILD / "python"
# ansible-core: the Python of its controller. The first is for development and for the integration tests.
MATRIX = {"2.19": "3.11", "2.20": "3.12", "2.21": "3.13"}
# Older versions, for the hosts that a module may run on (tests/config.yml).
TARGET_PYTHONS = ("3.9", "3.10")
# Where all of ansible-test's checks run. On the other versions of ansible-core only those run whose answer depends on
# the version of ansible-core or Python: the others would read the same files with the same rules again.
SANITY_CORE = "2.19"
SANITY_BY_VERSION = ("ansible-doc", "compile", "import", "runtime-metadata", "validate-modules")

nox.needs_version = ">=2025.2"
nox.options.envdir = str(BUILD / "nox")
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"


def _interpreter(version: str) -> Path | None:
    """Return the real interpreter of a version, from the search path or from pyenv, if it runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for candidate in (shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python{version}"))):
        if candidate is not None:
            where = [str(candidate), "-c", "import os, sys; print(os.path.realpath(sys.executable))"]
            found = subprocess.run(where, capture_output=True, text=True, check=False)
            if found.returncode == 0:
                return Path(found.stdout.strip())
    return None


def _link_pythons() -> dict[str, Path]:
    """Link the interpreters into one directory: ansible-test would also run a broken shim of the search path."""
    PYTHONS.mkdir(parents=True, exist_ok=True)
    found = {}
    for version in (*TARGET_PYTHONS, *MATRIX.values()):
        link = PYTHONS / f"python{version}"
        interpreter = _interpreter(version)
        if link.is_symlink() and (interpreter is None or link.readlink() != interpreter):
            link.unlink()
        if interpreter is not None:
            if not link.is_symlink():
                link.symlink_to(interpreter)
            found[version] = link
    return found


def _pip_settings() -> dict[str, str]:
    """Return the settings of pip that apply here; the environment overrides files."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings: dict[str, str] = {}
    for line in sorted(listed.stdout.splitlines(), key=lambda text: text.startswith(":env:")):
        name, value = line.split("=", 1)
        settings[name.rsplit(".", 1)[1]] = ast.literal_eval(value)
    return settings


def _move_home() -> None:
    """Create a home below .build, so that no tool writes outside it; ansible-test drops PIP_*, but reads this file."""
    if os.environ.get("HOME") == str(HOME):
        return  # nox runs itself for each session that is run in parallel
    config = configparser.RawConfigParser()
    config["global"] = _pip_settings()
    PIP_CONF.parent.mkdir(parents=True, exist_ok=True)
    with PIP_CONF.open("w", encoding="utf-8") as file:
        config.write(file)
    os.environ.setdefault("GIT_CONFIG_GLOBAL", str(Path("~/.gitconfig").expanduser()))
    os.environ["HOME"] = str(HOME)
    os.environ["XDG_CONFIG_HOME"] = str(HOME / ".config")
    os.environ["XDG_CACHE_HOME"] = str(HOME / ".cache")
    os.environ["XDG_DATA_HOME"] = str(HOME / ".local" / "share")
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(BUILD / "cache" / "hypothesis")


FOUND = _link_pythons()
_move_home()
_searched = [entry for entry in os.environ["PATH"].split(os.pathsep) if Path(entry).name != "shims"]
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(PYTHONS), *_searched])


def _copy_tree(session: nox.Session) -> Path:
    """Copy what git would commit to a path where Ansible looks for a collection: ansible-test resolves links."""
    top = BUILD / "tree" / session.name
    tree = top / "ansible_collections" / "tenantry" / "lxd"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    shutil.rmtree(top, ignore_errors=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)
    # Without its own repository, the copy would belong to this one, which ignores it: ansible-test would check no file.
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    return tree


# The integration tests take longest: they begin first, and the other checks run beside them.
WORKERS = ("--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")


@nox.session(venv_backend="none", tags=["test"], allow_parallel=True)
def integration(session: nox.Session) -> None:
    """Run the tests that need a server, against a real LXD: each worker has a daemon, each file one worker."""
    session.run("pytest", "tests/integration", "-m", "not nightly", *WORKERS, "--durations=15", *session.posargs)


@nox.session(venv_backend="none", tags=["fast"], allow_parallel=True)
def smoke(session: nox.Session) -> None:
    """Run the main job once against a real LXD."""
    session.run("pytest", "tests/integration", "-m", "smoke", *session.posargs)


@nox.session(venv_backend="none")
def nightly(session: nox.Session) -> None:
    """Run all tests that need a server, also those that search longer for faults that the others rule out."""
    session.run("pytest", "tests/integration", *WORKERS, "--durations=15", *session.posargs)


@nox.session(venv_backend="none", tags=["static", "test", "fast"], allow_parallel=True)
def lint(session: nox.Session) -> None:
    """Check the rules and the format of Python and YAML."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("yamllint", "--strict", ".")


@nox.session(venv_backend="none", tags=["static", "test", "fast"], allow_parallel=True)
def types(session: nox.Session) -> None:
    """Check the types in strict mode."""
    session.run("mypy", "--no-error-summary")


@nox.session(venv_backend="none", tags=["static", "test", "fast"], allow_parallel=True)
def licences(session: nox.Session) -> None:
    """Check that every file has its copyright and its licence."""
    session.run("reuse", "lint", "--quiet")


@nox.session(venv_backend="none", tags=["static", "test", "fast"], allow_parallel=True)
def docs(session: nox.Session) -> None:
    """Check the documentation of every plugin and role, its references, and the changelog fragments."""
    with session.chdir(_copy_tree(session)):
        session.run(
            "antsibull-docs",
            "lint-collection-docs",
            "--plugin-docs",
            "--skip-rstcheck",
            "--validate-collection-refs=all",
            "--disallow-unknown-collection-refs",
            ".",
        )
        session.run("antsibull-changelog", "lint")


@nox.session(venv_backend="none", tags=["static", "test", "fast"], allow_parallel=True)
def ansible_lint(session: nox.Session) -> None:
    """Check roles and playbooks with the strictest profile."""
    tree = _copy_tree(session)
    with session.chdir(tree):
        session.run("ansible-lint", "--strict", env={"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2])})


@nox.session(venv_backend="none", tags=["static", "test", "fast"], allow_parallel=True)
def package(session: nox.Session) -> None:
    """Check that the collection builds and installs, and contains nothing that was generated."""
    tree = _copy_tree(session)
    output = BUILD / "package"
    shutil.rmtree(output, ignore_errors=True)
    session.run("ansible-galaxy", "collection", "build", "--output-path", str(output), str(tree), silent=True)
    (archive,) = output.glob("tenantry-lxd-*.tar.gz")
    install = ["ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(output), str(archive)]
    session.run(*install, silent=True)
    session.run("ansible-doc", "--list", "tenantry.lxd", env={"ANSIBLE_COLLECTIONS_PATH": str(output)})


def _cache_get_pip(session: nox.Session, home: Path) -> None:
    """Provide get-pip.py, so that ansible-test does not download it from a host that may not be reachable."""
    internals = "import ansible_test._internal.python_requirements as r; print(r.__file__)"
    source = Path((session.run("python", "-c", internals, silent=True, log=False) or "").strip())
    wanted = re.search(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if wanted is None:
        session.error("ansible-test no longer says which pip it wants: see _cache_get_pip in noxfile.py")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    name = f"pip_{wanted[1].replace('.', '_')}"
    if not (cache / name).exists():
        session.run(
            "python", "-m", "pip", "install", "-qq", "--no-deps", "--target", str(cache / name), f"pip=={wanted[1]}"
        )
    shutil.copy2(ROOT / "tests" / "ansible_test" / "get_pip.py", cache / f"get_{name}.py")


def _sanity(session: nox.Session, core: str) -> None:
    """Run ansible-test's own checks, with no ignore file."""
    session.install("--quiet", "--quiet", f"ansible-core~={core}.0")
    # Each has its own home, because two ansible-tests would create the same virtual environments at the same time.
    home = BUILD / "sanity" / core
    pip_conf = home / PIP_CONF.relative_to(HOME)
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(PIP_CONF, pip_conf)
    _cache_get_pip(session, home)
    chosen = session.posargs or [f"--test={name}" for name in (() if core == SANITY_CORE else SANITY_BY_VERSION)]
    with session.chdir(_copy_tree(session)):
        session.run("ansible-test", "sanity", "--local", *chosen, env={"HOME": str(home)})


def _units(session: nox.Session, core: str) -> None:
    """Run the unit tests."""
    tools = ["-r", "tests/unit/requirements.txt", "pytest~=9.2", "pytest-timeout~=2.4"]
    session.install("--quiet", "--quiet", f"ansible-core~={core}.0", *tools)
    session.run("pytest", "--timeout=60", "tests/unit", *session.posargs)


def _hosts(session: nox.Session, _core: str) -> None:
    """Run the tests of the core on the Python of a VM host, without the packages of the controller."""
    # The tests use PyYAML; test_architecture checks that the code itself does not import it.
    session.install("--quiet", "--quiet", "pytest>=8.4", "hypothesis>=6.100", "pyyaml>=6.0")
    session.run("pytest", "tests/unit/plugins/module_utils/_core", *session.posargs)


def _register(check: Callable[[nox.Session, str], None], version: str, python: str, title: str) -> None:
    """Register one session for one version; without its Python, it is skipped with one line."""
    kind = check.__name__.lstrip("_")

    def session_for_version(session: nox.Session) -> None:
        if python not in FOUND:
            session.skip(f"not run: {kind} on {title}, because Python {python} is not on this machine")
        check(session, version)

    session_for_version.__doc__ = f"{(check.__doc__ or '').rstrip('.')}: {title}."
    environment = {"python": python} if python in FOUND else {"venv_backend": "none"}
    fast = ["fast"] if (check, version) == (_units, next(iter(MATRIX))) else []
    nox.session(
        session_for_version, name=f"{kind}-{version}", tags=[kind, "test", *fast], allow_parallel=True, **environment
    )


for _core, _python in MATRIX.items():
    _register(_units, _core, _python, f"ansible-core {_core}, Python {_python}")
for _python in TARGET_PYTHONS:
    _register(_hosts, _python, _python, f"Python {_python}")
for _core, _python in MATRIX.items():
    _register(_sanity, _core, _python, f"ansible-core {_core}, Python {_python}")
