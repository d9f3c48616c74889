"""Times of triggers: one list, finite."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.preprocess.blank.triggers import trigger_times


@pytest.mark.parametrize("given", [0.5, [0.5], (0.5,), np.array([0.5], "f4"), np.float64(0.5)])
def test_one_time_or_a_list(given):
    assert trigger_times(given).tolist() == [0.5]


def test_none_is_an_empty_list():
    assert trigger_times([]).shape == (0,)


@pytest.mark.parametrize("given", [[[0.5, 1.0]], [[0.5], [1.0]], np.zeros((3, 2))])
def test_tables_are_refused(given):
    with pytest.raises(ParameterError, match=r"trigger_times_s has shape .*; give one list of times"):
        trigger_times(given)


def test_unknown_times_are_refused():
    with pytest.raises(ParameterError, match="trigger 1 is nan s; drop it"):
        trigger_times([0.5, np.nan])
