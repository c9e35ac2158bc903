# Python 3.11 or newer and make are all it takes: the first target builds .venv from the hashed requirements.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/requirements.stamp
WORKERS ?= 2
OLDEST_POSTGRESQL ?= /usr/lib/postgresql/15/bin
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"

.PHONY: help demo demo-reset install test test-long check fix bench lock clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: install ## run everything locally: PostgreSQL, Valkey, a local Shopify and the app
	@$(BIN)/python -m supervisor demo

demo-reset: install ## remove the demo's data for good
	@$(BIN)/python -m supervisor reset

install: $(STAMP) ## build .venv

$(STAMP): requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

test: install ## the tests that take seconds
	$(BIN)/pytest -n $(WORKERS)

test-long: install ## the tests that take longer, and what speaks SQL on the oldest PostgreSQL, where the system has it
	$(BIN)/pytest -n $(WORKERS) -m "long and not alone"
	$(BIN)/pytest -m "long and alone"
	@if [ -x $(OLDEST_POSTGRESQL)/postgres ]; then \
		STORELENS_TEST_PG_BIN=$(OLDEST_POSTGRESQL) $(BIN)/pytest -n $(WORKERS) -m "not long and not browser" \
			tests/ingest tests/inbox tests/jobs tests/reconcile tests/rules tests/insights tests/cli; \
	else echo "PostgreSQL 15 is not installed here; the suite ran on the embedded server alone."; fi

check: install ## lint, format, types, layers, requirements, one migration head
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --quiet tests/rules/test_tooling.py

fix: install ## let ruff repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: install ## measure, briefly; each script prints a table
	@set -e; for name in start webhooks convergence; do $(BIN)/python bench/$$name.py --quick; done

lock: install ## compile requirements*.txt from pyproject.toml
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --group dev --output-file requirements-dev.txt

clean: ## remove .venv and every cache; the demo's data stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
