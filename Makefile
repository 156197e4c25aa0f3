# Everything installs itself: a Python ≥ 3.11, make and a package index are enough.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
ARGS ?=
JOBS ?= 2
# Compiled modules are kept: every process that a test starts would otherwise compile all of Tidings again, for a second.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo up test check lint types contracts soak bench lock clean fmt docs
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Tidings needs Python 3.11 or newer on the path, or PYTHON=/path/to/python3"; exit 1; }
	@echo "Preparing .venv (once) …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/.ready ## a real campaign, end to end, on this machine (ARGS="--recipients 10000 --exit")
	@$(BIN)/tidings demo $(ARGS)

up: .venv/.ready ## run Tidings: embedded PostgreSQL and every role
	@$(BIN)/tidings up $(ARGS)

test: .venv/.ready .venv-moto/.ready ## the test suite, with its own PostgreSQL
	@$(BIN)/pytest -n $(JOBS) -m "not soak" $(ARGS)

check: lint types contracts test ## what CI runs

lint: .venv/.ready
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: .venv/.ready
	@$(BIN)/basedpyright

contracts: .venv/.ready
	@$(BIN)/lint-imports

soak: .venv/.ready ## the long tests: a million rows, crash loops
	@$(BIN)/pytest -m soak $(ARGS)

bench: .venv/.ready ## the send path beside smtp-source (needs Postfix's smtp-sink and smtp-source)
	@$(BIN)/python benchmarks/send.py $(ARGS)

fmt: .venv/.ready
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: .venv/.ready ## refresh requirements.lock from pyproject.toml
	@$(BIN)/pip install --quiet uv && $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group dev --group build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group pyproject.toml:moto -o requirements-moto.lock

docs: .venv-docs/.ready ## build the documentation into site/ (make docs ARGS=serve: look at it)
	@if [ "$(ARGS)" = serve ]; then .venv-docs/bin/mkdocs serve; else NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet; fi

.venv-docs/.ready: docs/requirements.txt
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	@touch $@

.venv-moto/.ready: requirements-moto.lock
	@$(PYTHON) -m venv .venv-moto
	@.venv-moto/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-moto.lock
	@touch $@

clean:
	rm -rf .venv .venv-docs .venv-moto .tidings .hypothesis site
