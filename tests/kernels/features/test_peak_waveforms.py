"""Mean waveforms of a channel's peaks are told apart; clusters are those of directions."""

import numpy as np
import pytest

from tests.support.troughs import LENGTH, snippets
from xephys.kernels.features import peak_waveforms as kernel
from xephys.kernels.features.autocovariance import precision_of
from xephys.kernels.features.peak_times import dual_of, estimate_times


def test_waveforms_of_a_mixture_are_told_apart():
    given, true = snippets()
    white = np.eye(1, LENGTH)[0]
    channels = np.ones(len(given), np.int64)
    model = kernel.learn_peak_waveforms(
        given, channels, np.zeros(len(given)), n_channels=2, n_waveforms=3, autocovariance=white
    )
    assert not model["share"][0].any() and model["share"][1].sum() == pytest.approx(1.0)
    large = np.argsort(-model["share"][1])[:2]
    widths = np.sort((model["waveforms"][1, large] < -0.5).sum(axis=1))
    assert widths[0] in (5, 6) and widths[1] in (8, 9)
    dual = dual_of(model, precision_of(white))
    found = estimate_times(given, channels, np.zeros(len(given)), dual)
    assert np.median(np.abs(found - true)) < 0.1


def test_directions_are_clustered_whatever_the_lengths():
    rng = np.random.default_rng(0)
    centers = np.eye(3, 8)
    truth = np.arange(90) % 3
    points = (centers[truth] + 0.1 * rng.standard_normal((90, 8))) * rng.uniform(1, 20, 90)[:, None]
    labels = kernel.cluster_by_direction(points, 3, 20)
    assert all(len(set(labels[truth == k])) == 1 for k in range(3)) and len(set(labels)) == 3
