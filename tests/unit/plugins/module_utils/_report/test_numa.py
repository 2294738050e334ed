# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of the VMs' memory counts on which NUMA node."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._report.numa import merge_nodes, read_nodes

from tests.unit.plugins.module_utils._report.report_world import GIB, row, vm

# A machine of 64 GiB with cores 0-7 on its first node and 8-15 on its second.
MEMORIES = [
    pytest.param("0-3", "4GiB", [4, 0], id="on one node"),
    pytest.param("6-9", "4GiB", [2, 2], id="on both"),
    pytest.param("0-3", "25%", [16, 0], id="a percentage of the machine's"),
    pytest.param("4-11", "50%", [16, 16], id="a percentage on both"),
    pytest.param("0-3", "", [1, 0], id="unsaid"),
    pytest.param("0-3", "lots", [0, 0], id="no size at all"),
    pytest.param("4", "25%", [0, 0], id="pinned nowhere"),
]


@pytest.mark.parametrize(("cores", "memory", "promised"), MEMORIES)
def test_memory_counts_by_the_share_of_the_cores(cores: str, memory: str, promised: list[int]) -> None:
    read = row(vms=[vm("a", cores=cores, memory=memory)])
    nodes = read_nodes(read)
    assert [node.allocated // GIB for node in nodes] == promised
    if "-" in cores:
        counted = read["resources"]["memory"]["ours"]
        assert merge_nodes(nodes)[0].allocated == counted, "not what the VM host as a whole is said to have promised"
