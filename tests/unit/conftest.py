# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of all unit tests: no example of a property test is judged by the time that it takes on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("tenantry", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("tenantry")
