# Everything starts here. Each target installs what it needs first; a repeat is instant. `make` alone lists them.
# Settings: S=order (one process), SCRIPT=smoke (a script of k6/), ESHOP_STACK_DIR, ESHOP_PORT_OFFSET, ESHOP_DTM_BIN.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?=
RUN := .venv/bin/python
LOCKED := .venv/installed-$(shell sha256sum requirements-dev.lock | cut -c1-16)
PROTOS := $(shell find protos -name '*.proto') protos/generate.py
GENERATED := services/common/pb/.generated
SUITES := $(wildcard $(addprefix tests/,unit contract conformance integration e2e))
SCRIPT ?= smoke
S ?=

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: $(LOCKED) $(GENERATED) ## make .venv from the lock and generate code from the protos

protos: $(GENERATED) ## generate code from the protos where they changed

up: install ## start MySQL, Redis, Kafka, both coordinators and the eight services
	@$(RUN) -m dev up

down: install ## stop them; the data stays
	@$(RUN) -m dev down

status: install ## what runs, and where
	@$(RUN) -m dev status

logs: install ## follow the logs of all processes, or of S=order
	@$(RUN) -m dev logs $(S)

restart: install ## restart the coordinators and services, or S=order
	@$(RUN) -m dev restart $(S)

migrate: install ## bring the schemas of the running stack to their newest revision
	@$(RUN) -m dev migrate

seed: up ## fill the running shop with a few users, products, coupons and stock
	@ESHOP_GATEWAY=$$($(RUN) -m dev address gateway) $(RUN) -m db.seed

demo: up ## play the shop's day and check the invariants; leaves the shop running
	@$(RUN) -m dev.demo

test: install ## run the tests against real MySQL, Redis and Kafka
	@$(RUN) -m pytest $(SUITES)

check: install ## lint and type-check code and protos
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$$($(RUN) -m dev.tools buf) lint services/common/pb/eshop.binpb

monitor: up ## scrape the running shop with Debian's Prometheus, the chart's alerts loaded
	@$(RUN) -m dev.monitor

load: up ## run the k6 script SCRIPT=smoke against the running shop; its thresholds decide
	@$(RUN) -m dev.bench.k6 $(SCRIPT)

bench: up ## measure speed and cost of the shop under load; W="submit-200 backlog" chooses workloads
	@$(RUN) -m dev.bench run $(W)

bench-compare: install ## two runs of the bench as ratios: A=… B=…, files that it has kept
	@$(RUN) -m dev.bench compare $(A) $(B)

chart-test: install ## render, lint and check the chart; with KUBECONFIG also ask a real API server
	@$(RUN) -m pytest tests/chart

cluster-test: install ## build the images and try the chart on a real cluster: KUBECONFIG, BUILD, LOAD
	@tests/cluster/run.sh

cluster-scaling: install ## what more pods of order and flash-sale bring and cost, on the cluster of KUBECONFIG
	@tests/cluster/run.sh scaling

kind-up: ## a kind cluster with the shop in it, for those who have docker, kind, kubectl and helm
	@kind get clusters 2>/dev/null | grep -qx eshop || kind create cluster --name eshop --wait 120s
	@BUILD="docker build -t" LOAD="kind load docker-image --name eshop" images/build.sh dev
	@helm upgrade --install eshop charts/eshop --kube-context kind-eshop -f charts/eshop/values-dev.yaml --wait --timeout 10m \
	  --set defaults.image.tag=dev,dtm.images.embedded.tag=dev,migrations.image.tag=dev,loadTest.image.tag=dev

lock: $(LOCKED) ## pin all dependencies with hashes anew, after a change of pyproject.toml
	@$(RUN) -m dev.lock

clean: ## stop the stack and delete its data, .venv and generated code; downloads stay in ~/.cache/eshop
	@[ ! -x $(RUN) ] || $(RUN) -m dev down
	rm -rf .stack .venv services/common/pb .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis

$(LOCKED): requirements-dev.lock
	@$(RUN) -c '' 2>/dev/null || { \
	  for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11) none; do \
	    $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break; done; \
	  [ $$python != none ] || { echo "Python 3.11, 3.12 or 3.13 is needed: install it, or name it with PYTHON=…"; exit 1; }; \
	  rm -rf .venv; $$python -m venv .venv >/dev/null || \
	    { rm -rf .venv; echo "$$python cannot make virtual environments: install the package python3-venv"; exit 1; }; }
	@echo "installing the Python packages of requirements-dev.lock"
	@$(RUN) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@rm -f .venv/installed-* && touch $@

$(GENERATED): $(LOCKED) $(PROTOS)
	@echo "generating services/common/pb from the protos"
	@$(RUN) -m protos.generate && touch $@

.PHONY: help install protos up down status logs restart migrate seed demo test check monitor load bench bench-compare chart-test cluster-test cluster-scaling kind-up lock clean
