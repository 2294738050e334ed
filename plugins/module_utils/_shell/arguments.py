# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that the modules have in common; the doc fragment `connection` documents them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .._core.server import spec as server
from .._core.tenant_cert import expiry

# The action plugin passes what it found on the controller as one JSON text. It is no option: a task can't set it, and
# it is removed before options are checked. A task that names no VM host comes without it.
FROM_CONTROLLER = "_controller"
_FOUND: Mapping[str, Any] = {"_connections": [], "_kept": {}, "_vault": None, "_progress": "", "_known": []}
_SECRETS = ("private_key", "next_private_key", "secret")
_IN_A_KEY = "PRIVATE KEY-----"

CONNECTION: Mapping[str, Any] = {
    "vmhost": {"type": "str"},
    "registry": {"type": "path"},
    "url": {"type": "list", "elements": "str"},
    "client_cert": {"type": "str"},
    "client_key": {"type": "str", "no_log": True},
    "server_cert": {"type": "str"},
    "server_fingerprint": {"type": "str"},
    "project": {"type": "str"},
    "owner": {"type": "str"},
    "timeout": {"type": "int", "default": 30},
    "warn_within": {"type": "int", "default": expiry.WITHIN},
}

INFO: Mapping[str, Any] = {
    "vmhosts": {"type": "list", "elements": "str"},
    "query": {"type": "str"},
    "strict": {"type": "bool", "default": False},
}


class _Module(AnsibleModule):
    """AnsibleModule with what the action plugin found on the controller, and with a code in every failure.

    The code is `invalid` where AnsibleModule's own checks refuse an option.
    """

    def __init__(self, spec: Mapping[str, Any], **constraints: Any) -> None:
        self._found: dict[str, Any] = {}
        # AnsibleModule has no types.
        super().__init__(argument_spec=dict(spec), supports_check_mode=True, **constraints)  # type: ignore[no-untyped-call]
        self.no_log_values.update(_secrets(self._found))
        self.params.update({**_FOUND, **self._found})

    def _load_params(self) -> None:
        super()._load_params()  # type: ignore[no-untyped-call]
        self._found = json.loads(self.params.pop(FROM_CONTROLLER, None) or "{}")
        # Before anything is checked or logged.
        self.no_log_values.update(server.secrets(self.params))

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        kwargs.setdefault("code", "invalid")
        kwargs.setdefault("hint", "")
        super().fail_json(**self._complete({"msg": msg, **kwargs}))

    def exit_json(self, **kwargs: Any) -> NoReturn:
        super().exit_json(**self._complete(kwargs))

    def _complete(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result with the options of the task.

        Ansible searches every text of a result for every secret, which takes minutes with a key for each of many hosts.
        If no text contains the marker that every PEM key has, keys are not searched for.
        """
        self.no_log_values.update(server.secrets(self.params))
        ended = {"invocation": self._invocation(), **result}
        if _IN_A_KEY not in json.dumps(ended, default=str):
            self.no_log_values = {secret for secret in self.no_log_values if _IN_A_KEY not in secret}
        return ended

    def _invocation(self) -> dict[str, Any]:
        """Return the options of the task, without what the controller added; AnsibleModule hides the secrets."""
        return {"module_args": {key: value for key, value in self.params.items() if key not in _FOUND}}


def _secrets(found: Any) -> Iterator[str]:
    """Yield every secret in what the controller found, so that none is shown."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            if key in _SECRETS and value:
                yield str(value)
            else:
                yield from _secrets(value)
    elif isinstance(found, list):
        for value in found:
            yield from _secrets(value)


def create_module(*specs: Mapping[str, Any], **constraints: Any) -> AnsibleModule:
    """Return an AnsibleModule with the merged argument specs; a later spec overrides an earlier one."""
    merged: dict[str, Any] = {}
    for spec in specs:
        merged.update(spec)
    return _Module(merged, **constraints)
