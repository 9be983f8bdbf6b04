# `make run` and `make test` do all the set-up on a machine that has python3 (3.11 or newer) with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test unit lint format types bench components lock install clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# A stamp is newer than what it was made from, or it is made again: the second run takes no time.
$(VENV)/.run: packaging/requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --no-deps --only-binary :all: -r packaging/requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q core metrics security collectors alerting exporters actions daemon
	@touch $@

$(VENV)/.dev: packaging/requirements-dev.lock $(VENV)/.run
	$(PIP) install --require-hashes --no-deps --only-binary :all: -r packaging/requirements-dev.lock
	@touch $@

run: $(VENV)/.run ## Watch this machine: page and metrics at http://127.0.0.1:8797/
	$(BIN)/watchkeeper run

components: ## Install the real programs that end-to-end tests start (Debian packages)
	@bash tests/install_components.sh

QUICK := not slow and not component

# Quick tests share nothing and run side by side; those with real programs get the machine for themselves.
test: $(VENV)/.dev components ## Run all tests
	$(BIN)/python -m pytest -n auto -m '$(QUICK)'
	$(BIN)/python -m pytest -m 'not ($(QUICK))'

unit: $(VENV)/.dev ## Run the quick tests only
	$(BIN)/python -m pytest -n auto -m '$(QUICK)'

lint: $(VENV)/.dev ## Check style and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.dev ## Check types
	$(BIN)/mypy

bench: $(VENV)/.dev components ## Measure against the real peers; see benchmarks/README.md
	$(BIN)/python -m benchmarks

lock: $(VENV)/.dev ## Write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group build --output-file packaging/requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group dev --constraint packaging/requirements.lock --output-file packaging/requirements-dev.lock pyproject.toml

PREFIX ?= /opt/watchkeeper
install: ## Install as a systemd service: program, unit, first config (DESTDIR and PREFIX as usual)
	$(PYTHON) -m venv $(DESTDIR)$(PREFIX)
	$(DESTDIR)$(PREFIX)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps --only-binary :all: -r packaging/requirements.lock
	$(DESTDIR)$(PREFIX)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation .
	install -d $(DESTDIR)/usr/bin $(DESTDIR)/etc/systemd/system $(DESTDIR)/etc/watchkeeper
	install -d -m 700 $(DESTDIR)/etc/watchkeeper/credentials
	ln -sfn $(PREFIX)/bin/watchkeeper $(DESTDIR)/usr/bin/watchkeeper
	install -m 644 packaging/watchkeeper.service $(DESTDIR)/etc/systemd/system/watchkeeper.service
	test -e $(DESTDIR)/etc/watchkeeper/watchkeeper.yml || install -m 644 examples/watchkeeper.yml $(DESTDIR)/etc/watchkeeper/watchkeeper.yml

clean: ## Remove everything that make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
