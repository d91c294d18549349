# Everything a newcomer needs: `make run` starts the suite, `make test` checks all of it.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

# A stamp is newer than what it was made from, so the environment changes only when a lock does.
TOOL := .venv/.uv-$(UV_VERSION)
RUNTIME := .venv/.runtime
DEV := .venv/.dev

# Real input for tests that import it; they skip, and say so, where it is not there.
export GUANXI_SHARED_DATA ?= $(abspath ../shared/data)

.DEFAULT_GOAL := help
.PHONY: help venv run elasticsearch test test-crash simulate test-faults test-searching lint fmt contracts migration lock bench bench-dedupe bench-search bench-typeahead bench-rebuild bench-import fuzz

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(TOOL):
	@$(PYTHON) -c 'import sys; sys.exit("Guanxi needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(RUNTIME): requirements.lock pyproject.toml $(TOOL)
	$(UV) pip install --quiet --require-hashes -r requirements.lock
	$(UV) pip install --quiet --no-deps --editable .
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	$(UV) pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

venv: $(DEV) ## make .venv with everything that development needs

run: $(RUNTIME) ## start the whole suite with demo data in one process
	$(BIN)/guanxi up

elasticsearch: $(RUNTIME) ## fetch the Elasticsearch that tests and `up --real` may use, by Maven
	$(BIN)/python -m suite.servers.elasticsearch

test: lint ## lint, then every test; ONLY=services/sales for some
	$(BIN)/python -m tests.run $(ONLY)

test-crash: $(DEV) ## kill the suite at every step of every flow and compare the ends; LONG=1 for all pairs of the order flow, PART=2/5 for some
	$(BIN)/python -m tests.crash

simulate: $(DEV) ## SEEDS (2000) simulations with faults against books kept by hand, from START (0); SEED=7 plays one aloud
	$(BIN)/python -m tests.simulation

test-faults: $(DEV) ## break servers, links and processes under load; FAULTS="F1 F9" for some, LONG=1, SEED, RATE; writes tests/faults/results.md
	$(BIN)/python -m tests.faults.run $(FAULTS)

test-searching: $(DEV) ## search while Elasticsearch is broken and rebuilt; ONLY=stopped for some, LONG=1 stops it for ten minutes and writes tests/searching/results.md
	$(BIN)/python -m pytest tests/searching -q -s -k "$(ONLY)"

lint: $(DEV) ## style, types of contracts and chassis, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy contracts chassis
	$(BIN)/lint-imports

fmt: $(DEV) ## format the code and repair what ruff can
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

contracts: $(RUNTIME) ## write contracts/published anew from the declarations
	$(BIN)/python -m contracts.publish

migration: $(DEV) ## write the next migration of SERVICE from its models; MESSAGE="accounts have employees" names it
	@$(BIN)/python -m suite.revise "$$SERVICE" "$$MESSAGE"

lock: $(TOOL) ## resolve the dependencies of pyproject.toml anew; add UPGRADE=--upgrade for newer versions
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

bench: $(DEV) ## measure the real stack beside the raw limits of this machine; writes bench/results.md (needs wrk)
	$(BIN)/python -m bench.run

bench-dedupe: $(DEV) ## quality of duplicate candidates on the labelled sets in DATA; writes bench/dedupe.md
	$(BIN)/python -m bench.dedupe

bench-import: $(DEV) ## measure imports: rows a second, memory, and all of Online Retail; writes bench/imports.md
	$(BIN)/python -m bench.imports

bench-rebuild: $(DEV) ## rebuild an index of ROWS (600000) accounts under writes and searches, about half an hour; writes bench/rebuild.md
	$(BIN)/python -m bench.rebuild

bench-search: $(DEV) ## how well search finds in ROWS (20000, or all) public names on BACKEND (postgres,elasticsearch), class by class; writes bench/search.md
	$(BIN)/python -m bench.search

bench-typeahead: $(DEV) ## how fast eight people who type are answered among all public names, and how fast these are taken in; writes bench/typeahead.md
	$(BIN)/python -m bench.typeahead

fuzz: $(DEV) ## generated requests to every operation, EXAMPLES (50) of each, made from SEED
	EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/python -m pytest tests/security/test_fuzz.py
