# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking at a machine before anything is changed on it: it, its disks, and an LXD that may be there already."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Optional, TypeVar

from ..._access import targets
from ..._core import errors, units
from ..._core.cluster import address as cluster_address
from ..._core.machine import preflight, snap_channel
from ..._core.plan import Plan
from ..._core.server import settings as server_settings
from ..._core.server import spec as server
from ..._host import listening, machine, network, software
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..carry_out import ExecutionContext, Outcome
from ..readers import host_bridges
from .server import ServerJob

_T = TypeVar("_T")
_MODULES = ("btrfs", "zfs", "dm_mod", "dm_thin_pool", "vhost_vsock")


class PreflightJob:
    """Every problem of a declaration; nothing is changed."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._result: dict[str, Any] = {}

    def plan(self) -> Plan:
        """Look at all of it; raises every problem of the machine as one error, if that is asked."""
        unknown = sorted(set(self._params["skip"]) - set(preflight.CHECKS))
        if unknown:
            known = ", ".join(preflight.CHECKS)
            raise errors.Invalid(f"skip: {', '.join(unknown)} is no check", f"the checks are {known}")
        found = _machine(self._params)
        asked, wrong = self._parse_params()
        where, amiss = _where(self._params)
        of_server = [*wrong, *amiss, *(_obstacles(self._params) if found.root and not wrong else ())]
        bridges, of_bridges = host_bridges.read_bridges(self._params, found.ssh_interface, asked.wanted)
        problems = preflight.problems(found, asked, of_server, self._params["skip"], of_bridges)
        said = [str(problem) for problem in problems]
        method = preflight.method(found, self._params["package"])
        self._result = {
            "machine": found.to_result(),
            "method": method,
            "channel": snap_channel.whole(asked.channel),
            "switches": preflight.switches(found, asked.channel),
            "cluster_address": where,
            "hugepages": machine.hugepages(asked.hugepages),
            **bridges,
            "problems": said,
        }
        if problems and self._params["strict"]:
            raise errors.Invalid(
                " -- ".join(said), "nothing was changed; put these right, or leave a check out", **self._result
            )
        return Plan(warnings=tuple(preflight.warnings(found)))

    def _parse_params(self) -> tuple[preflight.PreflightSpec, list[str]]:
        params, wrong = self._params, []
        try:
            wanted = server.parse_server_spec(params)
            if params["member"]:
                wanted = server.seen_by(wanted, params["member"], ())
        except errors.Invalid as invalid:
            wanted = server.ServerSpec({}, (), ())
            wrong = _each(invalid)
        try:
            hugepages = units.parse_size(params["hugepages"], "hugepages") if params["hugepages"] else 0
        except errors.Invalid as invalid:
            hugepages = 0
            wrong = [*wrong, str(invalid)]
        clock = params["controller_clock"]
        return preflight.PreflightSpec(params["package"], params["channel"] or "", hugepages, clock, wanted), wrong

    def execution_context(self) -> ExecutionContext:
        """Nothing: nothing is carried out."""
        return ExecutionContext()

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:  # noqa: ARG002 (as every job has it)
        """What was found."""
        return self._result

    def close(self) -> None:
        """Nothing is kept open."""


def _each(error: errors.TenantryError) -> list[str]:
    several = error.details.get("problems")
    return [str(each) for each in several] if isinstance(several, list) else [str(error)]


def _obstacles(params: Mapping[str, Any]) -> list[str]:
    """What the server, the disks and the addresses say; a server that isn't there is as it will be at first."""
    job = ServerJob(params)
    try:
        job.plan()
    except errors.TenantryError as error:
        return _each(error)
    finally:
        job.close()
    return []


def _where(params: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Where other members of a cluster would reach this machine, and the problems of that."""
    said = params["cluster_address"]
    if not said:
        return "", []
    try:
        host, port = cluster_address.complete_address(said, "cluster_address", machine.ssh_address())
    except errors.Invalid as wrong:
        return "", [str(wrong)]
    listens = _ask_server(params, lambda asked: str(asked.server.config.get(server_settings.HTTPS_ADDRESS) or ""))
    # The port that LXD has already is in use by LXD.
    ours = bool(listens) and server_settings.address(str(listens))[1] == port
    obstacle = listening.obstacle(host, 0 if ours else port)
    where = server_settings.shown_address(host, port)
    hint = "write an address and a port that are free on the host"
    return where, [f"cluster_address: {where}: {obstacle}; {hint}"] if obstacle else []


def _machine(params: Mapping[str, Any]) -> preflight.Machine:
    system, numbers, title = machine.release()
    modules = machine.modules(_MODULES)
    there, root = software.lxd(), os.geteuid() == 0
    interfaces = machine.addresses()
    info, listed = software.snap_info(), software.snap_list()
    return preflight.Machine(
        root=root,
        os=system,
        release=numbers,
        title=title,
        architecture=os.uname().machine,
        kvm=machine.is_device("/dev/kvm"),
        cpu_virtualisation=machine.cpu_virtualisation(),
        vsock=machine.is_device("/dev/vhost-vsock") or "vhost_vsock" in modules,
        memory=machine.memory(),
        clock=time.time(),
        synchronised=machine.is_clock_synchronised(),
        modules=modules,
        snap=info,
        tracking=snap_channel.followed(info or "", listed),
        version=snap_channel.installed(listed),
        held=snap_channel.is_held(listed),
        apt_lists=software.apt_lists(),
        candidate=software.candidate(),
        lxd=there,
        incus=software.incus(),
        instances=_instances(params) if there and root else None,
        ssh_interface=machine.ssh_interface(interfaces),
        interfaces=interfaces,
        masters=machine.masters(),
        firewall=software.firewall(),
        network_manager=network.manager(),
    )


def _instances(params: Mapping[str, Any]) -> Optional[int]:
    """How many the LXD that is there holds; None where it doesn't answer."""

    def count(port: Port) -> int:
        reader = Reader(port)
        return sum(len(reader.instances(project.name)) for project in reader.projects())

    return _ask_server(params, count)


def _ask_server(params: Mapping[str, Any], ask: Callable[[Port], _T]) -> Optional[_T]:
    """What the LXD that is there says; None where it doesn't answer."""
    try:
        port = targets.open_trusted(targets.parse_target({**params, "url": params.get("url") or ["unix:"]}))
    except errors.TenantryError:
        return None
    try:
        return ask(port)
    except errors.TenantryError:
        return None
    finally:
        port.close()
