"""What stages raise becomes a classified failure where its cause is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xephys.errors import ResourceError, SilentRecordingError
from xephys.io.store.atomic import whole_or_absent
from xephys.pipeline.batch.causes import as_classified
from xephys.pipeline.classified import DiskExhaustionError, GPUOutOfMemoryError, HostOutOfMemoryError


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


@pytest.mark.gpu
def test_memory_that_the_gpu_does_not_have(tmp_path: Path) -> None:
    cupy = pytest.importorskip("cupy")
    with pytest.raises(MemoryError) as raised:
        cupy.empty(1 << 45, cupy.uint8)
    found = as_classified(raised.value, sorter="default", folder=tmp_path)
    assert isinstance(found, GPUOutOfMemoryError) and found.sorter == "default"
    assert found.resource == "GPU memory" and found.status == "oom_gpu"
