# What runs in CI is what you run. Every target does all its set-up.
.DEFAULT_GOAL := help
.PHONY: help release run test check fuzz bench load interop soak

# rustup's place, for a shell that has not read its profile yet
export PATH := $(PATH):$(HOME)/.cargo/bin
export COUNTERSIGN_CORPUS ?= $(abspath ../shared/corpus)

help:
	@echo 'make run      builds, starts receiver and proxy, sends a message, stays up until Ctrl-C'
	@echo 'make release  the program, at target/release/countersign'
	@echo 'make test     all tests'
	@echo 'make check    format, lints, documentation, dependencies, advisories, files of deployment, a short fuzz'
	@echo 'make interop  the admin API against its document; WSS4J and CXF judge what we sign, and CXF exchanges its trust store'
	@echo '              under load (Maven); zeep and soap call through us (Python, npm)'
	@echo 'make fuzz     every fuzz target for FUZZ_SECONDS (600)'
	@echo 'make bench    benchmarks'
	@echo 'make load     switches under load, by each strategy: latency around them, as tables and plots (10 minutes)'
	@echo 'make soak     faults, shapes of message, reloads, overload and renewals at length, on an optimised build'

release:
	@scripts/setup build
	cargo build --release --locked

run: release
	@scripts/setup run
	@scripts/run

test:
	@scripts/setup test
	@[ -d "$$COUNTERSIGN_CORPUS" ] || \
	  echo 'no corpus at $(COUNTERSIGN_CORPUS): its tests run on tests/messages only (set COUNTERSIGN_CORPUS)'
	cargo test --locked --features sabotage

check:
	@scripts/setup check
	shellcheck scripts/* findings/*.sh .ci/run
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --all-targets --features sabotage --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items --locked
	cargo deny --locked check bans licenses sources
	scripts/audit
	scripts/deployment
	scripts/image
	FUZZ_SECONDS=20 scripts/fuzz

fuzz:
	@scripts/setup check
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} scripts/fuzz

# At most one at a time: what is measured should not be the others.
soak:
	@scripts/setup test
	COUNTERSIGN_SOAK=1 cargo test --release --locked --test integration -- \
	  --nocapture --test-threads=1 crash:: faults:: linear:: reload_under_load:: overload:: hostile:: \
	  strategies::
	COUNTERSIGN_SOAK=1 cargo test --release --locked --lib -- --nocapture keys::model

bench:
	@scripts/setup build
	cargo bench --locked --bench memory --bench signing

load:
	@scripts/setup build
	cargo bench --locked --bench load

interop:
	@scripts/setup interop
	@scripts/openapi
	@scripts/interop
