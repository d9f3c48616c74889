"""Rows without the halo, and arguments that do not fit."""

import numpy as np
import pytest

from xephys.kernels.lib.core import core_rows


def test_the_core_is_a_view_of_the_rows_between():
    traces = np.arange(12).reshape(6, 2)
    rows = core_rows(traces, 1, 2)
    np.testing.assert_array_equal(rows, traces[1:4])
    assert np.shares_memory(rows, traces)
    assert core_rows(traces, 3, 3).shape == (0, 2)
    assert core_rows(traces, 0, 0).shape == (6, 2)


@pytest.mark.parametrize(("shape", "before", "after"), [((5,), 0, 0), ((5, 2), 3, 3), ((5, 2), -1, 0), ((5, 2), 0, -1)])
def test_unsuitable_halos_are_refused(shape, before, after):
    with pytest.raises(ValueError, match="do not fit into traces of shape"):
        core_rows(np.zeros(shape), before, after)
