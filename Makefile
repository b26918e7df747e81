# Every target sets up what it needs. The first run takes about a minute for this.
#
# ARGS goes to the tool behind a target: make test ARGS="-k resume", make bench ARGS=--quick, make lock ARGS=--upgrade.

PY := .venv/bin/python
RUNTIME := .venv/.runtime-$(shell cksum < requirements.lock | cut -d ' ' -f 1)
ALL := .venv/.all-$(shell cksum < requirements-dev.lock | cut -d ' ' -f 1)

.PHONY: help run test check format bench soak lock clean
.DEFAULT_GOAL := help

help:
	@echo "make run      start the chain and print its address"
	@echo "make test     check the code and run all tests"
	@echo "make check    lint, format check, types, import rules"
	@echo "make format   format the code"
	@echo "make bench    measure the chain against nginx and against its limits"
	@echo "make soak     ask without a pause, and show whether memory grows"
	@echo "make lock     resolve the dependencies again"
	@echo "make clean    remove .venv and caches; data/ stays"

run: $(RUNTIME)
	@$(PY) -m scripts.run

# The second run is of those tests again that need a database (tests/conftest.py). What asserts milliseconds runs last, with nothing
# beside it. Where ARGS choose tests, a run may have none (pytest's 5).
IF_CHOSEN = $(if $(ARGS),|| [ $$? -eq 5 ])

test: check
	@scripts/debian.sh chromium chromium "the tests in a browser are skipped"
	@scripts/debian.sh nginx nginx-light "the tests behind nginx are skipped"
	@scripts/debian.sh initdb postgresql "the tests on PostgreSQL are skipped"
	@$(PY) -m pytest -m "not timing" $(ARGS) $(IF_CHOSEN)
	@TEST_DATABASE=postgresql $(PY) -m pytest -m "not timing" $(ARGS) $(IF_CHOSEN)
	@$(PY) -m pytest -m timing -n0 $(ARGS) $(IF_CHOSEN)

check: $(ALL)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo

format: $(ALL)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(ALL)
	@scripts/debian.sh nginx nginx-light "the comparison with nginx is skipped"
	@$(PY) -m bench $(ARGS)

soak: $(ALL)
	@$(PY) -m bench.soak $(ARGS)

LOCK = .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(ARGS)

lock: $(ALL)
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The full environment is enough to run the chain, so `run` installs only if it is missing.
$(RUNTIME):
	@[ -e $(ALL) ] || scripts/setup.sh requirements.lock $@

$(ALL):
	@scripts/setup.sh requirements-dev.lock $@
