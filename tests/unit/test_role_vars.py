# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles make of an inventory before they ask anything: rendered by Ansible itself, without a play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = {"vmhost_cluster": "kvm"}
LEAVES = {**CLUSTER, "vmhost_cluster_state": "absent"}


def rendered(
    role: str,
    name: str,
    hosts: Mapping[str, Mapping[str, Any]],
    host: str = "",
    play: Sequence[str] | None = None,
    **variables: Any,
) -> Any:
    """A variable of a role as `host` (the first of the play) has it; `variables` are those of the whole play."""
    loader = DataLoader()
    in_play = list(hosts if play is None else play)
    here = host or in_play[0]
    told = {each: {"inventory_hostname": each, **said} for each, said in hosts.items()}
    files = [str(ROOT / "roles" / role / part / "main.yml") for part in ("defaults", "vars")]
    loaded = [loader.load_from_file(each, trusted_as_template=True) for each in files]
    about_play = {
        "inventory_hostname": here,
        "hostvars": told,
        "groups": {"all": list(hosts), "lxd_vmhosts": list(hosts)},
        **dict.fromkeys(("ansible_play_hosts", "ansible_play_batch", "ansible_play_hosts_all"), in_play),
        "ansible_check_mode": False,
    }
    known = {**loaded[0], **told[here], **loaded[1], **about_play, **variables}
    return Templar(loader, variables=known).template(trust_as_template("{{ " + name + " }}"))


# Which VMs are composed


VMS = [{"name": "anywhere"}, {"name": "clustered", "vmhost": "kvm"}, {"name": "alone", "vmhost": "h1"}]
ALL = {"k1": CLUSTER, "k2": CLUSTER, "h1": {}}


@pytest.mark.parametrize(
    ("hosts", "play", "composed"),
    [
        (ALL, None, ["anywhere", "clustered", "alone"]),
        (ALL, ["h1"], ["alone"]),
        (ALL, ["k1"], ["clustered"]),
        # One member stands for the cluster.
        (ALL, ["k1", "h1"], ["anywhere", "clustered", "alone"]),
        ({**ALL, "k3": LEAVES}, ["k1", "k2", "h1"], ["anywhere", "clustered", "alone"]),
        ({**ALL, "h2": {"vmhost_state": "absent"}}, ["k1", "k2", "h1"], ["anywhere", "clustered", "alone"]),
        ({**ALL, "h2": {}}, ["k1", "k2", "h1"], ["clustered", "alone"]),
    ],
)
def test_vms_are_composed_where_the_play_reaches(
    hosts: Mapping[str, Mapping[str, Any]], play: Sequence[str] | None, composed: list[str]
) -> None:
    with_facts = {name: {**said, "__vms_mine": []} for name, said in hosts.items()}
    found = rendered("vms", "__vms_all", with_facts, play=play, vms_list=VMS)
    assert [vm["name"] for vm in found] == composed
