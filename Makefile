# The commands of this repository; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# Molecule and ansible-lint look for their programs in PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Set by tools/test_all.py: where a step leaves its JUnit report.
REPORT ?=
JUNIT := $(if $(REPORT),--junit-xml=$(REPORT))
PYTEST := $(BIN)/pytest $(JUNIT)

LINT := lint-ansible lint-yaml lint-ruff lint-format lint-mypy
CHECK := $(LINT) gates unit contract
TEST := $(CHECK) app-test matrix demo runner browser molecule-default molecule-docker_ce
# The hosts of the demo and of the benchmarks are scenarios too, but not ones to test.
SCENARIOS := $(filter-out bench demo scale,$(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
TEST_ALL := $(filter-out molecule-%,$(TEST)) $(addprefix molecule-,$(SCENARIOS))

.PHONY: help setup setup-test images host demo demo-down test test-all check lint $(LINT) gates unit contract app-test matrix runner browser molecule bench bench-scale bench-data clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: ## make .venv from constraints.txt, install missing system programs (as root on Debian)
	@$(PYTHON) tools/setup.py

setup-test:
	@$(PYTHON) tools/setup.py --test

images: setup ## get the images of the test host: pulled, or built where they cannot be pulled
	@$(PYTHON) tools/engine.py start
	@$(BIN)/python tools/images.py

# Molecule remembers that the host was created, and would not notice that a reboot ended it.
host: images ## boot the demo host, bare
	@$(BIN)/molecule reset -s demo > .state/reset.log 2>&1 || { cat .state/reset.log; exit 1; }
	@$(BIN)/molecule create -s demo

demo: host ## boot a bare host here and deploy the sample project to it
	@$(BIN)/python tools/demo.py credentials
	@$(BIN)/ansible-playbook -i inventories/demo playbooks/site.yml
	@$(BIN)/python tools/demo.py show

demo-down: setup ## remove the demo and its host; stop the engine if it was started here and nobody uses it
	@$(BIN)/molecule destroy -s demo
	@rm -rf .demo
	@$(PYTHON) tools/engine.py release

check: setup-test ## lint, gates, unit and contract tests: some five minutes
	@$(BIN)/python tools/test_all.py $(CHECK)

test: setup-test ## everything that CI runs
	@$(BIN)/python tools/test_all.py $(TEST)

test-all: setup-test ## as test, with every Molecule scenario there is
	@$(BIN)/python tools/test_all.py $(TEST_ALL)

lint: $(LINT) ## ansible-lint, yamllint, ruff, mypy

lint-ansible:
	@$(BIN)/ansible-lint --offline

lint-yaml:
	@$(BIN)/yamllint --strict .

lint-ruff:
	@$(BIN)/ruff check .

lint-format:
	@$(BIN)/ruff format --check .

lint-mypy:
	@$(BIN)/mypy

gates: ## bandit, gixy, hadolint, shellcheck, detect-secrets over the repository and what it renders
	@$(PYTEST) tests/gates

unit: ## tests of single functions
	@$(PYTEST) tests/unit

contract: ## tests of what the repository promises about itself
	@$(PYTEST) tests/contract

app-test: images ## the app's own tests, in its image, on real MySQL and Redis
	@app/run-tests $(JUNIT)

matrix: images ## passwords with every sign, from the inventory to logins at real MySQL and Redis
	@$(PYTEST) tests/matrix

runner: ## the demo, driven by another program through ansible-runner
	@$(PYTEST) tests/runner

browser: ## the demo, seen by a browser
	@$(PYTEST) tests/browser

molecule: molecule-default molecule-docker_ce ## the Molecule scenarios of CI

molecule-%: images
	@PYTEST_ADDOPTS="$(JUNIT)" $(BIN)/molecule test -s $*

bench: setup-test images ## measure against the commands that people type: half an hour; ARGS="--write" keeps the figures
	@$(BIN)/molecule reset -s bench > .state/reset.log 2>&1 || { cat .state/reset.log; exit 1; }
	@$(BIN)/molecule destroy -s bench
	@$(BIN)/molecule create -s bench
	@$(BIN)/ansible-playbook -i molecule/bench/inventory playbooks/bootstrap.yml
	@$(BIN)/python -m tests.bench $(ARGS)
	@$(BIN)/molecule destroy -s bench

bench-scale: setup-test images ## measure a run in which nothing is to do, on one to eight light hosts; ARGS="--write" keeps it
	@$(BIN)/molecule reset -s scale > .state/reset.log 2>&1 || { cat .state/reset.log; exit 1; }
	@$(BIN)/molecule destroy -s scale
	@$(BIN)/molecule create -s scale
	@$(BIN)/ansible-playbook -i molecule/scale/inventory --forks 2 playbooks/bootstrap.yml
	@$(BIN)/python -m tests.bench.scale $(ARGS)
	@$(BIN)/molecule destroy -s scale

bench-data: setup-test images ## measure backups and restores of a gigabyte: half an hour; ARGS="--write" keeps the figures
	@$(BIN)/molecule reset -s bench > .state/reset.log 2>&1 || { cat .state/reset.log; exit 1; }
	@$(BIN)/molecule destroy -s bench
	@$(BIN)/molecule create -s bench
	@$(BIN)/ansible-playbook -i molecule/bench/inventory playbooks/bootstrap.yml
	@$(BIN)/python -m tests.bench.data $(ARGS)
	@$(BIN)/molecule destroy -s bench

clean: demo-down ## as demo-down, stop the engine, remove .state, .venv and caches
	@$(PYTHON) tools/engine.py stop
	@rm -rf .state .venv .mypy_cache .pytest_cache .ruff_cache
