# People and CI run exactly these. Each target sets up what it needs in .venv, once.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

# One thread a process: with more, small tensor operations wait for each other.
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test lint bench docs constraints browser clean

help:
	@echo 'make demo   run a training that does not learn and its cured twin, and be told why'
	@echo 'make test   run the tests'
	@echo 'make lint   check style, format and types'
	@echo 'make bench  measure what sweeping and observing cost'
	@echo 'make docs   write docs/diagnoses/, docs/algebras/ and docs/coverage.md anew from the code'
	@echo 'make clean  remove the environment and all caches'

demo: .venv/installed
	@echo
	@echo '1 of 2 · examples/digits_sigmoid.py trains a network of 12 layers on handwritten digits.'
	@echo '        It is an ordinary script that knows nothing of Undertow. It does not learn.'
	@echo
	$(BIN)/undertow run examples/digits_sigmoid.py
	@echo
	@echo '2 of 2 · examples/digits_relu.py is the same script with the cause removed.'
	@echo
	$(BIN)/undertow run examples/digits_relu.py
	@echo
	@echo 'The two reports, to be opened in a browser:'
	@ls -t undertow-runs/*/report.html | head -2

test: .venv/installed browser
	$(BIN)/python -m pytest -q -n $(JOBS) tests

lint: .venv/checkers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	@for file in benchmarks/*.py; do \
		if grep -q __main__ "$$file"; then $(BIN)/python -m "benchmarks.$$(basename "$$file" .py)" || exit 1; fi; \
	done

docs: .venv/installed
	$(BIN)/python -m docs.generate

constraints: .venv/checkers
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.new
	mv constraints.new constraints.txt

# The tests that look at reports in a browser are skipped where there is none.
browser:
	@if ! command -v chromedriver >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		{ apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 \
			|| echo 'no browser could be installed: the tests that need one are skipped'; \
	fi

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Undertow needs Python 3.11 or later: make PYTHON=/path/to/python3 …'; exit 1; }
	$(PYTHON) -m venv .venv

# PyTorch first and by itself, so that nothing else chooses another build of it.
.venv/torch: constraints.txt | .venv/bin/python
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	@touch $@

.venv/installed: pyproject.toml .venv/torch
	$(PIP) -e '.[test]'
	@touch $@

.venv/checkers: .venv/installed
	$(PIP) -e '.[dev]'
	@touch $@
