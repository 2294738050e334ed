# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages of the documentation: their links lead somewhere, the index lists them, no merge left its marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("tutorial", "how-to", "reference", "explanation")
INDEX = ROOT / "docs" / "README.md"
GENERATED = {"__pycache__", "output"}


def source_files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project; what tools generate is in hidden folders, of which only .ci is ours."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in GENERATED:
            continue
        if path.is_dir():
            if path.name == ".ci" or not path.name.startswith("."):
                yield from source_files(path)
        else:
            yield path


PAGES = [path for path in source_files() if path.suffix == ".md"]
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _hash, anchor = target.partition("#")
        page = path.parent / name if name else path
        if not page.exists() or (anchor and anchor not in anchors(page)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("name", ["README.md", "plugins", "roles", "extensions", "tests", "CONTRIBUTING.md"])
def test_every_page_that_is_named_in_a_text_is_there(name: str) -> None:
    top = ROOT / name
    missing = []
    for path in source_files(top) if top.is_dir() else [top]:
        if path.suffix in (".py", ".yml", ".md", ".j2") and path != Path(__file__):
            pages = re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text(encoding="utf-8"))
            missing += [f"{path.relative_to(ROOT)}: {page}" for page in pages if not (ROOT / page).exists()]
    assert missing == []


def test_every_page_is_of_one_kind_and_in_the_index() -> None:
    pages = {path.relative_to(INDEX.parent).as_posix() for path in PAGES if INDEX.parent in path.parents} - {
        "README.md"
    }
    assert {page.split("/")[0] for page in pages} == set(KINDS)
    listed = re.findall(r"^- \[[^]]+\]\(([^)]+)\): ", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(pages)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150, "move details into docs/"


def test_the_architecture_page_names_every_part_of_the_core_and_every_layer() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    utils = ROOT / "plugins" / "module_utils"
    layers = {path.name for path in utils.iterdir() if path.name.startswith("_") and path.name != "__pycache__"}
    core = {path.stem for path in (utils / "_core").iterdir() if path.suffix == ".py"}
    core |= {f"{path.name}/" for path in (utils / "_core").iterdir() if path.is_dir() and path.name != "__pycache__"}
    table = re.findall(r"^\| \d \| (.*?) \|", page, re.MULTILINE)
    assert set(re.findall(r"`([\w/]+)`", " ".join(table))) == core
    assert {name for name in layers if f" {name}/ " not in page} == set()


def test_the_page_about_errors_has_every_code() -> None:
    source = (ROOT / "plugins" / "module_utils" / "_core" / "errors.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    codes = set(re.findall(r'^    code = "(\w+)"', source, re.MULTILINE))
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) - {"code"} == codes


def test_no_file_has_the_marks_of_a_merge() -> None:
    mark = re.compile(rb"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)
    marked = []
    for path in source_files():
        content = path.read_bytes()
        lines = [content.count(b"\n", 0, found.start()) + 1 for found in mark.finditer(content)]
        marked += [f"{path.relative_to(ROOT)}:{line}" for line in lines]
    assert marked == []
