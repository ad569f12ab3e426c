# Two commands: `make run` and `make test`. The rest is for those who change CityVerse.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.PHONY: run test test-all lint types pictures check lock clean help

help: ## what one can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## start CityVerse and open it in the browser
	@exec $(BIN)/python -m cityverse run

# One dashboard and one browser at a time: drawing takes both cores of a small machine.
# They run also where others failed: one run tells everything.
test: $(READY) ## all tests but the long ones
	@$(BIN)/python -m pytest -n 2 -m "not slow and not browser"; code=$$?; \
	$(BIN)/python -m pytest -m "browser and not slow" && exit $$code

test-all: $(READY) ## all tests, with the long ones
	@$(BIN)/python -m pytest -n 2 -m "not browser"; code=$$?; \
	$(BIN)/python -m pytest -m browser && exit $$code

lint: $(READY_DEV) ## style, that imports run one way, and the templates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	@for billing in on-demand provisioned; do \
	  $(BIN)/python -m cityverse template data --billing $$billing | $(BIN)/cfn-lint || exit 1; done
	@for stack in scale-reads scale-writes app replica edge; do \
	  $(BIN)/python -m cityverse template $$stack | $(BIN)/cfn-lint || exit 1; done

types: $(READY_DEV) ## strict types of the package
	$(BIN)/mypy

pictures: $(READY) ## take the pictures of the documentation anew (Chromium is needed)
	$(BIN)/python -m benchmarks.pages.pictures

check: test lint types ## what a change must pass

lock: $(READY_DEV) ## pin all requirements anew, with hashes
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -c requirements.txt requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -c requirements.txt requirements-bench.in -o requirements-bench.txt

clean: ## remove the virtual environment; data in .cityverse stays
	rm -rf $(VENV)

$(READY): requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "cityverse: $(PYTHON) was not found: install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cityverse: $$($(PYTHON) --version) is too old: Python 3.11 or newer is needed (make PYTHON=/path/to/python3.12)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "cityverse: Python has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "cityverse: installing what is needed into $(VENV), once (a few minutes)"
	@$(PYTHON) -m venv $(VENV) || { echo "cityverse: the virtual environment could not be made in $(VENV)" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || { echo "cityverse: installing failed: is the package index in reach, and the disk not full?" >&2; exit 1; }
	@touch $@

$(READY_DEV): $(READY) requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
