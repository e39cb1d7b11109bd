# Two commands matter to a new user: `make demo` and `make test`. Everything else is in `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAM := .sam
SAM_READY := $(SAM)/.ready
GROUPS := orchestrator rules_engine isolation_forest autoencoder xgboost_classifier decision_engine \
          post_auth_intelligence intelligence outbox_sweeper users alerts audit_log action_layer challenges client_events geoip \
          trainer local training dev uv sam

.DEFAULT_GOAL := help
.PHONY: help demo serve sam-local test test-containers check bench bench-lambda bench-sam-local lock clean

help: ## what each command does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

demo: $(READY) ## start the server, score samples and a simulated stream, print the verdicts, stop
	$(BIN)/assay demo

serve: $(READY) ## start the embedded server on 127.0.0.1:8080 (data in ./var)
	$(BIN)/assay serve --data-dir var

sam-local: $(READY) $(SAM_READY) ## the whole pipeline as containerised Lambdas on 127.0.0.1:3000; needs Docker
	$(BIN)/python -m local.aws

test: $(READY) $(SAM_READY) ## every test that needs no container, a process per CPU
	$(BIN)/pytest -n auto --dist loadfile

test-containers: $(READY) $(SAM_READY) ## the tests of the containers; needs Docker
	$(BIN)/pytest -o addopts='' -q --strict-markers --import-mode=importlib tests/containers

check: $(READY) $(SAM_READY) ## lint, format, types, import arrows, the template
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(SAM)/bin/sam validate --lint

bench: $(READY) ## measure the figures, print the table, write benchmarks/results/
	$(BIN)/python -m benchmarks

bench-lambda: $(READY) $(SAM_READY) ## cost and cold start of the containers; needs Docker
	$(BIN)/python -m benchmarks.lambda_cost

bench-sam-local: $(READY) $(SAM_READY) ## latency of POST /score through make sam-local; needs Docker
	$(BIN)/python -m benchmarks.sam_local

lock: $(READY) ## pin every dependency group, with hashes, into requirements/
	@for group in $(GROUPS); do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" --group $$group --output-file requirements/$$group.txt || exit 1; \
	done

clean: ## remove the environment and what runs have left behind
	rm -rf $(VENV) $(SAM) var replay .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The environment is rebuilt when the pins change. uv comes from pip and needs nothing installed beforehand.
$(READY): requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Assay needs python3 >= 3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "python3 has no venv module (on Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -m compileall -q layers functions local training
	@touch $@

# A tool beside the project: it pins a boto3 that the project's own libraries cannot take.
$(SAM_READY): requirements/sam.txt | $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(SAM)
	$(BIN)/uv pip install --quiet --python $(SAM)/bin/python --compile-bytecode --require-hashes -r requirements/sam.txt
	@touch $@
