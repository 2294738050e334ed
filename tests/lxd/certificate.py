# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client certificates for tests, made by openssl: the bed itself wants no package from PyPI."""

from __future__ import annotations

import subprocess
from pathlib import Path


def new_client_certificate(
    directory: Path, name: str = "client", days: int = 30, usage: str = "clientAuth"
) -> tuple[Path, Path]:
    """A key pair: the paths of NAME.crt and NAME.key (mode 0600), self-signed, P-384, as LXD's own clients have."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    # fmt: off
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes",
               "-days", str(days), "-subj", f"/O=tenantry-test/CN={name}", "-addext", f"extendedKeyUsage={usage}",
               "-keyout", str(key), "-out", str(certificate)]
    # fmt: on
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key
