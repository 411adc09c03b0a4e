# Everything that is done with this repository. `make help` lists it.

CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/provision
TARGET  := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
CARGO   ?= cargo
TRIPLE  ?= x86_64-unknown-linux-gnu
# Amazon Linux 2023 has this glibc.
GLIBC   := 2.34
DIST    := $(CURDIR)/dist
TOOLS   := $(CACHE)/tools
SCALE   ?= 60
BLUEPRINT ?= blueprints/rehearsal.toml

export LOCAL_AWS_HOME ?= $(CACHE)/local-aws

E2E_TESTS    := $(patsubst tests/%.rs,--test %,$(filter-out tests/localstack.rs tests/deploy.rs,$(wildcard tests/*.rs)))
SERVER_TESTS := --test stores --test process --test chaos
# Always the whole workspace with its tests: any other choice unifies features differently and builds the SDK again.
ALL := --workspace --all-targets --locked

.PHONY: help build release man graphs up down lint fmt test test-unit test-server test-emulator test-e2e test-crash test-deploy test-localstack \
	test-docs bench bench-provision test-bench setup clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build provision and game-server (development profile) into dist/
	$(CARGO) build $(ALL)
	@mkdir -p $(DIST)
	@cp -f $(TARGET)/debug/provision $(DIST)/provision

# The server is built against an old glibc with zig as the linker; both come from PyPI.
$(TOOLS)/bin/cargo-zigbuild: Makefile
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet cargo-zigbuild==0.24.0 ziglang==0.17.1
	@touch $@

release: $(TOOLS)/bin/cargo-zigbuild ## build game-server for Amazon Linux 2023 into dist/
	PATH="$(TOOLS)/bin:$$PATH" $(CARGO) zigbuild --release --locked -p server --target $(TRIPLE).$(GLIBC)
	@mkdir -p $(DIST)
	@cp -f $(TARGET)/$(TRIPLE)/release/game-server $(DIST)/game-server

man: build ## write the man pages of provision and its verbs into dist/man
	$(DIST)/provision man $(DIST)/man/man1

setup: ## install what the local AWS needs: Debian packages, a Python environment
	@tests/emulator/setup.sh >/dev/null

graphs: build ## draw the blueprints that ship, for docs/
	@for name in rehearsal starter production; do $(DIST)/provision graph blueprints/$$name.toml --out docs/graph-$$name.svg; done

up: build release setup ## bring the rehearsal blueprint up on the local AWS
	@tests/emulator/start.sh --time-scale $(SCALE)
	@. .local-aws/env && $(DIST)/provision up $(BLUEPRINT) --yes

down: ## take it down again, then stop the local AWS
	@. .local-aws/env && $(DIST)/provision down $(BLUEPRINT) --yes --allow-data-loss
	@tests/emulator/stop.sh

fmt: ## format the Rust code
	$(CARGO) fmt --all

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(ALL) -- -D warnings

test: test-unit test-server test-emulator test-e2e test-bench ## every test but test-crash and test-deploy; sets up what it needs

test-unit: ## unit tests and snapshots of the provisioner
	$(CARGO) test --workspace --locked --lib --bins

test-server: setup ## the server: its stores on MariaDB, Redis and DynamoDB, its process, and chaos
	LOCAL_AWS_PYTHON="$$(tests/emulator/setup.sh | tail -n 1)" SCHEMATHESIS="$$(server/tests/schemathesis/setup.sh | tail -n 1)" \
		$(CARGO) test --workspace --locked $(SERVER_TESTS)

test-emulator: setup ## the local AWS itself
	"$$(tests/emulator/setup.sh | tail -n 1)" -m pytest -q tests/emulator/tests

test-e2e: build release setup ## the built binaries against the local AWS
	LOCAL_AWS_PYTHON="$$(tests/emulator/setup.sh | tail -n 1)" PROVISION="$(DIST)/provision" \
		$(CARGO) test --workspace --locked $(E2E_TESTS)

test-crash: build release setup ## stop up and down at every mutating call, in four ways each: half an hour to an hour
	LOCAL_AWS_PYTHON="$$(tests/emulator/setup.sh | tail -n 1)" PROVISION="$(DIST)/provision" \
		$(CARGO) test --workspace --locked --test crash -- --ignored --nocapture

test-deploy: build release setup ## deploys under load, releases that are broken, kills in the middle: a quarter of an hour
	LOCAL_AWS_PYTHON="$$(tests/emulator/setup.sh | tail -n 1)" PROVISION="$(DIST)/provision" \
		$(CARGO) test --workspace --locked --test deploy -- --test-threads=1 --nocapture

test-localstack: build setup ## the cycle on LocalStack's free edition, which PyPI has
	LOCAL_AWS_PYTHON="$$(tests/emulator/setup.sh | tail -n 1)" PROVISION="$(DIST)/provision" \
		$(CARGO) test --workspace --locked --test localstack

SECONDS ?= 10
PLAYERS ?= 100000
bench: release ## the released server under load on MariaDB and Redis, beside those by themselves; SECONDS=10 a row, PLAYERS=100000
	@bench/setup.sh
	@python3 bench/run.py --server $(DIST)/game-server --seconds $(SECONDS) --players $(PLAYERS)

ROUNDS ?= 5
bench-provision: build setup ## provision itself: calls, time and calls in flight beside the local AWS alone; ROUNDS=5
	@python3 bench/provisioning.py --provision "$(DIST)/provision" --python "$$(tests/emulator/setup.sh | tail -n 1)" --rounds $(ROUNDS)

test-docs: build ## the page /docs in a headless Chromium (Debian package chromium), with a picture in dist/docs.png
	server/tests/docs.sh "$(TARGET)/debug/game-server" "$(DIST)/docs.png"

test-bench: release ## the benchmark in small: every request is answered well and the ledger is right after it
	@bench/setup.sh
	@python3 bench/run.py --server $(DIST)/game-server --seconds 1 --players 1000 --events 30000

clean: ## stop the local AWS and forget what was built
	-tests/emulator/stop.sh
	rm -rf $(DIST) .local-aws target
