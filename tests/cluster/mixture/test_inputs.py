"""What does not fit is refused with the value, the limit and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.cluster.mixture import inputs
from xephys.errors import ParameterError

TABLE = np.array([[0, 1], [1, -1]], np.int32)
FEATURES = np.zeros((3, 2, 1))


@pytest.mark.parametrize(
    ("neighbors", "positions", "features", "message"),
    [
        (TABLE, None, np.zeros((3, 2)), r"features have the shape \(3, 2\); give \(spike, slot, component\)"),
        (None, None, FEATURES, "give either neighbors, the channels of the slots, or positions"),
        (TABLE, np.zeros((2, 2)), FEATURES, "give either neighbors"),
        (TABLE[:, :1], None, FEATURES, r"neighbors are int32 \(2, 1\); for features with 2 slots, give integers \(row"),
        (TABLE.astype(float), None, FEATURES, "neighbors are float64"),
        (TABLE - 1, None, FEATURES, "neighbors contain -2; pad missing channels with -1"),
        (np.array([[1, 1]]), None, FEATURES, "contains a channel twice"),
        (None, np.zeros((1, 2)), FEATURES, "features have 2 slots, but there are only 1 positions"),
        (None, np.full((3, 2), np.nan), FEATURES, "give finite numbers"),
    ],
)
def test_tables_that_do_not_fit(neighbors, positions, features, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message):
        inputs.table_of_neighbors(neighbors, positions, features)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (0.0, "noise is 0.0; it must be greater than 0"),
        (np.nan, "noise is nan"),
        (np.eye(2), r"noise has the shape \(2, 2\); give one number or \(channel, 1, channel, 1\)"),
        (np.ones((1, 1, 1, 1)), "noise is given for 1 channels, but neighbors name channel 1"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]).reshape(2, 1, 2, 1), "not symmetric and finite"),
    ],
)
def test_noise_that_does_not_fit(noise, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message):
        inputs.noise_of(noise, TABLE, n_components=1)


def test_spikes_that_do_not_fit() -> None:
    with pytest.raises(ParameterError, match=r"channels are int64 \(2,\); give one integer for each of the 3 spikes"):
        inputs.check_spikes(FEATURES, np.zeros(2, int), TABLE)
    with pytest.raises(ParameterError, match="channels are 0 to 2; neighbors have rows 0 to 1"):
        inputs.check_spikes(FEATURES, np.array([0, 1, 2]), TABLE)
    bad = FEATURES.copy()
    bad[2, 1] = np.nan
    inputs.check_spikes(bad, np.array([0, 0, 1]), TABLE)
    with pytest.raises(ParameterError, match="the features of spike 2 are not finite"):
        inputs.check_spikes(bad, np.array([0, 0, 0]), TABLE)


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(ParameterError, match=r"labels are float64 \(3,\)"):
        inputs.start_labels(np.zeros(3), n_spikes=3, n_spikes_min=1)
    with pytest.raises(ParameterError, match=r"no label has 5 spikes \(n_spikes_min\); the most frequent of 2 has 2"):
        inputs.start_labels(np.array([0, 0, 1, -1]), n_spikes=4, n_spikes_min=5)
