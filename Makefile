# One way to run, test and check, here and in CI. Needs Python 3.11 or newer with venv, and make.

PYTHON ?= python3
VENV ?= .venv
IN_VENV := $(VENV)/bin
INSTALLED := $(VENV)/installed
# What `make bench` measures ours against has an environment of its own: nothing else needs it.
BENCH_VENV ?= .venv-bench
BENCH_INSTALLED := $(BENCH_VENV)/installed
# What pytest is asked beside the whole suite: make test TESTS="tests/domain -x"
TESTS ?=

# How long make chaos simulates: make chaos MINUTES=480
MINUTES ?= 30

.PHONY: help demo test test-all check advisories sbom wheel bench chaos clean
help:
	@echo "make demo      see it work: two families and a care home of invented people, months in seconds;"
	@echo "               make demo OPEN=1 then opens its pages in the browser"
	@echo "make test      the tests of every day, on SQLite and on a PostgreSQL that the tests start themselves"
	@echo "make test-all  the rest: the other database where make test has one, a browser, and when everything goes wrong"
	@echo "make check     style, types and which part may use which"
	@echo "make advisories  asks whether an advisory about a locked package is known, where the network allows it"
	@echo "make sbom      writes the bill of materials of what production installs"
	@echo "make wheel     builds the package that production installs, in dist/"
	@echo "make bench     how fast it is on this machine"
	@echo "make chaos     everything goes wrong at once for half an hour, and every text is accounted for; then so many simulated"
	@echo "               days as pass in half an hour: make chaos MINUTES=480 for a night"
	@echo "make clean     forget what was installed and cached"

demo: $(INSTALLED)
	$(IN_VENV)/reminder demo $(if $(OPEN),--open)

# Every program that a test starts would compile all of ours anew where the environment forbids to keep what was compiled.
test test-all: export PYTHONDONTWRITEBYTECODE =
# Tests that are named run on every database they have.
test: $(INSTALLED)
	$(IN_VENV)/python -m pytest -n auto --dist worksteal $(if $(strip $(TESTS)),$(TESTS),--tier everyday)

test-all: $(INSTALLED)
	$(IN_VENV)/python -m pytest -n auto --dist worksteal --tier rest

check: $(INSTALLED)
	$(IN_VENV)/ruff check .
	$(IN_VENV)/ruff format --check .
	$(IN_VENV)/mypy
	$(IN_VENV)/lint-imports
	$(IN_VENV)/python -m tests.checks.glossary
	$(IN_VENV)/python -m tests.checks.migrations
	$(IN_VENV)/python -m tests.checks.documents
	$(IN_VENV)/python -m tests.checks.locks
	$(IN_VENV)/python -m tests.checks.licences
	$(IN_VENV)/python -m tests.checks.sbom --check

# Ends well where the source cannot be reached, and says so.
advisories: $(INSTALLED)
	$(IN_VENV)/python -m tests.checks.advisories

sbom: $(INSTALLED)
	$(IN_VENV)/python -m tests.checks.sbom

wheel: $(INSTALLED)
	$(IN_VENV)/python -m hatchling build -t wheel

bench: $(BENCH_INSTALLED)
	$(BENCH_VENV)/bin/python -m tests.bench

chaos: $(INSTALLED)
	$(IN_VENV)/python -m tests.chaos
	$(IN_VENV)/python -m tests.simulation --seed 1000 --days 2 --minutes $(MINUTES)
	$(IN_VENV)/python -m tests.simulation --seed 500000 --on postgresql --minutes 10

$(INSTALLED): LOCK := requirements-dev.lock
$(BENCH_INSTALLED): LOCK := requirements-bench.lock
$(INSTALLED): requirements-dev.lock pyproject.toml
$(BENCH_INSTALLED): requirements-bench.lock pyproject.toml

# The build tool comes out of the lock too: left to itself pip would fetch the newest one, whatever it is that day.
$(INSTALLED) $(BENCH_INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "This needs Python 3.11 or newer. Name one: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
