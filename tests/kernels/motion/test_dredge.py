"""Pairwise correlations equal their written formula."""

import numpy as np
import pytest

from xephys.kernels.motion.dredge import pair_lags, pair_weights
from xephys.kernels.motion.histogram import spatial_windows

DEPTHS = np.arange(80.0)
WINDOW = spatial_windows(DEPTHS, centers_um=np.array([38.0]), scale_um=40.0, shape="gaussian")[0]


def correlation_at(early, late, lag):
    """Weighted, centered and normalized correlation of ``early`` with ``late`` seen ``lag`` bins further up."""
    shifted = np.array([late[z + lag] if 0 <= z + lag < len(late) else 0.0 for z in range(len(late))], np.float64)
    mean = lambda values: (WINDOW * values).sum()  # noqa: E731
    a, b = early - mean(early), shifted - mean(shifted)
    norm = np.sqrt(mean(a * a) * mean(b * b))
    return mean(a * b) / norm if norm > 0 else 0.0


@pytest.fixture
def raster():
    rng = np.random.default_rng(5)
    base = rng.gamma(0.3, 2.0, 120)
    rows = [np.convolve(base[20 + s : 100 + s], np.hanning(7), "same") for s in (0, 2, -3, 5, 0)]
    return (np.array(rows) + rng.normal(0, 0.05, (5, 80))).astype(np.float32)


def test_lag_and_correlation_of_every_pair(raster):
    lags = np.array([1, 2, 4])
    lag, correlation = pair_lags(raster, WINDOW, lags, 10, 0)
    for t in range(5):
        for k, step in enumerate(lags):
            if t < step:
                assert correlation[t, k] == 0
                continue
            curve = np.array([correlation_at(raster[t - step], raster[t], m) for m in range(-10, 11)])
            best = int(curve.argmax())
            assert correlation[t, k] == pytest.approx(curve[best], abs=1e-3)
            assert abs(lag[t, k] - (best - 10)) <= 0.5


def test_lag_is_how_far_the_later_bin_is_above(raster):
    """Rows are views that start 0, 2, -3, 5 and 0 bins further up, so their content is lower by as much."""
    lag, _ = pair_lags(raster, WINDOW, np.array([1]), 10, 0)
    np.testing.assert_allclose(lag[1:, 0], [-2, 5, -8, 5], atol=0.3)


def test_fractions_of_a_bin_are_found():
    z = np.arange(80.0)
    rows = np.array([np.exp(-0.5 * ((z - c) / 4) ** 2) for c in (38.0, 38.4)], np.float32)
    assert pair_lags(rows, WINDOW, np.array([1]), 5, 0)[0][1, 0] == pytest.approx(0.4, abs=0.05)


def test_bins_before_the_first_are_partners_only(raster):
    everything, few = (pair_lags(raster, WINDOW, np.array([1, 2]), 10, first) for first in (0, 3))
    assert few[1][:3].tolist() == np.zeros((3, 2)).tolist()
    np.testing.assert_array_equal(few[0][3:], everything[0][3:])


def test_an_empty_bin_has_no_weight(raster):
    raster[2] = 0
    _, correlation = pair_lags(raster, WINDOW, np.array([1]), 10, 0)
    assert (correlation[2, 0], correlation[3, 0]) == (0, 0)
    assert correlation[4, 0] > 0.5


def test_weights_are_squared_correlations_reduced_in_nearly_empty_bins():
    correlation = np.full((4, 1, 1), 0.5, np.float32)
    correlation[3] = 0.05
    activity = np.array([[9.0], [9.0], [0.15], [9.0]])
    kept = pair_weights(correlation, np.array([1]), mincorr=0.1)
    assert kept[:, 0, 0].tolist() == [0.0, 0.25, 0.25, 0.0]
    soft = pair_weights(correlation, np.array([1]), mincorr=0.1, activity=activity, limits=(0.1, 0.2))
    assert soft[:, 0, 0].tolist() == pytest.approx([0.0, 0.25, 1 / (4 + 1 / 0.15), 0.0])
    hard = pair_weights(correlation, np.array([1]), mincorr=0.1, activity=activity, limits=(0.2, 0.2))
    assert hard[:, 0, 0].tolist() == [0.0, 0.25, 0.0, 0.0]
