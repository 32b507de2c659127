# Every target is one or two commands; `make` alone lists them.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin

# One thread a process: two processes of two threads each run three times slower on two cores.
export OMP_NUM_THREADS := 1

# Let glibc keep half a gigabyte of freed memory, rather than fetch it anew for every tensor.
export MALLOC_MMAP_THRESHOLD_ := 268435456
export MALLOC_TRIM_THRESHOLD_ := 536870912

# The environment belongs to the content of these two files, not to their dates.
ENVIRONMENT := .venv/installed-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')

.PHONY: help book slides pdf assignments instructors strip test classroom serve lab archive claims lint unit notebooks students pages portable chromium lock clean
.NOTPARALLEL:

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

book: $(ENVIRONMENT) ## execute the chapters and build the pages in _build/html
	@$(BIN)/python _ext/build_book.py
	@echo "Open _build/html/index.html in a browser, or run 'make serve'."

slides: book ## make slides of every chapter in _build/slides
	@$(BIN)/python _ext/build_slides.py

pdf: book chromium ## print the book and every page of it to _build/pdf
	@$(BIN)/python _ext/build_pdf.py

assignments: $(ENVIRONMENT) ## make notebooks for nbgrader of every chapter in _build/assignments
	@$(BIN)/python _ext/build_assignments.py

instructors: $(ENVIRONMENT) ## build the exam bank and how to grade, in _build/instructors
	@$(BIN)/python _ext/build_instructors.py

test: chromium lint unit book notebooks pages ## everything that must hold, in the order that fails soonest

classroom: chromium ## try nbgrader and JupyterHub themselves, in an environment of their own
	@$(BIN)/python tests/classroom.py

serve: ## show the built pages at http://127.0.0.1:8000 (PORT=8000)
	@test -f _build/html/index.html || { echo "There are no pages yet: run 'make book' first."; exit 1; }
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: $(ENVIRONMENT) ## open notebooks to work in, one a chapter, in JupyterLab; they stay in lab/
	@$(BIN)/python _ext/prepare_lab.py lab
	@$(BIN)/jupyter lab --notebook-dir=lab --allow-root

archive: $(if $(CHAPTER),$(ENVIRONMENT)) ## pack the course into _build/course.tar.gz (CHAPTER=09: what that one needs)
ifdef CHAPTER
	@$(BIN)/python _ext/pack_chapter.py $(CHAPTER)
else
	@mkdir -p _build && git archive --prefix=course/ --output=_build/course.tar.gz HEAD
endif

claims: $(ENVIRONMENT) ## list the sentences that claim a cause, a law or a best (PAGES=03 for one chapter)
	@$(BIN)/python _ext/claims.py $(PAGES)

lint: $(ENVIRONMENT) ## style of code and notebooks, and that notebooks carry no outputs
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/nbstripout --verify --keep-id chapters/*.ipynb

strip: $(ENVIRONMENT) ## take the outputs out of the chapters, after work in JupyterLab, for lint
	@$(BIN)/nbstripout --keep-id chapters/*.ipynb

unit: $(ENVIRONMENT) chromium ## tests of the package and the widgets
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations=15 --ignore=tests/book

notebooks: $(ENVIRONMENT) ## every chapter, cell by cell, with the smallest budget
	@VAECOURSE_BUDGET=smoke VAECOURSE_STRICT=1 TQDM_DISABLE=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env -n 2 --dist loadfile chapters

students: $(ENVIRONMENT) ## every student's notebook as it is handed out, to its end
	@VAECOURSE_BUDGET=smoke TQDM_DISABLE=1 $(BIN)/python _ext/run_students.py

pages: $(ENVIRONMENT) chromium ## the built pages, in a real Chromium
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations=15 tests/book

portable: $(ENVIRONMENT) chromium ## unit tests and notebooks under every instruction set of this machine
	@$(BIN)/python tests/portable.py

chromium: $(ENVIRONMENT)
	@$(BIN)/python _ext/browser.py

lock: ## pin the newest versions that pyproject.toml allows
	@$(PYTHON) -m venv --clear _build/lock && _build/lock/bin/pip install -qq -e '.[book,test]'
	@_build/lock/bin/pip freeze --all --exclude pip --exclude vaecourse | sed 's/+cpu$$//' > requirements.lock

clean: ## remove what was built; the environment in .venv stays
	@rm -rf _build .pytest_cache .ruff_cache .hypothesis vaecourse.egg-info

$(ENVIRONMENT):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)."; exit 1; }
	@echo "Installing the pinned requirements into .venv (a few minutes, once)."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
