# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shape of the collection: who may import whom, how long a thing may grow, and where check mode is read."""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.tenantry.lxd.plugins."

# Code, without documentation, comments and blank lines. A module declares and delegates; what grows beyond these
# numbers has two subjects, and reading it needs scrolling.
MODULE_LINES = 60
FILE_LINES = 250
FUNCTION_LINES = 40

# The one place that reads check mode, so that no write can forget it.
RUNNER = "plugins/module_utils/_shell/run.py"

# The same answer every time: no clock, disk, network, chance or environment.
IMPURE = {
    "_core": {"os", "time", "random", "secrets", "socket", "ssl", "subprocess", "pathlib", "tempfile", "shutil", "io"},
    "_pki": {"time", "socket", "subprocess"},
    "_report": {"os", "time", "random", "secrets", "socket", "subprocess", "pathlib", "tempfile", "shutil", "io"},
}
CLOCKS = {"now", "utcnow", "today"}
CLOCKLESS = {"_core", "_pki", "_report"}

# Names that say nothing about what is inside, and so collect everything.
NAMELESS = {"base", "common", "helpers", "misc", "util", "utils"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """What the files of a layer may import: layers of ours, and packages beside the standard library."""

    ours: frozenset[str]
    packages: frozenset[str] = frozenset()


def layer(ours: str = "", packages: str = "") -> Layer:
    return Layer(frozenset(ours.split()), frozenset(packages.split()))


LAYERS: Mapping[str, Layer] = {
    "_core": layer("_core"),
    # urllib3 is what requests pins a certificate with.
    "_lxd": layer("_lxd _core", "pylxd requests urllib3"),
    "_pki": layer("_pki _core", "cryptography"),
    # The machine that a module runs on: its files and programs.
    "_host": layer("_host _core"),
    # Jinja2 is a part of ansible-core; the report is made on the controller.
    "_report": layer("_report _core", "jinja2"),
    # PyYAML is a part of ansible-core; a host that only runs a module may lack it.
    "_registry": layer("_registry _core", "yaml"),
    # Who to talk to, as whom, pinned to what: everything between the registry and an open port.
    "_access": layer("_access _lxd _pki _registry _core"),
    "_shell": layer("_shell _access _lxd _pki _registry _report _host _core", "ansible jmespath"),
    "modules": layer("_shell _core", "ansible"),
    "action": layer("_lxd _registry _core _pki", "ansible"),
    "inventory": layer("_access _lxd _registry _core _pki", "ansible"),
    "connection": layer("_access _lxd _registry _core _pki", "ansible"),
    # What action plugins share that is no decision: the terminal.
    "plugin_utils": layer(packages="ansible"),
    "doc_fragments": layer(),
    # A filter turns values into values: what it needs is in the core.
    "filter": layer("_core _pki", "ansible"),
}


# The floors of the core, from the ground up: a file or package imports what is below its own floor, never a neighbour.
# A newcomer who reads from the first floor to the last meets nothing that wasn't there before.
CORE_FLOORS = (
    {"cpu_limit", "errors", "go_time", "host_ports", "operation"},
    {"model", "plan", "units"},
    {"capacity", "inventory", "project", "server", "tenant_cert"},
    {"cluster", "machine", "vm"},
    {"vmhost"},
    {"placement"},
)


def layer_of(path: Path) -> str:
    parts = path.relative_to(PLUGINS).parts
    return parts[1] if parts[0] == "module_utils" else parts[0]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = sorted(PLUGINS.rglob("*.py"))
MODULES = [path for path in FILES if layer_of(path) == "modules"]
every_file = pytest.mark.parametrize("path", FILES, ids=name_of)
every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Everything that a file imports, as dotted names; what is ours begins at the folder below plugins/."""
    package = path.parent.relative_to(PLUGINS).parts
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(COLLECTION) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1], "") if node.level else ()
            source = ".".join(base) + (node.module or "")
            yield from (f"{source}.{alias.name}".replace("..", ".").removeprefix(COLLECTION) for alias in node.names)


def is_text(node: ast.stmt) -> bool:
    """A docstring, or one of Ansible's documentation variables."""
    value = getattr(node, "value", None)
    return isinstance(node, (ast.Expr, ast.Assign)) and isinstance(value, ast.Constant) and isinstance(value.value, str)


def code_lines(path: Path, node: ast.AST) -> int:
    """Lines of code in a node: not blank, not a comment, not documentation."""
    text = {
        number
        for inner in ast.walk(node)
        if isinstance(inner, ast.stmt) and is_text(inner)
        for number in range(inner.lineno, (inner.end_lineno or inner.lineno) + 1)
        if isinstance(inner, ast.Expr) or inner.col_offset == 0
    }
    lines = path.read_text(encoding="utf-8").splitlines()
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", len(lines))
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in text
        for number, line in enumerate(lines[first - 1 : last], first)
    )


