# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The VM hosts of the registry and the VMs of their tracked projects as Ansible's hosts and groups."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lxd_vms
short_description: VM hosts of the registry and their VMs
version_added: "0.1.0"
description:
  - Makes a host of every VM host in the registry and of every VM in their tracked projects, those that
    M(tenantry.lxd.lxd_vm_compose) made and those that were enlisted.
  - VM hosts are in the group C(lxd_vmhosts) and VMs in C(lxd_vms). VMs are also in C(vmhost_<name>),
    C(project_<name>), C(zone_<name>), C(pool_<name>), C(tag_<name>) and C(status_<status>), where a VM without a
    zone or pool of its own has that of its VM host. Instances that this collection didn't compose are in C(enlisted).
    VM hosts are in the groups of their zone, pool and tags too. Characters that a group's name can't have become
    underscores.
  - A VM has the variable C(lxd_vm), which is its row of M(tenantry.lxd.lxd_vm_info), and C(ansible_host) where it has
    an address. A VM host has the variable C(lxd_vmhost) with its registry entry and its C(server) as
    M(tenantry.lxd.lxd_vmhost_info) tells it. Nothing else is set, and C(ansible_connection) never is.
  - VM hosts are read side by side, each by two requests, and a cluster by three. One that can't be read gives
    a warning and is a host all the same, with the variable C(lxd_error) (C(code), C(msg) and C(hint)) and without VMs.
  - It never changes anything, and never looks outside of the tracked projects. A certificate that is restricted to its
    project is enough.
  - What LXD and its guests report are values, never templates, whatever is written in them.
  - The file's name ends with C(lxd_vms.yml) or C(lxd_vms.yaml).
author:
  - Tenantry contributors (@tenantry)
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - Python 3.11 or newer, pylxd and cryptography on the controller
options:
  plugin:
    description: V(tenantry.lxd.lxd_vms).
    type: str
    required: true
    choices: [tenantry.lxd.lxd_vms]
  registry:
    description:
      - The directory that declares the VM hosts, one folder a host. A relative path is relative to the working
        directory of the run.
      - If omitted, it is C(vmhosts) beside the directory of the inventory file (inside it where that is the root of a
        git repository).
      - It never lies below an installed collection. A vaulted key in it is decrypted with the run's vault secrets.
    type: path
    env:
      - name: LXD_VMHOST_REGISTRY
  vmhosts:
    description:
      - The VM hosts to read. If omitted, all of the registry.
      - The name of one that isn't registered is a host with C(lxd_error).
    type: list
    elements: str
  include_enlisted:
    description:
      - Whether instances that are in a tracked project without having been composed by this
        collection are hosts too, containers among them.
      - Everybody who may write to the project decides about their names and tags, and so about their groups.
      - Without, those on a member of a cluster that doesn't answer are left out too, since nobody can tell whose they
        are.
    type: bool
    default: true
  hostnames:
    description:
      - Jinja2 expressions for the name of a VM. The first that makes a usable one counts, which consists of letters,
        digits, C(.), C(-) and C(_).
      - If omitted, and where none makes one, it is the VM's own name.
      - VMs that would share a name are all called C(<vm>.<project>.<vmhost>) instead, with a warning. So is one that
        would be called like a VM host, a group, V(localhost) or a host that a source before this one told of. Case
        makes no difference.
    type: list
    elements: str
  enlisted_hostnames:
    description:
      - The same for instances that weren't composed, or where this is unknown; if omitted, O(hostnames) is for these
        too.
      - A name that somebody else chose could be that of a host of yours in a source that is read later than this one,
        and Ansible would make one host of both. V(lxd_vm.name ~ '.' ~ lxd_vm.project ~ '.' ~ lxd_vm.vmhost) is no
        host's.
    type: list
    elements: str
  merge_composed:
    description:
      - Whether a composed VM may be the host of that name that an earlier source gave. Its groups
        and variables, C(ansible_host) among them, are then added to that host's.
      - Everybody who may write to the project can write the mark of composed VMs as well.
    type: bool
    default: false
  addresses:
    description:
      - Whether to ask for the guests' addresses. LXD then asks every running guest, which costs it far more.
      - Without, no VM has C(ansible_host).
    type: bool
    default: true
  address_families:
    description: The families that C(ansible_host) may be of, the preferred one first.
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4, ipv6]
  address_networks:
    description:
      - The networks that C(ansible_host) may be on, the preferred one first, as an interface's C(network) or C(parent).
      - If omitted, any that one of the VM's interfaces is on. What the guest made itself, such as C(docker0), never is.
    type: list
    elements: str
  address_subnets:
    description: The subnets that C(ansible_host) may be in, the preferred one first. If omitted, any.
    type: list
    elements: str
  timeout:
    description:
      - Seconds for one request. A VM host that doesn't take up a connection is given up after five at most.
      - 128 are read at the same time, so that as many that don't answer delay the inventory once.
    type: int
    default: 30
