# Every command a developer or user needs; `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CORPUS ?= ../shared/corpus
SAMPLES ?= ../shared/samples
ELASTICSEARCH_TESTS := $(addprefix tests/collector/test_,store_elasticsearch.py keeper_indices.py snapshots.py role_indexer.py query_elasticsearch.py)
# Two makes in one checkout install one after the other.
LOCKED := flock $(CURDIR)

.PHONY: help run test test-long test-elasticsearch8 lint corpus test-host faults faults-collector bench bench-collector bench-whole
.PHONY: bench-embedded bench-memory lock clean

help: ## List these commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

$(INSTALLED): setup.cfg pyproject.toml requirements.txt packaging/install.sh
	@$(LOCKED) sh packaging/install.sh $(PYTHON) $(VENV)

run: $(INSTALLED) ## See it work: the sample logs from file to alert. ARGS="/var/log/*.log" watches your own files
	@set -f; LOGINTEL=$(BIN)/logintel sh examples/run.sh $$ARGS

test: $(INSTALLED) lint ## Lint and every test that an ordinary user can run
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-elasticsearch8: $(INSTALLED) ## The tests of what talks to Elasticsearch, on 8.19 instead of 9.2
	@TEST_ELASTICSEARCH=elasticsearch8 $(BIN)/python -m pytest -n 2 --dist loadfile $(ELASTICSEARCH_TESTS)

lint: $(INSTALLED) ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

corpus: $(INSTALLED) ## A corpus of real logs (CORPUS=, SAMPLES=): run each through, measure the formats
	@CORPUS=$(CORPUS) SAMPLES=$(SAMPLES) $(BIN)/python -m pytest tests/corpus
	@$(BIN)/python $(CORPUS)/score.py --logintel $(BIN)/logintel

test-long: $(INSTALLED) ## The tests that kill or starve servers for minutes
	@$(BIN)/python -m pytest -m long

test-host: $(INSTALLED) ## The tests that change the host or need Debian's packages: full disks, other users, PgBouncer. As root, on a machine you can lose
	@$(BIN)/python -m pytest tests/host

faults: $(INSTALLED) ## Numbered lines through faults of files, agent and Kafka for long. ARGS="--lines 1000000 --minutes 30 --seed 7"
	@PYTHONPATH=tests/system $(BIN)/python -m faults $(ARGS)

faults-collector: $(INSTALLED) ## Numbered events and poison through faults of collectors, Kafka, Elasticsearch and PostgreSQL. ARGS="--minutes 20 --seed 7"
	@PYTHONPATH=tests/system $(BIN)/python -m collector_faults $(ARGS)

bench: $(INSTALLED) ## The agent's cost per event, file to Kafka, beside rsyslog's. ARGS="--size 1 --rounds 5" for the full workloads, KAFKA=host:port
	@$(BIN)/python bench/run.py $(if $(KAFKA),--kafka $(KAFKA)) $(ARGS)

bench-collector: $(INSTALLED) ## The collector's cost per event by role, beside a bare bulk and a bare COPY. ARGS="--events 100000 --rounds 3"
	@$(BIN)/python bench/collector.py $(ARGS)

bench-whole: $(INSTALLED) ## The collector in one process and in two, beside bare bulk and COPY. ARGS="--events 100000 --rounds 3"
	@$(BIN)/python bench/whole.py $(ARGS)

bench-embedded: $(INSTALLED) ## logintel run, from files into SQLite. ARGS="--size 0.1 --rounds 3"
	@$(BIN)/python bench/embedded.py $(ARGS)

bench-memory: $(INSTALLED) ## Whether the collector's memory grows while stores go away and come back. ARGS="--minutes 60 --rate 1000"
	@$(BIN)/python bench/memory.py $(ARGS)

lock: ## Pin what setup.cfg asks for, with hashes, into requirements.txt (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra dev setup.cfg -o requirements.txt

clean: ## Remove the virtual environment and what runs left behind
	rm -rf $(VENV) .run .bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
