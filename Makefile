# SPDX-License-Identifier: Apache-2.0
# `make` says what there is. Everything works in a fresh clone with only Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
TESTS := $(BIN)/python -m pytest -q
# So many files of tests at a time. The quick ones need a core each; those on real parts wait for a
# daemon for a third of their time, which a third process has the two cores for.
BY_FILE := --dist loadfile --no-loadscope-reorder
TWO := --numprocesses 2 $(BY_FILE)
THREE := --numprocesses 3 $(BY_FILE)
QUICK := tests/unit tests/golden
# Which tests of chaos `make test` runs: none.
CHAOS := -m "not chaos"
# There is one real node, so one process.
ON_A_NODE := --real-node
NODE := tests/integration/parts/test_kubelet.py tests/integration/parts/test_issuer.py tests/e2e

.PHONY: faults bundles accuracy help setup demo stack unit test node cluster dist oldest cut recording docs image chaos stacks check bench parts
.DEFAULT_GOAL := help

help: ## say what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 17

setup: $(BIN)/.locked ## make .venv, with every tool pinned by hash

$(BIN)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lokeys needs Python 3.11 or newer; choose one: make PYTHON=python3.12 …")'
	@echo "installing the pinned tools into .venv (about a minute) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## play the whole story on this machine, with nothing else installed
	@$(BIN)/lokeys demo

stack: parts ## bring up real Kubernetes, Ceph and a LokiStack without a key, and send a line
	@PYTHONPATH=tests:scripts $(BIN)/python -m e2e.stacks.story

unit: setup ## the quick tests: two minutes, no socket
	@$(TESTS) $(TWO) $(QUICK)

# The real node waits for most of its time: it runs beside all others, and is told of when it is done.
test: parts ## all tests but chaos, on the real parts, which it builds or installs first
	@mkdir -p build
	@{ $(TESTS) $(ON_A_NODE) -m "real_node and not chaos" >build/real-node.txt 2>&1; \
	  code=$$?; cat build/real-node.txt; exit $$code; } & \
	$(TESTS) $(THREE) $(CHAOS); code=$$?; \
	wait $$! || { tail -n 1 build/real-node.txt; exit 1; }; \
	exit $$code

node: parts ## run pods on a real node (needs root): what a node does, and all stories
	@$(TESTS) $(ON_A_NODE) -m "not chaos" $(NODE)

cluster: parts ## play the incident in a cluster with a real node, lokeys' chart and image (needs root, buildah)
	@PYTHONPATH=tests:scripts $(BIN)/python -m e2e.cluster

dist: setup ## build package, programs for krew, chart, lists of their parts and checksums into dist/
	@PYTHONPATH=scripts $(BIN)/python -m release.dist dist

oldest: parts ## run tests on the oldest Kubernetes that is supported, which it builds first
	@PYTHONPATH=tests $(BIN)/python -m parts.oldest

cut: setup ## make what the CHANGELOG calls unreleased the changes of the release to come
	@PYTHONPATH=scripts $(BIN)/python -m release.changelog

recording: setup ## play the demo in a terminal, and keep it as the README's picture
	@$(BIN)/python scripts/recording.py docs/images/demo.svg

docs: build/docs/.locked ## make the site of docs/ in build/site, and find every dead link
	@NO_MKDOCS_2_WARNING=true build/docs/bin/mkdocs build --strict --quiet
	@echo "build/site/index.html"

build/docs/.locked: locks/docs.txt
	@echo "installing what makes the site into build/docs (half a minute) …"
	@$(PYTHON) -m venv build/docs
	@build/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/docs.txt
	@touch $@

image: setup ## build the image into dist/, with a list of what is in it (needs Debian, buildah)
	@PYTHONPATH=scripts $(BIN)/python -m release.image dist

chaos: parts ## outages, and kills at every write
	@$(TESTS) $(TWO) -m chaos

stacks: parts ## put every combination of a LokiStack before the real Loki: eight minutes
	@LOKEYS_ALL_STACKS=1 $(TESTS) tests/integration/lokistack/test_loki_accepts.py

check: setup ## format, lint, types, layers, quick tests, the core's coverage
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q $(TWO) $(QUICK)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=100

faults: parts ## run the real Loki once with each fault, and keep what it prints (ten minutes)
	@PYTHONPATH=tests $(BIN)/python -m logs.faults $(FAULTS)

bundles: setup ## keep what collect writes of routes with faults, beside what the doctor said of them
	@PYTHONPATH=tests $(BIN)/python -m integration.cli.bundle_faults $(BUNDLES)

accuracy: setup ## how often the doctor's first cause is right, on logs that no rule was written from
	@PYTHONPATH=tests $(BIN)/python -m logs.accuracy $(CAUSES)

bench: parts ## measure speed and memory, and keep the figures as JSON
	@PYTHONPATH=tests:scripts $(BIN)/python -m bench

parts: setup ## build and install the real parts that tests run on, once
	@PYTHONPATH=tests:scripts $(BIN)/python -m parts.debian
	@PYTHONPATH=tests:scripts $(BIN)/python -m parts.packages
	@PYTHONPATH=tests:scripts $(BIN)/python -m parts.build