@every_file
def test_belongs_to_a_layer(path: Path) -> None:
    assert layer_of(path) in LAYERS, "a new kind of folder needs a rule in LAYERS"


@every_file
def test_imports_only_downwards(path: Path) -> None:
    allowed = LAYERS[layer_of(path)]
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("module_utils.")}
    assert ours <= allowed.ours


def rooms(layer: str) -> Iterator[tuple[str, str, str]]:
    """Each import between two rooms of a layer: the file, its room, and the room that it imports."""
    for path in FILES:
        if layer_of(path) == layer:
            parts = path.relative_to(PLUGINS / "module_utils" / layer).with_suffix("").parts
            for name in imports(path):
                target = name.split(".")[1:3] if name.startswith(f"module_utils.{layer}.") else []
                if target and target[0] == layer and target[1:] != [parts[0]]:
                    yield name_of(path), parts[0], target[1]


def test_every_room_of_the_core_is_on_a_floor() -> None:
    top = PLUGINS / "module_utils" / "_core"
    there = [path.stem for path in top.iterdir() if path.suffix == ".py" or (path.is_dir() and list(path.glob("*.py")))]
    assert sorted(there) == sorted(room for floor in CORE_FLOORS for room in floor)


def test_the_core_imports_only_floors_below() -> None:
    floor_of = {room: number for number, floor in enumerate(CORE_FLOORS) for room in floor}
    upwards = [each for each in rooms("_core") if floor_of[each[2]] >= floor_of[each[1]]]
    assert upwards == [], "a room imports another on its own floor or above"


@every_file
def test_imports_only_the_packages_of_its_layer(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)} - {"module_utils", "plugin_utils", path.parent.name}
    assert tops - sys.stdlib_module_names - LAYERS[layer_of(path)].packages == set()


@every_file
def test_pure_layers_have_no_side_doors(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)}.isdisjoint(IMPURE.get(layer_of(path), ()))


@every_file
def test_pure_layers_are_told_the_time(path: Path) -> None:
    if layer_of(path) in CLOCKLESS:
        calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        assert CLOCKS.isdisjoint(call.attr for call in calls if isinstance(call, ast.Attribute))


def test_check_mode_is_read_in_one_place() -> None:
    readers = [
        f"{name_of(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("check_mode", "_check_mode"))
        or (isinstance(node, ast.Constant) and node.value in ("check_mode", "_ansible_check_mode"))
        or (isinstance(node, ast.Name) and node.id == "check_mode")
    ]
    assert len(readers) == (ROOT / RUNNER).exists(), readers
    assert all(reader.startswith(f"{RUNNER}:") for reader in readers)


@every_module
def test_module_declares_and_delegates(path: Path) -> None:
    assert code_lines(path, tree_of(path)) <= MODULE_LINES


# A module that connects to no server has none of the options that the group says for all.
CONNECTS_TO_NOTHING = {"lxd_registry_push"}


@every_module
def test_module_is_in_the_action_group(path: Path) -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert (path.stem in runtime["action_groups"]["lxd"]) != (path.stem in CONNECTS_TO_NOTHING)


@every_module
def test_module_goes_through_the_action_plugin(path: Path) -> None:
    # Not by a redirect of the action: ansible-lint would then tell people to write another module's name.
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    routed = runtime["plugin_routing"]["modules"].get(path.stem, {}).get("action_plugin")
    assert routed == "tenantry.lxd.lxd_vmhost" or (PLUGINS / "action" / path.name).exists()


@every_file
def test_file_has_one_subject(path: Path) -> None:
    assert code_lines(path, tree_of(path)) <= FILE_LINES


@every_file
def test_functions_fit_on_a_screen(path: Path) -> None:
    functions = [n for n in ast.walk(tree_of(path)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    long = {node.name: size for node in functions if (size := code_lines(path, node)) > FUNCTION_LINES}
    assert long == {}


@pytest.mark.parametrize("folder", ["plugins", "tests", "roles", "extensions"])
def test_files_say_what_is_inside(folder: str) -> None:
    named = [name_of(path) for path in (ROOT / folder).rglob("*") if path.stem.lstrip("_") in NAMELESS]
    assert named == []
