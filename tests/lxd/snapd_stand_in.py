# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for snapd's `snap`, since no test reaches the store.

Put on a machine as /usr/bin/snap it keeps a record of what it was asked to change, prints its tables and ends as snapd
does. The LXD is a real one: a program at PROGRAM, in the places that the snap has.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ASKED, BUSY, STATE = Path("/var/lib/snap-asked"), Path("/var/lib/snap-busy"), Path("/var/lib/snap-state")
PROGRAM, MOUNTED, COMMON = Path("/opt/lxd"), Path("/snap/lxd"), Path("/var/snap/lxd")
UNIT = Path("/etc/systemd/system/snap.lxd.daemon.service")
SERVICE = f"""[Service]
Environment=LXD_DIR={COMMON}/common/lxd
ExecStart={MOUNTED}/current/lxd --group root
KillMode=process
"""
# What the bed gives the package's service, to get over limits of the machine.
BED = Path("/etc/systemd/system/lxd.service.d/bed.conf")
# The open channels, and what each has; "^" has what the one above has.
CHANNELS = {
    "5.21/stable": "5.21.3-c5ae129",
    "5.21/candidate": "^",
    "5.21/edge": "5.21.4-1374f39",
    "latest/stable": "6.5-f9edc1c",
    "latest/edge": "git-b98b242",
    "5.0/stable": "5.0.4-497fe1e",
    "6/stable": "--",
}


def fail(words: str, code: int = 1) -> None:
    sys.exit(print(f"error: {words}", file=sys.stderr) or code)


def channel_of(arguments: list[str], now: str) -> str:
    """What it becomes: snapd fills in what isn't said, and a risk alone stays on the track."""
    said = next((each.partition("=")[2] for each in arguments if each.startswith("--channel=")), now)
    parts = said.split("/")
    if parts[0] in ("stable", "candidate", "beta", "edge"):
        parts = [now.split("/", maxsplit=1)[0], *parts]
    return "/".join([*parts, "stable"] if len(parts) == 1 else parts)


def version_of(channel: str) -> str:
    version = CHANNELS.get("/".join(channel.split("/")[:2]), "--")
    return CHANNELS["5.21/stable"] if version == "^" else version


def show(snaps: dict[str, dict[str, str]], wanted: list[str]) -> None:
    if missing := [name for name in wanted if name not in snaps]:
        fail(f"no matching snaps installed: {missing[0]}")
    if not snaps:
        print("No snaps are installed yet. Try 'snap install hello-world'.", file=sys.stderr)
        return
    print("Name   Version         Rev    Tracking       Publisher   Notes")
    for name in sorted(wanted or snaps):
        channel, notes = snaps[name]["channel"], snaps[name]["notes"]
        cut = "/".join([*channel.split("/")[:2], "…"]) if channel.count("/") > 1 else channel
        print(f"{name:<6} {version_of(channel):<15} 31333  {cut:<14} canonical✓  {notes}")


def tell(snaps: dict[str, dict[str, str]]) -> None:
    print("name:      lxd\nsummary:   LXD - container and VM manager\npublisher: Canonical✓")
    if "lxd" in snaps:
        channel = snaps["lxd"]["channel"]
        print(f"tracking:     {channel}")
    print("channels:")
    for name, version in CHANNELS.items():
        print(f"  {name + ':':<17} {version + ' 2025-03-19 (31333) 109MB -' if '.' in version else version}")
    if "lxd" in snaps:
        print(f"installed:          {version_of(channel)} (31333) 109MB -")


def install(snaps: dict[str, dict[str, str]], name: str, arguments: list[str]) -> None:
    if name in snaps:
        print(f"snap \"{name}\" is already installed, see 'snap help refresh'", file=sys.stderr)
        return
    channel = channel_of(arguments, "latest/stable")
    if version_of(channel) == "--":
        fail(f'snap "{name}" is not available on {channel} but is available to install on the following channels: ...')
    snaps[name] = {"channel": channel, "notes": "-"}
    Path("/var/lib/snapd/snaps").mkdir(parents=True, exist_ok=True)
    if name == "lxd":
        for folder in (MOUNTED / "current", COMMON / "common" / "lxd"):
            folder.mkdir(parents=True)
        shutil.copy2(PROGRAM, MOUNTED / "current" / "lxd")
        UNIT.write_text(SERVICE)
        bed = BED.read_text().replace("/usr/bin/lxd", str(MOUNTED / "current" / "lxd"))
        UNIT.with_name(f"{UNIT.name}.d").mkdir()
        bed = bed.replace("--group lxd --logfile=/var/log/lxd/lxd.log", "--group root")
        (UNIT.with_name(f"{UNIT.name}.d") / BED.name).write_text(bed)
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "start", UNIT.name], check=True)


def refresh(snaps: dict[str, dict[str, str]], arguments: list[str]) -> None:
    name = next(each for each in arguments if not each.startswith("-"))
    if name not in snaps:
        fail(f'snap "{name}" is not installed')
    for word, notes in (("--hold", "held"), ("--unhold", "-")):
        if word in arguments:
            snaps[name]["notes"] = notes
            return
    snaps[name]["channel"] = channel_of(arguments, snaps[name]["channel"])


def remove(snaps: dict[str, dict[str, str]], name: str) -> None:
    if snaps.pop(name, None) is None:
        print(f'snap "{name}" is not installed', file=sys.stderr)
        return
    subprocess.run(["systemctl", "stop", UNIT.name], check=True)
    UNIT.unlink()
    for folder in (MOUNTED, COMMON, UNIT.with_name(f"{UNIT.name}.d")):
        shutil.rmtree(folder)


def main(command: str, arguments: list[str]) -> None:
    changes = command in ("install", "refresh", "remove")
    if changes:
        with ASKED.open("a") as file:
            file.write(" ".join([command, *arguments]) + "\n")
    snaps = json.loads(STATE.read_text()) if STATE.exists() else {}
    if changes and BUSY.exists():
        BUSY.unlink()
        fail('snap "lxd" has "auto-refresh" change in progress', 10)
    if command == "run" and arguments[0] == "lxd":
        os.environ["LXD_DIR"] = f"{COMMON}/common/lxd"
        os.execv(MOUNTED / "current" / "lxd", arguments)
    does: dict[str, Callable[[], None]] = {
        "list": lambda: show(snaps, arguments),
        "info": lambda: tell(snaps),
        "install": lambda: install(snaps, arguments[0], arguments),
        "refresh": lambda: refresh(snaps, arguments),
        "remove": lambda: remove(snaps, arguments[0]),
        "wait": lambda: None,
    }
    if command not in does:
        fail(f"unknown command \"{command}\", see 'snap help'.", 64)
    does[command]()
    if changes:
        STATE.write_text(json.dumps(snaps))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
