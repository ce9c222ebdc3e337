# `make demo` and `make test` need Python 3.11 or later and make, nothing else: they set up .venv first.

PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready

DEMOS := examples/dobson_gibbs.py examples/eight_schools_gibbs.py examples/eight_schools_exact.py examples/homework_pooling.py examples/mixed_model_gibbs.py examples/cbpp_herds.py $(wildcard examples/plant_weight.py)
BENCHMARKS := $(filter-out benchmarks/harness.py,$(wildcard benchmarks/*.py))
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: venv demo test lint bench clean

venv: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later, please: make PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[test,arviz]"
	@touch $@

demo: $(READY)
	@set -e; for file in $(DEMOS); do echo "== $$file"; MPLBACKEND=Agg $(PY) $$file; done

# The second and third pass take the tests marked every_mode: kernels with every index checked (its own cache folder,
# so that passes do not compile in turns), and as plain Python.
test: $(READY)
	$(PY) -m pytest
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/.cache/boundscheck $(PY) -m pytest -m every_mode
	NUMBA_DISABLE_JIT=1 $(PY) -m pytest -m every_mode

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: $(READY)
	@set -e; for file in $(BENCHMARKS); do echo "== $$file"; $(ONE_THREAD) $(PY) $$file; done

clean:
	rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
