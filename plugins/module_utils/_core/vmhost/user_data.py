# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine's user data: what makes it an LXD server with a managed project at first boot, as one cloud-config.

What it should hold is decided here, by the same code that decides it for a server that runs; the program that goes with
it (plugin_utils/first_boot.py) carries it out on the machine, and decides nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional
from urllib.parse import quote, urlencode

from ..capacity import figures as capacity
from ..capacity.ratio import format_ratio
from ..errors import Invalid, TenantryError
from ..machine import snap_channel
from ..model import OWNER, Server
from ..plan import Request
from ..project import plan as project_plan
from ..project import spec as project
from ..project.keys import LATE_FEATURES, find_extension
from ..project.reading import ProjectReading
from ..server import preseed
from ..server.settings import HTTPS_ADDRESS
from . import first_boot
from . import overcommit as vmhost_limits

# Where both files are on the machine until the program has done its work.
FOLDER = "/var/lib/tenantry"
PACKAGES = ("auto", "snap", "apt")
DEFAULT_ADDRESS = "[::]:8443"

_KNOWN = frozenset({
    *("vmhost", "project", "owner", "isolation", "networks", "default_profile", "limits", "restrictions", "enforce"),
    *(f"{kind}_overcommit" for kind in vmhost_limits.KINDS),
    *("server", "package", "channel", "cloud_config"),
})  # fmt: skip
_SERVER = frozenset({"config", "https_address", "storage_pools", "networks"})
# Lists of a cloud-config that theirs and ours share.
_SHARED = ("write_files", "runcmd")
_TOP = """#cloud-config
# Made by tenantry.lxd for the VM host {name}, and for no second machine. Whoever reads it before the controller has
# seen the machine could pass another off as it; afterwards nothing in it is of any use.
"""


def user_data(said: Mapping[str, Any], certificate: bytes, secret: str, program: str) -> str:
    """The cloud-config as text, the same for the same options.

    `certificate`: the public half of the tenant certificate, as DER. `secret`: see first_boot. `program`: what runs on
    the machine. Raises Invalid with everything that is wrong.
    """
    name = str(said.get("vmhost") or "")
    contents = json.dumps({"vmhost": name, **_contents(said, certificate, secret)}, indent=1, sort_keys=True)
    extra = said.get("cloud_config") or {}
    files = [(f"{FOLDER}/first-boot.json", contents), (f"{FOLDER}/first-boot.py", program)]
    lines = [_TOP.format(name=name).rstrip()]
    lines += [f"{_yaml(key)}: {_yaml(value)}" for key, value in extra.items() if key not in _SHARED]
    lines += ["write_files:", *(f"- {_yaml(each)}" for each in extra.get("write_files") or ())]
    for path, text in files:
        lines += [f"- path: {path}", '  permissions: "0600"', "  content: |", *_indent(text)]
    # Theirs first: it may be what the network or the packages need.
    lines += ["runcmd:", *(f"- {_yaml(each)}" for each in extra.get("runcmd") or ())]
    lines += [f"- [python3, {FOLDER}/first-boot.py, {FOLDER}/first-boot.json]"]
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    # JSON is YAML, but for one character that JSON needn't escape.
    return json.dumps(value, sort_keys=True).replace("\x7f", "\\u007f")


def _indent(text: str) -> Iterator[str]:
    return (f"    {line}".rstrip() for line in text.replace("\x7f", "\\u007f").splitlines())


def _contents(said: Mapping[str, Any], certificate: bytes, secret: str) -> dict[str, Any]:
    """What the program reads: the whole of it checked before any of it is refused."""
    refused: list[str] = []
    ratios = {kind: _collect_problem(refused, _ratio, said, kind) for kind in vmhost_limits.KINDS}
    server = _collect_problem(refused, _server, said) or {}
    requests = _collect_problem(
        refused, _requests, said, certificate, {kind: text for kind, text in ratios.items() if text}
    )
    refused += _problems(said)
    if refused:
        raise Invalid(" -- ".join(refused), problems=refused)
    address = server.get("config", {}).pop(HTTPS_ADDRESS, None) or DEFAULT_ADDRESS
    return {
        "secret": first_boot.check_secret(secret, "secret"),
        "package": said.get("package") or "auto",
        "channel": said.get("channel") or "",
        "preseed": server,
        "owner": {"key": OWNER, "value": said["owner"]},
        "requests": requests,
        # The program leaves out what the machine's LXD doesn't know yet, as anybody would who could ask it first.
        "late": {f"features.{name}": find_extension(f"features.{name}") for name in sorted(LATE_FEATURES)},
        "enforce": {kind: ratios[kind] or capacity.DEFAULT_RATIO for kind in sorted(said.get("enforce") or ())},
        "address": address,
    }


