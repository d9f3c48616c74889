"""Spikes and features: what the members return, copies, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xephys import ParameterError
from xephys.dartsort import DARTsortSorting
from xephys.dartsort.convert import LOCALIZATIONS

from .featured import sorting


def test_members() -> None:
    s = sorting()
    assert (s.n_spikes, len(s), s.n_units, s.unit_ids.tolist()) == (6, 6, 2, [2, 5])
    np.testing.assert_allclose(s.times_seconds, s.times_samples / 30_000)
    assert s.flatten().labels.tolist() == [0, 0, 1, -1, 1, 0]
    assert s.drop_missing().times_samples.tolist() == [10, 10, 40, 90, 120]
    assert s.drop_doubles().amplitude.tolist() == [0, 2, 3, 4, 5]
    assert s.mask(s.channels == 2).amplitude.tolist() == [3, 4]
    assert set(s.spike_feature_dict) == {"amplitude", LOCALIZATIONS, "matrix"}
    assert "6 spikes (16.67% without a unit), 2 units" in repr(s)
    with pytest.raises(AttributeError, match="no feature 'amplitud'; it has amplitude"):
        _ = s.amplitud


def test_copies_do_not_change_the_original() -> None:
    s = sorting()
    other = s.ephemeral_replace(labels=np.zeros(6, int), quality=np.ones(6))
    assert other.n_units == 1 and other.quality.sum() == 6
    assert s.n_units == 2 and not hasattr(s, "quality")
    with pytest.raises(ParameterError, match=r"quality has shape \(5,\) for 6 spikes"):
        s.ephemeral_replace(quality=np.ones(5))
    with pytest.raises(ParameterError, match="has a feature 'amplitude' already"):
        s.add_ephemeral_feature("amplitude", np.ones(6))
    with pytest.raises(ParameterError, match="has no HDF5 file for 'more'"):
        s.add_feature("more", np.ones(6))


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"channels has shape \(2,\) for 3 spikes"):
        DARTsortSorting(times_samples=np.arange(3), channels=np.arange(2), labels=None)
    with pytest.raises(ParameterError, match="these spikes have no labels"):
        DARTsortSorting(times_samples=np.arange(3), channels=np.arange(3), labels=None).flatten()


@pytest.mark.parametrize(
    "given",
    [
        {"times_samples": [1.5, 2.0, 3.0]},
        {"times_samples": [1.0, np.nan, 3.0]},
        {"labels": ["a", "b", "c"]},
        {"labels": [0.5, 0.0, 0.0]},
        {"times_samples": [[1, 2, 3]], "channels": [[0, 0, 0]], "labels": [[0, 0, 0]]},
        {"sampling_frequency": -1},
        {"sampling_frequency": "30 kHz"},
        {"chanels": [1]},
    ],
    ids=str,
)
def test_spikes_that_are_no_numbers_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        DARTsortSorting(**{"times_samples": [1, 2, 3], "channels": [0, 0, 0], "labels": [0, 0, 0], **given})


@pytest.mark.parametrize("mask", ["all", [True], [0, 3], [-4], [0.5], [[0]]], ids=str)
def test_masks_of_other_spikes_are_refused(mask: Any) -> None:
    spikes = DARTsortSorting(times_samples=np.arange(3), channels=np.zeros(3, int), labels=np.zeros(3, int))
    with pytest.raises(ParameterError, match="mask"):
        spikes.mask(mask)
    assert spikes.mask([-1, 0]).times_samples.tolist() == [2, 0]


@pytest.mark.parametrize("of", ["load", "from_peeling_hdf5"])
@pytest.mark.parametrize("path", [None, 5])
def test_methods_explain_wrong_calls_as_functions_do(of: str, path: Any) -> None:
    with pytest.raises(ParameterError, match=rf"DARTsortSorting.{of}: \w+ is {path}; give"):
        getattr(DARTsortSorting, of)(path)
