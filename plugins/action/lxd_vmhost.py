# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one action plugin: finds the registry on the controller, reads entries, decrypts keys, and hands them over.

It decides nothing: what a task means is for the module. Every module of the collection has it under its own name.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import pem
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows
from ansible_collections.tenantry.lxd.plugins.plugin_utils import progress

_PEM_OPTIONS = ("client_cert", "client_key", "server_cert", "certificate", "private_key")
# The modules that say their host by `name`, and write into its folder.
_NAMED = ("lxd_vmhost", "lxd_vmhost_pin")
_FALLBACKS = {
    "url": "LXD_URL",
    "client_cert": "LXD_CLIENT_CERT",
    "client_key": "LXD_CLIENT_KEY",
    "server_cert": "LXD_SERVER_CERT",
}

# These hold with and without a VM host of the registry.
_ALWAYS = {"owner": "LXD_OWNER", "warn_within": "LXD_WARN_WITHIN"}


def _write_cloud_init(options: dict[str, Any]) -> None:
    """A map for cloud-init becomes its text here, so that the module has one secret to hide and not its every word."""
    vms = options.get("vms")
    for vm in [*(vms if isinstance(vms, list) else ()), options.get("defaults")]:
        said = vm.get("cloud_init") if isinstance(vm, dict) else None
        if not isinstance(said, dict):
            continue
        for key, value in said.items():
            if isinstance(value, (dict, list)):
                # JSON is YAML, and the same for the same map every time.
                head = "" if key == "network_config" else "#cloud-config\n"
                said[key] = head + json.dumps(value, indent=2, sort_keys=True) + "\n"


def _by_socket(url: Any) -> bool:
    said = url if isinstance(url, list) else str(url or "").split(",")
    return any(str(each).strip().startswith("unix:") for each in said)


