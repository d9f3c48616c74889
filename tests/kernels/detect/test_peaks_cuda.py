"""Detection as a CUDA kernel, in Numba's simulator or on a GPU, equals the compiled kernel."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.detect import peaks as cpu
from xephys.kernels.detect import peaks_cuda as device
from xephys.kernels.detect.threshold_scan import scan_limits
from xephys.kernels.lib.dispatch import to_host

N, CHANNELS = 130, 5
AROUND = [[c, *(d if 0 <= d < CHANNELS else -1 for d in (c - 1, c + 1))] for c in range(CHANNELS)]
NEIGHBORS = np.array(AROUND, np.int32)


def traces(seed=2):
    values = np.random.default_rng(seed).normal(size=(N, CHANNELS)).astype(np.float32)
    values[1:] += 0.8 * values[:-1]
    values[:, 1:] += 0.7 * values[:, :-1]
    return values


@pytest.mark.parametrize("peak_sign", ["neg", "pos", "both"])
@pytest.mark.parametrize("sweep", [0, 1, 6])
@pytest.mark.parametrize("rounded", [False, True], ids=["values", "ties"])
def test_same_peaks(cuda_xp, peak_sign, sweep, rounded):
    values = np.round(traces() * 2) / 2 if rounded else traces()  # rounded, half of the candidates tie with another
    thresholds = np.where(np.arange(CHANNELS) < 3, 1.5, 1.0)
    mask = np.arange(CHANNELS) != 4
    edges = {"before": 8, "after": 13}
    expected = cpu.detect_locally_exclusive(
        values, **edges, start=8, thresholds=thresholds, neighbors=NEIGHBORS, peak_sign=peak_sign,
        exclude_sweep_samples=sweep, good=mask,
    )  # fmt: skip
    low, high = scan_limits(values[:0], thresholds, peak_sign, mask, strict=False)
    given = {"low": low, "high": high, "thresholds": thresholds, "neighbors": NEIGHBORS}
    rows, channels = device.locally_exclusive_peaks(
        cuda_xp, cuda_xp.asarray(values), **{name: cuda_xp.asarray(array) for name, array in given.items()},
        sweep=sweep, before=8, n=N - 21,
    )  # fmt: skip
    assert len(expected) > 3
    np.testing.assert_array_equal(to_host(rows), expected["sample_index"])
    np.testing.assert_array_equal(to_host(channels), expected["channel_index"])


def test_no_core(cuda_xp):
    given = {name: cuda_xp.zeros(CHANNELS, dtype=np.float32) for name in ("low", "high", "thresholds")}
    rows, channels = device.locally_exclusive_peaks(
        cuda_xp, cuda_xp.zeros((20, CHANNELS), dtype=np.float32), **given, neighbors=cuda_xp.asarray(NEIGHBORS),
        sweep=2, before=10, n=0,
    )  # fmt: skip
    assert (len(rows), len(channels)) == (0, 0)
