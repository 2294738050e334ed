# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared of a storage pool and of a network alike: a name, LXD's keys, and what each member has of
its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Optional, TypeVar

from .. import units
from ..errors import Invalid

_Said = TypeVar("_Said", bound="PartSpec")


@dataclasses.dataclass(frozen=True)
class PartSpec:
    """One storage pool or network as said; None is not set and kept, and as a value in `config` removes the key.

    `members`: in a cluster, what each has of its own, by its name.
    """

    # What a cluster takes for each member and not for all.
    MEMBER_KEYS: ClassVar[frozenset[str]] = frozenset()

    name: str
    config: Mapping[str, Optional[str]]
    description: str | None
    members: Mapping[str, Mapping[str, Optional[str]]]

    def on(self, member: str) -> dict[str, str | None]:
        """The keys that one member has of its own; what is declared for all holds for each that says nothing else."""
        shared = {key: value for key, value in self.config.items() if key in self.MEMBER_KEYS}
        return {**shared, **self.members.get(member, {})}

    @property
    def common(self) -> dict[str, str | None]:
        """The keys that are the same on every member."""
        return {key: value for key, value in self.config.items() if key not in self.MEMBER_KEYS}

    def alone(self: _Said, member: str) -> _Said:
        """As a server has it that is in no cluster yet, and will be that member."""
        return dataclasses.replace(self, config={**self.common, **self.on(member)}, members={})

    def among(self: _Said, members: Collection[str]) -> _Said:
        """Without what is declared for others."""
        said = {name: values for name, values in self.members.items() if name in members}
        return dataclasses.replace(self, members=said)

    def check_members(self, what: str, problems: list[str]) -> None:
        """A key that the whole cluster shares can't be declared for one member."""
        foreign = sorted({key for values in self.members.values() for key in values if key not in self.MEMBER_KEYS})
        if foreign:
            problems.append(f"{what}: members: {', '.join(foreign)} is the same on all members; set it in config")


def of_members(said: Any, what: str, problems: list[str]) -> dict[str, dict[str, str | None]]:
    """What is declared for each member, in LXD's words."""
    found = {}
    for member, values in (said or {}).items():
        if isinstance(values, Mapping):
            found[str(member)] = texts(values, {}, f"{what}: members.{member}", problems)
        else:
            problems.append(f"{what}: members.{member}: write a map, such as {{source: /dev/vdb}}")
    return found


def check_once(parts: Iterable[PartSpec], what: str, problems: list[str]) -> None:
    """Nothing may be declared twice in one list."""
    names = [part.name for part in parts]
    problems.extend(f"{what}: {name} is declared twice" for name in sorted({n for n in names if names.count(n) > 1}))


def check_name(name: str, what: str, longest: int, problems: list[str]) -> None:
    """A name that LXD takes in its addresses."""
    if not name or name in (".", "..") or not name.isprintable() or set(name) & set("/ \"'*?&+") or len(name) > longest:
        problems.append(f"{what}: it can't be a name; write 1 to {longest} letters, digits, dots, hyphens, underscores")


def texts(said: Any, own: Mapping[str, Any], what: str, problems: list[str]) -> dict[str, str | None]:
    """A map in LXD's words; `own` are keys that have an option of their own."""
    found: dict[str, str | None] = {}
    for key, value in [*(said or {}).items(), *own.items()]:
        if key in found:
            problems.append(f"{what}: config.{key}: {key} sets the same; leave one of them out")
            continue
        if str(key).startswith("volatile."):
            problems.append(f"{what}: config.{key}: it is LXD's own; leave it out")
        try:
            found[str(key)] = units.to_text(value, f"{what}: config.{key}") or None
        except Invalid as wrong:
            problems.append(str(wrong))
    return found
