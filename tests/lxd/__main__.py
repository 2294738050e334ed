# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bed by hand: `python3 -m tests.lxd up|down|status|image|gaps|packages`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lxd import gaps, leftovers, packages
from tests.lxd.admin import ApiError
from tests.lxd.daemon import Daemon
from tests.lxd.image import import_image, micro_image
from tests.lxd.place import default_root, places
from tests.lxd.teardown import take_down


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    said = _parser().parse_args(arguments)
    try:
        return int(said.command(said))
    except (packages.PackagesMissing, ApiError, LookupError, OSError, RuntimeError, ValueError) as error:
        print(f"tests.lxd: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.lxd", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start a daemon and print how to reach it")
    up.add_argument("name", nargs="?", default="main")
    up.add_argument("--image", action="store_true", help="with the micro machine under the alias `micro`")
    up.set_defaults(command=_up)
    down = commands.add_parser("down", help="remove daemons without a trace: the named ones, or all")
    down.add_argument("names", nargs="*")
    down.set_defaults(command=_down)
    status = commands.add_parser("status", help="what there is")
    status.set_defaults(command=_status)
    image = commands.add_parser("image", help="build the micro machine and print where it is")
    image.add_argument("directory", nargs="?", type=Path)
    image.set_defaults(command=_image)
    measured = commands.add_parser("gaps", help="what this machine lacks for LXD's machines, measured anew")
    measured.set_defaults(command=_gaps)
    wanted = commands.add_parser("packages", help="which Debian packages are missing")
    wanted.add_argument("--install", action="store_true", help="install them, as root or through sudo")
    wanted.add_argument("--browser", action="store_true", help="and the browser that looks at the report")
    wanted.set_defaults(command=_packages)
    return parser


def _up(said: argparse.Namespace) -> int:
    began = time.monotonic()
    daemon = Daemon.new(said.name).start()
    for line in daemon.gaps.lines() if daemon.gaps else ():
        print(f"this machine lacks {line}", file=sys.stderr)
    if said.image:
        import_image(daemon, micro_image())
    print(f"ready in {time.monotonic() - began:.1f} s", file=sys.stderr)
    print(f"LXD_DIR={daemon.directory}\nurl={daemon.url}\nbridge={daemon.bridge}\nlog={daemon.place.log}")
    return 0


def _down(said: argparse.Namespace) -> int:
    for name in take_down(default_root(), said.names or None):
        print(f"{name}: gone")
    return 0


def _status(_said: argparse.Namespace) -> int:
    for place in places(default_root()):
        daemon = Daemon(place)
        pid = daemon.pid
        state = (f"pid {pid}" if pid else "not running") + (", abandoned" if place.abandoned else "")
        print(f"{place.name}: {state}, {daemon.url}, LXD_DIR={place.directory}")
        for line in leftovers.find(place.directory, place.bridge).lines():
            print(f"  {line}")
    return 0


def _image(said: argparse.Namespace) -> int:
    print(micro_image(said.directory))
    return 0


def _gaps(_said: argparse.Namespace) -> int:
    found = gaps.measure(default_root(), fresh=True).lines()
    print("\n".join(found) or "none: this machine has all that LXD's machines need")
    return 0


def _packages(said: argparse.Namespace) -> int:
    if said.install:
        print("installed:", " ".join(packages.install(said.browser)) or "nothing, all were there")
    else:
        packages.require({**packages.RUNNING, **packages.BUILDING})
        print("none missing")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
