# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A registry entry as YAML text: read strictly, written the same way every time."""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Hashable
from typing import Any

from .._core import errors
from . import entries

YAML_IMPORT_ERROR: ImportError | None = None
try:
    import yaml  # type: ignore[import-untyped,unused-ignore]
except ImportError as missing:
    YAML_IMPORT_ERROR = missing
    _SafeLoader: Any = object
else:
    _SafeLoader = yaml.SafeLoader
HAS_YAML = YAML_IMPORT_ERROR is None

_TOP = """\
---
# A VM host of this registry (collection tenantry.lxd). Edit it by hand as you like; keys that it doesn't know are
# refused. When a task of lxd_vmhost changes it, the values of all other keys are kept, but comments are not.
"""
# What YAML 1.1 reads as the same text without quotes.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*|https://[a-z0-9_.-]+:[0-9]+")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def load(text: str, source: str) -> Any:
    """The data of an entry's file; `source` names it in the error."""
    if YAML_IMPORT_ERROR is not None:
        raise errors.Unsupported(f"{source}: this Python can't read YAML ({YAML_IMPORT_ERROR})", "pip install PyYAML")
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader with one check more)
    except yaml.MarkedYAMLError as cause:
        line = f"line {cause.problem_mark.line + 1}: " if cause.problem_mark else ""
        said = " ".join(f"{cause.problem or cause.context}".split())
        raise errors.Invalid(f"{source}: {line}{said}", "correct its YAML") from None
    except yaml.reader.ReaderError as cause:
        line = f"line {text.count(chr(10), 0, int(cause.position)) + 1}"
        raise errors.Invalid(f"{source}: {line}: a character that YAML forbids", "remove it") from None
    except (ValueError, OverflowError, RecursionError):
        # PyYAML lets through what Python says to the 32nd of a month, or to lists a thousand deep.
        raise errors.Invalid(f"{source}: a value in it can't be read as YAML", "put text in quotes") from None


def render(entry: entries.Entry) -> str:
    """The file of an entry; it needs no PyYAML, which the Python of a module may lack."""
    lines = []
    for key, value in entries.to_data(entry).items():
        if isinstance(value, list):
            lines.append(f"{key}:")
            lines.extend(f"  - {_scalar(item)}" for item in value)
        else:
            bare = isinstance(value, int) or key.endswith("_overcommit")
            lines.append(f"{key}: {value if bare else _scalar(value)}")
    return _TOP + "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    # An entry's texts are printable, and of those JSON escapes only the quote and the backslash, as YAML does.
    return json.dumps(text, ensure_ascii=False)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """YAML without duplicate keys, of which PyYAML would silently keep the last, and with exact decimals."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _value in getattr(node, "value", ()):
            key = (key_node.tag, key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            if key in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r:.80} is there twice", key_node.start_mark
                )
            if key is not None:
                seen.add(key)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found

    def construct_decimal(self, node: Any) -> Any:
        """A float as the decimal number that was written; PyYAML's own reading of what is none (.inf, 1_0.0)."""
        text = str(self.construct_scalar(node))
        return decimal.Decimal(text) if re.fullmatch(r"[0-9]+\.[0-9]+", text) else self.construct_yaml_float(node)


if HAS_YAML:
    _Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_decimal)
