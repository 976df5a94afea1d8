# Every target sets up what it needs first (scripts/bootstrap.sh), on a fresh machine too. `make help` lists them.

SHELL := /bin/bash
BIN := .venv/bin
# What the caller's shell has set for other Pythons, other test runs or another openclaw must not reach ours.
unexport $(filter PYTHON% PYTEST_% HYPOTHESIS_% MYPY% RUFF_% OPENCLAW_% TMUX TMUX_% VIRTUAL_ENV COLUMNS LINES,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: help bootstrap demo test test-llama check bench bench-peers lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

bootstrap: ## set everything up: .venv from the lock, tmux from the system's packages
	@scripts/bootstrap.sh

demo: bootstrap ## three sub-agents do real work on this project, in windows that can be watched
	@scripts/demo.sh

test: bootstrap ## all tests, with real tmux, files and databases (ARGS='-k name' picks some)
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 $(ARGS)

test-llama: bootstrap ## the local agent against llama.cpp's server, with a tiny model of random weights made on the spot
	@OPENCLAW_TEST_LLAMA=1 $(BIN)/python -m pytest -q tests/llama $(ARGS)

check: bootstrap ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: bootstrap ## the table of ratios: start-up, ps, spawn, refresh, exit codes
	@$(BIN)/python bench/bench.py $(ARGS)

bench-peers: bootstrap ## list, spawn and load beside other tools, installed into their own environment
	@$(BIN)/python bench/peers.py $(ARGS)

lock: bootstrap ## write requirements.lock anew from pyproject.toml (ARGS=--upgrade takes the newest)
	@scripts/lock.sh $(ARGS)

clean: ## end the demo and remove its files, builds and caches; .venv stays
	@scripts/demo.sh clean
	@rm -rf .make build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -type d -name __pycache__ -print0 | xargs -0 rm -rf
