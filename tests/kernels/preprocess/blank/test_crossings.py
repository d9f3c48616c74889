import numpy as np
import pytest

from xephys.kernels.preprocess.blank.crossings import find_edges


def reference(large):
    """Periods of a mask, found sample by sample."""
    edges = []
    for t, value in enumerate(large):
        if value and (t == 0 or not large[t - 1]):
            edges.append((t, True))
        if value and (t + 1 == len(large) or not large[t + 1]):
            edges.append((t, False))
    return edges


@pytest.mark.parametrize("n_min", [1, 2, 3])
def test_periods_equal_those_of_every_sample(n_min):
    values = np.random.default_rng(n_min).normal(0, 10, (500, 3)).astype("f4")
    values[:4], values[-2:] = 99, -99
    thresholds = np.array([8, 9, 10], "f4")
    expected = reference(((abs(values) >= thresholds).sum(axis=1) >= n_min).tolist())
    padded = np.pad(values, ((1, 1), (0, 0)), mode="edge")
    found = []
    for start, stop in [(0, 120), (120, 121), (121, 500)]:
        found += find_edges(
            padded[start : stop + 2], before=1, after=1, start=start, thresholds=thresholds, n_channels_min=n_min,
            first_sample=0, last_sample=499,
        ).tolist()  # fmt: skip
    assert found == expected


def test_a_missing_halo_is_refused():
    with pytest.raises(ValueError, match="edges are seen with one row more"):
        find_edges(
            np.zeros((5, 1)), before=0, after=1, start=0, thresholds=np.ones(1, "f4"), n_channels_min=1,
            first_sample=0, last_sample=4,
        )  # fmt: skip
