# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The four info modules: hosts read side by side, one row or more each; a broken host is a row with an error."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._access import estate, targets
from .._core import errors
from .._core.plan import to_plain
from .._lxd.reader import Reader
from . import expiry_notices, run

JMESPATH_IMPORT_ERROR: ImportError | None = None
try:
    import jmespath
    import jmespath.exceptions
except ImportError as missing:
    JMESPATH_IMPORT_ERROR = missing

Rows = Sequence[Mapping[str, Any]]
ReadHost = Callable[[targets.Target, Reader], Rows]
# What a row with an error can still show, from the registry and the options.
OnDisk = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]


def run_info(module: AnsibleModule, plural: str, read: ReadHost, on_disk: OnDisk = lambda _row, _params: {}) -> None:
    """Read every VM host of the task, and end the module with the rows under the key `plural`."""
    # The process keeps all that it reads until its end; garbage collection would be a tenth of the work.
    gc.disable()
    for notice in expiry_notices.find_expiry_warnings(module.params):
        module.warn(notice)
    try:
        rows = read_rows(module.params, read, on_disk)
        if module.params["strict"]:
            _check_all_read(rows)
        module.exit_json(changed=False, **{plural: _apply_query(module.params.get("query"), to_plain(rows))})
    except errors.TenantryError as failure:
        run.fail(module, failure)


def _select_hosts(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if params.get("url") and not params.get("vmhosts"):
        return [{}]
    rows = list(params.get("_connections") or ())
    wanted = set(params.get("vmhosts") or ())
    return [row for row in rows if not wanted or row["name"] in wanted]


def read_rows(
    params: Mapping[str, Any], read: ReadHost, on_disk: OnDisk = lambda _row, _params: {}
) -> list[Mapping[str, Any]]:
    """Return the rows of all VM hosts; a VM host that can't be read has a single row with the key `error`."""
    hosts = _select_hosts(params)
    rows: list[Mapping[str, Any]] = []
    for host, found in zip(hosts, estate.read_targets(hosts, params, lambda to, reader: (to.name, read(to, reader)))):
        if isinstance(found, errors.TenantryError):
            name = host.get("name") or params.get("vmhost") or (params.get("url") or [""])[0]
            told = {"code": found.code, "msg": found.message, "hint": found.hint}
            rows.append({**on_disk(host, params), "vmhost": name, "error": told})
        else:
            name, of_host = found
            rows += [{"vmhost": name, **row} for row in of_host]
    return rows


def _check_all_read(rows: Rows) -> None:
    for row in rows:
        if "error" in row:
            error = row["error"]
            raise _error_type(error["code"])(f"{row['vmhost']}: {error['msg']}", error["hint"])


def _error_type(code: str) -> type[errors.TenantryError]:
    for kind in errors.TenantryError.__subclasses__():
        if kind.code == code:
            return kind
    return errors.OperationFailed


def _apply_query(query: str | None, rows: Any) -> Any:
    if not query:
        return rows
    if JMESPATH_IMPORT_ERROR is not None:
        raise errors.Unsupported("query: this Python has no jmespath", "pip install jmespath on the controller")
    try:
        return jmespath.search(query, rows)
    except jmespath.exceptions.JMESPathError as cause:
        reason = " ".join(str(cause).split())
        raise errors.Invalid(f"query: not a JMESPath expression: {reason}", "see jmespath.org") from None
