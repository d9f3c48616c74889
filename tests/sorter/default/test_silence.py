"""Beside silent channels, spikes stay with their units, and the far field of larger spikes is not counted as spikes."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.sorter.default.parameters import DefaultParameters
from xephys.sorter.default.silence import match_near_silence
from xephys.sorter.steps.passes import Run
from xephys.testing import simulate_recording


def without(*_):
    raise AssertionError("nothing is matched again")


def test_without_silence_nothing_is_matched_again():
    recording, _ = simulate_recording(duration_s=1, n_channels=4, n_units=1, probe="tetrode")
    templates = recording[:1].rename(time="unit").to_dataset(name="waveform")
    matches = np.zeros(50, [("sample_index", "i8"), ("channel_index", "i8"), ("unit_index", "i8")])
    for silences in (None, np.zeros(0, [("sample_index", "i8"), ("channel_index", "i8"), ("num_samples", "i8")])):
        same = match_near_silence(
            matches,
            templates,
            silences,
            recording,
            DefaultParameters(),
            Run(),
            match=without,
            n_nearest=4,
            guard_ms=1.0,
        )
        assert same is matches


@pytest.mark.parametrize(("seed", "channels", "share"), [(2, slice(5, 10), 0.6), (1, slice(0, None, 2), 0.5)])
def test_units_have_no_spikes_of_others_where_channels_are_silent(seed, channels, share):
    recording, _ = simulate_recording(
        duration_s=45, n_channels=16, n_units=5, seed=seed, amplitude_range_uv=(60, 120), offset_uv=200.0
    )
    traces = recording.values.copy()
    for start in range(0, len(traces), 90_000):
        traces[start : start + round(90_000 * share), channels] = 0
    whole, part = xephys.sort(recording), xephys.sort(recording.copy(data=traces))
    comparison = xephys.compare(part, whole)
    assert comparison.tested_units.sizes["tested_unit"] == whole["units"].sizes["unit"] == 5
    assert (comparison.units["num_false"] <= 0.01 * comparison.units["num_truth"]).all()
