"""The keys that identify units, and the check that sorting and recording belong together."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.analysis.subject import Subject, content_key
from xephys.analysis.tables import compute_quality_metrics
from xephys.curate.units import relabel_units, select_units
from xephys.errors import ParameterError, RecordingError
from xephys.recording.segments import tree_of
from xephys.schema import make_recording
from xephys.simulation.sorting import truth_sorting
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording


def test_keys_follow_units_when_they_are_renamed_and_reordered(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    keys = Subject.of(sorting, recording).unit_keys
    moved = relabel_units(select_units(sorting, [4, 1]), unit_ids={4: 40})
    assert Subject.of(moved, recording).unit_keys.tolist() == keys[[4, 1]].tolist()
    assert len(set(keys.tolist())) == len(keys)


def test_content_keys_depend_on_the_order() -> None:
    assert content_key(np.array([1, 2])) != content_key(np.array([2, 1]))


def test_a_recording_in_counts_is_scaled_to_microvolts(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    assert Subject.of(sorting, recording).recording.attrs["units"] == "uV"


def test_another_sampling_rate_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    other = sorting.copy()
    other.attrs = {**sorting.attrs, "sampling_frequency": 20_000.0}
    with pytest.raises(ParameterError, match="30000 Hz and the sorting at 20000 Hz"):
        Subject.of(other, recording)


def test_spikes_are_divided_among_segments(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    subject = Subject.of(sorting, tree_of([recording, recording]))
    assert subject.segment_bounds.tolist() == [0, subject.n_spikes, subject.n_spikes]


def test_a_single_channel_without_a_position_is_analyzed() -> None:
    single = make_recording(np.random.default_rng(0).normal(0, 10, (9000, 1)), sampling_frequency=30_000.0)
    spikes = {"sample_index": np.arange(300, 8700, 300), "unit_index": np.zeros(28, np.int64)}
    tree = build_sorting(single, spikes=spikes, units={"label": ["good"]})
    assert Subject.of(tree, single).recording.y.values.tolist() == [0.0]
    assert compute_quality_metrics(tree, single, ["num_spikes", "snr"])["num_spikes"].values.tolist() == [28]


def test_channels_in_another_order_are_refused(recording: xr.DataArray) -> None:
    waveforms = np.zeros((1, 20, recording.sizes["channel"]), np.float32)
    spikes = {"sample_index": [100, 200], "unit_index": [0, 0]}
    made = build_sorting(recording, spikes=spikes, units={"label": ["good"]}, templates=waveforms, nbefore=10)
    turned = recording.isel(channel=slice(None, None, -1))
    with pytest.raises(RecordingError, match=r"in another order .*sel\(channel=names\)"):
        Subject.of(made, turned)
    ordered = turned.ephys.select_channels(made["templates"].channel.values)
    assert Subject.of(made, ordered).n_spikes == 2


def test_a_recording_of_other_channels_is_refused():
    recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    sorting = truth_sorting(recording, truth)
    for part in (slice(0, 4), slice(4, 8), slice(0, 7)):
        with pytest.raises(RecordingError, match=r"of 8; give .* select_channels\(recording, sorting"):
            Subject.of(sorting, recording.isel(channel=part))
    with pytest.raises(RecordingError, match="in another order"):
        Subject.of(sorting, recording.isel(channel=slice(None, None, -1)))
