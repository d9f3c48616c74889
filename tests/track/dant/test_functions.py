"""Functions of pyDANT give its values."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.track import dant


@pytest.mark.parametrize(
    ("binwidth", "expected"), [(1, [0, 0, 3, 1, 2, 1, 3, 0, 0]), (2, [0, 3, 3, 3, 0])], ids=["1 ms", "2 ms"]
)
def test_lags_are_rounded_to_even(binwidth, expected):
    counts, lags = dant.computeAutoCorr([0.0, 0.5, 1.0, 2.5], 4, binwidth)
    assert counts.tolist() == expected and lags.tolist() == list(range(-4, 5, binwidth))


def test_a_unit_without_spikes_has_no_pairs():
    assert not dant.computeAutoCorr([], 4, 1)[0].any()


def test_pairs_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    places, session = rng.uniform(0, 500, (40, 3)), rng.integers(1, 4, 40)
    motion = dant.Motion(3)
    motion.Constant[:] = [-30.0, 0.0, 30.0]
    pairs, sessions = dant.getNearbyPairs(60.0, session, places, motion)
    depth = places[:, 1] - motion.Constant[session - 1]
    expected = [(i, j) for j in range(40) for i in range(j) if abs(depth[i] - depth[j]) <= 60]
    assert [tuple(pair) for pair in pairs.tolist()] == expected
    assert (sessions == session[pairs]).all()


def test_correlations_of_columns():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    np.testing.assert_allclose(dant.corrcoef2(x, y), np.corrcoef(x.T, y.T)[:3, 3:])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dant.corrcoef2(np.zeros((3, 2)), np.zeros((4, 2))), "cannot be correlated"),
        (lambda: dant.graphEditNumber(np.eye(2), np.eye(3)), "cannot be compared"),
        (lambda: dant.getNearbyPairs(0, [1], [[0, 0]]), "max_distance"),
        (lambda: dant.computeAutoCorr([1.0], 4, 0), "binwidth"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
