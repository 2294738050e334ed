# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a user's repository and a throwaway LXD, from nothing to a running VM."""
