# What a newcomer needs. Everything sets itself up, once, and works offline afterwards.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
INSTALL := $(PIP) install --no-build-isolation --use-pep517 --require-hashes

# The first Python of at least 3.11; `make PYTHON=/path/to/python …` names another.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

.PHONY: help setup demo test nightly nightly-stack cluster airflow stack-test check golden lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMPS)/dev $(STAMPS)/tools ## install everything, Spark too: Java if there is none, Delta's jars

demo: $(STAMPS)/run ## three days of a small made-up city, from delivery to library
	$(BIN)/redcliff demo $(ARGS)

test: setup ## all tests, by two processes (ARGS="tests/lake -k ledger" for some, by one)
	$(BIN)/python -m pytest $(or $(ARGS),-n 2)

nightly: setup ## both engines with ten times the city, deliveries in any order, 200 kills: hours
	REDCLIFF_SCALE=0.02 REDCLIFF_DAYS=3 REDCLIFF_SEEDS=2 \
	$(BIN)/python -m pytest --timeout 7200 tests/parity
	REDCLIFF_SEEDS=10 REDCLIFF_KILLS=200 \
	$(BIN)/python -m pytest tests/stories/test_deliveries_in_any_order.py \
	tests/stories/test_a_run_killed_at_any_moment.py tests/stories/test_two_runs_at_once.py

nightly-stack: setup cluster ## a city by Spark on S3, Spark under Airflow, 50 rounds of two writers
	REDCLIFF_CLUSTER_ENGINE=spark REDCLIFF_SCALE=0.02 REDCLIFF_DAYS=3 \
	$(BIN)/python -m pytest --timeout 7200 -m stack tests/stack/test_lake_on_s3.py
	REDCLIFF_ROUNDS=50 $(BIN)/python -m pytest --timeout 14400 -m stack \
	tests/stack/test_airflow_on_spark.py tests/stack/test_runs_at_once_on_s3.py \
	tests/stack/test_packed_executors.py

cluster: $(STAMPS)/servers ## install what `redcliff up` starts: S3, PostgreSQL, Spark, Trino, Airflow

airflow: $(STAMPS)/airflow ## install Airflow and PostgreSQL, for `redcliff up --with airflow`

stack-test: setup cluster ## start those servers on free ports and test against them
	$(BIN)/python -m pytest -m "stack and not nightly" $(or $(ARGS),tests)

check: $(STAMPS)/dev ## format, lint, types, layers, contracts
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/redcliff contracts check

golden: $(STAMPS)/dev ## rewrite tests/golden from the contracts; read the diff
	REDCLIFF_GOLDEN=rewrite $(BIN)/python -m pytest --quiet tests/golden

# Each list holds to the longer one, so that a package has one version in all of them.
LOCK = $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header
UPGRADE := --upgrade
HOLD := -c requirements/all.txt

lock: $(STAMPS)/dev ## resolve pyproject.toml into requirements/ anew (UPGRADE= keeps versions)
	$(LOCK) pyproject.toml --all-extras --group build -o requirements/all.txt
	$(LOCK) $(HOLD) pyproject.toml --extra spark --extra dev -o requirements/dev.txt
	$(LOCK) $(HOLD) pyproject.toml --extra spark -o requirements/spark.txt
	$(LOCK) $(HOLD) pyproject.toml --extra spark --extra cluster -o requirements/cluster.txt
	$(LOCK) $(HOLD) pyproject.toml --extra airflow -o requirements/airflow.txt
	$(LOCK) $(HOLD) pyproject.toml -o requirements/run.txt
	$(LOCK) $(HOLD) --group build -o requirements/build.txt

clean: ## remove .venv and caches of this checkout; data (var/) stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMPS)/venv:
	@[ -n "$(PYTHON)" ] || { echo "No Python of at least 3.11 found; install one, or name it: \
	make PYTHON=/path/to/python3 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual \
	environments: install your system's package python3-venv, or name another Python: \
	make PYTHON=/path/to/python3 setup" >&2; exit 1; }
	@echo "Making $(VENV) with `$(PYTHON) --version` …" >&2
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: requirements/build.txt | $(STAMPS)/venv
	@$(PIP) install --require-hashes -r $<
	@touch $@

$(STAMPS)/run: requirements/run.txt pyproject.toml $(STAMPS)/build
	@echo "Installing packages (once, about 160 MB) …" >&2
	@$(INSTALL) -r requirements/run.txt
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(STAMPS)/spark: requirements/spark.txt $(STAMPS)/run
	@echo "Installing Spark and a Java for it (once, about 500 MB) …" >&2
	@$(INSTALL) -r requirements/spark.txt
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/spark
	@echo "Installing what tests and checks need …" >&2
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

$(STAMPS)/cluster: requirements/cluster.txt $(STAMPS)/spark
	@echo "Installing the clients of the cluster's servers, PostgreSQL and Go (once, about 110 MB) …" >&2
	@$(INSTALL) -r requirements/cluster.txt
	@touch $@

$(STAMPS)/airflow: requirements/airflow.txt $(STAMPS)/run
	@echo "Installing Airflow and PostgreSQL (once, about 200 MB) …" >&2
	@$(INSTALL) -r requirements/airflow.txt
	@touch $@

$(STAMPS)/servers: $(wildcard lake/tools/*) lake/servers.py $(STAMPS)/cluster $(STAMPS)/airflow
	@$(BIN)/redcliff up --fetch
	@touch $@

$(STAMPS)/tools: lake/engines/jars.lock $(STAMPS)/spark
	@$(BIN)/redcliff doctor --engine spark --fetch
	@touch $@
