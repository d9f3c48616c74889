"""The spikes of a tile in order, by two CUDA kernels in Numba's simulator or on a GPU, as by array operations."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.match.cuda.pursuit import Taken
from xephys.kernels.match.cuda.rounds import AMPLITUDE, GAIN, SAMPLE, SHIFT, TURN, UNIT
from xephys.kernels.match.cuda.spikes import spikes_in_order
from xephys.kernels.match.pursuit_device import Spikes
from xephys.kernels.match.templates_device import _spikes_in_order

N_UNITS, CAPACITY = 5, 200
WINDOW = {"peak_channels": np.array([3, 0, 7, 7, 1], np.int32), "n_channels": 8, "n_shifts": 9}


def tables(n_spikes):
    """Spikes in random order, no two of a unit at one sample, in tables with room for more."""
    rng = np.random.default_rng(n_spikes)
    whole, real = np.zeros((6, CAPACITY), np.int32), rng.normal(0, 1, (3, CAPACITY))
    place = rng.choice(N_UNITS * 100, CAPACITY, replace=False)
    whole[UNIT], whole[SAMPLE], whole[SHIFT] = place % N_UNITS, place // N_UNITS, rng.integers(0, 9, CAPACITY)
    return whole, real


@pytest.mark.parametrize("core", [(0, 100), (-20, 60), (12, 130), (-200, 50)])
@pytest.mark.parametrize("n_spikes", [0, 1, 150])
def test_columns_equal_those_of_array_operations(cuda_xp, n_spikes, core):
    whole, real = tables(n_spikes)
    window = {**WINDOW, "offset": core[0], "n_core": core[1], "start": 4000}
    taken = Taken(cuda_xp.asarray(whole), cuda_xp.asarray(real), n_spikes)
    found = spikes_in_order(cuda_xp, taken, **window, n_threads=4)
    integers = (whole[row, :n_spikes].astype(np.int64) for row in (UNIT, SAMPLE, SHIFT))
    spikes = Spikes(*integers, *(real[row, :n_spikes] for row in (AMPLITUDE, GAIN, TURN)))
    expected = _spikes_in_order(np, spikes, **window)
    assert list(found.columns) == list(expected.columns)
    for name, column in expected.columns.items():
        assert found[name].dtype == column.dtype
        np.testing.assert_array_equal(to_host(found[name]), column)
    if core == (0, 100):
        assert len(found) == n_spikes
