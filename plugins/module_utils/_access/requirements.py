# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Python packages a module needs, judged once, with a message that says where to put them."""

from __future__ import annotations

import sys

from .._core import errors
from .._lxd import https
from .._pki import key_pair


def check_pylxd() -> None:
    """An https connection is pylxd's; the unix socket needs nothing."""
    if https.PYLXD_IMPORT_ERROR is not None:
        raise _missing_package_error("pylxd", https.PYLXD_IMPORT_ERROR)


def check_cryptography() -> None:
    """Key pairs are made and read by cryptography."""
    if key_pair.CRYPTOGRAPHY_IMPORT_ERROR is not None:
        raise _missing_package_error("cryptography", key_pair.CRYPTOGRAPHY_IMPORT_ERROR)


def _missing_package_error(package: str, cause: ImportError) -> errors.TenantryError:
    return errors.Unsupported(
        f"{package}: the Python that runs this module ({sys.executable}) doesn't have it ({cause})",
        "run the task on the controller (delegate_to: localhost, connection: local, ansible_python_interpreter: "
        f"'{{{{ ansible_playbook_python }}}}') and pip install {package} there",
    )
