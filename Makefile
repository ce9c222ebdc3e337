# `make demo` and `make test` need Python 3.11 or later and make, nothing else: they set up .venv first.

PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
DOCS_READY := .venv/.docs-ready

DEMOS := examples/dobson_gibbs.py examples/eight_schools_gibbs.py examples/eight_schools_exact.py examples/homework_pooling.py examples/mixed_model_gibbs.py examples/cbpp_herds.py $(wildcard examples/plant_weight.py)
BENCHMARKS := $(filter-out benchmarks/harness.py benchmarks/report.py,$(wildcard benchmarks/*.py))
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: venv demo test lint docs bench bench-report trust clean

venv: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later, please: make PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[test,arviz]"
	@touch $@

demo: $(READY)
	@set -e; for file in $(DEMOS); do echo "== $$file"; MPLBACKEND=Agg $(PY) $$file; done

# Two processes, one thread each. The second and third pass take the tests marked every_mode: kernels with every index
# checked (its own cache folder, so that passes do not compile in turns), and as plain Python.
test: $(READY)
	$(ONE_THREAD) $(PY) -m pytest -n 2
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/.cache/boundscheck $(PY) -m pytest -m every_mode
	NUMBA_DISABLE_JIT=1 $(PY) -m pytest -m every_mode

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# The site: docs/_build/html/index.html.  Everything is read and every notebook run again; a warning is an error.
docs: $(DOCS_READY)
	$(ONE_THREAD) $(PY) -m sphinx -b html -E -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

$(DOCS_READY): $(READY)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[arviz,docs]"
	@touch $@

bench: $(READY)
	@set -e; for file in $(BENCHMARKS); do echo "== $$file"; $(ONE_THREAD) $(PY) $$file; done

# with the peers of the extra `bench`, those that can be installed; the page goes to $(OUT)/benchmarks.md
bench-report: $(READY)
	-$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(PY) benchmarks/report.py $(OUT)

# LEVEL=small (a minute or two), medium or full (an hour); the page goes to $(OUT)/trust.md
LEVEL ?= small
OUT ?= .cache/trust
trust: $(READY)
	MPLBACKEND=Agg $(ONE_THREAD) $(PY) -m trust --level $(LEVEL) --out $(OUT)

clean:
	rm -rf .venv .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist docs/_build docs/api
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
