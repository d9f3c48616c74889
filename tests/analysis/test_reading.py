"""Windows read tile by tile equal windows cut from the whole recording, also at its ends and across tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from xephys.analysis.reading import Reading, channel_mask, read_spikes, shared_channels
from xephys.analysis.subject import Subject
from xephys.sorting import build_sorting


def test_windows_across_tiles_and_beyond_the_ends(recording: xr.DataArray) -> None:
    samples = np.array([3, 29_990, 30_010, 299_995])
    sorting = build_sorting(
        recording, spikes={"sample_index": samples, "unit_index": np.zeros(4, int)}, units={"label": ["good"]}
    )
    subject = Subject.of(sorting, recording)
    every = np.ones(4, bool)
    channels = np.array([[2, 5, -1]], np.int32)
    found = read_spikes(
        subject,
        Reading(
            wanted=every, chosen=every, channels=channels, nbefore=10, nafter=20, averages=True, waveforms=True,
            peak_channels=np.array([5]), shifts=np.array([2]),
        ),
    )  # fmt: skip
    traces = np.pad(subject.recording.values[:, [2, 5]], ((10, 20), (0, 0)))
    expected = np.stack([traces[s : s + 30] for s in samples])
    np.testing.assert_array_equal(found["waveform"][:, :, :2], expected)
    assert not found["waveform"][:, :, 2].any()
    np.testing.assert_allclose(found["sums"][0, :, :2], expected.astype(float).sum(axis=0))
    np.testing.assert_array_equal(found["amplitude"], traces[samples + 12, 1])


def test_large_sums_are_read_tile_by_tile_to_the_same_bits(
    sorting: xr.DataTree, recording: xr.DataArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject.of(sorting, recording)
    every = np.ones(subject.n_spikes, bool)
    channels = np.tile(np.arange(4, dtype=np.int32), (subject.n_units, 1))
    reading = Reading(wanted=every, chosen=every, channels=channels, nbefore=10, nafter=20, averages=True)
    expected = read_spikes(subject, reading)
    monkeypatch.setattr("xephys.analysis.reading.LARGE_SUM_BYTES", 1)
    monkeypatch.setattr("xephys.graph.gather.LARGE_SUM_BYTES", 1)
    found = read_spikes(subject, reading)
    for name in ("sums", "squares", "counts"):
        np.testing.assert_array_equal(found[name], expected[name])
    without = read_spikes(subject, replace(reading, spreads=False))
    np.testing.assert_array_equal(without["sums"], expected["sums"])
    assert "squares" not in without


def test_no_spikes_cause_no_reading(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    subject = Subject.of(sorting, recording)
    none = np.zeros(subject.n_spikes, bool)
    reading = Reading(wanted=none, chosen=none, channels=np.zeros((5, 1), np.int32), nbefore=1, nafter=1)
    assert read_spikes(subject, reading) == {}


def test_noise_excerpts_hold_all_channels(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    subject = Subject.of(sorting, recording)
    none = np.zeros(subject.n_spikes, bool)
    starts = np.array([100, 29_995, 60_000])
    reading = Reading(
        wanted=none, chosen=none, channels=np.zeros((5, 1), np.int32), nbefore=5, nafter=15, noise_starts=(starts,)
    )
    found = read_spikes(subject, reading)["noise_waveform"]
    np.testing.assert_array_equal(found, np.stack([subject.recording.values[s : s + 20] for s in starts]))


def test_channels_that_units_share() -> None:
    channels = np.array([[0, -1], [1, 2]], np.int32)
    assert channel_mask(channels, 3).tolist() == [[True, False, False], [False, True, True]]
    assert shared_channels(channels, 3).tolist() == [[True, False], [False, True]]