seealso:
  - module: tenantry.lxd.lxd_vm_info
  - module: tenantry.lxd.lxd_vmhost_info
"""

EXAMPLES = r"""
---
# inventory/zz.lxd_vms.yml, the least: all VM hosts of the registry beside the inventory directory
plugin: tenantry.lxd.lxd_vms
---
# Only composed VMs, on two hosts; reached by IPv6 where there is one, and on one network
plugin: tenantry.lxd.lxd_vms
vmhosts: [kvm-01, kvm-02]
include_enlisted: false
address_families: [ipv6, ipv4]
address_networks: [br-mgmt]
---
# Variables and groups of one's own, kept for ten minutes
plugin: tenantry.lxd.lxd_vms
compose:
  ansible_user: "'admin' if lxd_vm is defined else 'root'"
groups:
  databases: lxd_vm is defined and lxd_vm.name.startswith('db-')
keyed_groups:
  - key: lxd_vm.annotations.team
    prefix: team
  - key: lxd_vmhost.server.version
    prefix: lxd
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/tenantry
cache_timeout: 600
"""

import gc
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import address_choice
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import cache as inventory_cache
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import groups as inventory_groups
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import names as inventory_names
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost import view as vmhost_view
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows

Row = Mapping[str, Any]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads the registry and its VM hosts, and says what it found to Ansible."""

    NAME = "tenantry.lxd.lxd_vms"
    # Both are there from parse on.
    inventory: InventoryData
    loader: DataLoader

    def verify_file(self, path: str) -> bool:
        """Whether a file is ours by its name; what is in it is for parse to judge."""
        return bool(super().verify_file(path)) and path.endswith(("lxd_vms.yml", "lxd_vms.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory; with `cache` false what was kept is not used, and replaced."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._names: dict[str, str] = {}
        # What is read stays until the run ends. Over many VMs, looking for garbage among it is a tenth of the work.
        collecting = gc.isenabled()
        gc.disable()
        try:
            self._rule = address_choice.rule(*(self.get_option(f"address_{kind}") or () for kind in _ADDRESS))
            registered = self._registered(path)
            self._fill(registered, self._read_or_load(registered, path, cache))
        except errors.TenantryError as error:
            raise AnsibleParserError(f"{error.message}; {error.hint}") from None
        finally:
            if collecting:
                gc.enable()

    # Reading

    def _registered(self, path: str) -> dict[str, Row]:
        """The registry's rows of the VM hosts that are to be read."""
        folder = os.path.dirname(os.path.abspath(path))
        self._registry = rows.location(self.get_option("registry"), os.environ, folder, os.getcwd())
        store = file_store.FileStore(self._registry)
        names = list(dict.fromkeys(self.get_option("vmhosts") or store.names()))
        if not names:
            self.display.warning(f"{self._registry}: the registry has no VM host")
        self._taken = {*names, *store.names()}
        return {name: rows.row(store, name, self._read, os.environ) for name in names}

    def _read(self, path: str) -> str:
        try:
            return str(self.loader.get_text_file_contents(path))
        except AnsibleError as cause:
            raise errors.Invalid(
                f"{path}: it can't be read: {cause.message}", "is the vault password given (--vault-password-file)?"
            ) from None

    def _read_or_load(self, registered: Mapping[str, Row], path: str, cache: bool) -> dict[str, Any]:
        """What each VM host answers, from the cache where it is there; one that didn't answer is asked every time."""
        asked = {name: self._build_question(row) for name, row in registered.items()}
        key, kept, now = self.get_cache_key(path), {}, time.time()
        if self.get_option("cache") and cache:
            kept = inventory_cache.usable(self._cache.get(key), asked, now, self.get_option("cache_timeout"))
        missing = [row for name, row in registered.items() if name not in kept]
        read = self._read_hosts(missing)
        if self.get_option("cache") and missing:
            answers = {name: each for name, each in read.items() if not isinstance(each, errors.TenantryError)}
            self._cache[key] = {**kept, **inventory_cache.build_cache_entries(answers, asked, now)}
        return {**{name: each["found"] for name, each in kept.items()}, **read}

    def _build_question(self, row: Row) -> dict[str, Any]:
        return inventory_cache.build_cache_question(row.get("entry") or {}, self.get_option("addresses"))

    def _read_hosts(self, missing: list[Row]) -> dict[str, Any]:
        if not missing:
            return {}
        # Only now: a run that finds everything in the cache needs none of what they import.
        from ansible_collections.tenantry.lxd.plugins.module_utils._access import estate, requirements  # noqa: PLC0415

        requirements.check_cryptography()
        requirements.check_pylxd()
        said = {"registry": self._registry, "timeout": self.get_option("timeout")}
        addresses = self.get_option("addresses")
        found = estate.read_targets(missing, said, lambda to, reader: estate.read_vmhost_rows(to, reader, addresses))
        return {row["name"]: each for row, each in zip(missing, found, strict=True)}

    # Telling Ansible

    def _fill(self, registered: Mapping[str, Row], found: Mapping[str, Any]) -> None:
        vms: list[tuple[Row, Row]] = []
        for name, row in registered.items():
            entry = row.get("entry") or {}
            error = found[name] if isinstance(found[name], errors.TenantryError) else None
            shown = {**vmhost_view.build_entry_view(name, entry), "server": None if error else found[name]["server"]}
            variables: dict[str, Any] = {"lxd_vmhost": shown}
            if error:
                variables["lxd_error"] = {"code": error.code, "msg": error.message, "hint": error.hint}
                self.display.warning(f"{name}: it can't be read: {error.message} ({error.hint})")
            else:
                vms += [(vm, entry) for vm in found[name]["vms"]]
            self._add(name, variables, inventory_groups.of_vmhost(entry))
            self._construct(name, variables)
        self._warn_of_groups(registered)
        wanted = self.get_option("include_enlisted")
        self._add_vms([(vm, entry) for vm, entry in vms if wanted or vm["enlisted"] is False])

    def _add_vms(self, vms: list[tuple[Row, Row]]) -> None:
        """Every VM under its name; where a group turns out to be called like one, that one is called otherwise."""
        variables = [self._variables(vm) for vm, _entry in vms]
        groups = [list(inventory_groups.of_vm(vm, entry)) for vm, entry in vms]
        full = [inventory_names.full_name(vm["name"], vm["project"], vm["vmhost"]) for vm, _entry in vms]
        wanted = [self._wanted_name(vm, said) for (vm, _entry), said in zip(vms, variables, strict=True)]
        self._taken |= {self._group(name) for names in groups for name in names} | set(self.get_option("groups") or ())
        self._taken |= {*self.inventory.groups, *inventory_groups.ALWAYS} | self._known_vmhosts()
        before = set(self.inventory.hosts)
        self._taken |= before - self._shared([vm for vm, _entry in vms], wanted, full)
        names = inventory_names.choose_names(wanted, full, self._taken)
        for name, said, of in zip(names, variables, groups, strict=True):
            if name is not None:
                self._add(name, said, of)
                self._construct(name, said)
        for index, name in enumerate(names):
            # A host that was there before is somebody else's to remove.
            if name is not None and name in self.inventory.groups and name not in {full[index], *before}:
                self.inventory.remove_host(self.inventory.hosts[name])
                names[index] = None
                if full[index] not in {*self.inventory.hosts, *self.inventory.groups}:
                    self._add(full[index], variables[index], groups[index])
                    self._construct(full[index], variables[index])
                    names[index] = full[index]
        self._warn_of_names(wanted, full, names)

    def _known_vmhosts(self) -> set[str]:
        """VM hosts that other sources of the inventory have told of."""
        group = self.inventory.groups.get(inventory_groups.VMHOSTS)
        return {host.name for host in group.get_hosts()} if group else set()

    def _shared(self, vms: list[Row], wanted: list[str], full: list[str]) -> set[str]:
        """Hosts that are there and may be the VM that would be called so: it was told before, or we are to merge it."""
        merges, found = self.get_option("merge_composed"), set()
        for vm, own, whole in zip(vms, wanted, full, strict=True):
            for name in (own, whole):
                host = self.inventory.hosts.get(name)
                if host and (_same(vm, host.vars.get("lxd_vm")) or (merges and vm["enlisted"] is False)):
                    found.add(name)
        return found

    def _wanted_name(self, vm: Row, variables: Mapping[str, Any]) -> str:
        own = None if vm["enlisted"] is False else self.get_option("enlisted_hostnames")
        for expression in own or self.get_option("hostnames") or ():
            try:
                name = self._compose(expression, variables)
            except Exception as cause:
                if self.get_option("strict"):
                    raise AnsibleParserError(f"hostnames: {expression}: {vm['name']}: {cause}") from cause
                continue
            if inventory_names.usable(name):
                return str(name)
        return str(vm["name"])

    def _variables(self, vm: Row) -> dict[str, Any]:
        address = address_choice.chosen(vm, self._rule)
        return {"lxd_vm": vm, **({"ansible_host": address} if address else {})}

    def _add(self, name: str, variables: Mapping[str, Any], groups: Any) -> None:
        self.inventory.add_host(name)
        host = self.inventory.hosts[name]
        for key, value in variables.items():
            # Not by inventory.set_variable: from ansible-core 2.19 it copies every text in a value to note its origin,
            # which takes six seconds for 10,000 VMs. What nobody marked as trusted is no template either way.
            host.set_variable(key, value)
        for group in groups:
            self.inventory.add_child(self._group(group), name)

    def _group(self, raw: str) -> str:
        if raw not in self._names:
            self._names[raw] = self.inventory.add_group(self._sanitize_group_name(raw))
        return self._names[raw]

    def _construct(self, name: str, variables: Mapping[str, Any]) -> None:
        strict, compose = self.get_option("strict"), self.get_option("compose")
        groups, keyed = self.get_option("groups"), self.get_option("keyed_groups")
        if compose:
            self._set_composite_vars(compose, self._build_template_variables(name, variables), name, strict)
        if groups:
            self._add_host_to_composed_groups(groups, self._build_template_variables(name, variables), name, strict)
        if keyed:
            self._add_host_to_keyed_groups(keyed, self._build_template_variables(name, variables), name, strict)

    @staticmethod
    def _build_template_variables(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        return {**variables, "inventory_hostname": name}

    def _warn_of_groups(self, vmhosts: Iterable[str]) -> None:
        sharing: dict[str, list[str]] = {}
        for name in vmhosts:
            sharing.setdefault(self._sanitize_group_name(inventory_groups.of_vms_on(name)), []).append(name)
        alike = [f"{' and '.join(names)} in {group}" for group, names in sharing.items() if len(names) > 1]
        if alike:
            self.display.warning(f"VMs of several VM hosts share a group, whose name has no '-': {'; '.join(alike)}")

    def _warn_of_names(self, wanted: list[str], full: list[str], names: list[Any]) -> None:
        lost = [whole for whole, name in zip(full, names, strict=True) if name is None]
        shared = sorted({said for said, name in zip(wanted, names, strict=True) if name not in (said, None)})
        if shared:
            self.display.warning(
                f"VMs that would share a name with each other, another host or a group are called "
                f"<vm>.<project>.<vmhost>: {', '.join(shared)}"
            )
        if lost:
            self.display.warning(f"VMs left out, since their full names aren't unique either: {', '.join(lost)}")


def _same(vm: Row, told: Any) -> bool:
    """Whether what a host has for its VM is this one, which another source of this plugin told of."""
    return isinstance(told, Mapping) and all(told.get(key) == vm[key] for key in ("vmhost", "project", "name"))


_ADDRESS = ("networks", "subnets", "families")
