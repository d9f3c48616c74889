"""What stages raise becomes a classified failure where its cause is known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xephys.errors import ResourceError, SilentRecordingError
from xephys.io.store.atomic import whole_or_absent
from xephys.pipeline import sort_recording
from xephys.pipeline.batch.causes import as_classified
from xephys.pipeline.classified import DiskExhaustionError, GPUOutOfMemoryError, HostOutOfMemoryError
from xephys.testing import simulate_recording

from ...support import device_arrays


def named(name: str, base: type[Exception], module: str) -> Exception:
    """An error like that of another package."""
    error: Exception = type(name, (base,), {"__module__": module})("out of memory allocating 3 bytes")
    return error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (SilentRecordingError("quiet"), "InsufficientActivityError"),
        (MemoryError("3 GiB"), "HostOutOfMemoryError"),
        (ResourceError("a worker died", resource="workers"), "HostOutOfMemoryError"),
        (ResourceError("nothing answers", resource="connection"), "ResourceError"),
        (ResourceError("no idea"), "ResourceError"),
        (named("KilledWorker", RuntimeError, "distributed"), "HostOutOfMemoryError"),
        (named("OutOfMemoryError", MemoryError, "cupy.cuda.memory"), "GPUOutOfMemoryError"),
        (OSError(28, "No space left on device"), "DiskExhaustionError"),
        (RuntimeError("CUDA out of memory"), "GPUOutOfMemoryError"),
        (ZeroDivisionError("x"), "ZeroDivisionError"),
    ],
)
def test_causes(error: Exception, name: str, tmp_path: Path) -> None:
    found = as_classified(error, sorter="default", folder=tmp_path)
    assert type(found).__name__ == name
    assert found is error or found.__cause__ is error
    assert ("memory gave out" in str(found)) == (type(error) is MemoryError)


def test_a_full_disk() -> None:
    """``/dev/full`` refuses every write as a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(OSError) as raised, open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")
    found = as_classified(raised.value, sorter="default", folder=Path("/tmp"))
    assert isinstance(found, DiskExhaustionError) and found.folder == "/tmp" and found.free_gb_at_trip is not None


def test_too_little_room_for_a_result(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised, whole_or_absent(tmp_path / "a", overwrite=False, n_bytes=1 << 60):
        pass
    assert isinstance(as_classified(raised.value, sorter="default", folder=tmp_path), DiskExhaustionError)


def test_memory_that_this_machine_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 60, np.uint8)
    found = as_classified(raised.value, sorter="default", folder=tmp_path)
    assert isinstance(found, HostOutOfMemoryError) and "Unable to allocate" in str(found)
    assert found.resource == "memory" and found.status == "oom_memoryerror"


def test_an_array_that_does_not_fit_into_the_gpu(tmp_path: Path) -> None:
    """A sort on a device of a thousand bytes, through the whole batch: it fails where samples are moved there."""
    recording, _ = simulate_recording(duration_s=4.0, n_channels=16, n_units=3, seed=1)
    places: dict[str, Any] = {"results_folders": [tmp_path / "out"], "intermediate_folders": [tmp_path / "work"]}
    with device_arrays.installed(namespace=device_arrays.Namespace(bytes_max=1000)) as device:
        options = {"sorter_params": {"device": device}, "preflight": False, "curate_first": False}
        (result,) = sort_recording([recording], sorter="default", **places, **options)
    assert (result.status, result.retries_used, result.error_class) == ("oom_gpu", 1, "GPUOutOfMemoryError")
    failure = result.failure
    assert failure is not None and failure.resource == "GPU memory" and failure.attributes["sorter"] == "xephys_default"
    assert "smaller batch" in failure.message and "cupy.cuda.memory.OutOfMemoryError" in failure.trace


#: Numba's own code makes the error from what the driver answers; it makes its logger when a device is first used.
DRIVER = """
from pathlib import Path
from numba.cuda.cudadrv import driver, enums
from xephys.pipeline.batch.causes import as_classified
driver._logger = driver.make_logger()
try:
    driver.driver._check_ctypes_error("cuMemAlloc", enums.CUDA_ERROR_OUT_OF_MEMORY)
except driver.CudaAPIError as error:
    found = as_classified(error, sorter="default", folder=Path())
    print(type(found).__name__, found.sorter, found.status, found.resource, error, sep="|")
"""


def test_what_the_driver_of_the_gpu_answers() -> None:
    """In a process of its own, because Numba simulates devices in this one."""
    variables = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}
    said = subprocess.run([sys.executable, "-c", DRIVER], env=variables, capture_output=True, text=True, check=True)
    error, *attributes = said.stdout.strip().split("|")
    assert error == "GPUOutOfMemoryError" and attributes[:3] == ["default", "oom_gpu", "GPU memory"]
    assert "cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY" in attributes[3]


@pytest.mark.gpu
def test_memory_that_the_gpu_does_not_have(tmp_path: Path) -> None:
    cupy = pytest.importorskip("cupy")
    with pytest.raises(MemoryError) as raised:
        cupy.empty(1 << 45, cupy.uint8)
    found = as_classified(raised.value, sorter="default", folder=tmp_path)
    assert isinstance(found, GPUOutOfMemoryError) and found.sorter == "default"
    assert found.resource == "GPU memory" and found.status == "oom_gpu"
