# One verb each. The environment is made once, in .venv, and made again when pyproject.toml changes.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-all lint bench docs matrix clean

demo: $(STAMP)
	$(BIN)/shindan demo

test: $(STAMP)
	$(BIN)/pytest -n 2

test-all: $(STAMP)
	$(BIN)/pytest -n 2 -m ""

lint: $(STAMP)
	$(BIN)/ruff check src tests benchmarks tools docs
	$(BIN)/ruff format --check src tests benchmarks tools docs
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py

docs: $(STAMP)
	$(BIN)/python docs/build.py

# What was found in every run is written anew; read the diff of tests/run/matrix.txt.
matrix: $(STAMP)
	SHINDAN_GOLDEN=write $(BIN)/pytest -n 2 -m "" tests/run/test_faults.py tests/run/test_healthy.py

clean:
	rm -rf $(VENV) .shindan shindan-demo build src/*.egg-info

# torch is installed first and alone, so that nothing pulls a newer build in.
$(STAMP): pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(STAMP)
