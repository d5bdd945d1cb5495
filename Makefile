# `make demo` and `make test` do everything on a fresh machine: they create .venv when it is missing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo granule test lint bench clean

demo: .venv/.installed
	$(BIN)/unmix demo -o demo --overwrite

granule: .venv/.installed
	$(BIN)/python examples/gf5.py -o granule

test: .venv/.tested
	find src -name "*.nb[ic]" -delete  # compiled kernels do not notice a change in another file
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2

lint: .venv/.tested
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

.venv/.installed: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -e .
	touch $@

.venv/.tested: .venv/.installed
	$(BIN)/pip install -q --disable-pip-version-check -e ".[test]"
	touch $@

clean:
	rm -rf .venv demo granule
