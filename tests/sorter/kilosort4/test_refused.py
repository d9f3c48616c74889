"""The preset ``kilosort4`` on small, silent and unusual recordings."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.sortings import sort_kilosort4 as sort
from xephys import XephysWarning
from xephys.schema import make_recording
from xephys.testing import simulate_recording

RATE = 30_000


def noise(duration_s, n_channels=6, seed=0, level=10.0):
    traces = np.random.default_rng(seed).normal(0, level, (int(duration_s * RATE), n_channels)).astype("f4")
    places = {"x": np.arange(n_channels) % 2 * 20.0, "y": np.arange(n_channels) // 2 * 20.0}
    return make_recording(traces, sampling_frequency=float(RATE), coordinates=places)


def test_noise_has_no_units():
    with pytest.warns(XephysWarning, match="no peak above 6 stands alone"):
        sorting = sort(noise(6))
    assert sorting["units"].sizes["unit"] == sorting["spikes"].sizes["spike"] == 0


def test_constant_channels_have_no_units():
    with pytest.warns(XephysWarning, match="every channel is constant or marked bad"):
        sorting = sort(noise(2, level=0.0))
    assert sorting["units"].sizes["unit"] == 0


def test_identical_spikes_are_one_unit():
    recording = noise(10)
    traces = recording.values.copy()
    shape = -200 * np.exp(-0.5 * ((np.arange(40) - 15) / 4) ** 2)[:, None] * np.array([0.2, 0.5, 1.0, 0.4, 0.2, 0.1])
    samples = 900 + 2100 * np.arange(130)
    for sample in samples:
        traces[sample - 15 : sample + 25] += shape
    sorting = sort(recording.copy(data=traces))
    assert sorting["units"].sizes["unit"] == 1
    assert np.abs(sorting["spikes"]["sample_index"].values[:, None] - samples).min(axis=0).max() <= 2


@pytest.mark.parametrize(
    ("parameters", "n_units"),
    [
        ({"n_channels": 1, "n_units": 1}, 1),
        ({"n_channels": 2, "n_units": 1}, 1),
        ({"n_channels": 16, "n_units": 4, "probe": "linear", "amplitude_range_uv": (80, 200)}, 4),
        ({"n_channels": 4, "n_units": 2, "probe": "tetrode", "amplitude_range_uv": (80, 200)}, 2),
    ],
    ids=str,
)
def test_few_channels_are_sorted(parameters, n_units):
    recording, truth = simulate_recording(duration_s=20, seed=0, **parameters)
    assert xephys.compare(sort(recording), truth).summary["num_well_detected"] == n_units


def test_half_a_second_has_no_units():
    """There are fewer spikes than a unit needs."""
    recording, _ = simulate_recording(duration_s=0.5, n_channels=16, n_units=3, seed=0)
    assert sort(recording)["units"].sizes["unit"] == 0
