# The two commands of a newcomer are `make demo` and `make test`; `make help` lists the others.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/pytest -q -n 2 --dist loadfile
.DEFAULT_GOAL := help
# A city is a dozen processes: without compiled modules kept on disk each of them spends most of its start compiling.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help setup lint check format test demo bench docs new chaos fuzz soak clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

setup:  ## make .venv from uv.lock and build the JavaScript bundle; nothing to do = no network
	@$(PYTHON) tools/setup.py

lint: setup  ## form, types, import law
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint  ## lint, format, types, import law, tidiness, docs
	@$(BIN)/pytest -q tests/contracts/test_tidy.py tests/contracts/test_imports.py tests/contracts/test_docs.py

format: setup  ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test:  ## lint, then unit, contracts, flows on real PostgreSQL and NATS, browser
	@$(PYTHON) tools/setup.py --browser
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m tools.run_tests

demo: setup  ## start a whole simulated city and print its address
	@exec $(BIN)/citynet up --demo

bench: setup  ## run all benchmarks side by side and write bench/results/
	@for name in $$($(BIN)/citynet bench --list); do \
		echo "bench $$name" && $(BIN)/citynet bench $$name --json > bench/results/$$name.json || exit 1; done

docs: setup  ## write docs/reference and .env.example from the code
	@$(BIN)/python -m tools.docs

new: setup  ## write a new plugin with its checks: make new THING=detector NAME=drift
	@$(BIN)/citynet new $(THING) $(NAME)

chaos: setup  ## kill parts, broker and database under load and under commands, many rounds
	@CITYNET_CHAOS_ROUNDS=$${CITYNET_CHAOS_ROUNDS:-10} CITYNET_COMMAND_CASES=$${CITYNET_COMMAND_CASES:-520} \
		CITYNET_COMMAND_PAIRS=$${CITYNET_COMMAND_PAIRS:-2690} \
		$(BIN)/pytest -q -rP -o faulthandler_timeout=7200 -m chaos tests

fuzz: setup  ## a million random frames a protocol and decoder, seeds printed; random tests with many more examples
	@CITYNET_FUZZ_FRAMES=$${CITYNET_FUZZ_FRAMES:-1000000} $(BIN)/pytest -q -s -o faulthandler_timeout=3600 tests/contracts/test_fuzz.py tests/contracts/test_fuzz_roads.py
	@$(PYTEST) --hypothesis-profile=fuzz tests/unit tests/contracts

soak: setup  ## an hour of the whole city, headless; fails if anything is lost, doubled or missed
	@$(BIN)/citynet demo-check --seconds $${SECONDS_OF_SOAK:-3600} --json

clean:  ## remove what set-up and tests made; the data of a city stays
	@rm -rf .venv .tools situation_center/vendor situation_center/web/node_modules .*_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
