# The first `make demo` or `make test` makes .venv and installs into it; later ones find it ready.

VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt

# The first of these that is Python 3.11 or newer; `make PYTHON=…` names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest test-newest lint types imports page page-check docs linkcheck notebooks wheel workflows check format clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 24

demo: $(VENV)/.ready-cli,viz ## train the default network and draw what it does
	$(BIN)/fastweights train retrieval --out runs/demo --overwrite --plot

test: $(VENV)/.ready-test ## run the tests, a process a core; PYTEST=… adds arguments
	$(BIN)/python -m fastweights warmup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(PYTEST)

test-lowest: ## run them with the lowest versions that pyproject.toml allows, in an environment of its own
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

test-newest: ## run them with the newest ones
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=

lint: $(VENV)/.ready-dev ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.ready-dev ## pyright on src
	$(BIN)/pyright src

imports: $(VENV)/.ready-dev ## import-linter: rooms call only downwards
	$(BIN)/lint-imports

docs: $(VENV)/.ready-docs ## the documentation site, into build/site; its notebooks run
	rm -rf build/site
	$(BIN)/python -m sphinx -b dirhtml -j 2 -W --keep-going -q -c docs . build/site
	@echo "build/site/index.html"

linkcheck: $(VENV)/.ready-docs ## follow the links that leave the site (docs checks all others)
	$(BIN)/python -m sphinx -b linkcheck -j 2 -q -D nb_execution_mode=off -c docs . build/links

notebooks: $(VENV)/.ready-docs ## run the notebooks, one by one, and say how long each takes
	OMP_NUM_THREADS=1 $(BIN)/python scripts/run_notebooks.py

wheel: $(VENV)/.ready-release,test ## build the release, check it, and use it with each extra alone
	$(BIN)/python scripts/check_wheel.py $(WHEEL)

workflows: $(VENV)/.ready-release,test ## actionlint (where it could be installed) and zizmor on .github, hadolint on Dockerfile
	@if test -x $(BIN)/actionlint; then $(BIN)/actionlint; else echo "actionlint is not installed: left out"; fi
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/hadolint Dockerfile

check: lint types imports test ## rules, types, rooms and tests

page: page/node_modules/.ready ## build the page that `fastweights page` fills; needs Node 20.19 or newer
	cd page && npm run --silent types && npm run --silent build
	cp page/dist/index.html src/fastweights/page/template.html

page-check: page/node_modules/.ready ## build it beside, and compare with the committed one
	cd page && npm run --silent types && npm run --silent build
	@cmp page/dist/index.html src/fastweights/page/template.html || { echo "the template is not what page/ builds: run \`make page\`" >&2; exit 1; }

page/node_modules/.ready: page/package.json page/package-lock.json
	cd page && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

format: $(VENV)/.ready-dev ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove the environment and what tools leave behind; runs/ stays
	rm -rf $(VENV) .venv-* build dist page/dist page/node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready-%: pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "fastweights needs Python 3.11 or newer; none was found" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "installing fastweights[$*] into $(VENV) (PyTorch is large: this can take minutes)"
	@$(BIN)/pip install -qq --disable-pip-version-check $(CONSTRAINTS:%=-c %) -e ".[$*]"
	@touch $@
