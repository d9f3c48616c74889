"""Confusion and accuracy of a comparison."""

from __future__ import annotations

import numpy as np

from tests.support.figures import saved_size
from xephys.comparison.pair import compare
from xephys.plot import plot_accuracy, plot_confusion


def test_confusion_and_accuracy(simulated, tmp_path):
    _, truth = simulated
    result = compare(truth, truth)
    ax = plot_confusion(result)
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_array_equal(np.diag(shown)[:3], 1.0)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "missed"]
    assert saved_size(ax.figure, tmp_path) > 5_000
    np.testing.assert_array_equal(plot_accuracy(result).lines[2].get_ydata(), [1, 1, 1])
