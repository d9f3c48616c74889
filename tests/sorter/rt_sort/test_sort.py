"""The preset sorts, keeps its sequences, and refuses what it cannot sort."""

import numpy as np
import pytest

import xephys
from xephys.realtime import sort_offline
from xephys.simulation.sorting import truth_sorting
from xephys.testing import simulate_recording


@pytest.fixture(scope="module")
def sorted_():
    recording, truth = simulate_recording(duration_s=12, n_channels=16, n_units=4, seed=1, amplitude_range_uv=(90, 200))
    return recording, truth, xephys.sort(recording, preset="rt_sort")


def test_neurons_are_found(sorted_):
    recording, truth, sorting = sorted_
    found = xephys.compare(sorting, truth_sorting(recording, truth))
    assert (found.units["accuracy"].values > 0.8).sum() >= 3
    assert sorting.attrs["preset"] == "rt_sort"
    assert sorting["templates"]["templates"].sizes["unit"] == sorting["units"].sizes["unit"]
    assert (sorting["units"]["snr"].values > 3).all()


def test_its_sequences_sort_the_recording_again(sorted_):
    """In microvolts they are the same as in counts: everything is in units of the noise."""
    recording, _, sorting = sorted_
    again = sort_offline(xephys.to_uv(recording), sorting["learned/sequences"].dataset)
    for name in ("sample_index", "unit_index"):
        np.testing.assert_array_equal(again["spikes"][name].values, sorting["spikes"][name].values)


def test_noise_gives_no_units():
    noise = np.random.default_rng(0).integers(-9, 10, (60_000, 8)).astype(np.int16)
    recording = xephys.make_recording(
        noise, sampling_frequency=30_000.0, coordinates={"x": np.zeros(8), "y": 20.0 * np.arange(8)}
    )
    assert xephys.sort(recording, preset="rt_sort")["units"].sizes["unit"] == 0


def test_a_rate_without_a_network_is_refused():
    recording = xephys.make_recording(
        np.random.default_rng(0).integers(-9, 10, (60_000, 8)).astype(np.int16), sampling_frequency=70_000.0,
        coordinates={"x": np.zeros(8), "y": 20.0 * np.arange(8)},
    )  # fmt: skip
    with pytest.raises(xephys.ParameterError, match="trained at 30000 Hz and the recording has 70000 Hz"):
        xephys.sort(recording, preset="rt_sort")
