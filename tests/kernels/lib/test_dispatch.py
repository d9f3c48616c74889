"""The registry of devices: which kernel runs, and what is not loaded before it is needed."""

from __future__ import annotations

import gc
import importlib
import inspect
import subprocess
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter

from tests.support import device_arrays
from tests.support.counts import agree
from tests.support.device_arrays import strict
from xephys.errors import ParameterError
from xephys.kernels.lib import dispatch
from xephys.kernels.preprocess import filter as cpu_filter
from xephys.kernels.preprocess import reference, scale

KERNELS = Path(dispatch.__file__).parents[1]
RATE = 30_000.0
BAND = butter(5, [300, 6000], "bandpass", fs=RATE, output="sos")


@dispatch.with_device_twin
def kernel(values, *, shift):
    """What it does."""
    return "host", None, shift


def table(array, *, factor):
    return array * factor


@pytest.fixture(autouse=True)
def twins(monkeypatch):
    """Put this file in place of the file of device kernels, which the first device array would import."""
    beside = types.ModuleType(f"{__name__}_device")
    beside.kernel = lambda xp, values, *, shift: ("device", xp, shift)
    monkeypatch.setitem(sys.modules, beside.__name__, beside)


def test_the_type_of_the_first_argument_decides():
    assert kernel(np.zeros(3), shift=1) == ("host", None, 1)
    assert kernel([1, 2], shift=1) == ("host", None, 1)
    with device_arrays.installed():
        assert kernel(strict.zeros(3), shift=2) == ("device", strict, 2)
    assert kernel(strict.zeros(3), shift=2) == ("host", None, 2)
    assert (kernel.__name__, kernel.__doc__, kernel.__module__) == ("kernel", "What it does.", __name__)


def test_devices_are_known_by_name():
    with device_arrays.installed() as name:
        assert dispatch.namespace_of_device(name) is strict
    with pytest.raises(ParameterError, match="device is 'strict'; it must be one of 'cpu', 'cuda'"):
        dispatch.namespace_of_device("strict")


def test_cupy_without_a_device_is_refused(monkeypatch):
    class CUDARuntimeError(RuntimeError):
        pass

    def refuse():
        raise CUDARuntimeError("no CUDA-capable device is detected")

    cupy = types.ModuleType("cupy")
    cupy.__spec__ = ModuleSpec("cupy", None)
    runtime = types.SimpleNamespace(getDeviceCount=refuse, CUDARuntimeError=CUDARuntimeError)
    cupy.cuda = types.SimpleNamespace(runtime=runtime)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(ParameterError, match="no CUDA-capable device is detected; install a driver"):
        dispatch._load_cuda()
    runtime.getDeviceCount = lambda: 0
    with pytest.raises(ParameterError, match="finds no CUDA device; use --device cpu"):
        dispatch._load_cuda()
    runtime.getDeviceCount = lambda: 1
    assert dispatch._load_cuda() is cupy
    monkeypatch.setattr(dispatch, "find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'xephys\[gpu\]', or use --device cpu"):
        dispatch._load_cuda()


def test_nothing_of_cupy_is_imported_before_a_cupy_array_appears():
    code = (
        "import sys, numpy as np; from xephys.kernels.preprocess import scale;"
        "scale.scale(np.zeros((4, 2), 'int16'));"
        "print('cupy' in sys.modules, 'xephys.kernels.preprocess.scale_device' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split() == ["False", "False"]


def test_tables_are_copied_once_and_live_as_long_as_their_source():
    def held():
        return sum(build is table for _, build, *_ in dispatch._resident)

    source = np.arange(4.0)
    with device_arrays.counted() as copies:
        first = dispatch.resident(strict, table, source, factor=2)
        assert dispatch.resident(strict, table, source, factor=2) is first
        assert dispatch.resident(strict, table, source.copy(), factor=2) is not first
        np.testing.assert_array_equal(dispatch.resident(strict, table, source, factor=3).get(), source * 3)
    assert len(copies.up) == 3
    assert held() == 2  # the copy's table is gone too
    del source
    gc.collect()
    assert held() == 0


def test_the_strict_array_is_strict():
    """The other tests rely on it: like CuPy, it refuses to be mixed with NumPy arrays."""
    array = strict.asarray(np.arange(6.0))
    for mixed in (
        lambda: array + np.ones(6),
        lambda: np.ones(6) + array,
        lambda: array[np.arange(2)],
        lambda: np.asarray(array),
        lambda: np.sqrt(array),
        lambda: strict.sqrt(np.ones(3)),
        lambda: array.__setitem__(0, np.ones(1)),
    ):
        with pytest.raises(TypeError):
            mixed()
    with pytest.raises(AttributeError, match="not among the functions"):
        strict.nanmedian(array)
    assert float((np.float32(2) * array).sum()) == 30.0


def test_strict_arrays_have_functions_of_cupy_only():
    cupy = pytest.importorskip("cupy", reason="the list of functions is compared with CuPy's own where it is installed")
    for name in device_arrays.FUNCTIONS:
        found = cupy
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)


def test_every_device_kernel_has_the_parameters_of_its_twin():
    kernels = []
    for path in sorted(KERNELS.rglob("*.py")):
        if path.stem.endswith("_device") or path.stem == "__init__":
            continue
        module = importlib.import_module(".".join(path.relative_to(KERNELS.parents[1]).with_suffix("").parts))
        kernels += [f for f in vars(module).values() if getattr(f, "has_device_twin", False)]
    assert len(set(kernels)) >= 16
    for kernel in kernels:
        twin = dispatch.twin_of(kernel.__wrapped__)
        first, *parameters = inspect.signature(twin).parameters
        assert (first, parameters) == ("xp", list(inspect.signature(kernel).parameters)), kernel.__qualname__


def test_kernels_choose_by_the_type_of_the_chunk(counts, device_name):
    """The same function takes both, so no caller has to know where a chunk is."""
    chunk = strict.asarray(counts)
    for kernel, keywords in (
        (cpu_filter.sos_filtfilt, {"before": 800, "after": 800, "sos": BAND}),
        (scale.scale, {"gain": 0.5}),
        (reference.common_reference, {}),
    ):
        found = kernel(chunk, **keywords)
        assert type(found) is type(chunk)
        agree(found, kernel(counts, **keywords))