class ActionModule(ActionBase):
    """Completes a task's options with what only the controller knows, and runs the module."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module with `registry` made absolute and the rows of the VM hosts that the task names."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            options = self._completed(dict(self._task.args), task_vars or {})
        except errors.TenantryError as failure:
            result.update(failed=True, msg=str(failure), code=failure.code, hint=failure.hint)
            return result
        with self._show_progress(options, task_vars or {}):
            result.update(
                self._execute_module(
                    module_name=self._task.action,
                    module_args=options,
                    task_vars=task_vars,
                    wrap_async=self._task.async_val,
                )
            )
        return result

    @contextlib.contextmanager
    def _show_progress(self, options: dict[str, Any], task_vars: dict[str, Any]) -> Iterator[None]:
        """Tell a module that may take long, and runs here, where to say how far it is, and show that meanwhile."""
        here = self._connection.transport == "local" and not self._task.async_val
        if not here or self._kind != "lxd_vm_compose" or self._task.no_log or not progress.is_wanted():
            yield
            return
        with progress.show_progress(f"{task_vars.get('inventory_hostname', 'localhost')}: {self._kind}") as path:
            found = json.loads(options["_controller"])
            options["_controller"] = json.dumps({**found, "_progress": path})
            yield

    def _completed(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        options["registry"] = rows.location(
            options.get("registry"), os.environ, self._inventory_dir(task_vars), os.getcwd()
        )
        if self._kind == "lxd_registry_push":
            # It asks no server, and opens no key.
            return options
        if self._kind == "lxd_report" and options.get("path"):
            options["path"] = os.path.abspath(os.path.expanduser(str(options["path"])))
        names = self._names(options, file_store.FileStore(options["registry"]))
        self._fill_in(options, bool(names))
        _write_cloud_init(options)
        found: dict[str, Any] = {"_connections": self._rows(options, names)}
        if self._kind in _NAMED and self._connection.transport != "local":
            # The registry is here; what the module wrote there would be lost on another machine.
            for row in found["_connections"]:
                row.pop("folder", None)
        if self._kind == "lxd_tenant_cert":
            found["_kept"] = self._locate_key_pair(options, found["_connections"])
        if self._kind in ("lxd_tenant_cert", "lxd_tenant_cert_info", "lxd_report"):
            found["_known"] = self._list_known_fingerprints(options, names)
        if options.get("vault_key"):
            found["_vault"] = self._vault_secret()
        return {**options, "_controller": json.dumps(found)}

    def _fill_in(self, options: dict[str, Any], named: bool) -> None:
        """What the environment says where the task says neither it nor a VM host, and files for their paths."""
        for option, variable in _ALWAYS.items():
            if options.get(option) in (None, "") and os.environ.get(variable):
                options[option] = os.environ[variable]
        for option, variable in () if named else _FALLBACKS.items():
            if not options.get(option) and os.environ.get(variable):
                options[option] = os.environ[variable]
        for option in _PEM_OPTIONS:
            if isinstance(options.get(option), str):
                options[option] = rows.content(options[option], self._read)

    def _rows(self, options: dict[str, Any], names: list[str]) -> list[dict[str, Any]]:
        store = file_store.FileStore(options["registry"])
        found = [rows.row(store, name, self._read, os.environ) for name in names]
        if self._kind == "lxd_vmhost_pin":
            found = [{**row, **rows.first_boot_secret(store, row, self._read)} for row in found]
        if _by_socket(options.get("url")):
            # Whoever reads a socket is the admin; a private key has no business on that machine.
            for row in found:
                row.pop("private_key", None)
                row.pop("next_private_key", None)
        return found

    @property
    def _kind(self) -> str:
        return str(self._task.action).rsplit(".", 1)[-1]

    def _locate_key_pair(self, options: dict[str, Any], connections: list[dict[str, Any]]) -> dict[str, Any]:
        """Where the key pair is kept: a folder on the controller, and no folder for a task on another machine."""
        if self._connection.transport != "local":
            return {}
        if options.get("directory"):
            folder = os.path.abspath(os.path.expanduser(str(options["directory"])))
            return {"folder": folder, "said": True, **rows.opened_keys(folder, self._read)}
        if _by_socket(options.get("url")) or not connections:
            return {}
        (row, *_others) = connections
        fields = ("folder", "private_key", "key_source", "next_private_key")
        return {field: row[field] for field in fields if field in row}

    def _list_known_fingerprints(self, options: dict[str, Any], named: list[str]) -> list[str]:
        """The fingerprints of every certificate that the registry has; of a host that is being made or goes, too."""
        store = file_store.FileStore(options["registry"])
        names = {*store.names(), *(named if self._kind == "lxd_tenant_cert" else ())}
        texts = (store.text(name, file) for name in sorted(names) for file in file_store.CERTIFICATE_FILES)
        found: list[str] = []
        for text in texts:
            with contextlib.suppress(errors.TenantryError):
                found += [pem.fingerprint(text)] if text else []
        return found

    def _names(self, options: dict[str, Any], store: file_store.FileStore) -> list[str]:
        """The VM hosts that the task can be about: the named ones, or all where it names none and no address."""
        kind = self._kind
        named = [options.get("name")] if kind in _NAMED else [options.get("vmhost")]
        listed = options.get("vmhosts")
        named += listed if isinstance(listed, list) else str(listed or "").split(",")
        placed_by_us = False
        if kind == "lxd_vm_compose":
            hosts = self._said_hosts(options)
            placed_by_us = None in hosts and not options.get("vmhosts") and not options.get("vmhost")
            named += hosts
        names = sorted({str(name).strip() for name in named if name})
        everything = not names and (kind.endswith(("_info", "_report")) or placed_by_us) and not options.get("url")
        return store.names() if everything or (placed_by_us and not options.get("url")) else names

    @staticmethod
    def _said_hosts(options: dict[str, Any]) -> list[Any]:
        defaults = options.get("defaults") or {}
        default = defaults.get("vmhost") if isinstance(defaults, dict) else None
        vms = options.get("vms") or []
        return [vm.get("vmhost") or default for vm in vms if isinstance(vm, dict)] if isinstance(vms, list) else []

    def _inventory_dir(self, task_vars: dict[str, Any]) -> str | None:
        if task_vars.get("inventory_dir"):
            return str(task_vars["inventory_dir"])
        # The implicit localhost belongs to no inventory file; the run's first source stands in for it.
        for source in task_vars.get("ansible_inventory_sources") or ():
            if os.path.exists(source):
                path: str = os.path.abspath(source)
                return path if os.path.isdir(path) else os.path.dirname(path)
        return None

    def _read(self, path: str) -> str:
        try:
            return str(self._loader.get_text_file_contents(path))
        except AnsibleError as cause:
            raise errors.Invalid(
                f"{path}: it can't be read: {cause.message}",
                "is the vault password given (--vault-password-file, or AWX's vault credential)?",
            ) from None

    def _vault_secret(self) -> dict[str, str]:
        """The secret that `ansible-vault encrypt` would take: the named identity, else the first."""
        known = self._loader._vault.secrets or []  # the loader has no public name for its secrets
        wanted = constants.config.get_config_value("DEFAULT_VAULT_ENCRYPT_IDENTITY")
        for identity, secret in known:
            if wanted in (None, identity):
                return {"id": identity, "secret": secret.bytes.decode("utf-8")}
        raise errors.Invalid("vault_key: this run has no vault secret", "run with --vault-password-file")
