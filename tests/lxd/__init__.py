# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own LXD servers for tests: started from the distribution's packages, thrown away afterwards."""
