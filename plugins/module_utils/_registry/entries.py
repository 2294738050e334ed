# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM host's registry entry: what a person declared of it, checked key by key."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from .._core import errors
from .._core.capacity.ratio import format_ratio

SCHEMA = 1
DEFAULT_PORT = 8443

_TEXTS = ("zone", "pool", "default_storage_pool", "default_network")
_RATIOS = ("cpu_overcommit", "memory_overcommit", "storage_overcommit")
# In the order in which people read them.
_KEYS = ("schema", "name", "url", "urls", "project", "owner", "zone", "pool", "tags", *_RATIOS, *_TEXTS[2:])
_URL_FORM = "https://host or https://host:port"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}")
# Stricter than urllib, which drops tabs, newlines and whatever stands around an address in brackets.
_URL = re.compile(
    r"https://(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<host>[^\s\[\]:/?#@\\]+))(?::(?P<port>[0-9]{0,5}))?/?", re.IGNORECASE
)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One VM host as declared; None and () are not set."""

    name: str
    urls: tuple[str, ...]
    project: str
    owner: str
    zone: str | None = None
    pool: str | None = None
    tags: tuple[str, ...] = ()
    cpu_overcommit: str | None = None
    memory_overcommit: str | None = None
    storage_overcommit: str | None = None
    default_storage_pool: str | None = None
    default_network: str | None = None


def validate_name(name: str) -> None:
    """A VM host's name is its folder's: nothing that hides it, leaves the registry or reads as an option."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise errors.Invalid(
            f"vmhost {name!r:.80}: it can't be the name of a folder of the registry",
            "write 1 to 63 letters, digits, dots, underscores and hyphens, the first neither a dot nor a hyphen",
        )


def parse(name: str, data: object) -> Entry:
    """An entry from its file's or its row's data."""
    validate_name(name)
    where = f"{name}/vmhost.yml"
    if not isinstance(data, Mapping):
        raise errors.Invalid(f"{where}: it is not a map of keys", "it needs url, project and owner at least")
    _refuse_unknown(where, data)
    # A key with nothing behind it says nothing.
    said = {key: value for key, value in data.items() if value is not None}
    _check_schema(where, said.get("schema", SCHEMA))
    if said.get("name", name) != name:
        raise errors.Invalid(
            f"{where}: name: it is not that of its folder", f"write {name}, or leave it out; was the folder copied?"
        )
    return Entry(
        name=name,
        urls=_urls(where, said),
        project=_get_required(where, said, "project"),
        owner=_get_required(where, said, "owner"),
        tags=_tags(where, said.get("tags", ())),
        **{key: _text(where, key, said[key]) for key in _TEXTS if key in said},
        **{key: format_ratio(said[key], f"{where}: {key}") for key in _RATIOS if key in said},
    )


def to_data(entry: Entry) -> dict[str, Any]:
    """An entry as data for its file, in the order in which people read it, and only what is declared."""
    values: dict[str, Any] = {"schema": SCHEMA, **dataclasses.asdict(entry), "tags": list(entry.tags)}
    if len(entry.urls) == 1:
        values["url"] = entry.urls[0]
        del values["urls"]
    else:
        values["urls"] = list(entry.urls)
    return {key: values[key] for key in _KEYS if values.get(key) not in (None, [])}


def normalised_url(url: str, what: str) -> str:
    """`https://host:port` in one spelling; no error shows the address, which may hold a password."""
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is None:
        raise errors.Invalid(
            f"{what}: {_url_trouble(url)}", f"write {_URL_FORM}; without a port {DEFAULT_PORT} is meant"
        )
    port = int(match["port"] or DEFAULT_PORT)
    try:
        host = _host(match["six"], (match["host"] or "").lower())
    except ValueError:
        host = ""
    if not host or not 1 <= port <= 65535:
        raise errors.Invalid(f"{what}: its host or port can't be one", f"write {_URL_FORM}; an IPv6 address in []")
    return f"https://{host}:{port}"


def _refuse_unknown(where: str, data: Mapping[Any, Any]) -> None:
    for key in data:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key).lower(), _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KEYS)}"
            raise errors.Invalid(f"{where}: {str(key)!r:.80}: there is no such key", hint)


def _check_schema(where: str, said: object) -> None:
    # True equals 1 in Python.
    if isinstance(said, bool) or not isinstance(said, int) or said < 1:
        raise errors.Invalid(f"{where}: schema: it is not a version number", f"write schema: {SCHEMA}")
    if said > SCHEMA:
        raise errors.Invalid(
            f"{where}: schema: {said} is newer than this collection knows ({SCHEMA})", "upgrade tenantry.lxd here"
        )


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str):
        kind = "a list or a map" if isinstance(value, (list, tuple, Mapping)) else "a number, a date or a boolean"
        raise errors.Invalid(f"{where}: {key}: {kind} where text is expected", f'write text, in quotes: {key}: "…"')
    if not value or len(value) > 255 or not value.isprintable() or value != value.strip():
        raise errors.Invalid(
            f"{where}: {key}: it is empty, too long, or not plain text in one line",
            f"write 1 to 255 printable characters, without spaces around them, or leave {key} out",
        )
    return value


def _get_required(where: str, said: Mapping[str, Any], key: str) -> str:
    if key not in said:
        raise errors.Invalid(f"{where}: {key}: it is missing", f"write {key}: <text>; there is no default")
    return _text(where, key, said[key])


def _tags(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise errors.Invalid(f"{where}: tags: it is not a list", "write tags: [ssd, rack-4]")
    tags = [_text(where, f"tags[{index}]", tag) for index, tag in enumerate(value)]
    for index, tag in enumerate(tags):
        if re.search(r"[\s,]", tag):
            raise errors.Invalid(f"{where}: tags[{index}]: it has a space or a comma", "one word is one tag")
    return tuple(dict.fromkeys(tags))


def _urls(where: str, said: Mapping[str, Any]) -> tuple[str, ...]:
    if "url" in said and "urls" in said:
        raise errors.Invalid(f"{where}: url, urls: both are set", "keep one: urls takes all members of a cluster")
    key = "urls" if "urls" in said else "url"
    value = said.get(key)
    if not value:
        raise errors.Invalid(f"{where}: {key}: it is missing or empty", f"write url: {_URL_FORM}")
    if not isinstance(value, (list, tuple)):
        return (normalised_url(value, f"{where}: {key}"),)
    return tuple(dict.fromkeys(normalised_url(url, f"{where}: {key}[{index}]") for index, url in enumerate(value)))


def _url_trouble(url: object) -> str:
    if isinstance(url, str) and url.lower().startswith("https://"):
        if "@" in url:
            return "it holds a user or a password, where only a certificate counts"
        if re.match(r"https://[^/?#]+[/?#]", url, re.IGNORECASE):
            return "something stands behind host and port"
    return f"it is not {_URL_FORM}"


def _host(six: str | None, host: str) -> str:
    if six:
        return f"[{ipaddress.IPv6Address(six).compressed}]"
    if re.fullmatch(r"[0-9.]+", host):
        return str(ipaddress.IPv4Address(host))
    return host if _HOST.fullmatch(host) and len(host) <= 253 else ""
