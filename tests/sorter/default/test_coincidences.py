"""Two large units that fire together on a short probe are two spikes, not a unit of their own."""

from __future__ import annotations

import pytest

import xephys
from xephys.testing import simulate_recording


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_coincidences_of_large_units_are_no_units(seed):
    """The spikes of two such units cover most of the probe, and a median of all channels would contain them.

    Of the seeds 1 and 5, coincidences leave less than a quarter of the channels quiet.
    """
    recording, truth = simulate_recording(
        duration_s=40,
        n_channels=32,
        n_units=4,
        seed=seed,
        rate_median_hz=30.0,
        rate_sigma=0.1,
        amplitude_range_uv=(250.0, 400.0),
    )
    sorting = xephys.sort(recording, progress=False)
    comparison = xephys.compare(sorting, truth)
    assert sorting["units"].sizes["unit"] == 4
    assert comparison.units["accuracy"].values.min() > 0.98
