#!/usr/bin/env bash
# What a machine with a CUDA GPU runs: bash ci/gpu.sh
#   Makes an environment (.venv-gpu; VENV=, PYTHON= choose others) with the extras gpu and test, runs the tests that need
#   a GPU and the benchmark, and writes benchmarks/results/gpu.md. It needs an NVIDIA driver for CUDA 12 or later and
#   Python >= 3.11; the CUDA libraries come as packages. Fails where there is no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv-gpu}

command -v nvidia-smi >/dev/null || { echo "xephys: no nvidia-smi here; install an NVIDIA driver" >&2; exit 1; }
nvidia-smi -L
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --constraint ci/constraints.txt --editable '.[gpu,test]'
"$VENV/bin/python" -c 'from xephys.kernels.lib.dispatch import namespace_of_device; namespace_of_device("cuda").show_config()'

# One thread per library: Dask's threads are the parallelism.
export NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
"$VENV/bin/python" -m pytest -m gpu tests -rs
"$VENV/bin/python" benchmarks/gpu.py --require
