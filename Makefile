# Everything that is needed to try, test and measure xephys; only Python >= 3.11 and make have to be there already.
#   make demo    simulate a realistic recording, sort it, compare with the truth, draw one picture
#   make test    all tests                    make check   ruff, mypy, layers, examples of the documentation
#   make test-expressions    the tests of plans once more, with Dask's array expressions on
#   make test-networks       the tests of trained networks that need torch, which is installed first: it is large
#   make bench   the benchmarks at full size  make clean   remove the environments and what was built
# Another interpreter: make test PYTHON=/path/to/python3.12      Part of the tests: make test ARGS=tests/graph

PYTHON ?= python3
VENV := .venv
# Other sorters, for the comparison only, in an environment of their own: nothing of xephys is in it.
PEERS := .venv-peers
KEEP := .bench
BIN := $(VENV)/bin
DEMO := demo
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One thread per library: Dask's threads and the tests' worker processes are the parallelism.
SINGLE := NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
# Freed memory is used again, as in a sort from the command line: otherwise each large array is mapped afresh and zeroed,
# which takes a tenth of the tests' time.
TESTING := $(SINGLE) MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=67108864
# Compiling is the same for both kinds of arrays, and its test starts processes.
EXPRESSION_TESTS := tests/graph --ignore=tests/graph/process/test_compiling.py tests/properties/test_graph.py tests/preprocess/test_contract.py
NETWORK_TESTS := tests/detect/test_export.py tests/kernels/detect/test_network.py tests/dartsort/test_training.py
BENCHMARKS := $(filter-out benchmarks/harness.py benchmarks/rat_contacts.py benchmarks/rat_intervals.py benchmarks/tracking_unitmatch.py benchmarks/sorters.py benchmarks/drift.py benchmarks/anchor.py benchmarks/real.py,$(sort $(wildcard benchmarks/*.py)))

.PHONY: demo test test-expressions test-networks check check-source check-style check-layout check-examples bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.ready-plot
	$(BIN)/xephys simulate --out $(DEMO) --preset hard --n-channels 64 --duration-s 60 --overwrite
	$(BIN)/xephys sort $(DEMO)/recording --out $(DEMO)/sorted --overwrite
	$(BIN)/xephys compare $(DEMO)/sorted $(DEMO) --figure $(DEMO)/report.png --overwrite
	@echo "drift raster, templates and confusion matrix: $(DEMO)/report.png"

test: $(VENV)/.ready-test
	$(TESTING) $(BIN)/python -m pytest $(ARGS)

# Query planning is settled when dask.array is first imported, so it takes a run of its own.
test-expressions: $(VENV)/.ready-test
	DASK_ARRAY__QUERY_PLANNING=True $(TESTING) $(BIN)/python -m pytest $(or $(ARGS),$(EXPRESSION_TESTS))

test-networks: $(VENV)/.ready-test $(VENV)/.ready-nn
	$(TESTING) $(BIN)/python -m pytest $(or $(ARGS),$(NETWORK_TESTS))

check: check-source check-examples

check-source: check-style check-layout

check-style: $(VENV)/.ready-dev
	$(BIN)/ruff check
	$(BIN)/mypy

# From the source alone: nothing has to be installed.
check-layout:
	$(PYTHON) ci/check_layers.py
	$(PYTHON) ci/check_layout.py
	$(PYTHON) ci/check_unused.py
	$(PYTHON) ci/make_coverage_table.py --check

check-examples: $(VENV)/.ready-test
	$(TESTING) $(BIN)/python ci/check_docs_examples.py

# First the comparison of sorters, then the parts. What it does not reach in time it does at the next call: results stay
# in $(KEEP).
bench: $(VENV)/.ready-test
	-$(MAKE) --no-print-directory $(PEERS)/.ready
	$(SINGLE) $(BIN)/python benchmarks/sorters.py --peers $(PEERS)/bin/python --keep $(KEEP) --minutes 74
	$(BIN)/python benchmarks/anchor.py --peers $(PEERS)/bin/python
	set -e; for file in $(BENCHMARKS); do echo "== $$file"; $(SINGLE) $(BIN)/python $$file; done

clean:
	rm -rf $(VENV) $(PEERS) $(KEEP) $(DEMO) build dist
	find src tests ci benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp of an extra is older than pyproject.toml when it has to be installed again.
$(VENV)/.ready-%: pyproject.toml ci/constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint ci/constraints.txt --editable '.[$*]'
	@touch $@

$(PEERS)/.ready: ci/constraints.txt | $(BIN)/python
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --constraint ci/constraints.txt \
	  'spikeinterface[full]==0.105.3' torch hdbscan 'kilosort==4.1.7' 'spikesift==0.1.1'
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "xephys: there is no $(PYTHON); install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "xephys: $(PYTHON) is $$($(PYTHON) -V 2>&1), and Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "xephys: $(PYTHON) cannot make virtual environments; install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
