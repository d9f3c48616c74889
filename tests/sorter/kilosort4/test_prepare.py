"""Preprocessing of the preset ``kilosort4``."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import xephys
from tests.support.sortings import sort_kilosort4 as sort
from xephys import ParameterError
from xephys.schema import make_recording
from xephys.sorter.kilosort4.prepare import prepare_white
from xephys.sorter.presets import read_parameters
from xephys.sorter.steps.passes import Run

RATE = 30_000


# Run options
def test_a_range_of_time_follows_the_clock_of_the_recording(opened, expected):
    part = sort(opened(2.0), tmin=4.0, tmax=9.0)
    samples = part["spikes"]["sample_index"].values
    assert 4 * RATE <= samples.min() < 4.5 * RATE
    assert 8.5 * RATE < samples.max() < 9 * RATE
    every, unit = expected["spikes"]["sample_index"].values, expected["spikes"]["unit_index"].values
    within = (every >= 4 * RATE) & (every < 9 * RATE)
    large = np.bincount(unit[within]) >= 25  # units of fewer than 20 spikes are left out
    inside = every[within & large[unit]]
    near = np.abs(samples[:, None] - inside).min(axis=0) <= 2
    assert near.mean() > 0.95
    rates = part["units"]["num_spikes"] / 5.0
    np.testing.assert_allclose(part["units"]["firing_rate"], rates)


def test_estimates_of_a_long_recording_read_no_more(monkeypatch):
    """Estimates hold all their excerpts in memory at once, so their number is bounded."""
    seen = []

    def whitened(*_, n_slices, **__):
        seen.append(n_slices)

    monkeypatch.setattr("xephys.sorter.kilosort4.prepare.whitened", whitened)
    for duration_s in (60, 1600, 36_000):
        traces = da.random.default_rng(0).normal(0, 10, (duration_s * 1000, 2), chunks=(20_000, 2)).astype("f4")
        places = {"x": np.zeros(2), "y": [0.0, 20.0]}
        recording = make_recording(traces, sampling_frequency=1000.0, coordinates=places)
        prepare_white(recording, read_parameters("kilosort4", {"highpass_cutoff": 100}), Run())
    assert seen == [20, 32, 40]


def test_an_inverted_recording_is_inverted_in_every_step(opened, expected):
    turned = sort(xephys.scale(opened(2.0) * -1, units="counts"), invert_sign=True)
    np.testing.assert_array_equal(turned["spikes"]["sample_index"], expected["spikes"]["sample_index"])
    np.testing.assert_array_equal(turned["spikes"]["unit_index"], expected["spikes"]["unit_index"])


def test_bad_channels_have_no_spikes(opened, expected):
    busy = expected["units"]["channel_index"].values[0]
    name = opened(2.0).channel.values[busy]
    sorting = sort(opened(2.0), bad_channels=[name])
    assert busy not in sorting["units"]["channel_index"].values
    assert (sorting["kilosort4"]["template"].values[:, :, busy] == 0).all()
    with pytest.raises(ParameterError, match="bad_channels has 999, which do not exist; the channels are 0 to 31"):
        sort(opened(2.0), bad_channels=999)


def test_artifacts_affect_only_their_own_samples(opened, expected):
    recording = opened(2.0)
    traces = recording.values.astype("f4")
    for sample in (2 * RATE, 5 * RATE + 77):
        traces[sample : sample + 30] += 30_000
    broken = xephys.astype(recording, dtype="float32").copy(data=traces)
    sorting = sort(broken, artifact_threshold=1500.0)
    lost = set(expected["spikes"]["sample_index"].values) - set(sorting["spikes"]["sample_index"].values)
    far = [s for s in lost if min(abs(s - 2 * RATE), abs(s - 5 * RATE - 77)) > 0.05 * RATE]
    assert len(far) < 0.03 * expected["spikes"].sizes["spike"]
    blank = np.abs(sorting["spikes"]["sample_index"].values - 2 * RATE) < 60
    assert not blank.any()


def test_every_nth_excerpt_is_used(opened):
    some = sort(opened(2.0), batch_downsampling=2)["spikes"]["sample_index"].values
    assert set((some // (2 * RATE) % 2).tolist()) == {0}
