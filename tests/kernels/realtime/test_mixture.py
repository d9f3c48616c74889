"""Mixtures find groups on a line, and one group where there is one."""

import numpy as np
import pytest

from xephys.kernels.realtime.mixture import mixture_labels


@pytest.mark.parametrize("centers", [(0.0,), (0.0, 4.0), (-5.0, 0.0, 3.5)])
def test_the_number_of_groups_is_found(centers):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        group = rng.integers(len(centers), size=400)
        labels = mixture_labels(rng.normal(np.array(centers)[group], 0.5), n_components_max=4)
        assert labels.max() + 1 == len(centers)
        assert (labels == group).mean() > 0.97


def test_equal_and_few_values_are_one_group():
    assert mixture_labels(np.full(50, 3.0), n_components_max=4).max() == 0
    assert mixture_labels(np.array([0.0, 9.0, 18.0]), n_components_max=4).tolist() == [0, 0, 0]


def test_the_order_of_the_values_does_not_matter():
    values = np.random.default_rng(0).normal([[0.0], [5.0]], 1.0, (2, 60)).ravel()
    order = np.random.default_rng(1).permutation(120)
    labels = mixture_labels(values, n_components_max=3)
    assert (mixture_labels(values[order], n_components_max=3) == labels[order]).mean() > 0.98
