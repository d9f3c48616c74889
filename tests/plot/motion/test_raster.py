"""The drift raster: every spike at its time and depth."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.figures import saved_size
from xephys.errors import ParameterError
from xephys.plot import plot_drift_raster

RATE = 30_000.0


def test_peaks_and_a_sorting_are_drawn(simulated, sorting, tmp_path):
    _, truth = simulated
    ax = plot_drift_raster(sorting)
    n = sorting["spikes"].sizes["spike"]
    offsets = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(offsets[:, 0], truth.spikes["sample_index"] / RATE, rtol=1e-6)
    assert len(np.unique(ax.collections[0].get_facecolor(), axis=0)) == 3
    assert len(plot_drift_raster(sorting, n_spikes_max=n // 2).collections[0].get_offsets()) == n // 2
    peaks = np.zeros(5, [("sample_index", "i8"), ("y", "f8"), ("amplitude", "f8")])
    peaks["amplitude"] = [-1, -2, -3, -4, -50]
    alpha = plot_drift_raster(peaks, sampling_frequency=RATE).collections[0].get_facecolor()[:, 3]
    assert np.all(np.diff(alpha) > 0)
    assert saved_size(ax.figure, tmp_path) > 10_000


def test_bad_input_is_refused():
    peaks = np.zeros(2, [("sample_index", "i8"), ("amplitude", "f8")])
    with pytest.raises(ParameterError, match=r"no y; localize"):
        plot_drift_raster(peaks, sampling_frequency=RATE)
    with pytest.raises(ParameterError, match="sampling_frequency"):
        plot_drift_raster(np.zeros(2, [("sample_index", "i8"), ("y", "f8"), ("amplitude", "f8")]))
