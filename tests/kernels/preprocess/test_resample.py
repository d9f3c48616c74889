import numpy as np
import pytest
from scipy.signal import resample_poly

from xephys.kernels.preprocess.resample import resample, resample_reach, take_every

TRACES = np.random.default_rng(0).standard_normal((3000, 3)).astype("f4")


@pytest.mark.parametrize(("up", "down"), [(1, 10), (1, 3), (3, 1), (2, 3), (441, 480)])
def test_result_equals_scipys_away_from_the_ends(up, down):
    expected = resample_poly(TRACES.astype("f8"), up, down, axis=0, window=("kaiser", 5.0))
    reach = resample_reach(up=up, down=down)
    start, n = reach * up // down + 1, len(expected) - 2 * (reach * up // down + 2)
    got = resample(TRACES, first=0, start=start, n=n, up=up, down=down)
    np.testing.assert_allclose(got, expected[start : start + n], atol=2e-5)


@pytest.mark.parametrize(("up", "down"), [(1, 10), (3, 2)])
def test_a_block_equals_its_part_of_the_whole(up, down):
    whole = resample(TRACES, first=0, start=30, n=100, up=up, down=down)
    reach = resample_reach(up=up, down=down)
    first = 50 * down // up - reach
    block = TRACES[first : 60 * down // up + reach + 2]
    np.testing.assert_array_equal(resample(block, first=first, start=50, n=10, up=up, down=down), whole[20:30])


def test_samples_as_they_are():
    got = take_every(TRACES[100:], first=100, start=20, n=5, up=1, down=7)
    np.testing.assert_array_equal(got, TRACES[140:175:7])
