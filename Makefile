# sandlot: every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
PY := $(VENV)/bin/python
SANDLOT := $(VENV)/bin/sandlot
PYTEST := $(PY) -m pytest
# More arguments for pytest: make test PYTEST_ARGS="--require-engine bubblewrap -k fork"
PYTEST_ARGS ?=
# The folders the tools look at.
CODE := sandlot tests tools examples

export PIP_DISABLE_PIP_VERSION_CHECK := 1

##@ Use
.PHONY: run
run: walls ## Set everything up and run examples/ in the default engine; the chart lands in out/
	tools/run_examples $(SANDLOT)

##@ Test
.PHONY: test test-integration test-engines test-hostile test-faults test-cov
test: walls ## All tests this machine can do; PYTEST_ARGS is passed on
	$(PYTEST) $(PYTEST_ARGS)

test-integration: walls ## Tests that enter by the shipped doors: CLI, wheel, documents
	$(PYTEST) tests/e2e tests/docs $(PYTEST_ARGS)

test-engines: walls ## Conformance of every engine this machine can start, and what it skipped
	$(PYTEST) tests/conformance $(PYTEST_ARGS)

test-hostile: walls ## Attacks of the threat model against every engine this machine can start
	$(PYTEST) tests/hostile $(PYTEST_ARGS)

test-faults: walls ## Killed servers and 1,000 sandboxes in a row; part of it, with fewer, is in make test
	$(PYTEST) -m faults --cycles 1000 $(PYTEST_ARGS)

test-cov: walls ## All tests with branch coverage
	$(PYTEST) --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

##@ Check
.PHONY: check lint format format-check types imports architecture dead-code
check: format-check lint types imports architecture dead-code ## Everything that needs no engine: format, lint, types, arrows, size, dead code

format-check: setup ## Is every file formatted?
	$(PY) -m ruff format --check $(CODE)

format: setup ## Format, and fix what ruff can fix safely
	$(PY) -m ruff format $(CODE)
	$(PY) -m ruff check --fix $(CODE)

lint: setup ## ruff, every rule that pyproject.toml does not excuse
	$(PY) -m ruff check $(CODE)

types: setup ## mypy --strict on code and tests
	$(PY) -m mypy

imports: setup ## The arrows of ARCHITECTURE.md
	$(VENV)/bin/lint-imports

architecture: setup ## Sizes, names, exports, import cost
	$(PYTEST) tests/architecture -q

dead-code: setup ## Names nobody uses
	$(PY) -m vulture

##@ Measure
# More arguments for sandlot bench: make bench BENCH_ARGS="--quick one-shot"
BENCH_ARGS ?=
.PHONY: bench
bench: walls ## The numbers the project promises, beside baselines; about ten minutes, the document lands in out/
	mkdir -p out
	$(SANDLOT) bench --output out/performance.json $(BENCH_ARGS)

##@ Ship
.PHONY: build image lock clean
build: setup ## Wheel and sdist in dist/
	rm -rf dist
	$(PY) -m build --no-isolation --outdir dist

# docker or podman; podman leaves the health check out of its own format. More arguments: --build-arg BASE=...,
# --platform linux/amd64,linux/arm64 (docker: of a builder that can), --secret id=pip,src=pip.conf
IMAGE_TOOL ?= podman
IMAGE_ARGS ?=
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' sandlot/_version.py)
image: build ## The container image sandlot:VERSION, by podman or IMAGE_TOOL=docker
	$(IMAGE_TOOL) build $(if $(findstring podman,$(IMAGE_TOOL)),--format docker) --build-arg VERSION=$(VERSION) \
	    --file deploy/container/Containerfile --tag sandlot:$(VERSION) $(IMAGE_ARGS) .

lock: setup ## Write the locks of requirements/ anew; needs uv
	tools/lock

clean: ## Remove what the targets made; environments stay (sandlot env remove NAME)
	rm -rf $(VENV) .cache dist build out .coverage htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find sandlot tests tools examples -name __pycache__ -prune -exec rm -rf {} +

##@ Later
later = @echo "make $@ is not built yet: it comes with $(1)" >&2; exit 2
.PHONY: test-kubernetes k8s-testenv docs
test-kubernetes: ## The Kubernetes engine against a real cluster (later)
	$(call later,the engine kubernetes)
k8s-testenv: ## A real test cluster on this machine (later)
	$(call later,the engine kubernetes)
docs: ## The documentation site (later)
	$(call later,the documentation site; the pages are in docs/ and README.md)

##@ Set up
.PHONY: setup help
setup: $(VENV)/.sandlot ## The venv of the tools and the command .venv/bin/sandlot

.PHONY: walls
walls: setup # the system packages that the default engine needs
	@tools/setup_system bubblewrap

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	     /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

# Stamps: a target runs again only when what it was made from has changed.
$(VENV)/.python: tools/find_python tools/setup_system
	tools/setup_system python
	python=$$(tools/find_python) && $$python -m venv $(VENV)
	touch $@

$(VENV)/.tools: requirements/dev.txt $(VENV)/.python
	$(PY) -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

$(VENV)/.sandlot: pyproject.toml sandlot/_version.py $(VENV)/.tools
	$(PY) -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	touch $@
