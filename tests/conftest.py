"""What all tests share: one thread per library, a guard on laziness, real files where they exist."""

from __future__ import annotations

import os
import sys

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read when the libraries are first imported

from importlib.util import find_spec  # noqa: E402

if find_spec("cupy") is None:  # without a GPU, Numba's simulator runs the kernels written for CUDA
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from .support.peer_kernels import keep_peer_kernels  # noqa: E402

keep_peer_kernels()

# No deadline, because the first example compiles kernels; and the same examples in every run.
settings.register_profile(
    "xephys", deadline=None, max_examples=20, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("xephys")


@pytest.fixture
def forbid_compute() -> Iterator[None]:
    """Any Dask compute during the test raises: building a graph must not run it."""
    from xephys import testing

    with testing.forbid_compute():
        yield


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Close figures, which pyplot keeps until they are closed."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings beside the repository; the test is skipped where it does not exist."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("XEPHYS_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no folder of real recordings at {folder}; set XEPHYS_SHARED_DATA to one")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a CUDA device are skipped where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_gpu():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device with cupy here"))


def _has_gpu() -> bool:
    if find_spec("cupy") is None:
        return False
    import cupy

    try:
        return int(cupy.cuda.runtime.getDeviceCount()) > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False
