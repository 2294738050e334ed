# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations as LXD 5.0.9, 5.21.7 and 6.9 reported them, each shortened to what is read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.operation import Operation

STOP = {"class": "task", "description": "Stopping instance", "err": "", "id": "00dc0316"}
REASON = 'Failed shutting down instance, status is "Running": context deadline exceeded'
BY_RESOURCES = {"metadata": None, "resources": {"instances": ["/1.0/instances/e1?project=p"]}}
BY_ENTITY = {"metadata": {"entity_url": "/1.0/instances/e1?project=p"}, "resources": {}, "err_code": 0}


@pytest.mark.parametrize("objects", [BY_RESOURCES, BY_ENTITY], ids=["LXD 5.0.9, 5.21.7", "LXD 6.9"])
@pytest.mark.parametrize(
    ("ended", "running", "succeeded", "reason"),
    [
        ({"status": "Running", "status_code": 103}, True, False, ""),
        ({"status": "Success", "status_code": 200}, False, True, ""),
        ({"status": "Failure", "status_code": 400, "err": REASON}, False, False, REASON),
        ({"status": "Cancelled", "status_code": 401}, False, False, "Cancelled"),
    ],
)
def test_status_and_objects(
    objects: dict[str, Any], ended: dict[str, Any], running: bool, succeeded: bool, reason: str
) -> None:
    operation = Operation.from_api({**STOP, **objects, **ended})
    assert (operation.is_running, operation.has_succeeded, operation.reason) == (running, succeeded, reason)
    assert operation.objects == (("instances", "e1"),)
    assert operation.concerns("e1") and not operation.concerns("e") and not operation.concerns("p")


def test_token_has_no_objects() -> None:
    body = {
        "class": "token",
        "id": "1",
        "status_code": 103,
        "resources": {"cluster": None},
        "metadata": {"secret": "x"},
    }
    operation = Operation.from_api(body)
    assert operation.objects == () and operation.kind == "token" and operation.metadata == {"secret": "x"}


def test_object_with_a_quoted_name() -> None:
    urls = {"instances": ["/1.0/instances/a%2Fb?project=p"]}
    assert Operation.from_api({**STOP, "status_code": 103, "resources": urls}).concerns("a/b")
