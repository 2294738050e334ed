# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: what a run costs, against what else does the same, on this machine: `python -m tests.bench`."""
