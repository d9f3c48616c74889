"""Guards around samples are zeroed."""

import numpy as np
import pytest

from xephys.kernels.preprocess.blank.guard import blanked, within_guard


@pytest.mark.parametrize("guard", [0, 1, 4, 99])
def test_the_guard_equals_a_check_of_every_sample(guard):
    found = np.random.default_rng(0).random(60) < 0.05
    expected = [found[max(0, t - guard) : t + guard + 1].any() for t in range(60)]
    np.testing.assert_array_equal(within_guard(found, guard), expected)


def test_found_samples_are_zero_and_the_input_is_unchanged():
    traces = np.random.default_rng(1).normal(size=(9, 3)).astype("f4")
    traces.setflags(write=False)
    found = np.isin(np.arange(9), [0, 4, 8])
    np.testing.assert_array_equal(blanked(traces, found, before=2, after=1), np.where(found[2:8, None], 0, traces[2:8]))


def test_nothing_is_copied_where_nothing_is_found():
    traces = np.ones((9, 3), np.float32)
    assert np.shares_memory(blanked(traces, np.zeros(9, bool), before=2, after=1), traces)
    assert blanked(traces.astype("i2"), np.zeros(9, bool), before=2, after=1).dtype == np.float32
