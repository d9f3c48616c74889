"""Sequences are the neurons of a recording, and sort it."""

import json

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.realtime import blocks_of, detect_sequences, sort_offline, sort_stim
from xephys.simulation.sorting import truth_sorting


def test_neurons_are_found_and_sorted(recording, sequences):
    rec, truth = recording
    found = xephys.compare(sort_offline(rec, sequences), truth_sorting(rec, truth))
    assert (found.units["accuracy"].values > 0.8).sum() >= 3


def test_only_events_are_stored(recording, sequences, tmp_path):
    rec, _ = recording
    detect_sequences(rec, folder=tmp_path)
    stored = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert 0 < stored < 0.02 * rec.nbytes


def test_a_second_run_detects_nothing_and_gives_the_same(recording, sequences, tmp_path):
    rec, _ = recording
    detect_sequences(rec, folder=tmp_path)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}
    again = detect_sequences(rec, folder=tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")} == files
    xr.testing.assert_identical(again, sequences)


def test_chunks_do_not_matter(recording, sequences):
    rec, _ = recording
    xr.testing.assert_identical(detect_sequences(rec.chunk({"time": 47_000})), sequences)


def test_noise_levels_of_ones_own(recording, sequences):
    own = detect_sequences(recording[0], noise_levels=sequences["noise_levels"].values)
    xr.testing.assert_identical(own, sequences)


def test_a_window_of_learning(recording):
    rec, _ = recording
    few = detect_sequences(rec, detection_window_s=5.0)
    assert json.loads(few.attrs["parameters"])["detection_window_s"] == 5.0
    assert few["num_spikes"].sum() < rec.sizes["time"]
    assert sort_offline(rec, few)["spikes"]["time"].max() > 6.0


def test_segments_are_joined_and_their_spikes_split_again(recording, sequences):
    rec, _ = recording
    parts = [xephys.time_slice(rec, 0.0, 7.0), xephys.time_slice(rec, 7.0, 12.0)]
    segments = xephys.append_segments(parts)
    learned = detect_sequences(segments)
    found = sort_offline(segments, learned)["spikes"]
    assert learned.sizes["sequence"] == sequences.sizes["sequence"]
    for number, part in enumerate(parts):
        own = found["sample_index"].values[found["segment_index"].values == number]
        alone = sort_offline(part, learned)["spikes"]["sample_index"].values
        # What a sequence follows in the first segment is known in the second.
        assert len(alone) > 100 and len(np.intersect1d(own - own.min(), alone - alone.min())) > 0.98 * len(alone)


def test_what_takes_one_segment_says_so(recording, sequences):
    segments = xephys.append_segments([recording[0], recording[0]])
    for call in (lambda: sort_stim(segments, sequences, trigger_times_s=[1.0]), lambda: next(blocks_of(segments))):
        with pytest.raises(TypeError, match="this is a DataTree of segments; take one of them, such as"):
            call()


def test_wrong_input_is_named(recording, sequences):
    rec, _ = recording
    with pytest.raises(xephys.ParameterError, match=r"has no parameter 'loose_tresh'.*loose_thresh"):
        detect_sequences(rec, loose_tresh=0.1)
    with pytest.raises(xephys.RecordingError, match="8 channels at 30000 Hz and the sequences were learned from 16"):
        sort_offline(rec.isel(channel=slice(8)), sequences)
    with pytest.raises(xephys.RecordingError, match=r"noise_levels has shape \(3,\) for 16 channels"):
        detect_sequences(rec, noise_levels=np.ones(3))
    moved = rec.assign_coords(y=rec.y + 7.0)
    with pytest.raises(xephys.RecordingError, match="the channels lie elsewhere"):
        sort_offline(moved, sequences)
    with pytest.raises(xephys.ParameterError, match="this dataset has no root"):
        sort_offline(rec, xr.Dataset())


def test_a_silent_recording_has_no_sequences(recording):
    rec, _ = recording
    rng = np.random.default_rng(0)
    quiet = rec.copy(data=rng.integers(-9, 10, rec.shape).astype(np.int16))
    sequences = detect_sequences(quiet)
    assert sequences.sizes["sequence"] == 0
    assert sort_offline(quiet, sequences)["units"].sizes["unit"] == 0
