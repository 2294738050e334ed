# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The job of lxd_registry_push: what the registry's folders hold, committed and pushed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..._core import errors
from ..._core.plan import Plan, Publish
from ..._core.vmhost import registry_push
from ..._registry import durable, entries, file_store, git_ignore
from ..._registry.git_repository import Repository
from ..carry_out import ExecutionContext, Outcome

# What we write into a host's folder; anything else there is the user's own to commit.
_FILES = (
    *(file_store.ENTRY_FILE, file_store.SERVER_CERTIFICATE_FILE),
    *file_store.CERTIFICATE_FILES,
    *file_store.KEY_FILES,
    file_store.GITIGNORE_FILE,
)
_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")


class RegistryPushJob:
    """The folders of some VM hosts, and the branch that they should be in."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._names: list[str] = sorted(set(params["vmhosts"]))
        for name in self._names:
            entries.validate_name(name)
        if not self._names:
            raise errors.Invalid("vmhosts: none is set", "set the VM hosts whose folders are to be pushed")
        if _PASSWORD.search(params["remote"]):
            raise errors.Invalid(
                "remote: its address has a password in it", "use an SSH key, or git's credential helper"
            )
        self._store = file_store.FileStore(params["registry"])
        self._repository = Repository(params["registry"], params["remote"], params.get("branch"))
        self._commit = self._repository.head

    def plan(self) -> Plan:
        """What differs from the commit that is checked out; only then the remote is asked."""
        texts = dict(self._texts())
        repository = self._repository
        keys = {path: text for path, text in texts.items() if os.path.basename(path) in file_store.KEY_FILES}
        registry_push.refuse_plain(
            {path: git_ignore.is_vaulted_throughout(text) for path, text in keys.items() if text is not None}
        )
        missing = self._missing(texts)
        ours = {path: repository.blob(text) for path, text in texts.items() if text is not None}
        base = repository.blobs(repository.head, texts)
        files = [registry_push.File(path, ours.get(path), base.get(path), base.get(path)) for path in texts]
        tip = repository.head
        if any(registry_push.is_news(file) for file in files):
            tip = repository.tip()
            theirs = repository.blobs(tip, texts)
            files = [registry_push.File(f.path, f.ours, f.base, theirs.get(f.path)) for f in files]
        name = ", ".join(self._names)
        found = registry_push.plan_push(name, files, repository.remote, repository.branch, tip)
        coming = () if found.changes or not missing else (registry_push.predict_push(name, repository.remote),)
        return Plan((*found.changes, *coming), unverified=missing)

    def _texts(self) -> Iterator[tuple[str, str | None]]:
        """Every file of ours by its path in the repository, and what it holds."""
        paths = [self._store.path(name, file) for name in self._names for file in _FILES]
        for path in (os.path.join(self._store.root, file_store.GITIGNORE_FILE), *paths):
            yield self._repository.path(path), durable.read(path)

    def _missing(self, texts: Mapping[str, str | None]) -> tuple[errors.TenantryError, ...]:
        if self._params["state"] == "any":
            return ()
        return tuple(
            errors.NotFound(
                f"vmhost {name}: the registry {self._store.root} has nothing of it to commit yet",
                "make its key pair with tenantry.lxd.lxd_tenant_cert",
            )
            for name in self._names
            if all(texts[self._repository.path(self._store.path(name, file))] is None for file in _FILES)
        )

    def execution_context(self) -> ExecutionContext:
        """Git does it."""
        return ExecutionContext(publish=self._publish)

    def _publish(self, step: Publish) -> None:
        author = (self._params["author_name"], self._params["author_email"])
        self._commit = self._repository.publish(step.content, step.message, step.tip, author)

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """Where it is, and in which commit."""
        repository = self._repository
        known = outcome is not None or not plan.changes
        said = {"commit": self._commit if known else None, "branch": repository.branch}
        if not repository.behind:
            return said
        behind = f"{self._store.root}: pushed, and the checkout is left behind {repository.branch}: {repository.behind}"
        return {**said, "warnings": [f"{behind}; git pull there"]}

    def close(self) -> None:
        """Nothing is open."""
