"""Median waveforms."""

from __future__ import annotations

import numpy as np

from xephys.kernels.analysis.medians import unit_medians


def test_medians_of_each_unit() -> None:
    rng = np.random.default_rng(0)
    waveforms, units = rng.normal(size=(31, 5, 2)).astype(np.float32), rng.integers(0, 3, 31)
    found = unit_medians(waveforms, units, n_units=4)
    for unit in range(3):
        np.testing.assert_array_equal(found[unit], np.median(waveforms[units == unit], axis=0))
    assert not found[3].any()
