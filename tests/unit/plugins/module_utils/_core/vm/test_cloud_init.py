# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What versions of cloud-init print of themselves, and what is understood of it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.cloud_init import CloudInitStatus, understood

DEGRADED = {
    "boot_status_code": "enabled-by-generator",
    "datasource": "lxd",
    "detail": "DataSourceLXD",
    "errors": [],
    "extended_status": "degraded done",
    "recoverable_errors": {"WARNING": ["Failed to set locale"], "DEPRECATED": ["key `a` is old", "key `b` too"]},
    "stage": None,
    "status": "done",
}
OLD_ERROR = """
status: error
time: Tue, 28 Jul 2020 15:12:48 +0000
detail:
('timezone', OSError('Invalid timezone
America/New_York'))
"""
NEW_ERROR = """status: error
extended_status: error - done
boot_status_code: enabled-by-generator
detail: DataSourceLXD
errors:
\t- ('runcmd', ProcessExecutionError)
recoverable_errors: {}
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"status": "running", "stage": "init", "errors": []}', CloudInitStatus("running", "init")),
        ('....\n{"status": "done"}\n', CloudInitStatus("done")),
        # The text behind it is the second command's, which follows an exit code that isn't 0.
        ('{"status": "error", "errors": ["a", "b"]}\nstatus: error\n', CloudInitStatus("error", errors=("a", "b"))),
        ('{"status": "error", "errors": [], "detail": "why"}', CloudInitStatus("error", errors=("why",))),
        (
            json.dumps(DEGRADED),
            CloudInitStatus(
                "done",
                recoverable=(
                    "WARNING: Failed to set locale",
                    "DEPRECATED: key `a` is old",
                    "DEPRECATED: key `b` too",
                ),
            ),
        ),
        ("status: not run\n", CloudInitStatus("not run")),
        ("\nstatus: done\n", CloudInitStatus("done")),
        (OLD_ERROR, CloudInitStatus("error", errors=("('timezone', OSError('Invalid timezone America/New_York'))",))),
        ("", CloudInitStatus("")),
        ("[]", CloudInitStatus("")),
        ('{"status":', CloudInitStatus("")),
        ("sh: something else\n", CloudInitStatus("")),
    ],
)
def test_each_versions_words_are_understood(output: str, expected: CloudInitStatus) -> None:
    assert understood(output) == expected


def test_text_alone_says_at_least_that_it_failed() -> None:
    assert understood(NEW_ERROR).failed and understood(NEW_ERROR).errors


@pytest.mark.parametrize(
    ("status", "ended", "failed"),
    [
        ("done", True, False),
        ("disabled", True, False),
        ("error", True, True),
        ("running", False, False),
        ("", False, False),
    ],
)
def test_an_end_is_told_from_a_failure(status: str, ended: bool, failed: bool) -> None:
    assert (CloudInitStatus(status).ended, CloudInitStatus(status).failed) == (ended, failed)
