# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's repository in a temporary folder, and runs of ansible-playbook and of modules in it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows

HERE = Path(__file__).parent
COLLECTIONS = HERE.parent.parent / ".build" / "collections"


@dataclasses.dataclass(frozen=True)
class PlayResult:
    """A run of ansible-playbook: its exit code, its output, and the result of every task in order."""

    rc: int
    output: str
    tasks: list[dict[str, Any]]

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results of the tasks that were not skipped."""
        return [task["result"] for task in self.tasks if task["outcome"] != "skipped"]

    @property
    def last(self) -> dict[str, Any]:
        """The result of the last task that was not skipped."""
        if not self.results:
            raise AssertionError(f"no task ran:\n{self.output}")
        return self.results[-1]

    def named(self, name: str) -> dict[str, Any]:
        """Return the result of the task with this name."""
        for task in self.tasks:
            if task["task"] == name:
                return dict(task["result"])
        raise AssertionError(f"no task called {name} ran:\n{self.output}")


@dataclasses.dataclass(frozen=True)
class Site:
    """A repository as the README describes it, with `inventory/` and `vmhosts/` side by side."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Site:
        """Create a repository whose inventory has only the controller."""
        (root / "inventory").mkdir(parents=True)
        (root / "ansible.cfg").write_text("[defaults]\n")
        (root / "inventory" / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
        return cls(root)

    @property
    def registry(self) -> Path:
        """The default path of the registry."""
        return self.root / "vmhosts"

    def run_task(
        self,
        module: str,
        options: Mapping[str, Any],
        *,
        check: bool = False,
        fails: bool = False,
        **rest: Any,
    ) -> dict[str, Any]:
        """Run a play with one task; an unexpected outcome fails the test and shows the output."""
        played = self.play([{f"tenantry.lxd.{module}": dict(options)}], check=check, **rest)
        if (played.tasks[-1:] and played.tasks[-1]["outcome"] == "failed") != fails:
            raise AssertionError(f"{module} {'did not fail' if fails else 'failed'}:\n{played.output}")
        return played.last

    def start_module(self, module: str, options: Mapping[str, Any], vmhost: str) -> subprocess.Popen[str]:
        """Start a module's process as Ansible does on the controller, which is faster than a play.

        The options, and the registry row that the action plugin would add, are passed by standard input.
        """
        row = rows.row(file_store.FileStore(str(self.registry)), vmhost, lambda path: Path(path).read_text(), {})
        found = json.dumps({"_connections": [row]})
        said = {"vmhost": vmhost, **options, "registry": str(self.registry), "_controller": found}
        name = f"ansible_collections.tenantry.lxd.plugins.modules.{module}"
        start = f"import runpy; runpy.run_module({name!r}, run_name='__main__')"
        process = subprocess.Popen(
            [sys.executable, "-c", start],
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if process.stdin:
            process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": said}))
            process.stdin.close()
            process.stdin = None
        return process

    def run_module(
        self, module: str, options: Mapping[str, Any], vmhost: str, *, check: bool = False, fails: bool = False
    ) -> dict[str, Any]:
        """Run a module's process and return its result; an unexpected outcome fails the test."""
        about_run = {"_ansible_check_mode": check, "_ansible_diff": True}
        process = self.start_module(module, {**options, **about_run}, vmhost)
        said, complaint = process.communicate(timeout=600)
        if not said.lstrip().startswith("{"):
            raise AssertionError(f"{module} returned no result:\n{said}{complaint}")
        result = dict(json.loads(said))
        if bool(result.get("failed")) != fails:
            raise AssertionError(f"{module} {'did not fail' if fails else 'failed'}:\n{json.dumps(result, indent=2)}")
        return result

    def inventory(
        self,
        *words: str,
        source: str = "inventory",
        environment: Mapping[str, str] | None = None,
        timeout: int = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run ansible-inventory over the inventory directory or another source; `words` are its arguments."""
        return subprocess.run(
            [str(Path(sys.executable).parent / "ansible-inventory"), "-i", source, *words],
            cwd=self.root,
            env=self._environment(self.root / "results.jsonl", environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def play(
        self,
        tasks: Sequence[Mapping[str, Any]] | str | Path,
        *,
        check: bool = False,
        diff: bool = True,
        verbosity: int = 0,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
        timeout: int = 600,
    ) -> PlayResult:
        """Run tasks on the controller, or a playbook given by its path or its name in the collection.

        `python` is the interpreter that modules run on; empty leaves it to the inventory.
        """
        results = self.root / "results.jsonl"
        results.unlink(missing_ok=True)
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            "inventory",
            "-e",
            json.dumps({**({"ansible_python_interpreter": python} if python else {}), **(variables or {})}),
            *(["--check"] if check else []),
            *(["--diff"] if diff else []),
            *([f"-{'v' * verbosity}"] if verbosity else []),
            *arguments,
            self._playbook(tasks),
        ]
        ended = subprocess.run(
            command,
            cwd=self.root,
            env=self._environment(results, environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
        lines = results.read_text().splitlines() if results.exists() else []
        return PlayResult(ended.returncode, ended.stdout, [json.loads(line) for line in lines])

    def _playbook(self, tasks: Sequence[Mapping[str, Any]] | str | Path) -> str:
        if isinstance(tasks, (str, Path)):
            return str(tasks)
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [dict(task) for task in tasks]}
        path = self.root / "play.yml"
        path.write_text(yaml.safe_dump([play], sort_keys=False))
        return str(path)

    def _environment(self, results: Path, more: Mapping[str, str]) -> dict[str, str]:
        # Settings of the person who runs the tests (LXD_*, ANSIBLE_*) must not reach the run.
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LXD_", "ANSIBLE_", "INCUS_"))}
        return {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "collect",
            "ANSIBLE_NOCOLOR": "1",
            "COLLECT_RESULTS": str(results),
            **more,
        }
