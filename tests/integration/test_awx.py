# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them: ansible-runner, a checkout that ends with the job, and what the credentials give."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.carry_out import carry_out
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.registry_push import RegistryPushJob

from tests.integration.interpreters import host_pythons
from tests.integration.playing import COLLECTIONS, Site
from tests.integration.test_roles import Estate
from tests.lxd.daemon import Daemon
from tests.published import COLLECTIONS as AWX_COLLECTIONS
from tests.published import unpacked

# What AWX sets for every job; it is how a checkout is known to end with it.
AWX = {"AWX_HOST": "https://awx.example.com", "AWX_PRIVATE_DATA_DIR": "/runner", "JOB_ID": "1"}
FILES = {f"vmhosts/kvm-01/{name}" for name in (".gitignore", "client.crt", "client.key", "server.crt", "vmhost.yml")}


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    return subprocess.run(
        ["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """What a git server has."""
    path = tmp_path / "infrastructure.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    return path


@pytest.fixture
def estate(lxd: Daemon, site: Site, project_name: str, bare: Path) -> Iterator[Estate]:
    """A repository with an inventory and nothing else, pushed."""
    found = Estate(site, lxd, project_name, host_pythons()[0])
    found.write({"kvm-01": {}}, vmhost_vault_key=True, vmhost_registry_remote=str(bare), vmhost_registry_branch="main")
    git(site.root, "init", "-q", "-b", "main")
    git(site.root, "add", "inventory")
    git(site.root, "commit", "-qm", "Inventory")
    git(site.root, "push", "-q", str(bare), "main")
    yield found
    found.forget()


@dataclasses.dataclass(frozen=True)
class Job:
    """What a job left: its status, how many tasks changed, what it printed, and its checkout."""

    status: str
    changed: int
    output: str
    checkout: Path
    events: list[dict[str, Any]]


def awx_inventory(folder: Path, checkout: Path) -> Path:
    """What AWX knows of a project's inventory, as a job gets it: a program beside the project that prints it."""
    groups = yaml.safe_load((checkout / "inventory" / "hosts.yml").read_text())
    known: dict[str, Any] = {"_meta": {"hostvars": {}}}
    for name, group in groups.items():
        known["_meta"]["hostvars"] |= group["hosts"]
        known[name] = {"hosts": list(group["hosts"]), "vars": group.get("vars", {})}
    path = folder / "inventory" / "hosts"
    path.parent.mkdir()
    path.write_text(f"#! /usr/bin/env python3\nprint({json.dumps(known)!r})\n")
    path.chmod(0o700)
    return path


def job(folder: Path, bare: Path, playbook: str, *arguments: str, **variables: Any) -> Job:
    """One job in a new folder. As with AWX the checkout is shallow, on no branch, and has no origin to push to."""
    checkout = folder / "project"
    folder.mkdir()
    subprocess.run(["git", "clone", "-q", "--depth", "1", bare.as_uri(), str(checkout)], check=True)
    git(checkout, "checkout", "-q", "--detach")
    git(checkout, "remote", "remove", "origin")
    password = folder / "vault-password"
    password.write_text("correct horse\n")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**AWX, "PATH": programs, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    environment |= variables.pop("environment", {})
    ended = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=f"tenantry.lxd.{playbook}",
        inventory=str(awx_inventory(folder, checkout)),
        extravars=variables,
        envvars=environment,
        cmdline=" ".join([f"--vault-password-file={password}", *arguments]),
        quiet=True,
    )
    changed = sum((ended.stats or {}).get("changed", {}).values())
    return Job(ended.status, changed, ended.stdout.read(), checkout, list(ended.events))


def test_a_second_job_with_a_fresh_checkout_changes_nothing(estate: Estate, bare: Path, tmp_path: Path) -> None:
    git_ = {"vmhost_registry_persist": "git"}
    # Nowhere to keep a key: none is made, and the server hears of nothing.
    lost = job(tmp_path / "0", bare, "register")
    assert lost.status == "failed" and "would end with it" in lost.output and estate.trust() == []

    # A remote that takes nothing: the key can't be kept, so the server must not hear of it.
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected branch >&2\nexit 1\n")
    hook.chmod(0o755)
    kept_out = job(tmp_path / "1", bare, "register", **git_)
    assert kept_out.status == "failed" and "protected branch" in kept_out.output and estate.trust() == []
    hook.unlink()

    before = git(bare, "rev-parse", "main")
    predicted = job(tmp_path / "2", bare, "register", "--check", **git_)
    assert predicted.status == "successful" and predicted.changed > 0, predicted.output
    assert git(bare, "rev-parse", "main") == before and estate.trust() == []
    said = [event["event_data"]["res"].get("actions", []) for event in predicted.events if "res" in event["event_data"]]
    assert ["commit registry of kvm-01: its new folder, pushed to " + str(bare)] in said

    first = job(tmp_path / "3", bare, "register", **git_)
    assert first.status == "successful", first.output
    ((fingerprint, restricted, projects),) = estate.trust()
    assert (restricted, projects) == (True, [estate.project])
    committed = set(git(bare, "ls-tree", "-r", "--name-only", "main").splitlines())
    assert committed == {"inventory/hosts.yml", "vmhosts/.gitignore", *FILES}
    assert git(bare, "show", "main:vmhosts/kvm-01/client.key").startswith("$ANSIBLE_VAULT;")
    assert git(bare, "log", "-1", "--format=%an <%ae>", "main") == "Tenantry <tenantry@localhost>"

    second = job(tmp_path / "4", bare, "site", **git_)
    assert second.status == "successful", second.output
    assert second.changed == 0, second.output
    assert [each for each, *_rest in estate.trust()] == [fingerprint]

    # Whoever keeps keys in a credential has only the public halves in git; one credential has them for all hosts.
    key = tmp_path / "plain"
    vault = ["--vault-password-file", str(tmp_path / "4" / "vault-password"), "--output", str(key)]
    view = [str(Path(sys.executable).with_name("ansible-vault")), "decrypt", *vault]
    subprocess.run([*view, str(second.checkout / "vmhosts/kvm-01/client.key")], check=True, capture_output=True)
    git(estate.site.root, "pull", "-q", str(bare), "main")
    git(estate.site.root, "rm", "-q", "vmhosts/kvm-01/client.key", "vmhosts/kvm-01/.gitignore")
    git(estate.site.root, "commit", "-qm", "Keys are in the credential")
    git(estate.site.root, "push", "-q", str(bare), "main")
    keys = {"LXD_CLIENT_KEYS": json.dumps({"kvm-01": key.read_text(), "kvm-02": "another"})}
    from_credential = job(tmp_path / "5", bare, "compose", environment=keys)
    assert (from_credential.status, from_credential.changed) == ("successful", 0), from_credential.output
    refused = job(tmp_path / "6", bare, "rotate_certs", environment=keys, vmhost_rotate="now")
    assert refused.status == "failed" and "end with" in refused.output
    assert [each for each, *_rest in estate.trust()] == [fingerprint]

    # A host that nobody can log in to any more: the play ends there, and the registry has it no more.
    nobody = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    estate.write(
        {"kvm-01": nobody}, vmhost_vault_key=True, vmhost_registry_remote=str(bare), vmhost_registry_branch="main"
    )
    git(estate.site.root, "commit", "-qam", "kvm-01 is down for good")
    git(estate.site.root, "push", "-q", str(bare), "main")
    gone = job(tmp_path / "7", bare, "remove", "--limit", "kvm-01", **git_)
    assert gone.status == "failed" and "UNREACHABLE" in gone.output, gone.output
    assert "vmhosts/kvm-01/vmhost.yml" not in names(bare), gone.output


def test_user_data_is_of_a_key_and_a_secret_that_outlive_the_job(site: Site, bare: Path, tmp_path: Path) -> None:
    said = {
        "vmhost_method": "cloud_init",
        "vmhost_https_address": ["https://127.0.0.1:1"],
        "vmhost_wait_timeout": 0,
        "vmhost_project": "tenant-a",
        "vmhost_owner": "team-a",
    }
    inventory = {"lxd_vmhosts": {"hosts": {"kvm-01": said}}}
    (site.root / "inventory" / "hosts.yml").write_text(yaml.safe_dump(inventory))
    git(site.root, "init", "-q", "-b", "main")
    git(site.root, "add", "inventory")
    git(site.root, "commit", "-qm", "Inventory")
    git(site.root, "push", "-q", str(bare), "main")
    asked = {"vmhost_registry_persist": "git", "vmhost_vault_key": True, "vmhost_registry_remote": str(bare)}
    asked |= {"vmhost_registry_branch": "main"}
    made = [tmp_path / "user-data-1", tmp_path / "user-data-2"]
    for path in made:
        ended = job(tmp_path / f"job-{path.name}", bare, "register", **asked, vmhost_user_data_path=str(path))
        assert ended.status == "failed" and "boot it with its user data" in ended.output, ended.output
    assert made[0].read_text() == made[1].read_text(), "the machine that boots with the first trusts a key that is lost"
    kept = {f"vmhosts/kvm-01/{name}" for name in (".gitignore", "client.crt", "client.key", "first-boot.key")}
    assert set(names(bare)) == {"inventory/hosts.yml", "vmhosts/.gitignore", *kept}
    for key in ("client.key", "first-boot.key"):
        assert git(bare, "show", f"main:vmhosts/kvm-01/{key}").startswith("$ANSIBLE_VAULT;"), key


# The registry in git


@pytest.fixture
def checkout(bare: Path, tmp_path: Path) -> Path:
    """A person's checkout, with a change of their own that is staged and one that isn't."""
    path = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    (path / "README").write_text("ours\n")
    git(path, "add", "README")
    git(path, "commit", "-qm", "Begin")
    git(path, "remote", "add", "origin", str(bare))
    git(path, "push", "-q", "origin", "main")
    (path / "staged").write_text("not yours to commit\n")
    git(path, "add", "staged")
    (path / "README").write_text("nor this\n")
    host = path / "vmhosts" / "kvm-01"
    host.mkdir(parents=True)
    (host / "vmhost.yml").write_text("url: https://kvm-01\n")
    (host / "notes.txt").write_text("mine\n")
    return path


def pushed(checkout: Path, **options: Any) -> RegistryPushJob:
    usual = {"vmhosts": ["kvm-01"], "registry": str(checkout / "vmhosts"), "state": "present", "remote": "origin"}
    return RegistryPushJob({**usual, "author_name": "A", "author_email": "a@example.com", **options})


def other_controller(bare: Path, folder: Path, path: str, text: str) -> None:
    subprocess.run(["git", "clone", "-q", str(bare), str(folder)], check=True)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Somebody else's")
    git(folder, "push", "-q", "origin", "main")


def names(bare: Path) -> list[str]:
    return git(bare, "ls-tree", "-r", "--name-only", "main").splitlines()


def test_only_the_registrys_own_files_are_committed_and_the_checkout_follows(checkout: Path, bare: Path) -> None:
    with contextlib.closing(pushed(checkout)) as work:
        plan = work.plan()
        assert [change.sentence for change in plan.changes] == [
            "commit registry of kvm-01: add vmhosts/kvm-01/vmhost.yml, pushed to origin main"
        ]
        assert names(bare) == ["README"], "planning wrote something"
        done = carry_out(plan, work.execution_context())
        assert not done.failed and not done.stale
    assert names(bare) == ["README", "vmhosts/kvm-01/vmhost.yml"]
    status = git(checkout, "status", "--porcelain")
    assert status.splitlines() == ["M README", "A  staged", "?? vmhosts/kvm-01/notes.txt"], status
    assert git(checkout, "rev-parse", "HEAD") == git(bare, "rev-parse", "main")
    assert not pushed(checkout).plan().changes


def test_somebody_else_pushes_meanwhile(checkout: Path, bare: Path, tmp_path: Path) -> None:
    work = pushed(checkout)
    plan = work.plan()
    other_controller(bare, tmp_path / "other", "vmhosts/kvm-02/vmhost.yml", "theirs\n")
    outcome = carry_out(plan, work.execution_context())
    assert outcome.stale and names(bare) == ["README", "vmhosts/kvm-02/vmhost.yml"]
    # The runner plans anew then: on top of what they pushed.
    again = carry_out(work.plan(), work.execution_context())
    assert not again.failed and not again.stale
    assert names(bare) == ["README", "vmhosts/kvm-01/vmhost.yml", "vmhosts/kvm-02/vmhost.yml"]
    assert not pushed(checkout).plan().changes

    # Both changed the same file: nobody's is lost.
    (checkout / "vmhosts/kvm-01/vmhost.yml").write_text("ours\n")
    git(tmp_path / "other", "pull", "-q")
    (tmp_path / "other/vmhosts/kvm-01/vmhost.yml").write_text("theirs\n")
    git(tmp_path / "other", "commit", "-qam", "kvm-01")
    git(tmp_path / "other", "push", "-q")
    git(checkout, "fetch", "-q")
    git(checkout, "update-ref", "HEAD", "origin/main~1")
    with pytest.raises(errors.Conflict, match="changed on origin main meanwhile"):
        pushed(checkout).plan()


def test_what_is_refused(checkout: Path, bare: Path) -> None:
    key = checkout / "vmhosts/kvm-01/client.key"
    key.write_text("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n")
    with pytest.raises(errors.Invalid, match="plain private key"):
        pushed(checkout).plan()
    key.unlink()
    for options, message in (
        ({"remote": "https://me:secret@git.example.com/x.git"}, "password"),
        ({"vmhosts": []}, "none is set"),
    ):
        with pytest.raises(errors.Invalid, match=message):
            pushed(checkout, **options)
    with pytest.raises(errors.Invalid, match="no remote upstream"):
        pushed(checkout, remote="upstream").plan()
    with pytest.raises(errors.NotFound, match="no branch release"):
        pushed(checkout, branch="release").plan()
    with pytest.raises(errors.Unreachable):
        pushed(checkout, remote="/nowhere/at.git").plan()
    missing = pushed(checkout, vmhosts=["kvm-09"]).plan()
    assert "nothing of it to commit" in missing.unverified[0].message
    assert names(bare) == ["README"]


# What is loaded into AWX


AWX_FOLDER = Path(__file__).resolve().parents[2] / "extensions" / "awx"
OPTIONS = {"tenantry_scm_url": "git@git.example.com:vmhosts.git", "tenantry_image": "registry.example.com/ee:1"}


def loaded(name: str) -> Any:
    """A file of extensions/awx as ansible-playbook reads it."""
    return DataLoader().load_from_file(str(AWX_FOLDER / name), trusted_as_template=True)


@pytest.fixture(scope="module")
def calls() -> list[tuple[str, dict[str, Any]]]:
    """Every call of a module of awx.awx that load.yml would make, as module and options."""
    (play,) = loaded("load.yml")
    variables = {**play["vars"], **loaded("objects.yml"), **OPTIONS, "omit": "(left out)"}
    found: list[tuple[str, dict[str, Any]]] = []
    for task in play["tasks"]:
        for module in (key for key in task if key.startswith("awx.awx.")):
            templar = Templar(DataLoader(), variables=variables)
            for item in templar.template(task["loop"]):
                templar.available_variables = {**variables, "item": item}
                said = {key: templar.template(value) for key, value in task[module].items()}
                found.append((module, {key: value for key, value in said.items() if value != variables["omit"]}))
    return found


@pytest.fixture(scope="module")
def documented(calls: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The options of those modules as the published collection documents them."""
    unpacked("awx/awx")
    command = [
        str(Path(sys.executable).with_name("ansible-doc")),
        "-t",
        "module",
        "--json",
        *dict(calls),
    ]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(AWX_COLLECTIONS)}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(said.stdout)
    return {name: found[name]["doc"]["options"] for name in found}


def test_every_call_is_one_that_awx_awx_takes(
    calls: list[tuple[str, dict[str, Any]]], documented: dict[str, Any]
) -> None:
    kept = ("type", "elements", "choices", "required", "default", "aliases")
    assert {name.rsplit(".", 1)[1] for name, _said in calls} == {
        *("credential_type", "execution_environment", "project", "inventory", "inventory_source"),
        *("job_template", "schedule"),
    }
    for name, said in calls:
        spec = {key: {k: about[k] for k in kept if k in about} for key, about in documented[name].items()}
        wrong = ArgumentSpecValidator(spec).validate(said).error_messages
        assert wrong == [], f"{name} {said['name']}"


def test_what_may_be_said_is_what_the_docs_say() -> None:
    (play,) = loaded("load.yml")
    told = (AWX_FOLDER.parents[1] / "docs" / "how-to" / "awx.md").read_text()
    said = [line.split("`")[1] for line in told.splitlines() if line.startswith("| `tenantry_")]
    assert sorted(said) == sorted({*play["vars"], *OPTIONS})


def test_the_image_has_what_a_job_runs() -> None:
    image = loaded("execution-environment.yml")
    needed = image["dependencies"]
    assert (image["version"], set(needed["system"])) == (3, {"git", "openssh-clients"})
    tested = (AWX_FOLDER.parents[1] / "tests" / "requirements-run.txt").read_text().split()
    assert needed["ansible_core"]["package_pip"] in tested
    assert (AWX_FOLDER / needed["python"]).resolve() == AWX_FOLDER.parents[1] / "meta" / "ee-requirements.txt"


def test_credentials_give_what_the_modules_read(calls: list[tuple[str, dict[str, Any]]]) -> None:
    types = {said["name"]: said for name, said in calls if name.endswith("credential_type")}
    for said in types.values():
        fields = {field["id"] for field in said["inputs"]["fields"]}
        assert set(said["inputs"]["required"]) <= fields
        text = json.dumps(said["injectors"])
        assert all(f"{field}" in text for field in fields), "a field that goes nowhere"
    environment = {key for said in types.values() for key in said["injectors"]["env"]}
    assert environment == {
        "LXD_CLIENT_KEYS",
        "LXD_OWNER",
        "LXD_URL",
        "LXD_CLIENT_CERT",
        "LXD_CLIENT_KEY",
        "LXD_SERVER_CERT",
    }
    secret = {f["id"] for said in types.values() for f in said["inputs"]["fields"] if f.get("secret")}
    assert secret == {"client_keys", "client_key"}


def test_every_playbook_has_a_template_and_a_file_for_the_project(calls: list[tuple[str, dict[str, Any]]]) -> None:
    templates = {said["playbook"]: said for name, said in calls if name.endswith("job_template")}
    ours = {path.stem for path in (AWX_FOLDER.parents[1] / "playbooks").glob("*.yml")}
    assert templates.keys() == {f"playbooks/{name}.yml" for name in ours}
    for name in ours:
        (play,) = loaded(f"playbooks/{name}.yml")
        assert play["ansible.builtin.import_playbook"] == f"tenantry.lxd.{name}"
    roles = AWX_FOLDER.parents[1] / "roles"
    known = {
        option
        for path in roles.glob("*/meta/argument_specs.yml")
        for option in yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    }
    asked = {
        question["variable"] for said in templates.values() for question in said.get("survey_spec", {}).get("spec", [])
    }
    assert asked <= known
    assert all(set(said["extra_vars"]) <= known for said in templates.values())
    names = {said["name"] for said in templates.values()}
    assert {said["unified_job_template"] for name, said in calls if name.endswith("schedule")} <= names
