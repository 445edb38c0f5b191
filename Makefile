# make book: execute the chapters and render the site.  make test: every check.
# Both set themselves up from a bare Python 3.11+ in .venv, and are quick the second time.

PYTHON ?= python3
VENV ?= .venv
BUILD ?= _build
HTML ?= $(BUILD)/html

# Paths have quotes and are relative where they can be: the working tree may lie in a folder of any
# name. make itself splits names at spaces, so that none of them is a target or goes through a
# function of make. What users give goes to the shell as variables of the environment.
PY = "$(VENV)/bin/python"
# Parameters of the chapters, if wanted: make book SCALE=quick SEEDS=2 DATA=real DEVICE=cuda JOBS=1 ONLY='*/rop/*'
export SCALE SEEDS DATA DEVICE JOBS ONLY
PARAMETERS = --parameter scale "$$SCALE" --parameter seeds "$$SEEDS" --parameter data "$$DATA" \
	--parameter device "$$DEVICE" --parameter jobs "$$JOBS" --parameter only "$$ONLY"

# The kernel is the virtual environment's: no other's specification comes before it.
export JUPYTER_PREFER_ENV_PATH = 1
export PYDEVD_DISABLE_FILE_VALIDATION = 1
# Containers often tell Python to keep no compiled modules. Each of the hundreds of processes that the
# tests and the chapters start would then compile torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup book site chapters test lint style types unit notebooks committed browse extras bench clean

help:
	@echo "make book       execute the chapters (papermill) and render the site to $(HTML)"
	@echo "make site       render the site with the outputs that the notebooks have"
	@echo "make test       lint, types, tests, notebooks at smoke scale, the site without warnings"
	@echo "make lint       the part of make test that reads the code: make style and make types"
	@echo "make unit, make notebooks, make committed, make browse    the other parts of make test"
	@echo "make chapters   execute the chapters in place, to commit them"
	@echo "make extras     the tests of Flower and Ray, in an environment of their own beside $(VENV)"
	@echo "make bench      measure speed side by side with byzfl (ONLY=... some of it)"
	@echo "make setup      only make the virtual environment in $(VENV), as all others do first"
	@echo "make clean      remove what was built; results stay"

setup:
	@"$(PYTHON)" tools/set_up.py "$(VENV)"

# Named here, because the fedlib of a VENV from elsewhere would find its own.
book site chapters: export FEDLIB_RESULTS ?= $(CURDIR)/results

# A copy is executed and rendered, so that the working tree stays as it is.
book: setup
	@$(PY) -m tools.build_site --execute $(PARAMETERS) --build "$(BUILD)" --html "$(HTML)"

site: setup
	@$(PY) -m tools.build_site --build "$(BUILD)" --html "$(HTML)"

# The chapters' texts executed in place, to be committed with their outputs.
chapters: setup
	$(PY) tools/execute_notebooks.py notebooks/*.md

# Many of the tests wait for processes that they start, and the site keeps one core busy. So both go
# on at the same time, the tests after the types. A make that can (not that of macOS) prints the output
# of each part in one piece when the part has ended.
IN_PIECES = $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
test: style
	@echo "types, tests and the site are checked at the same time, which takes some minutes"
	@$(MAKE) --no-print-directory -j 2 $(IN_PIECES) AFTER=types unit committed

# The site of the committed notebooks goes elsewhere: what make book made stays.
committed: notebooks
	@$(MAKE) --no-print-directory site HTML="$(BUILD)/html-committed"
	@$(MAKE) --no-print-directory browse

lint: style types

style: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: setup
	$(PY) -m mypy

# What comes before the tests. One of them checks the types of new parts, and takes over what mypy
# has kept of all others.
AFTER =
unit: export OMP_NUM_THREADS = 1
unit: setup $(AFTER)
	$(PY) -m pytest -q -n 3 --dist worksteal

notebooks: export OMP_NUM_THREADS = 1
notebooks: setup
	$(PY) tools/check_toc.py
	$(PY) tools/check_notebooks.py notebooks/*.ipynb
	@$(PY) -m tools.smoke_notebooks --build "$(BUILD)"

# The pages of the site in a browser. Without Chromium, the links and texts of the pages alone.
browse: export FEDLIB_SITE ?= $(BUILD)/html-committed
browse: setup
	$(PY) -m pytest -q -n 2 tests/test_site.py

# Flower does not work with all versions of constraints.txt, so that it has its own environment.
extras: export OMP_NUM_THREADS = 1
extras:
	@"$(PYTHON)" tools/set_up.py "$(VENV)-extras" flower,ray,rl,test
	"$(VENV)-extras/bin/python" -m pytest -q tests/test_flower.py tests/test_ray.py

# Side by side with byzfl, on a quiet machine.
bench: setup
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@mkdir -p "$(BUILD)"
	$(PY) -m pytest -q benchmarks $${ONLY:+-k "$$ONLY"} $${DEVICE:+--device "$$DEVICE"} \
		--benchmark-json="$(BUILD)/benchmark.json" --benchmark-columns=median --benchmark-sort=name
	$(PY) benchmarks/summarise.py "$(BUILD)/benchmark.json" \
		benchmarks/measured$(if $(filter-out cpu,$(DEVICE)),_gpu).json

clean:
	rm -rf "$(BUILD)" .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
