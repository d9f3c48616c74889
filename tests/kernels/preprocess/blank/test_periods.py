import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from xephys.kernels.preprocess.blank.periods import bridge_periods, merged_periods, silence_periods

N = 400
FIRST, LAST = np.array([0, 50, 200, 395]), np.array([3, 80, 201, 400])
ZEROS = np.zeros(2, np.float32)


def traces():
    return np.cumsum(np.random.default_rng(0).standard_normal((N, 2)), axis=0).astype("f4")


def inside():
    return np.any([(np.arange(N) >= a) & (np.arange(N) < b) for a, b in zip(FIRST, LAST, strict=True)], axis=0)


@pytest.mark.parametrize("start", [0, 60, 199])
def test_only_periods_are_zero(start):
    got = silence_periods(
        traces()[start:], before=0, after=0, start=start, first=FIRST, last=LAST, noise_levels=ZEROS, seed=0
    )
    np.testing.assert_array_equal(got, np.where(inside()[:, None], 0, traces())[start:])


def test_inserted_noise_has_its_size_and_does_not_depend_on_the_tile():
    noise = {"first": np.array([0]), "last": np.array([60_000]), "noise_levels": np.array([2, 5], "f4"), "seed": 3}
    whole = silence_periods(np.zeros((60_000, 2), "f4"), start=0, **noise)
    part = silence_periods(np.zeros((100, 2), "f4"), before=10, after=10, start=500, **noise)
    np.testing.assert_array_equal(part, whole[500:580])
    np.testing.assert_allclose(whole.std(axis=0), [2, 5], rtol=0.02)
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=0.05)
    assert abs(np.corrcoef(whole.T)[0, 1]) < 0.02
    assert abs(np.corrcoef(whole[:-1, 0], whole[1:, 0])[0, 1]) < 0.02
    kurtosis = ((whole / whole.std(axis=0)) ** 4).mean(axis=0)
    np.testing.assert_allclose(kurtosis, 3, atol=0.15)
    assert (silence_periods(np.zeros((9, 2), "f4"), start=0, **{**noise, "seed": 4}) != whole[:9]).all()


def bridged(start, stop, halo, **points):
    lo, hi = max(start - halo, 0), min(stop + halo, N)
    return bridge_periods(
        traces()[lo:hi], before=start - lo, after=hi - stop, start=start, first=FIRST, last=LAST, n_samples=N, **points
    )


LINE = {"n_fit_points": 1, "fit_step_samples": 1, "fit_window_samples": 1}
CUBIC = {"n_fit_points": 3, "fit_step_samples": 10, "fit_window_samples": 5}


def test_a_line_between_the_neighbors_and_the_nearest_value_at_the_ends():
    values, got = traces(), bridged(0, N, 0, **LINE)
    np.testing.assert_array_equal(got[~inside()], values[~inside()])
    np.testing.assert_allclose(got[:3], np.repeat(values[3:4], 3, axis=0))
    np.testing.assert_allclose(got[395:], np.repeat(values[394:395], 5, axis=0))
    share = (np.arange(50, 80) - 49)[:, None] / 31
    np.testing.assert_allclose(got[50:80], (1 - share) * values[49] + share * values[80], rtol=1e-5, atol=1e-5)


def test_a_spline_through_medians():
    values, got = traces(), bridged(0, N, 0, **CUBIC)
    ends = [(49 - 10 * k - 4, 49 - 10 * k + 1) for k in (2, 1, 0)] + [(80 + 10 * k, 80 + 10 * k + 5) for k in range(3)]
    at = [np.arange(a, b).mean() for a, b in ends]
    medians = [np.median(values[a:b], axis=0) for a, b in ends]
    expected = CubicSpline(at, medians)(np.arange(50, 80))
    np.testing.assert_allclose(got[50:80], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("points", [LINE, CUBIC])
def test_a_tile_equals_its_part_of_the_whole(points):
    whole = bridged(0, N, 0, **points)
    for start, stop in [(0, 60), (60, 70), (75, 210), (300, 400)]:
        np.testing.assert_array_equal(bridged(start, stop, 70, **points), whole[start:stop])


def test_points_inside_another_period_do_not_count():
    values = np.zeros((100, 1), "f4")
    values[40:50], values[52:60] = 1000, 1000
    got = bridge_periods(
        values, before=0, after=0, start=0, first=np.array([40, 52]), last=np.array([50, 60]), n_samples=100, **CUBIC
    )
    np.testing.assert_allclose(got, 0, atol=1e-6)


def test_periods_are_joined():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 300, 25)
    last = first + rng.integers(1, 20, 25)
    covered = np.zeros(400, bool)
    for a, b in zip(first, last, strict=True):
        covered[a:b] = True
    begin, end = merged_periods(first, last)
    again = np.zeros(400, bool)
    for a, b in zip(begin, end, strict=True):
        assert not again[a:b].any()
        again[a:b] = True
    np.testing.assert_array_equal(again, covered)
    assert merged_periods(np.zeros(0, np.int64), np.zeros(0, np.int64))[0].size == 0
