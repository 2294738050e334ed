# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Works on a fresh Debian or Ubuntu with git, python3 and make; everything generated is below .build.

PYTHON ?= python3
BUILD  := .build
VENV   := $(BUILD)/venv
LINK   := $(BUILD)/collections/ansible_collections/tenantry/lxd
PIP    := $(VENV)/bin/python -m pip install --quiet --quiet
# LXD and apt need root.
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)
APT    := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq
# Installs the packages that the test bed lacks and lists them; quick if none is missing.
BED    := $(PYTHON) -B -m tests.lxd

export PIP_CACHE_DIR := $(CURDIR)/$(BUILD)/cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup setup-tests packages test nightly lint demo bench clean
help:
	@echo "make demo    register a throwaway LXD server as a VM host and run a VM on it"
	@echo "make test    every check and every test; FAST=1 runs only what most changes need, in minutes"
	@echo "make nightly the integration tests, including those that search longer for rare faults"
	@echo "make lint    the checks that need no server: seconds"
	@echo "make bench   measure what a run costs, compared with other tools; WRITE=1 writes it into docs/reference/benchmarks.md"
	@echo "make clean   remove everything that was generated, and stop every process"

demo: setup packages
	$(SUDO) env PYTHONPYCACHEPREFIX=$(CURDIR)/$(BUILD)/lxd/pycache $(VENV)/bin/python -m tests.demo

# Takes about ten minutes, on a machine that does nothing else.
bench: setup packages
	$(SUDO) env PYTHONPATH=$(CURDIR)/$(BUILD)/collections PYTHONPYCACHEPREFIX=$(CURDIR)/$(BUILD)/lxd/pycache \
	  PIP_CACHE_DIR=$(PIP_CACHE_DIR) $(VENV)/bin/python -m tests.bench $(if $(WRITE),--write) $(BENCH)

# The integration tests and the checks that need no server run at the same time from the beginning.
test: WITH := $(if $(FAST),,--browser)
test: setup-tests packages
	$(VENV)/bin/nox --parallel auto --tags $(if $(FAST),fast,test)

nightly: WITH := --browser
nightly: setup-tests packages
	$(VENV)/bin/nox --session nightly

lint: setup-tests
	$(VENV)/bin/nox --parallel auto --tags static

setup: $(VENV)/.run $(LINK)
setup-tests: $(VENV)/.tests $(LINK)

packages:
	$(BED) packages --install $(WITH)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tenantry's controller needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(APT) update && $(APT) install -y python3-venv >/dev/null; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --upgrade pip

$(VENV)/.run: tests/requirements-run.txt meta/ee-requirements.txt | $(VENV)/bin/python
	$(PIP) -r tests/requirements-run.txt
	@touch $@

$(VENV)/.tests: tests/requirements.txt tests/unit/requirements.txt $(VENV)/.run
	$(PIP) -r tests/requirements.txt
	@touch $@

# Ansible finds a collection by its path; this link points back here.
$(LINK):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@

clean:
	if [ -d $(BUILD)/lxd ]; then $(SUDO) $(BED) down && $(SUDO) rm -rf $(BUILD)/lxd $(BUILD)/demo $(BUILD)/bench; fi
	rm -rf $(BUILD) .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
