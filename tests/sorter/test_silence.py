"""Blanked stretches change nothing about the spikes beside them."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.testing import simulate_recording


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("kind", ["zeros", "rail", "held"])
def test_units_and_spikes_of_the_live_time_are_unchanged(share, kind):
    recording, truth = simulate_recording(
        duration_s=30, n_channels=16, n_units=4, seed=5, amplitude_range_uv=(60, 120), offset_uv=200.0
    )
    traces, silent = recording.values.copy(), np.zeros(recording.sizes["time"], bool)
    for start in range(0, len(traces), 90_000):
        stop = start + round(share * 90_000)
        traces[start:stop] = {"zeros": 0, "rail": 32767, "held": traces[start]}[kind]
        silent[start:stop] = True
    sorting = xephys.sort(recording.copy(data=traces))
    expected = int((~silent[truth.spikes["sample_index"]]).sum())
    assert sorting["units"].sizes["unit"] == 4
    assert sorting["spikes"].sizes["spike"] == pytest.approx(expected, rel=0.01)
    assert not silent[sorting["spikes"]["sample_index"].values].any()