def _collect_problem(refused: list[str], check: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return check(*arguments)
    except TenantryError as error:
        refused.append(str(error))
        return None


def _problems(said: Mapping[str, Any]) -> Iterator[str]:
    """What no other part of the collection would refuse."""
    yield from (f"{key}: there is no such option" for key in sorted(set(said) - _KNOWN))
    if not said.get("vmhost"):
        yield "vmhost: it is not set; write the host's name in the registry"
    if (said.get("package") or "auto") not in PACKAGES:
        yield f"package: write one of {', '.join(PACKAGES)}"
    if said.get("channel") and said.get("package") == "apt":
        yield "channel: only a snap has one; leave it out, or set package: snap"
    elif said.get("channel"):
        yield from _channel(str(said["channel"]))
    held = set(said.get("enforce") or ())
    yield from (f"enforce: LXD can't hold {kind}" for kind in sorted(held - set(vmhost_limits.HELD)))
    limited = {kind for kind in vmhost_limits.HELD if kind in (said.get("limits") or {})}
    said_ratios = {kind for kind in vmhost_limits.HELD if said.get(f"{kind}_overcommit") is not None}
    for kind in sorted(limited & (held | said_ratios)):
        yield f"limits.{kind}: its overcommit ratio makes the same limit; set one of them"
    yield from _absent(said)
    extra = said.get("cloud_config") or {}
    if not isinstance(extra, Mapping):
        yield "cloud_config: write a map, as a file that begins with #cloud-config has one"
    elif not all(isinstance(extra.get(key) or [], list) for key in _SHARED):
        yield f"cloud_config: {' and '.join(_SHARED)} are lists"


def _channel(said: str) -> Iterator[str]:
    if not snap_channel.whole(said):
        yield f"channel: {said!r:.60} is no channel; write track/risk, such as 5.21/stable"
    elif not snap_channel.names_track(said):
        yield f"channel: {said} names no track, and snapd would take one of its own; write track/risk"


def _absent(said: Mapping[str, Any]) -> Iterator[str]:
    """Storage pools and networks that nobody makes: at its first boot a server has none of its own."""
    server, profile = said.get("server") or {}, said.get("default_profile") or {}
    asked = {
        "storage_pools": [profile.get("storage_pool")],
        "networks": [profile.get("network"), *(said.get("networks") or ())],
    }
    for kind, names in asked.items():
        made = {str(each.get("name")) for each in server.get(kind) or () if isinstance(each, Mapping)}
        for name in sorted({str(name) for name in names if name} - made):
            yield f"{kind}: {name} is to be used, and a new server has none of that name; declare it there in full"


def _ratio(said: Mapping[str, Any], kind: str) -> Optional[str]:
    value = said.get(f"{kind}_overcommit")
    return None if value in (None, "") else format_ratio(value, f"{kind}_overcommit")


def _server(said: Mapping[str, Any]) -> dict[str, Any]:
    options = said.get("server") or {}
    unknown = sorted(set(options) - _SERVER)
    if unknown:
        raise Invalid(f"server: there is no option {', '.join(unknown)}", f"there are {', '.join(sorted(_SERVER))}")
    return preseed.preseed(options)


def _requests(said: Mapping[str, Any], certificate: bytes, ratios: Mapping[str, str]) -> list[dict[str, Any]]:
    """The project as lxd_project would make it, and the trust as lxd_tenant_cert would add it."""
    wanted = project.parse_project_spec({**said, "name": said.get("project"), "state": "present"}, said.get("owner"))
    found = ProjectReading(_SERVER_WITH_EVERYTHING, unread=True)
    planned = project_plan.plan_project(wanted, found, str(said.get("vmhost")))
    steps = [step for change in planned.changes for step in change.steps if isinstance(step, Request)]
    requests = [_request(step) for step in steps]
    requests[0]["body"]["config"].update({vmhost_limits.get_ratio_key(kind): text for kind, text in ratios.items()})
    requests[0]["made"] = f"/1.0/projects/{quote(wanted.name, safe='')}"
    return [*requests, _trust(str(said.get("vmhost")), wanted.name, certificate)]


_FEATURES = ("images", "profiles", "storage.volumes", "networks", *LATE_FEATURES)
_LATE_KEYS = (*(f"features.{name}" for name in _FEATURES), "restricted.networks.access", "limits.disk.pool.")
# Nobody can ask the machine's LXD yet: what it doesn't know of the late features is left out there, and what it refuses
# of the rest ends the first boot.
_SERVER_WITH_EVERYTHING = Server.from_api({"api_extensions": [find_extension(key) for key in _LATE_KEYS]})


def _request(step: Request) -> dict[str, Any]:
    query = f"?{urlencode({'project': step.project})}" if step.project is not None else ""
    path = "/".join(["/1.0", *(quote(segment, safe="") for segment in step.path)]) + query
    return {"method": step.method, "path": path, "body": json.loads(json.dumps(step.body))}


def _trust(name: str, tracked: str, certificate: bytes) -> dict[str, Any]:
    body = {
        "type": "client",
        "name": name,
        "restricted": True,
        "projects": [tracked],
        "certificate": base64.b64encode(certificate).decode("ascii"),
    }
    made = f"/1.0/certificates/{hashlib.sha256(certificate).hexdigest()}"
    return {"method": "POST", "path": "/1.0/certificates", "body": body, "made": made}
