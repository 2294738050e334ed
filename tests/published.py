# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections of other people, out of the PyPI package `ansible`: downloaded, and never installed."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "tests" / "requirements-bench.txt"
PLACE = ROOT / ".build" / "bench"
COLLECTIONS = PLACE / "collections"
# The package is large: what anybody here wants of it is unpacked at once, and it goes again.
WANTED = ("community/general", "awx/awx")


def unpacked(collection: str) -> str:
    """Have a collection, such as `awx/awx`, below COLLECTIONS; returns its version."""
    manifests = [COLLECTIONS / "ansible_collections" / name / "MANIFEST.json" for name in WANTED]
    if not all(manifest.exists() for manifest in manifests):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(PLACE / "download")]
        subprocess.run([*command, "-r", str(REQUIREMENTS)], check=True)
        [archive] = (PLACE / "download").glob("ansible-*.whl")
        folders = tuple(f"ansible_collections/{name}/" for name in WANTED)
        with zipfile.ZipFile(archive) as content:
            members = [name for name in content.namelist() if name.startswith(folders)]
            # The manifests last: they say that all is there.
            members.sort(key=lambda name: name.endswith("MANIFEST.json"))
            content.extractall(COLLECTIONS, members)
        archive.unlink()
    manifest = COLLECTIONS / "ansible_collections" / collection / "MANIFEST.json"
    return str(json.loads(manifest.read_text())["collection_info"]["version"])
