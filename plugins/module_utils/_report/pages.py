# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The templates: a user's own come first, then those of the role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._core import errors

JINJA2_IMPORT_ERROR: ImportError | None = None
try:
    import jinja2
except ImportError as missing:
    JINJA2_IMPORT_ERROR = missing


class Pages:
    """Renders templates; every value is escaped."""

    def __init__(self, folders: Sequence[str]) -> None:
        if JINJA2_IMPORT_ERROR is not None:
            raise errors.Unsupported(
                f"jinja2: the Python that runs this module can't import it ({JINJA2_IMPORT_ERROR})",
                "run the task on the controller, with ansible_python_interpreter: '{{ ansible_playbook_python }}'",
            )
        self._folders = list(folders)
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._folders),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def read_asset(self, name: str) -> str:
        """Read a file that is published as it is."""
        loader = self._environment.loader
        try:
            return "" if loader is None else loader.get_source(self._environment, name)[0]
        except jinja2.TemplateNotFound as cause:
            raise self._missing_template_error(cause) from None

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """Render a template with these values."""
        try:
            return self._environment.get_template(name).render(values)
        except jinja2.TemplateNotFound as cause:
            raise self._missing_template_error(cause) from None
        except jinja2.TemplateSyntaxError as cause:
            where = f"{cause.filename or cause.name}, line {cause.lineno}"
            raise errors.Invalid(f"templates: {where}: {cause.message}", "correct the template") from None
        except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as cause:
            raise errors.Invalid(
                f"templates: {name}: {type(cause).__name__}: {cause}",
                "see docs/reference/report.md for the variables of a template",
            ) from None

    def _missing_template_error(self, cause: jinja2.TemplateNotFound) -> errors.TenantryError:
        return errors.Invalid(
            f"templates: {cause.name} is in none of {', '.join(self._folders)}",
            "the role report adds the collection's own folder, roles/report/templates, to report_templates",
        )
