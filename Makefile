# HeartOps. `make help` lists what a newcomer would try.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER := $(PYTHON) -m hack.cluster
# Many processes start in the tests: what one of them has compiled the others need not.
unexport PYTHONDONTWRITEBYTECODE
NAME ?= demo
DATA ?=
ONLY ?=

.PHONY: help
help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

# --- the two commands -----------------------------------------------------------------------------
.PHONY: demo demo-down test
demo: $(VENV)/ready ## Train, gate, serve and query a heart-disease model on a real cluster (DATA=FILE: a local copy; SHOW=drift)
	@$(PYTHON) -m hack.demo up $(if $(DATA),--data '$(DATA)') $(if $(SHOW),--show '$(SHOW)')

demo-down: ## Remove everything that `make demo` made
	@$(PYTHON) -m hack.demo down

test: $(VENV)/ready ## Lint, types, unit, api and e2e tests, builds included
	@$(PYTHON) -m hack.stages lint unit tools api images e2e

# --- parts of the tests ---------------------------------------------------------------------------
.PHONY: lint fmt verify generate test-unit test-api test-e2e test-soak test-overnight mutants bench bench-training
lint: $(VENV)/ready ## ruff, mypy, import-linter, generated files
	@$(PYTHON) -m hack.stages lint

test-unit: $(VENV)/ready ## Unit, golden, property and contract tests
	@$(PYTHON) -m hack.stages unit

test-api: $(VENV)/ready ## The operator in process against a real kube-apiserver
	@$(PYTHON) -m hack.stages api-tools api

test-e2e: $(VENV)/ready ## A real node, real images; with KUBECONFIG set: that cluster
	@$(PYTHON) -m hack.stages tools images e2e

test-soak: $(VENV)/ready ## Longer counts of the same tests
	@HYPOTHESIS_PROFILE=soak HEARTOPS_SOAK=1 $(PYTHON) -m hack.stages unit tools api images e2e

test-overnight: $(VENV)/ready ## 10,000 inputs or sequences of every property (ONLY=FILE for those of one)
	@HYPOTHESIS_PROFILE=overnight $(BIN)/python -m pytest $(or $(ONLY),tests/unit) -m hypothesis -o timeout=0 -n 2 -q

mutants: $(VENV)/ready ## Mutation tests of the operator's decisions, contract, evaluation and drift (hours; ONLY=plan for one)
	@nice $(BIN)/python -m hack.mutants $(ONLY)

bench: $(VENV)/ready ## Compare serving with its peers (writes docs/benchmarks.md) and itself without its log; wants a quiet machine
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.predictionlog
	@$(BIN)/python -m benchmarks.apikeys

bench-training: $(VENV)/ready ## Compare trainings with a bare scikit-learn script (writes docs/benchmarks-training.md); wants a quiet machine
	@$(BIN)/python -m benchmarks.training

fmt: $(VENV)/ready ## Format the code
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

generate: $(VENV)/ready ## CRDs and API pages from the types, dashboards, and the OLM bundle from kustomize/
	@$(BIN)/python -m heart_operator.crdgen
	@$(BIN)/python -m hack.dashboards
	@$(BIN)/python -m hack.olm

verify: $(VENV)/ready ## Fail when a generated file differs from its source
	@$(BIN)/python -m heart_operator.crdgen --check
	@$(BIN)/python -m hack.dashboards --check
	@$(BIN)/python -m hack.olm --check

# --- cluster and images ---------------------------------------------------------------------------
.PHONY: cluster-build cluster-up cluster-down images sbom scan
cluster-build: ## Build Kubernetes and the base images (cached)
	@$(CLUSTER) build

cluster-up: ## Start a one-node cluster (NAME=demo)
	@$(CLUSTER) up --name $(NAME)

cluster-down: ## Remove it without a trace
	@$(CLUSTER) down --name $(NAME)

images: ## Build the product's images (cached)
	@$(PYTHON) -m hack.images build

sbom: $(VENV)/ready ## Write a bill of materials (CycloneDX) of each image to dist/sbom
	@$(BIN)/python -m hack.sbom

scan: $(VENV)/ready ## Scan the images for known vulnerabilities: Debian's security archive, PyPI's advisories (needs both)
	@$(BIN)/python -m hack.scan

# --- environment ----------------------------------------------------------------------------------
.PHONY: lock clean clean-cache
$(VENV)/ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'HeartOps needs Python 3.11 or newer with venv: install python3-venv, or set PYTHON=…'; exit 1; }
	@echo '==> development environment: $(VENV)'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync -q --compile-bytecode --python $(VENV) --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(VENV) --no-deps -e .
	@touch $@

lock: $(VENV)/ready ## Pin dependencies anew from pyproject.toml
	@$(BIN)/python requirements/lock.py

clean: ## Remove what the builds left in this tree
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-cache: ## Remove the cache of built binaries and images
	@$(CLUSTER) clean-cache
