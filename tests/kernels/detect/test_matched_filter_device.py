"""Detection with a matched filter on a device gives the records of the NumPy kernel."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.detect import matched_filter as kernel
from xephys.kernels.detect import matched_filter_device as device
from xephys.kernels.lib.records_device import Columns

N, CHANNELS, START, NBEFORE, SWEEP = 3000, 12, 90_000, 7, 12
POSITIONS = np.stack([np.arange(CHANNELS) % 2 * 16.0, np.arange(CHANNELS) * 20.0], axis=1)
NEIGHBORS = np.array([[c, *(d if 0 <= d < CHANNELS else -1 for d in (c - 2, c - 1, c + 1, c + 2))] for c in range(12)])
NEIGHBORS = NEIGHBORS.astype(np.int32)
PROTOTYPE = 0.3 * np.exp(-(((np.arange(22) - 17) / 4) ** 2)) - np.exp(-(((np.arange(22) - NBEFORE) / 2.5) ** 2))


@pytest.fixture(scope="module")
def traces():
    """Spikes of either sign, on a few channels each, in noise."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(N, CHANNELS))
    for _ in range(N // 50):
        sample, channel, size = (
            rng.integers(20, N - 20),
            rng.integers(CHANNELS),
            rng.choice([-1, 1]) * rng.uniform(4, 15),
        )
        footprint = np.exp(-np.linalg.norm(POSITIONS - POSITIONS[channel], axis=1) / rng.choice([8, 25, 90]))
        values[sample - NBEFORE : sample - NBEFORE + PROTOTYPE.size] += size * np.outer(PROTOTYPE, footprint)
    return values.astype(np.float32)


def keywords(traces, depths_um, **more):
    good = np.arange(CHANNELS) != 4
    tables = kernel.matched_filter_weights(
        POSITIONS, depths_um=np.array(depths_um), decay_um=20.0, n_nearest=5, good=good
    )
    before, after = kernel.matched_filter_halo(
        prototype_length=PROTOTYPE.size, nbefore=NBEFORE, exclude_sweep_samples=SWEEP
    )
    thresholds = kernel.matched_filter_thresholds([traces], prototype=PROTOTYPE, detect_threshold=3.0, **tables)
    return {
        "before": before, "after": after + 5, "start": START, "prototype": PROTOTYPE, "nbefore": NBEFORE, **tables,
        "thresholds": thresholds, "neighbors": NEIGHBORS, "exclude_sweep_samples": SWEEP, **more,
    }  # fmt: skip


@pytest.mark.parametrize("peak_sign", ["neg", "both"])
@pytest.mark.parametrize("depths_um", [(30.0,), (0.0, 30.0, 60.0)], ids=["one depth", "three depths"])
def test_peaks_equal_those_of_the_cpu(xp, traces, peak_sign, depths_um):
    given = keywords(traces, depths_um, peak_sign=peak_sign)
    expected = kernel.detect_matched_filtering(traces, **given)
    assert len(expected) > 30 and (expected["channel_index"] != 4).all()
    assert len(np.unique(expected["depth_index"])) == len(depths_um)
    found = device.detect_matched_filtering(xp, xp.asarray(traces), **given)
    assert isinstance(found, Columns)
    assert found.get().dtype == expected.dtype
    np.testing.assert_array_equal(found.get(), expected)


def test_echoes_are_dropped_alike(xp, traces):
    loud = traces.copy()
    footprint = np.exp(-np.linalg.norm(POSITIONS - POSITIONS[2], axis=1) / 40)
    for sample in range(100, N - 100, 90):
        loud[sample - NBEFORE : sample - NBEFORE + PROTOTYPE.size] += 200 * np.outer(PROTOTYPE, footprint)
    everywhere = np.tile(np.arange(CHANNELS, dtype=np.int32), (CHANNELS, 1))
    given = keywords(traces, (0.0, 30.0), peak_sign="both")
    without = kernel.detect_matched_filtering(loud, **given)
    expected = kernel.detect_matched_filtering(loud, **given, echo_neighbors=everywhere)
    assert 10 < len(expected) < len(without)
    found = device.detect_matched_filtering(xp, xp.asarray(loud), **given, echo_neighbors=everywhere)
    np.testing.assert_array_equal(found.get(), expected)


def test_silence_has_no_peaks(xp, traces):
    given = keywords(traces, (30.0,))
    assert len(device.detect_matched_filtering(xp, xp.zeros(traces.shape, dtype=np.float32), **given)) == 0


def test_the_same_arguments_are_refused(xp, traces):
    given = keywords(traces, (30.0,), peak_sign="pos")
    with pytest.raises(ValueError, match="peak_sign 'pos' needs that sign"):
        device.detect_matched_filtering(xp, xp.asarray(traces), **given)
