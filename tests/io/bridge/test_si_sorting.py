"""Sortings to SpikeInterface and back."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import xarray as xr

from tests.support.sorting_trees import sorting_of
from xephys.io.bridge.spikeinterface import from_spikeinterface, to_spikeinterface
from xephys.recording.segments import tree_of


def test_spikeinterface_there_and_back(tmp_path: Path, recording: xr.DataArray) -> None:
    import spikeinterface.core as si

    segments = tree_of([recording[:1000], recording[1000:2000], recording[2000:3000]])
    tree = sorting_of(segments, n_segments=2)  # nothing in the third
    theirs = to_spikeinterface(tree)
    assert theirs.get_num_segments() == 3
    assert theirs.unit_ids.tolist() == [7, 17, 27]
    assert theirs.get_property("quality").tolist() == ["good", "mua", "noise"]
    spikes = tree["spikes"].dataset
    for segment in range(3):
        for index, unit in enumerate(theirs.unit_ids):
            mask = (spikes["segment_index"].values == segment) & (spikes["unit_index"].values == index)
            train = theirs.get_unit_spike_train(unit, segment_index=segment)
            assert train.tolist() == spikes["sample_index"].values[mask].tolist()
    theirs.dump_to_json(tmp_path / "sorting.json")
    for other in (pickle.loads(pickle.dumps(theirs)), si.load(tmp_path / "sorting.json")):
        assert other.get_num_segments() == 3
        np.testing.assert_array_equal(other.to_spike_vector(), theirs.to_spike_vector())
        assert other.get_property("snr").tolist() == theirs.get_property("snr").tolist()
    back = from_spikeinterface(theirs)
    assert back["units"]["label"].values.tolist() == ["good", "mua", "noise"]
    assert len(back.attrs["n_samples"]) == 3
    np.testing.assert_array_equal(to_spikeinterface(back).to_spike_vector(), theirs.to_spike_vector())
