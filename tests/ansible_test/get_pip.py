# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip script that ansible-test downloads; its pip comes from the package index like the rest.

ansible-test looks for get_pip_<version>.py in its cache and runs it in each empty virtual environment that it makes.
noxfile.py puts this file there under that name, with that pip, installed once, in a folder beside it.
"""

from __future__ import annotations

import pathlib
import sysconfig

here = pathlib.Path(__file__)
link = pathlib.Path(sysconfig.get_path("purelib"), "pip.pth")
link.write_text(f"{here.with_name(here.stem.removeprefix('get_'))}\n", encoding="utf-8")
