# Two commands for a reader: `make demo` and `make test`. `make check` is what CI runs.
# `make` and Python 3.11 to 3.13 with venv suffice; everything else is set up in .venv.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ONCE ?=
LOCK := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header

.PHONY: help demo test check check-long bench fix lock clean node

help:  ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed."; exit 1; }
	@echo "Setting up .venv (once; a minute or two) ..."
	@$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	@echo "Installing what the tests need ..."
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

.venv-bench/bench.stamp: requirements-bench.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed."; exit 1; }
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements-bench.lock
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

demo: .venv/run.stamp  ## a city on this machine, from printing a card to checking one (ONCE=1 ends by itself)
	@$(BIN)/idservice demo $(if $(ONCE),--once)

test: .venv/dev.stamp  ## the tests, with Python alone; what needs more says so
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not long" -q

check: .venv/dev.stamp node  ## what CI runs: style, types, import contracts, tests with coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell crypto idservice tests benchmarks docs README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md Makefile
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not long" -q -W error --cov --cov-report=term:skip-covered --junitxml=.pytest_cache/results.xml
	$(BIN)/idservice audit threats --results .pytest_cache/results.xml

check-long: .venv/dev.stamp node  ## the races, the million-row and the fuzzing runs (hours)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m long -q -W error

bench: .venv-bench/bench.stamp  ## the benchmarks; writes benchmarks/results/latest.json and benchmarks/README.md
	@command -v npm >/dev/null && (cd benchmarks/node && npm ci --silent --no-audit --no-fund) || echo "No npm: the Node peers are left out."
	.venv-bench/bin/python -m benchmarks.run

node:
	@command -v npm >/dev/null && (cd tests/clients && npm ci --silent --no-audit --no-fund) || echo "No npm: third-party wallets are left out."
	@command -v go >/dev/null && (cd tests/clients/tlog && GOBIN=$$PWD/bin go install tool ./reader) || echo "No Go: third-party logs are left out."

fix: .venv/dev.stamp  ## format and repair what a machine can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## make the lock files anew (needs uv)
	$(LOCK) --extra build pyproject.toml -o requirements.lock
	$(LOCK) --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra build --extra dev --extra bench -c requirements-dev.lock pyproject.toml -o requirements-bench.lock

clean:  ## remove what was set up here
	rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
