"""A part of a recording is sorted with the samples and the clock of the whole."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.testing import simulate_recording

RATE = 30_000
FIRST_S, LAST_S = 7.3, 17.3


@pytest.fixture(scope="module")
def parts():
    recording, truth = simulate_recording(
        duration_s=20, n_channels=16, n_units=3, seed=4, amplitude_range_uv=(80.0, 150.0)
    )
    return recording, xephys.time_slice(recording, FIRST_S, LAST_S), truth


@pytest.mark.parametrize("preset", ["default", "kilosort4"])
def test_spikes_of_a_part_are_counted_in_the_whole(parts, preset):
    _, part, truth = parts
    sorting = xephys.sort(part, preset=preset, **({"nblocks": 0} if preset == "kilosort4" else {}))
    samples = sorting["spikes"]["sample_index"].values
    first, last = round(FIRST_S * RATE), round(LAST_S * RATE)
    assert samples.min() >= first and samples.max() < last
    np.testing.assert_allclose(sorting["spikes"]["time"].values, samples / RATE)
    assert xephys.compare(sorting, truth).units["accuracy"].values.min() > 0.9


def test_a_part_is_sorted_with_units_learned_on_the_whole(parts):
    whole, part, truth = parts
    sorting = xephys.sort(part, learned=xephys.sort(whole))
    assert xephys.compare(sorting, truth).units["accuracy"].values.min() > 0.9
