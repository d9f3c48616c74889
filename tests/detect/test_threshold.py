"""Detection by thresholds: SpikeInterface's peaks, and noise levels that have to fit."""

from __future__ import annotations

import numpy as np

import xephys
from tests.support.spiking import RATE, case, peaks


def test_peaks_equal_spikeinterfaces():
    import spikeinterface.core as si
    from spikeinterface.sortingcomponents.peak_detection import detect_peaks

    traces = case().filtered.values
    peer = si.NumpyRecording([traces], RATE)
    peer.set_dummy_probe_from_locations(np.stack([case().filtered.x, case().filtered.y], axis=1))
    parameters = {"peak_sign": "neg", "detect_threshold": 5, "exclude_sweep_ms": 1.0, "radius_um": 50.0}
    theirs = detect_peaks(
        peer,
        method="locally_exclusive",
        method_kwargs={**parameters, "noise_levels": case().levels.values},
        job_kwargs={"n_jobs": 1, "chunk_duration": "10s", "progress_bar": False},
    )
    ours = peaks(**parameters).compute()
    inside = [(p["sample_index"] > 60) & (p["sample_index"] < len(traces) - 60) for p in (ours, theirs)]
    pairs = [
        set(zip(p["sample_index"][k], p["channel_index"][k], strict=True))
        for p, k in zip((ours, theirs), inside, strict=True)
    ]
    assert len(pairs[0]) > 200
    assert len(pairs[0] ^ pairs[1]) <= 0.01 * len(pairs[0])


def test_amplitudes_are_those_of_the_traces():
    traces = case().filtered.values
    for sign in ("neg", "pos", "both"):
        found = peaks(peak_sign=sign).compute()
        values = traces[found["sample_index"], found["channel_index"]]
        # Not to the bit: for events, filtering starts further before a tile.
        np.testing.assert_allclose(found["amplitude"], values, atol=2e-5)
        beyond = 5 * case().levels.values[found["channel_index"]]
        assert (np.abs(values) >= beyond * (1 - 1e-6)).all()
        assert {"neg": (values < 0).all(), "pos": (values > 0).all(), "both": True}[sign]


def test_a_higher_threshold_finds_a_subset():
    low, high = (peaks(detect_threshold=t, method="by_channel").compute() for t in (5, 8))
    keys = [set(zip(p["sample_index"], p["channel_index"], strict=True)) for p in (low, high)]
    assert 0 < len(keys[1]) < len(keys[0])
    assert keys[1] <= keys[0]


def test_channels_without_noise_give_no_peaks():
    levels = case().levels.copy()
    levels[3] = 0
    assert not (xephys.detect_peaks(case().filtered, noise_levels=levels).compute()["channel_index"] == 3).any()
