# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The registry's folders against a branch of a remote: what a commit would put there, and what may not be put there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Optional

from .. import errors
from ..plan import Change, Plan, Publish


@dataclasses.dataclass(frozen=True)
class File:
    """One file of the registry, by the id that git has for its content; None where it isn't.

    `ours`: in the directory. `base`: in the commit that is checked out. `theirs`: at the tip of the remote's branch;
    where that was not asked for, it is `base`.
    """

    path: str
    ours: Optional[str]
    base: Optional[str]
    theirs: Optional[str]


def is_news(file: File) -> bool:
    """Whether this directory has something that its commit hasn't."""
    return file.ours != file.base


def plan_push(name: str, files: Iterable[File], remote: str, branch: str, tip: str) -> Plan:
    """One commit with what this directory changed, on top of whatever the branch holds by now."""
    news = [file for file in files if is_news(file) and file.ours != file.theirs]
    crossed = [file.path for file in news if file.theirs != file.base]
    if crossed:
        raise errors.Conflict(
            f"registry: {', '.join(crossed)} was changed on {remote} {branch} meanwhile",
            "nothing was pushed; run again from a fresh checkout, which then has what somebody else did",
        )
    if not news:
        return Plan()
    content = {file.path: file.ours for file in news}
    detail = f"{', '.join(f'{_verb(file)} {file.path}' for file in news)}, pushed to {remote} {branch}"
    step = Publish(content, f"{name}: {', '.join(sorted({_verb(file) for file in news}))} registry files", tip)
    before = {file.path: file.theirs for file in news if file.theirs}
    after = {path: blob for path, blob in content.items() if blob}
    return Plan((Change("commit", "registry of", name, (step,), before, after, detail),))


def predict_push(name: str, remote: str) -> Change:
    """The commit of a folder that an earlier task of a check-mode run would have written."""
    return Change("commit", "registry of", name, detail=f"its new folder, pushed to {remote}")


def _verb(file: File) -> str:
    if file.ours is None:
        return "remove"
    return "change" if file.theirs else "add"


def refuse_plain(keys: Mapping[str, bool]) -> None:
    """Only a vaulted key may travel; `keys`: path and whether it is vaulted."""
    plain = sorted(path for path, vaulted in keys.items() if not vaulted)
    if plain:
        raise errors.Invalid(
            f"registry: {', '.join(plain)} is a plain private key, which is never committed",
            "have it written encrypted: vault_key: true (in the role vmhost_vault_key: true) with a vault password",
        )
