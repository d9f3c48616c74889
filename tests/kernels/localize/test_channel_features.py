"""Sizes of a peak on the channels around it, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.records import PEAK_DTYPE
from xephys.kernels.localize.channel_features import channel_sizes, check_feature

TRACES = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
NEIGHBORS = np.array([[0, 1, -1], [0, 1, 2], [1, 2, 3], [2, 3, -1]], np.int32)


@pytest.mark.parametrize(
    ("feature", "of"),
    [
        ("ptp", lambda window, at: np.ptp(window)),
        ("energy", lambda window, at: np.sqrt((window.astype("f8") ** 2).sum())),
        ("peak_voltage", lambda window, at: abs(window[at])),
    ],
)
def test_sizes(feature, of):
    events = np.zeros(4, PEAK_DTYPE)
    events["sample_index"], events["channel_index"] = [100, 107, 112, 119], [0, 1, 2, 3]
    sizes, channels = channel_sizes(TRACES, events, 20, 20, 100, NEIGHBORS, feature, 6, 9)
    assert channels.tolist() == [0, 1, 2, 3]
    for event in range(4):
        row = 20 + events["sample_index"][event] - 100
        for slot, channel in enumerate(NEIGHBORS[event]):
            expected = of(TRACES[row - 6 : row + 9, channel], 6) if channel >= 0 else 0.0
            assert sizes[event, slot] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("feature", ["ptp", "energy", "peak_voltage"])
def test_sizes_of_counts_are_those_of_the_microvolts(feature):
    rng = np.random.default_rng(1)
    counts, gains = rng.integers(-999, 999, (60, 4)).astype(np.int16), np.float32([0.2, -3, 0.7, 1.1])
    offsets = np.float32([0, 5, -2, 0.1])
    events = np.zeros(4, PEAK_DTYPE)
    events["sample_index"], events["channel_index"] = [100, 107, 112, 119], [0, 1, 2, 3]
    where = events, 20, 20, 100, NEIGHBORS, feature, 6, 9
    found, _ = channel_sizes(counts, *where, gains, offsets)
    expected, _ = channel_sizes(counts.astype(np.float32) * gains + offsets, *where)
    np.testing.assert_array_equal(found, expected)


def test_unknown_features_are_refused():
    check_feature("ptp")
    with pytest.raises(ValueError, match="feature is 'size'; use one of ptp, energy, peak_voltage"):
        check_feature("size")
