# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared of a certificate that ends soon, or has ended: the same words wherever it is used."""

from __future__ import annotations

import datetime

# Days before its end from which a certificate is spoken of, where nobody says another number.
WITHIN = 30


def warning(name: str, not_after: datetime.datetime, now: datetime.datetime, within: int) -> str:
    """A sentence for a certificate that is still good and won't be in `within` days; empty for every other."""
    if now >= not_after or (not_after - now).days >= within:
        return ""
    days = (not_after - now).days
    when = "today" if not days else "in 1 day" if days == 1 else f"in {days} days"
    return f"certificate of {name} expires {when} ({not_after:%Y-%m-%d}); run rotate_certs.yml"


def too_late(name: str, ended: str) -> tuple[str, str]:
    """Message and hint for a certificate that has ended: by itself the tenant can't renew it any more."""
    said = f"{name}: certificate: it expired on {ended}, and no server takes it any more"
    return (
        said,
        "run rotate_certs.yml where SSH reaches the host, or lxd_tenant_cert as an admin: a tenant alone can't",
    )
