# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make demo` runs: each step is told, and what LXD itself says afterwards decides whether it worked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.image import import_image, micro_image
from tests.lxd.place import default_root, find
from tests.lxd.teardown import take_down

ROOT = Path(__file__).resolve().parents[2]
SITE = default_root().parent / "demo"
HOME = SITE / ".home"
HOST, PROJECT, OWNER, VM = "kvm-01", "tenant-a", "team-a", "web-1"
INVENTORY = f"""\
lxd_vmhosts:
  hosts:
    {HOST}:
      ansible_connection: local        # yours: ansible_host, and SSH
      ansible_python_interpreter: /usr/bin/python3
      vmhost_socket: %(socket)s
      vms_here:
        - name: {VM}
          image: micro
          memory: 192MiB
          secure_boot: false           # the image of the demo isn't signed
          tags: [web]
  vars:
    vmhost_project: {PROJECT}
    vmhost_owner: {OWNER}
    vmhost_default_storage_pool: default
    vmhost_default_network: %(network)s
"""


def main() -> int:
    """Run the demo; its exit code."""
    began = time.monotonic()
    daemon = _throwaway_lxd()
    _repository(daemon)
    say("Register the host: a project of ours, a certificate for it alone, an entry in vmhosts/")
    play("tenantry.lxd.register")
    say("An image for the project; this one is a kernel and a shell, yours may come from an image server")
    import_image(daemon, micro_image(), project=PROJECT)
    say("From the inventory to a running VM, through the restricted certificate")
    with daemon.requests() as seen:
        play("tenantry.lxd.site")
    made = any(each.method == "POST" and each.path == "/1.0/instances" and each.trusted for each in seen)
    _show(daemon)
    first, began = time.monotonic() - began, time.monotonic()
    say("The same again changes nothing")
    changed = play("tenantry.lxd.site")
    second = time.monotonic() - began
    say("The same as a page to look at: report/index.html")
    play("tenantry.lxd.report")
    wrong = _wrong(daemon) + ([] if made else ["the VM was not made over https"])
    wrong += [f"the second run changed {changed} things"] if changed else []
    say(f"{'; '.join(wrong) or 'It works'}. {first:.0f} s, and {second:.0f} s for the second run")
    print(f"  Look:  LXD_DIR={daemon.directory} lxc list --project {PROJECT}\n         {SITE}")
    print(f"         {SITE}/report/index.html\n  Clean: make clean")
    return 1 if wrong else 0


def say(line: str) -> None:
    """One step, as a person would tell it."""
    print(f"\n\033[1m==> {line}\033[0m" if sys.stdout.isatty() else f"\n==> {line}", flush=True)


def run(command: list[str], **more: str) -> str:
    """A program in the repository, its output shown and returned; a failure ends the demo."""
    print(f"$ {' '.join([Path(command[0]).name, *command[1:]])}", flush=True)
    own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LXD_", "INCUS_"))}
    lines = []
    with subprocess.Popen(command, cwd=SITE, env={**own, "HOME": str(HOME), **more}, stdout=-1, text=True) as running:
        for line in running.stdout or ():
            lines.append(line)
            print(f"  {line}", end="", flush=True)
    if running.returncode:
        sys.exit(f"\ndemo: {command[0]} ended with {running.returncode}")
    return "".join(lines)


def play(name: str) -> int:
    """A playbook of the collection; how many tasks changed something."""
    program = str(Path(sys.executable).parent / "ansible-playbook")
    said = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    output = run([program, "-i", "inventory", name], **said)
    return sum(int(count) for count in re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", output, re.MULTILINE))


def _throwaway_lxd() -> Daemon:
    say("A throwaway LXD")
    if find("demo", default_root()):
        take_down(default_root(), ["demo"])
    daemon = Daemon.new("demo").start()
    version = daemon.api("GET", "/1.0")["environment"]["server_version"]
    print(f"  LXD {version} at {daemon.url}, with all it has in {daemon.directory}")
    for gap in daemon.gaps.lines() if daemon.gaps else ():
        print(f"  this machine lacks {gap}")
    if daemon.gaps and not daemon.gaps.kvm:
        print("  VMs run with KVM")
    return daemon


def _repository(daemon: Daemon) -> None:
    shutil.rmtree(SITE, ignore_errors=True)
    (SITE / "inventory").mkdir(parents=True)
    # lxc greets whoever has no such folder.
    (HOME / ".config" / "lxc").mkdir(parents=True)
    text = INVENTORY % {"socket": daemon.directory / "unix.socket", "network": daemon.bridge}
    (SITE / "inventory" / "hosts.yml").write_text(text)
    say(f"A repository with an inventory: {SITE}/inventory/hosts.yml")
    print(text)


def _show(daemon: Daemon) -> None:
    say("What LXD itself says")
    leases = f"/1.0/networks/{daemon.bridge}/leases"
    until(lambda: daemon.api("GET", leases, query={"project": PROJECT}), 120, f"an address for {VM}")
    run(["lxc", "list", "--project", PROJECT], **daemon.environment)
    run(["lxc", "config", "trust", "list"], **daemon.environment)
    say("The registry, for git")
    run(["find", "vmhosts", "-type", "f", "-printf", "%M %p\\n"])
    run(["cat", f"vmhosts/{HOST}/vmhost.yml"])


def _wrong(daemon: Daemon) -> list[str]:
    """What isn't as it was promised."""
    vms = daemon.api("GET", "/1.0/instances", query={"project": PROJECT, "recursion": 1})
    found = [(each["name"], each["type"], each["status"], each["config"].get("user.tenantry.owner")) for each in vms]
    trusted = daemon.api("GET", "/1.0/certificates", query={"recursion": 1})
    folder = SITE / "vmhosts" / HOST
    promises = {
        f"LXD holds {found}": found == [(VM, "virtual-machine", "Running", OWNER)],
        "it trusts more than one certificate for one project": [
            (each["restricted"], each["projects"], each["certificate"].split()) for each in trusted
        ]
        == [(True, [PROJECT], (folder / "client.crt").read_text().split())],
        f"the report doesn't show {VM}": VM in (SITE / "report" / "hosts" / f"{HOST}.html").read_text(),
        "the private key is not private": (folder / "client.key").stat().st_mode & 0o777 == 0o600,
    }
    return [broken for broken, kept in promises.items() if not kept]


if __name__ == "__main__":
    sys.exit(main())
