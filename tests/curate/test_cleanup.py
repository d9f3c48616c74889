"""Duplicated and excess spikes and redundant units are removed as SpikeInterface removes them."""

from __future__ import annotations

import numpy as np
import pytest
import spikeinterface.curation as theirs
import xarray as xr
from spikeinterface import NumpySorting

import xephys
from xephys.curate.cleanup import (
    METHODS,
    find_redundant_units,
    remove_duplicated_spikes,
    remove_excess_spikes,
    remove_redundant_units,
)
from xephys.curate.rules import curation_log
from xephys.errors import ParameterError
from xephys.schema import make_recording

from .trains import trains_of

RATE = 30_000.0


def drawn(n_segments: int = 1) -> tuple[NumpySorting, xr.DataTree]:
    """Five units; the second repeats most spikes of the first, and the fifth half of the fourth's."""
    rng = np.random.default_rng(0)
    segments = []
    for _ in range(n_segments):
        trains = {unit: np.sort(rng.choice(100_000, 400, replace=False)) for unit in (1, 3, 4)}
        trains[2] = np.sort(trains[1][:330] + rng.integers(0, 8, 330))
        trains[5] = trains[4][::2] + 3
        segments.append(trains)
    sorting = NumpySorting.from_unit_dict(segments, RATE)
    return sorting, xephys.from_spikeinterface(sorting)


def trains_of_theirs(sorting: NumpySorting) -> dict[int, list[int]]:
    return {
        int(unit): [
            s for k in range(sorting.get_num_segments()) for s in sorting.get_unit_spike_train(unit, k).tolist()
        ]
        for unit in sorting.unit_ids
    }


@pytest.mark.parametrize("n_segments", [1, 2])
@pytest.mark.parametrize("method", list(METHODS))
def test_duplicated_spikes(method: str, n_segments: int) -> None:
    sorting, tree = drawn(n_segments)
    ours = remove_duplicated_spikes(tree, censored_ms=2.0, method=method)
    expected = trains_of_theirs(theirs.remove_duplicated_spikes(sorting, censored_period_ms=2.0, method=method))
    assert trains_of(ours) == expected != trains_of(tree)
    lost = curation_log(ours)[-1]["num_spikes_removed"]
    assert sum(lost.values()) == tree["spikes"].sizes["spike"] - ours["spikes"].sizes["spike"]
    assert ours["units"]["num_spikes"].values.tolist() == [len(train) for train in trains_of(ours).values()]


@pytest.mark.parametrize("agreement_min", [0.2, 0.6])
@pytest.mark.parametrize("shared_min", [0.8, 0.95])
def test_redundant_units(agreement_min: float, shared_min: float) -> None:
    sorting, tree = drawn()
    pairs = find_redundant_units(tree, agreement_min=agreement_min, shared_min=shared_min)
    expected = theirs.find_redundant_units(sorting, agreement_threshold=agreement_min, duplicate_threshold=shared_min)
    found = zip(pairs["unit2"].values.tolist(), pairs["unit1"].values.tolist(), strict=True)
    assert list(found) == [(int(a), int(b)) for a, b in expected] != []
    left = theirs.remove_redundant_units(
        sorting, align=False, agreement_threshold=agreement_min, duplicate_threshold=shared_min,
        remove_strategy="max_spikes",
    )  # fmt: skip
    ours = remove_redundant_units(tree, agreement_min=agreement_min, shared_min=shared_min)
    assert ours["units"]["unit_id"].values.tolist() == left.unit_ids.tolist()
    assert curation_log(ours)[-1]["pairs"]


def test_the_larger_of_two_redundant_units_stays(sorted_default: xr.DataTree) -> None:
    ids = sorted_default["units"]["unit_id"].values.tolist()
    assert remove_redundant_units(sorted_default, keep="highest_amplitude")["units"]["unit_id"].values.tolist() == ids
    with pytest.raises(ParameterError, match="no templates"):
        remove_redundant_units(drawn()[1], keep="highest_amplitude")


def test_spikes_outside_the_recording_are_removed() -> None:
    recording = make_recording(np.zeros((100, 2), "int16"), sampling_frequency=RATE)
    tree = xephys.make_sorting(sample_index=[0, 99, 100, 250], labels=[1, 1, 2, 2], sampling_frequency=RATE)
    assert trains_of(remove_excess_spikes(tree, recording)) == {1: [0, 99], 2: []}
    with pytest.raises(ParameterError, match="give the recording"):
        remove_excess_spikes(tree)
    part = recording.isel(time=slice(50, None))
    assert trains_of(remove_excess_spikes(tree, part)) == {1: [99], 2: []}


@pytest.mark.parametrize(
    ("change", "message"), [({"censored_ms": 0}, "must be greater than 0"), ({"method": "keep"}, "must be one of")]
)
def test_bad_input_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        remove_duplicated_spikes(drawn()[1], **change)
    with pytest.raises(ParameterError, match="at most 1"):
        find_redundant_units(drawn()[1], shared_min=1.5)
