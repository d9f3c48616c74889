"""Calibration: shares of the truth by bin, the Brier score, intervals, and truth of another shape."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.plot import plot_calibration


def test_points_are_the_shares_of_pairs_that_are_one_neuron(sessions, tracks):
    neuron = sessions[1].neuron
    ax = plot_calibration(tracks, neuron, n_bins=4)
    pairs, units = tracks["pairs"].to_dataset(), tracks["units"].to_dataset()
    said, bins = pairs["probability"].values, [[] for _ in range(4)]
    true = [neuron[s][r] for s, r in zip(units["session"].values, units["row"].values, strict=True)]
    for p, i, j in zip(said, pairs["first"].values, pairs["second"].values, strict=True):
        bins[min(int(p * 4), 3)].append((p, true[i] == true[j]))
    expected = np.array([np.mean(one, axis=0) for one in bins if one])
    np.testing.assert_allclose(ax.lines[1].get_xydata(), expected)
    brier = np.mean([(p - right) ** 2 for one in bins for p, right in one])
    assert ax.get_title(loc="left") == f"Brier score {brier:.3f}"
    assert [text.get_text() for text in ax.texts] == [str(len(one)) for one in bins if one]
    bars = [path.vertices[:, 1] for path in ax.collections[0].get_paths()]
    for (low, high), (_, share) in zip(bars, expected, strict=True):
        assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1 + 1e-12 and high - low > 1e-3


def test_truth_of_another_shape_is_refused(sessions, tracks):
    neuron = sessions[1].neuron
    with pytest.raises(ParameterError, match="neuron has 3 sessions, the tracks have 4"):
        plot_calibration(tracks, neuron[:3])
    with pytest.raises(ParameterError, match="neuron has 2 units in session 1"):
        plot_calibration(tracks, [neuron[0], neuron[1][:2], *neuron[2:]])
