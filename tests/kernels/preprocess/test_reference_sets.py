"""Sets of reference channels as flat tables: members, starts, and the group of each channel."""

import numpy as np
import pytest

from xephys.kernels.preprocess.reference_sets import neighbor_sets, reference_sets, stored_reference_sets


def test_channels_without_a_group_are_a_last_group_without_members():
    groups, good = np.array([7, -1, 2, 7, 2]), np.array([True, True, True, False, True])
    members, offsets, labels = reference_sets(5, groups, None, good)
    assert members.tolist() == [2, 4, 0]
    assert offsets.tolist() == [0, 2, 3, 3]
    assert labels.tolist() == [1, 2, 0, 1, 0]


def test_only_named_channels_are_members_but_all_have_a_group():
    members, offsets, labels = reference_sets(4, None, np.array([3, 1]), None)
    assert (members.tolist(), offsets.tolist(), labels.tolist()) == ([1, 3], [0, 2], [0, 0, 0, 0])


def test_stored_sets_follow_the_content_of_the_arrays():
    """An array that was changed in place has other sets, although it is the same object."""
    good = np.array([True, True, True])
    first = stored_reference_sets(3, None, None, good)
    good[1] = False
    second = stored_reference_sets(3, None, None, good)
    assert (first[0].tolist(), second[0].tolist()) == ([0, 1, 2], [0, 2])
    assert stored_reference_sets(3, None, None, good.copy()) is second


def test_neighbors_that_are_bad_or_padding_are_left_out():
    neighbors, good = np.array([[1, 2], [2, -1], [0, 1]]), np.array([True, False, True])
    members, offsets = neighbor_sets(3, neighbors, good)
    assert (members.tolist(), offsets.tolist()) == ([2, 2, 0], [0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"shape \(3, 2\), but must be \(4, k\)"):
        neighbor_sets(4, neighbors, None)
