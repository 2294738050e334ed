# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server's own settings as somebody wants them: keys, secrets, and the address that it listens on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .. import units
from ..errors import Invalid

HTTPS_ADDRESS = "core.https_address"
PORT = 8443

# LXD tells of a secret no more than that there is one.
_SECRET = re.compile(r"(^|[._])(password|passphrase|secret|token|api[._]key|private_key|client_key)$")
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*\.[A-Za-z0-9_.-]+")
_ADDRESS = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(:(?P<port>[0-9]+))?")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_EVERYWHERE = ("", "::")

Settings = Mapping[str, Optional[str]]


def is_secret(key: str) -> bool:
    """Whether a key's value must never be shown."""
    return _SECRET.search(key) is not None


def secrets(said: Mapping[str, Any] | None) -> set[str]:
    """The values of a map that must not be shown."""
    return {str(value) for key, value in (said or {}).items() if value and is_secret(str(key))}


def want(params: Mapping[str, Any], problems: list[str]) -> dict[str, str | None]:
    """All keys that are declared, by LXD's names; null removes. What is wrong is added to `problems`."""
    said: dict[str, str | None] = {}
    for option in ("config", "secret_config"):
        for key, value in (params.get(option) or {}).items():
            name = str(key)
            if name in said:
                problems.append(f"{option}.{name}: it is declared twice; config and secret_config are one map to LXD")
            elif option == "config" and is_secret(name) and value is not None:
                problems.append(f"config.{name}: it is a secret; set it under secret_config, which no output shows")
            else:
                said[name] = _value(name, value, option, problems)
    if params.get("https_address") is not None:
        _add_address(str(params["https_address"]), said, problems)
    elif said.get(HTTPS_ADDRESS):
        said[HTTPS_ADDRESS] = _checked(str(said[HTTPS_ADDRESS]), f"config.{HTTPS_ADDRESS}", problems)
    return said


def _value(name: str, value: Any, option: str, problems: list[str]) -> str | None:
    if not _KEY.fullmatch(name):
        problems.append(f"{option}.{name}: it can't be a key of LXD's; write one such as images.auto_update_interval")
    try:
        # LXD takes an empty value for an unset key.
        return units.to_text(value, f"{option}.{name}") or None
    except Invalid as wrong:
        problems.append(str(wrong))
        return None


def _add_address(said: str, settings: dict[str, str | None], problems: list[str]) -> None:
    if HTTPS_ADDRESS in settings:
        problems.append(f"config.{HTTPS_ADDRESS}: https_address sets the same; leave one of them out")
        return
    settings[HTTPS_ADDRESS] = _checked(said, "https_address", problems) if said else None


def _checked(said: str, what: str, problems: list[str]) -> str:
    try:
        return shown_address(*address(said, what))
    except Invalid as wrong:
        problems.append(str(wrong))
        return said


def address(said: str, what: str = HTTPS_ADDRESS) -> tuple[str, int]:
    """Host and port of an address to listen on; the host is empty for every address of the machine."""
    match = _ADDRESS.fullmatch(said.strip())
    host = match["host"].strip("[]") if match else said
    port = int(match["port"] or PORT) if match else 0
    try:
        known = host if match and host in _EVERYWHERE else str(ipaddress.ip_address(host))
    except ValueError:
        known = None
    if known is None or not 1 <= port <= 65535:
        raise Invalid(
            f"{what}: {said!r:.80} is no address to listen on",
            'write an address of the host, such as 192.0.2.11:8443 or "[::]:8443" for all of them',
        )
    return ("" if known in _EVERYWHERE else known), port


def shown_address(host: str, port: int) -> str:
    """An address as LXD writes it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def changes(wanted: Settings, found: Mapping[str, Any]) -> dict[str, str | None]:
    """What of `wanted` the server hasn't. A secret that it has is kept: nobody can read it to compare."""
    return {key: value for key, value in wanted.items() if not _same(key, value, found.get(key))}


def _same(key: str, wanted: str | None, found: Any) -> bool:
    if found is True:
        return wanted is not None
    if key == HTTPS_ADDRESS and wanted and found:
        try:
            return address(wanted) == address(str(found))
        except Invalid:
            return False
    return units.is_same_value(key, wanted, None if found is None else str(found))


def mask_secrets(settings: Mapping[str, Any], keys: Sequence[str] | None = None) -> dict[str, Any]:
    """Settings for people: no secret, and no login in a proxy's address."""
    names = sorted(settings if keys is None else (key for key in keys if settings.get(key) is not None))
    return {key: _hidden(key, settings[key]) for key in names}


def _hidden(key: str, value: Any) -> Any:
    if value is True or (value and is_secret(key)):
        return "(secret)"
    return _LOGIN.sub("(secret)", value) if isinstance(value, str) else value
