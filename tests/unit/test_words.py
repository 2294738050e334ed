# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of the project: what CONTRIBUTING.md asks of names and texts, as far as a program can check it.

Each failure names the file and line, the word, and what to write instead.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

# Words that a reader has to translate, as regular expressions, and what to write instead.
WORDS: Mapping[str, str] = {
    r"unsaid": "not set, or: if omitted",
    r"(?:is|isn't|are|aren't|was|wasn't|be|not) said": "is set, is given, is declared",
    r"(?:says?|said) (?:nothing|so|otherwise)": "set, is set",
    r"say (?!that\b)\w+": "set, use, run, pass",
    r"speaks? against": "problem, check",
    r"mend(?:s|ed|ing)?": "fix, repair, update",
    r"promis(?:e|es|ed|ing)": "allocate, allocated",
    r"anew": "again",
    r"cut short": "interrupted",
    r"hears? of": "learn, read, trust",
    r"look(?:s|ed|ing)? (?:at|into)": "read, check",
    r"(?:is|are|was|be) told": "gets, receives, is reported",
    r"(?:we|us|ours?|ourselves)": "this tenant, the owner's, managed, this collection",
}

# Names of functions and classes that say no more than that something happened.
PARTICIPLES = {
    *("said", "unsaid", "told", "wanted", "found", "made", "gone", "kept", "shown", "placed", "settled", "mended"),
    *("looked", "foreseen", "seen", "sited", "promised", "asked", "given", "taken", "left", "known", "held", "done"),
}

# How the name of a task or play begins: with a verb that says what it does.
NO_TASK_VERBS = {
    *("Have", "See", "Say", "Settle", "Keep", "Leave", "Bring", "Look", "Let", "Tell", "Make sure", "Give", "Be", "Do"),
    *("Mend", "Take", "Want", "Get"),
}


@dataclasses.dataclass(frozen=True)
class Text:
    """A piece of text, and where it is."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern) if ".build" not in path.parts)


def headings() -> Iterator[Text]:
    for text in pages("*.md", "docs/**/*.md", "roles/*/README.md"):
        if text.text.startswith("#"):
            yield text


def pages(*patterns: str) -> Iterator[Text]:
    """The lines of Markdown pages, without code and without the examples of what not to write."""
    for path in files(*patterns):
        is_code = is_example = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.lstrip().startswith("```"):
                is_code = not is_code
            is_example = line.startswith("|") and (is_example or line.startswith("| not | but |"))
            if not is_code and not is_example:
                yield Text(path, number, re.sub(r"`[^`]*`", "``", line))


def prose() -> Iterator[Text]:
    yield from pages("*.md", "docs/**/*.md")


def role_pages() -> Iterator[Text]:
    yield from pages("roles/*/README.md")


def tasks(node: yaml.Node, path: Path) -> Iterator[Text]:
    """The names of plays, blocks and tasks; other maps with a name have no action."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from tasks(each, path)
    elif isinstance(node, yaml.MappingNode):
        keys: dict[str, yaml.Node] = {key.value: value for key, value in node.value}
        name = keys.get("name")
        if name and any("." in key or key in ("hosts", "block", "include_tasks", "import_tasks") for key in keys):
            yield Text(path, name.start_mark.line + 1, str(name.value))
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            if part in keys:
                yield from tasks(keys[part], path)


def task_names() -> Iterator[Text]:
    patterns = ("roles/*/tasks/**/*.yml", "roles/*/handlers/**/*.yml", "playbooks/**/*.yml", "extensions/**/*.yml")
    for path in files(*patterns):
        node = yaml.compose(path.read_text(encoding="utf-8"))
        if node is not None:
            yield from tasks(node, path)


def scalars(node: yaml.Node, path: Path) -> Iterator[Text]:
    """Every value that is a text; the keys of maps are names."""
    if isinstance(node, yaml.ScalarNode) and " " in node.value:
        yield Text(path, node.start_mark.line + 1, re.sub(r"'[a-z_]+'", "", node.value))
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from scalars(each, path)
    elif isinstance(node, yaml.MappingNode):
        for _key, value in node.value:
            yield from scalars(value, path)


def role_texts() -> Iterator[Text]:
    """What roles and playbooks say: task names, messages of assertions, expressions."""
    for path in files("roles/*/tasks/**/*.yml", "roles/*/vars/**/*.yml", "playbooks/**/*.yml", "extensions/**/*.yml"):
        node = yaml.compose(path.read_text(encoding="utf-8"))
        if node is not None:
            yield from scalars(node, path)


def templates() -> Iterator[Text]:
    """The text of templates, without expressions."""
    for path in files("roles/*/templates/**/*.j2"):
        text = path.read_text(encoding="utf-8")
        for code in re.findall(r"\{[{%].*?[%}]\}", text, flags=re.DOTALL):
            text = text.replace(code, "\n" * code.count("\n"), 1)
        for number, line in enumerate(text.splitlines(), 1):
            yield Text(path, number, re.sub(r"<[^>]*>|`[^`]*`", " ", line))


