# `make` alone says what there is.

PYTHON ?=
VERSION ?= 15
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
TYPES := src/vintner_client/types.py
PIN := $(BIN)/pip-compile --quiet --strip-extras --no-header --no-annotate --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help setup up down demo test test-sql test-pg soak bench-sql lint types sync docs-schema docs-api lock clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make the virtual environment with everything in it

$(VENV)/.installed: requirements.lock pyproject.toml scripts/make-venv
	@PYTHON="$(PYTHON)" scripts/make-venv $(VENV)
	@touch $@

up: setup ## Start the local stack and print its URL and keys
	@$(BIN)/vintner-local up

down: setup ## Stop the local stack; its data stays
	@$(BIN)/vintner-local down

demo: setup ## Do the main job for real, from sign-up to DESTROYED
	@$(BIN)/python scripts/demo.py

test: setup lint ## Check style, types and dependencies, then run every test
	@$(BIN)/pytest -n 3 --dist worksteal

test-sql: setup ## Run the pgTAP files alone
	@$(BIN)/pytest tests/py/sql

test-pg: setup ## Apply the migrations to PostgreSQL 15, 16 or 17 (VERSION=15) and run the pgTAP files there
	@$(BIN)/python scripts/test_on_postgres.py $(VERSION)

soak: setup ## Run what takes an hour: killed parts (SOAK_SECONDS=300), bad networks, long sessions, random walks
	@$(BIN)/pytest -s -m soak --hypothesis-profile=default

bench-sql: $(BENCH)/.installed ## Measure the database beside other queues (ARGS=--quick: 3 minutes)
	@$(BENCH)/bin/python bench/sql $(ARGS)

$(BENCH)/.installed: bench/requirements.lock pyproject.toml scripts/make-venv
	@PYTHON="$(PYTHON)" scripts/make-venv $(BENCH) bench/requirements.lock
	@touch $@

lint: setup ## Check style, types and the direction of imports
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && $(BIN)/mypy --no-error-summary && $(BIN)/python scripts/generate_sync.py --check && $(BIN)/lint-imports --no-cache >/dev/null || { $(BIN)/lint-imports --no-cache; exit 1; }

types: setup ## Generate the client's types from the local stack's database
	@$(BIN)/vintner-local up >/dev/null
	@$(BIN)/vintner-local supabase gen types --lang python --schema public,cloud > $(TYPES).new
	@mv $(TYPES).new $(TYPES)

sync: setup ## Write the sync client from the async one
	@$(BIN)/python scripts/generate_sync.py

docs-schema: setup ## Write docs/schema.md, the reference of the database
	@$(BIN)/python scripts/schema_reference.py

docs-api: setup ## Write docs/api.md, the index of the client library
	@$(BIN)/python scripts/api_reference.py

lock: setup ## Pin every dependency anew
	@$(PIN) --extra grape --extra tendril --extra local --extra dev --output-file requirements.lock pyproject.toml
	@$(PIN) --extra local --extra bench --constraint requirements.lock --output-file bench/requirements.lock pyproject.toml

clean: down ## Stop the local stack and remove it and the virtual environment
	@$(BIN)/vintner-local down --data .vintner/demo
	rm -rf .vintner $(VENV) $(BENCH)
