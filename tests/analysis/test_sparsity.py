"""The channels that each method gives a unit, beside those of SpikeInterface."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.analysis.run import analyze
from xephys.analysis.sparsity import METHODS
from xephys.errors import ParameterError
from xephys.simulation.sorting import truth_sorting
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording


def channels_of(found: xr.DataTree) -> list[list[int]]:
    return [[int(c) for c in row if c >= 0] for row in found["analysis/sparsity"]["channel_index"].values]


@pytest.mark.parametrize("method", ["radius", "best_channels", "closest_channels"])
def test_channels_agree_with_spikeinterface(
    sorting: xr.DataTree, recording: xr.DataArray, analyzer: Any, method: str
) -> None:
    import spikeinterface.full as si

    dense = si.create_sorting_analyzer(
        analyzer.sorting, analyzer.recording, sparse=False,
        main_channel_indices=sorting["units"]["channel_index"].values, return_in_uV=True,
    )  # fmt: skip
    dense.compute(["random_spikes", "templates"], progress_bar=False)
    expected = si.compute_sparsity(dense, method=method).mask
    found = channels_of(analyze(sorting, recording, ["sparsity"], parameters={"sparsity": {"method": method}}))
    wrong = [set(np.flatnonzero(row)) ^ set(mine) for row, mine in zip(expected, found, strict=True)]
    # Ties, and overlapping spikes in the averages, may swap the last channel.
    assert all(len(one) <= (0 if method == "radius" else 2) for one in wrong)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_channels_include_the_peak_channel_and_ascend(
    sorting: xr.DataTree, recording: xr.DataArray, method: str
) -> None:
    found = analyze(sorting, recording, ["sparsity"], parameters={"sparsity": {"method": method}})
    peaks = found["analysis/sparsity"]["peak_channel"].values
    for peak, row in zip(peaks, channels_of(found), strict=True):
        assert peak in row
        assert row == sorted(set(row))


def test_an_unknown_property_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="no such coordinate"):
        analyze(
            sorting, recording, ["sparsity"], parameters={"sparsity": {"method": "by_property", "by_property": "area"}}
        )


def test_a_missing_channel_is_refused(recording: xr.DataArray) -> None:
    sorting = build_sorting(
        recording,
        spikes={"sample_index": [5], "unit_index": [0]},
        units={"label": ["good"], "channel_index": [99]},
    )
    with pytest.raises(ParameterError, match="units name channels 99 to 99 and the recording has 16"):
        analyze(sorting, recording, ["sparsity"])


@pytest.mark.parametrize("method", ["radius", "closest_channels"])
def test_channels_are_of_the_units_own_tetrode(method: str) -> None:
    parts = [simulate_recording(duration_s=3, n_channels=4, n_units=2, probe="tetrode", seed=seed) for seed in (0, 1)]
    recording = xephys.aggregate_channels([one for one, _ in parts])
    sorting = xephys.aggregate_units([truth_sorting(one, truth) for one, truth in parts])
    assert (recording.x.values[:4] == recording.x.values[4:]).all()
    found = analyze(sorting, recording, ["sparsity"], parameters={"sparsity": {"method": method}})
    assert channels_of(found) == [[0, 1, 2, 3]] * 2 + [[4, 5, 6, 7]] * 2
