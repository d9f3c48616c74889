"""Kernels that only kernels call are linked into these, not translated alone; every kernel works as Numba's would."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit
from numba.core.errors import NumbaWarning
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.compiler.compiling import HelperLibrary, KernelLibrary
from xephys.kernels.lib.inner import HELPER, KERNEL, helper, inner, kernel

TABLE = np.arange(5.0)
#: Too large for a constant, so that compiled code refers to its address.
LARGE = np.arange(500_000.0)


@inner
def _of_table(at: int) -> float:
    if at < 0:
        raise ValueError("negative")
    return TABLE[at]


@helper
def _table_sums(values: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = zeros(2)
    for value in values:
        sums[value % 2] += _of_table(value)
    return sums


@kernel
def _first(values: NDArray[np.int64]) -> float:
    return _table_sums(values)[0]


@kernel
def _second(values: NDArray[np.int64]) -> float:
    return _table_sums(values)[1]


@njit(**KERNEL, error_model="numpy")
def _quotient(values: NDArray[np.int64]) -> float:
    sums = _table_sums(values)
    return sums[0] / sums[1]


@helper
def _at_an_address(at: int) -> float:
    return LARGE[at]


@kernel
def _of_an_address(at: int) -> float:
    return _at_an_address(at)


@njit(**HELPER)
def _count_down(n: int) -> int:
    return 0 if n <= 0 else 1 + _count_down(n - 1)


@njit(**KERNEL)
def _counts(n: int) -> int:
    return _count_down(n)


def test_several_kernels_call_one():
    values = np.array([1, 2, 3, 4, 4])
    assert (_first(values), _second(values)) == (10.0, 4.0)
    assert _quotient(values) == 2.5
    assert _quotient(values[:0]) != _quotient(values[:0])  # 0 / 0 is not a number there


def test_an_exception_comes_through():
    with pytest.raises(ValueError, match="negative"):
        _first(np.array([1, -1]))


def test_code_with_an_address_is_not_stored():
    with pytest.warns(NumbaWarning, match="dynamic globals") as warned:
        assert _of_an_address(7) == 7.0
    assert {word for w in warned for word in str(w.message).split('"')[1::2]} == {"_at_an_address", "_of_an_address"}


def test_functions_within_functions_and_lists_compile():
    @njit(**{**KERNEL, "cache": False})
    def total(n):
        def twice(x):
            return 2 * x

        return sum([twice(k) for k in range(n)]) + sum([1, n])

    assert total(4) == 17


def test_one_that_calls_itself():
    assert _counts(7) == 7


def test_only_the_caller_is_translated():
    called = njit(**{**HELPER, "cache": False})(_of_table.py_func)

    @njit(**{**KERNEL, "cache": False})
    def caller(at):
        return called(at) + 1.0

    assert caller(3) == 4.0
    (of_called,), (of_caller,) = (function.overloads.values() for function in (called, caller))
    assert isinstance(of_called.library, HelperLibrary) and type(of_caller.library) is KernelLibrary
    assert not list(of_called.library.get_defined_functions())
    assert list(of_caller.library.get_defined_functions())


CALLS = """
import sys
import numpy as np
from tests.kernels.lib.compiler import test_compiling as module

values = np.array([1, 2, 3, 4, 4])
for name in sys.argv[1:]:
    print(getattr(module, name)(values), *getattr(module, name).stats.cache_hits.values())
print(*module._table_sums.stats.cache_hits.values())
"""


def test_another_process_links_what_the_first_has_stored(tmp_path):
    """The second process takes the kernel and what it calls from the disk, and compiles one more kernel with these."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def called(*names: str) -> list[str]:
        command = [sys.executable, "-c", CALLS, *names]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")

    assert called("_first")[0].split() == ["10.0"]
    first, second, helped, _ = called("_first", "_second")
    assert first.split() == ["10.0", "1"] and second.split() == ["4.0"] and helped.split() == ["1"]


OTHER_VERSION = """
import numba
numba.version_info = numba.version_info._replace(short=(9, 9))
from xephys.kernels.lib.inner import HELPER, KERNEL, inner, kernel
assert "pipeline_class" not in KERNEL and "pipeline_class" not in HELPER
@inner
def twice(value):
    return 2 * value
@kernel
def four_times(value):
    return twice(twice(value))
print(four_times(5))
"""


def test_another_version_of_numba_compiles_kernels_as_any_function(tmp_path):
    script = tmp_path / "other_version.py"
    script.write_text(OTHER_VERSION)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "20"), ran.stderr
