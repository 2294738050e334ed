# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a module's progress is shown, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.progress import Progress
from ansible_collections.tenantry.lxd.plugins.plugin_utils import progress


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What would be displayed; everything a hundred times as fast."""
    found: list[str] = []
    for name in ("_FIRST", "_EVERY", "_STILL", "_LOOK"):
        monkeypatch.setattr(progress, name, getattr(progress, name) / 100)
    monkeypatch.setattr(progress, "_display", found.append)
    monkeypatch.setattr(progress.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    yield found
    assert list(tmp_path.iterdir()) == [], "something is left behind"


def until(condition: object, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # type: ignore[operator]
        threading.Event().wait(0.002)


def test_new_sentences_are_shown_one_after_the_other(lines: list[str]) -> None:
    with progress.show_progress("host: module") as path:
        told = Progress(path)
        told.write("1 of 2 VMs done")
        until(lambda: len(lines) == 1)
        told.write("2 of 2 VMs done")
        until(lambda: len(lines) == 2)
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        "host: module: 1 of 2 VMs done",
        "host: module: 2 of 2 VMs done",
    ]


def test_nothing_is_shown_of_what_is_soon_over_or_says_nothing(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.show_progress("host: module"):
        threading.Event().wait(0.15)
    assert lines == []
    monkeypatch.setattr(progress, "_FIRST", 5)
    with progress.show_progress("host: module") as path:
        Progress(path).write("1 of 2 VMs done")
        threading.Event().wait(0.15)
    assert lines == []


def test_what_isnt_a_letter_reaches_no_terminal(lines: list[str]) -> None:
    with progress.show_progress("p") as path:
        Progress(path).write("a\x1b[31m\nb")
        until(lambda: lines)
    assert lines[0].startswith("p: a?[31m?b,")


def test_only_its_user_may_open_the_file(lines: list[str]) -> None:
    with progress.show_progress("p") as path:
        assert Path(path).stat().st_mode & 0o777 == 0o600
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700


def test_no_failure_of_it_is_one_of_the_module(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    def broken(line: str) -> None:
        raise RuntimeError(line)

    monkeypatch.setattr(progress, "_display", broken)
    with progress.show_progress("p") as path:
        Progress(path).write("x")
        threading.Event().wait(0.1)
    monkeypatch.setattr(progress.constants, "DEFAULT_LOCAL_TMP", "/nowhere")
    with progress.show_progress("p") as path:
        assert path == ""
    with pytest.raises(KeyError), progress.show_progress("p"):
        raise KeyError


@pytest.mark.parametrize(
    ("said", "expected"), [("", True), ("yes", True), ("no", False), ("0", False), ("False", False)]
)
def test_who_wants_none_says_so(monkeypatch: pytest.MonkeyPatch, said: str, expected: bool) -> None:
    monkeypatch.setenv("TENANTRY_PROGRESS", said)
    assert progress.is_wanted() == expected
