# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles and the README say of themselves is what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
README = (ROOT / "README.md").read_text(encoding="utf-8")
every_role = pytest.mark.parametrize("role", ROLES)


def options(role: str) -> dict[str, dict[str, Any]]:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return dict(spec["argument_specs"]["main"]["options"])


def loaded(role: str, part: str) -> dict[str, Any]:
    """The variables of `defaults` or `vars`: of main.yml, or of every file in the folder main."""
    folder = ROOT / "roles" / role / part
    variables: dict[str, Any] = {}
    for path in sorted([*folder.glob("main.yml"), *folder.glob("main/*.yml")]):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        assert not variables.keys() & content.keys(), f"{path}: a variable is set in two files"
        variables.update(content)
    return variables


def code(role: str) -> str:
    folder = ROOT / "roles" / role
    paths = sorted([*folder.glob("tasks/**/*.yml"), *folder.glob("vars/**/*.yml")])
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def plain(text: str) -> str:
    """Ansible's markup as Markdown."""
    text = re.sub(r"\bO\(([^)=]*)=([^)]*)\)", r"`\1: \2`", " ".join(text.split()))
    return re.sub(r"\b[VCEMO]\(([^)]*)\)", r"`\1`", text).replace("|", "\\|")


def table(role: str) -> Iterator[str]:
    """The README's table of a role's variables, as its argument_specs want it."""
    for name, said in options(role).items():
        kind = f"list of {said['elements']}" if said["type"] == "list" else said["type"]
        if "choices" in said:
            kind = " \\| ".join(f"`{choice}`" for choice in said["choices"])
        default = "**required**" if said.get("required") else ""
        if "default" in said:
            default = f"`{yaml.safe_dump(said['default'], default_flow_style=True).splitlines()[0]}`"
        text = said["description"]
        meaning = " ".join(plain(part) for part in ([text] if isinstance(text, str) else text))
        yield f"| `{name}` | {kind} | {default} | {meaning} |"


@every_role
def test_readme_has_exactly_the_variables_of_the_argument_specs(role: str) -> None:
    lines = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(f"| `{role}_")] == list(table(role))


@every_role
def test_defaults_are_those_of_the_argument_specs(role: str) -> None:
    assert loaded(role, "defaults") == {
        name: said["default"] for name, said in options(role).items() if "default" in said
    }


@every_role
def test_every_variable_is_used_and_every_used_one_is_said(role: str) -> None:
    used = set(re.findall(rf"(?<![\w.]){role}_[a-z_]+", code(role)))
    registered = set(re.findall(rf"(?:register: |set_fact:\n +)({role}_[a-z_]+)", code(role)))
    assert used - registered == set(options(role))


@every_role
def test_what_is_not_said_by_people_is_private(role: str) -> None:
    assert [name for name in loaded(role, "vars") if not name.startswith(f"__{role}_")] == []


def in_order(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every task of a file, also those in blocks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from in_order(task.get(part, []))


TASKS = ROOT / "roles" / "vmhost" / "tasks"


@pytest.mark.parametrize("path", sorted(TASKS.rglob("*.yml")), ids=lambda path: str(path.relative_to(TASKS)))
def test_what_is_written_into_the_registry_is_kept_before_anything_else_is_done(path: Path) -> None:
    # Whatever comes next may be the end of the job, and of its checkout.
    writes = {f"tenantry.lxd.{module}" for module in ("lxd_vmhost", "lxd_vmhost_pin", "lxd_tenant_cert")}
    waiting = ""
    for task in in_order(yaml.safe_load(path.read_text(encoding="utf-8"))):
        if task.get("delegate_to") == "localhost" and writes & task.keys():
            waiting = task["name"]
            continue
        included = task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks")
        assert not waiting or included in ("push_registry.yml", "register/entry.yml"), f"{waiting}: then {task['name']}"
        waiting = ""
    assert not waiting


@pytest.mark.parametrize("folder", ["plugins/modules", "roles", "playbooks"])
def test_readme_names_everything_there_is(folder: str) -> None:
    names = {path.stem for path in (ROOT / folder).iterdir() if not path.name.startswith(("_", "."))}
    missing = {name for name in names if f"`{name}`" not in README and f"tenantry.lxd.{name}`" not in README}
    assert missing == set()


def test_ci_runs_the_readmes_own_test_command() -> None:
    said = re.findall(r"^(make test)\b", README, re.MULTILINE)
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert said and f"exec {said[0]} " in run
