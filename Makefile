# make book: execute the chapters and render the site.  make test: every check.
# Both set themselves up from a bare Python 3.11+ in .venv, and are quick the second time.

PYTHON ?= python3
VENV ?= .venv
BUILD ?= _build
# Parameters of the chapters, if wanted: make book SCALE=quick SEEDS=2 DATA=real DEVICE=cuda ONLY='*/rop/*'
PAPERMILL_PARAMETERS = $(if $(SCALE),-p scale $(SCALE)) $(if $(SEEDS),-p seeds $(SEEDS)) \
	$(if $(DATA),-p data $(DATA)) $(if $(DEVICE),-p device $(DEVICE)) $(if $(ONLY),-p only '$(ONLY)')

BIN = $(abspath $(VENV))/bin
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
SMOKE = $(abspath $(BUILD))/smoke
# The kernel is the virtual environment's: first in PATH, and no other's specification before it.
export PATH := $(BIN):$(PATH)
export JUPYTER_PREFER_ENV_PATH = 1
export PYDEVD_DISABLE_FILE_VALIDATION = 1

.PHONY: help setup book site chapters test lint unit notebooks bench clean

help:
	@echo "make book       execute the chapters (papermill) and render the site to $(BUILD)/html"
	@echo "make test       lint, types, tests, notebooks at smoke scale, the site without warnings"
	@echo "make chapters   execute the chapters in place, to commit them"
	@echo "make bench      measure speed side by side with byzfl (ONLY=... some of it)"
	@echo "make clean      remove what was built; results stay"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"fedlib needs Python 3.11 to 3.13, this is {sys.version.split()[0]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,rl,test]'
	@touch $@

# Named here, because the fedlib of a VENV from elsewhere would find its own.
book site chapters: export FEDLIB_RESULTS ?= $(CURDIR)/results

# A copy is executed and rendered, so that the working tree stays as it is.
book: setup
	@rm -rf $(BUILD)/src && mkdir -p $(BUILD)/src
	@cp -r book notebooks _config.yml _toc.yml $(BUILD)/src/
	@for notebook in $(NOTEBOOKS); do \
		echo "executing $$notebook"; \
		papermill --no-progress-bar --log-level WARNING -k python3 $(PAPERMILL_PARAMETERS) \
			$$notebook $(BUILD)/src/$$notebook || exit 1; \
	done
	@$(MAKE) --no-print-directory site SOURCE=$(BUILD)/src

# jupyter-book would write beside its sources: they are rendered from a copy here, too.
SOURCE =
HTML = $(BUILD)/html
site: setup
	@if [ -z "$(SOURCE)" ]; then \
		rm -rf $(BUILD)/src && mkdir -p $(BUILD)/src && \
		cp -r book notebooks _config.yml _toc.yml $(BUILD)/src/; fi
	@rm -f $(BUILD)/src/notebooks/*.md
	@python -m fedlib.evidence.pages --benchmarks benchmarks $(BUILD)/src/book/*.md
	@echo "rendering the site"
	@rm -rf $(BUILD)/jb  # pages of before
	@jupyter-book build $(BUILD)/src --path-output $(BUILD)/jb --warningiserror --nitpick \
		--keep-going --quiet > /dev/null
	@rm -rf $(HTML) && cp -r $(BUILD)/jb/_build/html $(HTML)
	@python tools/check_offline.py $(HTML)
	@echo "the site: $(HTML)/index.html"

# The chapters' texts executed in place, to be committed with their outputs.
chapters: setup
	python tools/execute_notebooks.py $(NOTEBOOKS)

# The site of the committed notebooks goes elsewhere: what make book made stays.
test: lint unit notebooks
	@$(MAKE) --no-print-directory site HTML=$(BUILD)/html-committed

lint: setup
	ruff check .
	ruff format --check .
	mypy

unit: export OMP_NUM_THREADS = 1
unit: setup
	python -m pytest -q -n 2 --dist worksteal

notebooks: export OMP_NUM_THREADS = 1
notebooks: export FEDLIB_RESULTS = $(SMOKE)/results
# Where no data are, the embedded ones serve.
notebooks: export FEDLIB_DATA = $(SMOKE)/no-data
notebooks: setup
	python tools/check_notebooks.py $(NOTEBOOKS)
	@rm -rf $(SMOKE) && mkdir -p $(SMOKE)
	@for notebook in $(NOTEBOOKS); do \
		echo "executing $$notebook at smoke scale"; \
		papermill --no-progress-bar --log-level WARNING -k python3 -p scale smoke \
			$$notebook $(SMOKE)/$$(basename $$notebook) || exit 1; \
	done
	python -m pytest -q -p no:cacheprovider --nbval --nbval-cell-timeout 300 $(SMOKE)/*.ipynb

# Side by side with byzfl, on a quiet machine.
bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@mkdir -p $(BUILD)
	python -m pytest -q benchmarks $(if $(ONLY),-k '$(ONLY)') $(if $(DEVICE),--device $(DEVICE)) \
		--benchmark-json=$(BUILD)/benchmark.json --benchmark-columns=median --benchmark-sort=name
	python benchmarks/summarise.py $(BUILD)/benchmark.json \
		benchmarks/measured$(if $(filter-out cpu,$(DEVICE)),_gpu).json

clean:
	rm -rf $(BUILD) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
