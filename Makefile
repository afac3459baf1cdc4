# Two commands: `make demo` does the main job offline, `make test` runs everything.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
# One process a core; the tests of a file share its fixtures, so they stay together. In the order of
# their folders, or the few long stories in a browser would come last, one after the other.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-base check format lab notebooks bench clean

help:
	@echo "make demo       install, then audit, train and verify a small example, offline"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make test       install what the tests need, check the code and run every test"
	@echo "make check      format, lint, types and layers"
	@echo "make format     let ruff rewrite the code"
	@echo "make notebooks  run the notebooks and store their outputs"
	@echo "make bench      print the benchmarks"

demo: $(VENV)/.demo
	$(BIN)/forgelm quickstart
	@echo
	@echo "The same job cell by cell, in a notebook:  make lab"

lab: $(VENV)/.demo
	$(BIN)/jupyter lab notebooks/01_quickstart.ipynb

test: check test-base
	$(BIN)/python -m pytest $(PARALLEL)

# The suite of a base install (nothing but the packages that `pip install forgelm` brings), without the
# slow tests, which need no more than that and run once in `make test`.
test-base: $(VENV)-base/.installed
	$(VENV)-base/bin/python -m pytest -q $(PARALLEL) -p no:cacheprovider -m 'not slow' tests/config tests/compliance tests/data_audit tests/test_library_api.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebooks: $(VENV)/.dev
	$(BIN)/python notebooks/_execute.py

bench: $(VENV)/.dev
	for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) (some minutes the first time) ..."
	$(INSTALL) --editable '.[train,notebook]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) (some minutes the first time) ..."
	$(INSTALL) --editable '.[train,eval,data,dedup,pii,notebook,cluster,remote,sign,anchor,export,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)-base/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-base
	$(VENV)-base/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable . pytest pytest-timeout pytest-xdist hypothesis
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-base build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
