# make demo   set everything up and run the main job on the bundled fictional web
# make test   set everything up and run the tests
# The rest is for those who work on it: check, format, lock, leaks, slow, bench, evaluate, wheel, docs, clean.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check format lock leaks bench evaluate slow wheel docs clean

demo: $(READY)
	@$(BIN)/plainview demo

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(READY): requirements.lock pyproject.toml .ci/setup
	@sh .ci/setup
	@touch $(READY)

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# The lock has hashes and no addresses: it installs from whatever registry pip is set up for.
lock: $(READY)
	@$(BIN)/pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock

leaks: $(READY)
	@$(BIN)/python -m tests.hostile.leaks

# Every figure of docs/accuracy.md. What needs data beside the repository, or the packages of the `train` group, says so.
evaluate: $(READY)
	@for set in cedar sealed pairs-sealed; do \
		echo "== tests/gold/$$set.jsonl"; $(BIN)/plainview evaluate tests/gold/$$set.jsonl --no-misses || exit 1; done
	@echo "== two codings"; $(BIN)/python -m tests.benchmarks.claims agreement
	@if [ -d ../shared/data ]; then for what in twice clauses everyday docs dark-patterns speed; do \
		echo "== $$what"; $(BIN)/python -m tests.benchmarks.claims $$what || exit 1; done; \
		else echo "no data beside the repository: clauses, everyday pages, dark patterns and speed are left out"; fi

# Ratios against named peers in the same run. Nothing else should run meanwhile.
bench: $(READY)
	@$(BIN)/python -m tests.benchmarks.crawl
	@$(BIN)/python -m tests.benchmarks.render
	@$(BIN)/python -m tests.benchmarks.passages
	@$(BIN)/python -m tests.benchmarks.claims speed
	@$(BIN)/python -m tests.benchmarks.verify ../shared/data/webpages/html
	@$(BIN)/python -m tests.benchmarks.operators

slow: $(READY)
	@$(BIN)/python -m pytest -m slow --timeout 1800

# The reference pages are made from the code; the site and the man page are made from the manual.
docs: $(READY)
	@PYTHONPATH=. $(BIN)/python docs/reference.py
	@$(BIN)/pip install --quiet --disable-pip-version-check "sphinx>=9,<10" "myst-parser>=5,<6"
	@$(BIN)/sphinx-build -q -W -b html docs dist/manual
	@$(BIN)/sphinx-build -q -W -b man docs dist/man

wheel: $(READY)
	@$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