def trees(*patterns: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in files(*patterns):
        yield path, ast.parse(path.read_text(encoding="utf-8"), str(path))


def strings(node: ast.AST, path: Path) -> Iterator[Text]:
    """The texts below a node; what is a single identifier is the name of a key or a value."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and not each.value.isidentifier():
            yield Text(path, each.lineno, each.value)


def error_names() -> set[str]:
    (_path, tree) = next(trees("plugins/module_utils/_core/errors.py"))
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def messages() -> Iterator[Text]:
    """The texts of errors: what is raised, what the errors of the collection are made of, and lists of problems."""
    errors = error_names() | {"Problem", "Objection"}
    for path, tree in trees("plugins/**/*.py"):
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            is_problem = isinstance(called, ast.Attribute) and "problems" in ast.unparse(called.value)
            is_yielded = isinstance(node, ast.Yield) and "_core" in path.parts
            if isinstance(node, ast.Raise) or name in errors or is_problem or is_yielded:
                yield from strings(node, path)
            elif isinstance(node, ast.keyword) and node.arg == "hint":
                yield from strings(node.value, path)


def definitions() -> Iterator[Text]:
    """The names of functions and classes."""
    for path, tree in trees("plugins/**/*.py", "tests/**/*.py", "noxfile.py"):
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield Text(path, node.lineno, node.name)


def docstrings() -> Iterator[Text]:
    for path, tree in trees("plugins/**/*.py"):
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                text = ast.get_docstring(node)
                if text:
                    yield Text(path, node.body[0].lineno, re.sub(r"`[^`]*`", "", text))


def descriptions() -> Iterator[Text]:
    """The documentation of modules, plugins and roles, as Ansible shows it."""
    for path, tree in trees("plugins/**/*.py"):
        # The fragments of documentation are attributes of a class.
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""
                if name in ("DOCUMENTATION", "EXAMPLES", "RETURN") or "doc_fragments" in path.parts:
                    yield from described(path, str(node.value.value), node.lineno)
    for path in files("roles/*/meta/argument_specs.yml"):
        yield from described(path, path.read_text(encoding="utf-8"), 1)


def fragments() -> Iterator[Text]:
    for path in files("changelogs/fragments/*.yml"):
        yield from described(path, path.read_text(encoding="utf-8"), 1)


def described(path: Path, text: str, first: int) -> Iterator[Text]:
    """The lines of a YAML text without keys, markup and code."""
    for number, line in enumerate(text.splitlines(), first):
        yield Text(path, number, re.sub(r"\b[VCEMOIBRU]+\([^)]*\)|``[^`]*``|\b\w+\"?:(?=\s|$)", "", line))


def comments() -> Iterator[Text]:
    for path in files("plugins/**/*.py", "noxfile.py"):
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.COMMENT:
                    yield Text(path, token.start[0], re.sub(r"`[^`]*`", "", token.string))
    for path in files("roles/**/*.yml", "playbooks/**/*.yml", "extensions/**/*.yml", "Makefile"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            mark = re.search(r"(?:^|\s)#\s.*", line)
            if mark:
                yield Text(path, number, mark[0])


PARTS: Mapping[str, Callable[[], Iterator[Text]]] = {
    "headings": headings,
    "pages": prose,
    "READMEs of roles": role_pages,
    "changelog fragments": fragments,
    "role texts": role_texts,
    "templates": templates,
    "messages": messages,
    "descriptions": descriptions,
    "docstrings": docstrings,
    "comments": comments,
}


# Parts that are still being reworded.
PENDING = {"docstrings", "comments", "definitions"}


def check(part: str, offenders: Iterable[str]) -> None:
    found = list(dict.fromkeys(offenders))
    if part in PENDING and found:
        pytest.xfail(f"{len(found)} in {part} still to be reworded")
    assert found == []


def words_in(texts: Iterable[Text]) -> Iterator[str]:
    for text in texts:
        for pattern, instead in WORDS.items():
            match = re.search(rf"\b{pattern}\b", text.text, re.IGNORECASE)
            if match:
                yield f"{text}: {match[0]!r}: write {instead}"


@pytest.mark.parametrize("part", PARTS)
def test_texts_are_in_plain_words(part: str) -> None:
    check(part, words_in(PARTS[part]()))


def test_a_task_name_begins_with_a_verb_that_says_what_it_does() -> None:
    wrong = [
        f"{text}: {text.text!r}: begin with Create, Install, Read, Register, Check ..."
        for text in task_names()
        if not re.match(r"[A-Z][a-z]+\b", text.text) or any(re.match(rf"{verb}\b", text.text) for verb in NO_TASK_VERBS)
    ]
    check("task names", wrong)


def test_functions_and_classes_are_not_named_by_a_participle_alone() -> None:
    wrong = [
        f"{text}: {text.text}: name the thing (VmSpec, ProjectReading) or what it does (read_bridges, plan_vm)"
        for text in definitions()
        if text.text.strip("_").lower() in PARTICIPLES
    ]
    check("definitions", wrong)


# Functions that do something and return what became of it.
OUTCOMES = {"about", "_roll_back"}


def test_a_function_that_returns_an_error_is_named_so() -> None:
    errors = error_names()
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} returns an error: name it so, as in timeout_error"
        for path, tree in trees("plugins/**/*.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns and node.name not in OUTCOMES
        if ast.unparse(node.returns).rpartition(".")[2] in errors and "error" not in node.name
    ]
    check("definitions", wrong)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("VM web-1: network is said twice", "is said"),
        ("unsaid, the default project is used", "unsaid"),
        ("what speaks against this machine", "speaks against"),
        ("VM web-1: isn't ours", "ours"),
        ("say adopt: true", "say adopt"),
        ("use the status, and say that it differs", ""),
        ("VM web-1: network is set twice; set it once", ""),
    ],
)
def test_words_are_found(text: str, word: str) -> None:
    found = list(words_in([Text(ROOT / "x.py", 1, text)]))
    assert [each.split("'")[1] for each in found] == ([word] if word else [])
