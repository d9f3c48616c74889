"""Shanks of different size: few channels keep their spikes, and a shank without a good channel is left out."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import share_found
from xephys.schema import make_recording
from xephys.testing import simulate_recording

LARGE = 16


@pytest.fixture(scope="module")
def probe():
    """Sixteen channels on one shank, a tetrode on another half a millimetre away, and a recording of both."""
    shanks = [
        simulate_recording(
            duration_s=20, n_channels=n_channels, n_units=n_units, probe=kind, seed=seed, amplitude_range_uv=(100, 200)
        )
        for n_channels, n_units, kind, seed in ((LARGE, 4, "linear", 0), (4, 2, "tetrode", 1))
    ]
    recordings, truths = zip(*shanks, strict=True)
    names = ("x", "y", "gain_to_uv", "offset_to_uv")
    coordinates = {name: np.concatenate([one[name].values for one in recordings]) for name in names}
    coordinates["x"][LARGE:] += 500.0
    coordinates["shank"] = np.repeat([0, 1], [LARGE, 4])
    traces = np.concatenate([one.values for one in recordings], axis=1)
    rate = float(recordings[0].attrs["sampling_frequency"])
    return make_recording(traces, sampling_frequency=rate, coordinates=coordinates), truths


def trains(sorting, *, shank):
    """Spikes of the units of one shank."""
    on_large = sorting["units"]["channel_index"].values < LARGE
    samples, units = sorting["spikes"]["sample_index"].values, sorting["spikes"]["unit_index"].values
    return [samples[units == unit] for unit in np.flatnonzero(on_large == (shank == 0))]


def all_found(sorting, truth, *, shank):
    found = trains(sorting, shank=shank)
    samples, units = truth.spikes["sample_index"], truth.spikes["unit_index"]
    true = [samples[units == unit] for unit in range(len(truth.peak_channels))]
    return all(max((share_found(train, own) for train in found), default=0.0) > 0.9 for own in true)


PRESETS = [{}, {"preset": "kilosort4", "nblocks": 0}]


@pytest.mark.parametrize("parameters", PRESETS, ids=["default", "kilosort4"])
def test_a_tetrode_beside_a_large_shank_keeps_its_spikes(probe, parameters):
    recording, truths = probe
    sorting = xephys.sort(recording, **parameters)
    assert all_found(sorting, truths[0], shank=0)
    assert all_found(sorting, truths[1], shank=1)


@pytest.mark.parametrize("parameters", PRESETS, ids=["default", "kilosort4"])
def test_a_shank_without_a_good_channel_is_left_out(probe, parameters):
    recording, truths = probe
    sorting = xephys.sort(recording.assign_coords(bad=("channel", np.arange(LARGE + 4) >= LARGE)), **parameters)
    assert all_found(sorting, truths[0], shank=0)
    assert trains(sorting, shank=1) == []


def test_one_shank_of_two(probe):
    recording, truths = probe
    sorting = xephys.sort(recording, preset="kilosort4", nblocks=0, shank_idx=0)
    assert all_found(sorting, truths[0], shank=0)
    assert trains(sorting, shank=1) == []
