# Every command a developer or user needs; `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help run test lint corpus lock clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(INSTALLED): setup.cfg pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "logintel needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Making a virtual environment failed. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(INSTALLED) ## See it work: the sample logs from file to alert. ARGS="/var/log/*.log" watches your own files
	@LOGINTEL=$(BIN)/logintel sh examples/run.sh $(ARGS)

test: $(INSTALLED) lint ## Every test, and lint
	@$(BIN)/python -m pytest

lint: $(INSTALLED) ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

corpus: $(INSTALLED) ## Measure the formats on a corpus of real logs (CORPUS=../shared/corpus)
	@$(BIN)/python $(or $(CORPUS),../shared/corpus)/score.py --logintel $(BIN)/logintel

lock: ## Pin what setup.cfg asks for, with hashes, into requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra dev setup.cfg -o requirements.txt

clean: ## Remove the virtual environment and what runs left behind
	rm -rf $(VENV) .run build dist *.egg-info
