# Needs Python 3.11+ and make, nothing else. `make` alone lists the targets.
PYTHON ?= python3
ARGS ?=
KILLS ?= 1000
DEALS ?= 500
SEED ?= 1
VENV := .venv
BIN := $(VENV)/bin
# Three processes for two cores, as tests wait more than they work.
PYTEST := $(BIN)/pytest -n 3 --dist worksteal
PYTHON_PATHS := src tests scripts
LOCK := $(BIN)/uv pip compile --no-config --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --quiet
# Checked here, not in the script, so that an old Python prints this instead of a traceback.
SETUP := $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Holdfast needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	$(PYTHON) scripts/setup_venv.py
export UV_CUSTOM_COMPILE_COMMAND := make lock

.DEFAULT_GOAL := help
.PHONY: help setup setup-demo demo test check unit coverage crash-test simulate exit-proofs e2e-testnet bench fix lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Create .venv with everything needed to work on Holdfast (does nothing when current)
	@$(SETUP) dev >&2

setup-demo: ## Create .venv with what the program and the devnet need, without development tools
	@$(SETUP) demo >&2

demo: setup-demo ## Run one $10M deal on a local chain; ARGS="--json" or ARGS="--freeze-at 2"
	@$(BIN)/holdfast demo $(ARGS)

test: setup check ## Run every check, then every test (what CI runs)
	@$(PYTEST) tests/unit -m "not slow" --cov --cov-report= --unit-branch-floor=85 $(ARGS)
	@$(PYTEST) -m "not unit or slow" $(ARGS)

check: setup ## Format, lint, import contracts and types; changes nothing
	$(BIN)/ruff format --check $(PYTHON_PATHS)
	$(BIN)/ruff check $(PYTHON_PATHS)
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright

unit: setup ## Run the unit tests alone
	@$(BIN)/pytest tests/unit $(ARGS)

coverage: setup ## Measure which lines and branches all tests together take (slow)
	@COVERAGE_CONCURRENCY=greenlet $(PYTEST) --cov --cov-report=term-missing $(ARGS)

crash-test: setup ## Kill workers KILLS=1000 times over DEALS=500 deals, count every leg on chain (SEED=1)
	@$(BIN)/python -m tests.chaos --kills $(KILLS) --deals $(DEALS) --seed $(SEED) $(ARGS)

simulate: setup ## Run the transaction layer in SEEDS=10000 seeded worlds of faults, in virtual time
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000) --from $(or $(FROM),0) $(ARGS)

exit-proofs: setup ## Execute every unwind, freeze x step, on the devnet; ARGS="--into docs/exit-proofs.md"
	@$(BIN)/python -m tests.exits $(ARGS)

e2e-testnet: setup ## Open and close a tiny position, swap and swap back, on a public testnet (docs/testnet.md)
	@$(BIN)/python -m tests.e2e $(ARGS)

bench: setup ## Measure deals, transactions, takeover and growth against plain clients and the limit
	@$(BIN)/python -m tests.bench $(ARGS)

fix: setup ## Format and apply the safe lint fixes
	$(BIN)/ruff check --fix $(PYTHON_PATHS)
	$(BIN)/ruff format $(PYTHON_PATHS)

lock: setup ## Compile requirements/*.in into the hashed pins (add ARGS=--upgrade to move them)
	$(LOCK) $(ARGS) requirements/build.in -o requirements/build.txt
	$(LOCK) $(ARGS) requirements/runtime.in -o requirements/runtime.txt
	$(LOCK) $(ARGS) requirements/devnet.in -c requirements/runtime.txt -o requirements/devnet.txt
	$(LOCK) $(ARGS) requirements/dev.in -c requirements/runtime.txt -c requirements/devnet.txt \
		-c requirements/build.txt -o requirements/dev.txt

clean: ## Remove caches and build output; the environment and the database stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov build src/*.egg-info
