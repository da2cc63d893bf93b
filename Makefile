# `make demo` and `make test` set everything up in .venv and need nothing but Python 3.10 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test test-long test-gradescope lint setup template docs pictures bench clean

demo: setup
	$(BIN)/grader demo -j $(JOBS)

test: setup
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and not long and not gpu and not browser and not container"

# Networks train, and every attack is tried in every world.
test-long: setup
	$(BIN)/python -m pytest -m long

# Minutes; needs root and debootstrap: a bundle is built in a clean system, and grades there under the platform's limits.
test-gradescope: setup
	$(BIN)/python -m pytest -m container tests/e2e/test_gradescope.py

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# Derives student_template/ from reference/, and from the sources of notebooks, anew.
template: setup
	$(BIN)/python -c "from pathlib import Path; from grader.kit.template import write; write(Path())"
	$(BIN)/python -c "from pathlib import Path; from grader.kit.notebook import write_notebooks; write_notebooks(Path())"

# The manual, in build/manual.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/manual

# What the manual shows of the terminal, from real runs, in docs/pictures.
pictures: setup
	$(BIN)/python docs/hooks/terminal.py

bench: setup
	$(BIN)/python benchmarks/wall.py

clean:
	rm -rf $(VENV) demo-out out build dist
