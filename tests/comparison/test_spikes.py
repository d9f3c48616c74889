"""Sortings of any type as arrays in the order of segments and samples."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.comparison.spikes import Spikes, as_spikeinterface_sorting, count_coincident, spikes_of_two
from xephys.errors import RecordingError

from .trains import numpy_sorting, two_sortings


def test_segments_follow_one_another() -> None:
    spikes = Spikes.of(numpy_sorting([{1: [5, 9], 2: [7]}, {1: [], 2: [1]}]))
    assert [spikes.sample_index[part].tolist() for part in spikes.parts()] == [[5, 7, 9], [1]]
    assert spikes.num_spikes.tolist() == [2, 2]
    assert spikes.samples_of(0.4) == 12


def test_counts_never_exceed_the_spikes_of_the_second_unit() -> None:
    burst, single = Spikes.of(numpy_sorting([{1: [0, 3, 6]}])), Spikes.of(numpy_sorting([{1: [4]}]))
    assert count_coincident(burst, single, 0.4, symmetric=False).tolist() == [[1]]


def test_any_type_of_sorting_is_read() -> None:
    first, _ = two_sortings(0)
    tree = xephys.from_spikeinterface(first)
    one, other = spikes_of_two(tree, first, ("first", "second"))
    np.testing.assert_array_equal(one.sample_index, other.sample_index)
    with pytest.raises(TypeError, match="expected a sorting"):
        as_spikeinterface_sorting(7)


def test_segments_must_agree() -> None:
    with pytest.raises(RecordingError, match="has 1 segments and the b 2"):
        spikes_of_two(two_sortings(0)[0], two_sortings(0, n_segments=2)[0], ("a", "b"))
