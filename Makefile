# Everything here needs Python 3.11+ and make, and nothing else: .venv is made when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-slow check parity bench bench-routing bench-http bench-clients soak chaos clean lock

run: $(VENV)/.runtime
	$(BIN)/image-gateway demo

# Four files at a time: most of them wait for servers rather than compute. A process that crashes ends the run, with the
# name of its test: one that is put in its place would be waited for without end.
test: $(VENV)/.development
	$(BIN)/pytest -m "not slow" -rs -n 4 --dist loadfile --max-worker-restart=0

test-slow: $(VENV)/.development
	$(BIN)/pytest -m slow -rs

# What a plan costs, and the image path beside other gateways; some twenty minutes on two cores that have nothing else to
# do. Needs a C compiler; peers it cannot install are named and left out.
bench: $(VENV)/.development
	@status=0; for each in plan_cost image_path; do $(BIN)/python -m benchmarks.$$each || status=1; done; exit $$status

# The router against an oracle and usual routers, in virtual time; about ten minutes on two cores.
bench-routing: $(VENV)/.development
	$(BIN)/python -m benchmarks.routing --objective balanced,fastest

# The running gateway against the vendor simulator in scripted trouble.
bench-http: $(VENV)/.development
	$(BIN)/python -m benchmarks.over_http

# HTTP clients in the place of the one our transport uses; about half an hour. Installs them into .cache/bench.
bench-clients: $(VENV)/.development
	$(BIN)/python -m benchmarks.http_clients

# Everything that can go wrong, one thing at a time under load, with real processes; about a quarter of an hour.
chaos: $(VENV)/.development
	$(BIN)/python -m benchmarks.chaos

# A mixed load with trouble for SOAK_SECONDS (an hour) at SOAK_RATE requests a second (1), at the lowest priority.
soak: $(VENV)/.development
	$(BIN)/python -m benchmarks.soak

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Writes docs/parity.md anew, from what the code does.
parity: $(VENV)/.development
	$(BIN)/python -m tests.architecture.parity docs/parity.md

clean:
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Pins every dependency with its hashes; names no index.
lock: $(VENV)/.development
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --python-version 3.11 \
		--extra dev -o requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --python-version 3.11 \
		--extra build -c requirements-dev.lock -o requirements.lock pyproject.toml

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A .venv made by hand may be of an older Python.
define current
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(VENV) is of a Python older than 3.11: make clean, then again" >&2; exit 1; }
endef

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(current)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(current)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.runtime
