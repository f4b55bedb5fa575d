# Needs Python 3.11+, make and git, and for two tests Node with npm; everything else is brought here.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help run test check bench mutants schema sbom lock clean packages dev-packages linters faults

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

packages:
	@$(PYTHON) tools/venv.py run

dev-packages:
	@$(PYTHON) tools/venv.py dev

linters:
	@$(PYTHON) tools/api_linters.py

run: packages  ## run the whole product until Ctrl-C (PORT, HOST, BIDFLUX_DATA override; DEMO=0: no demo, a set-up link)
	@exec $(BIN)/python tools/run.py

test:  ## run the whole suite (TESTS=path narrows it)
	@$(MAKE) --no-print-directory -j2 dev-packages linters
	@CHROMIUM="$$($(BIN)/python tools/browser.py)" && export CHROMIUM && exec $(BIN)/python -m pytest -n 3 $(TESTS)

check: dev-packages  ## format, lint, types, layers, dead code, templates, translations, vendored files, the picture (CHECKS="lint types" narrows it)
	@$(BIN)/python tools/check.py $(CHECKS)

bench: dev-packages  ## the benchmarks, as one table of ratios (SUITES="buyer mail" narrows it)
	@exec $(BIN)/python -m benchmarks $(SUITES)

mutants: dev-packages  ## change the proof's code and see whether a test notices (MUTANTS="app.core.vault*" narrows; all take about ten minutes)
	@$(BIN)/python -m mutmut run $(MUTANTS)

faults: dev-packages  ## kill the product fifty times while a thousand offers come in, then check that nothing is lost
	@exec $(BIN)/python -m tests.faults

schema: dev-packages  ## call the API in every way that its description allows and forbids (about five minutes)
	@SCHEMA_PHASES=examples,coverage,fuzzing,stateful exec $(BIN)/python -m pytest tests/api/test_description.py

sbom: dev-packages  ## write sbom.cdx.json: what is installed and vendored, as CycloneDX (SBOM=path names another file)
	@$(BIN)/python tools/sbom.py $(SBOM)

lock: dev-packages  ## compile the requirements anew
	@$(BIN)/python tools/lock.py

clean:  ## remove what the tools made; the data folder stays
	rm -rf .venv .venv.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov tools/api_lint/node_modules
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
