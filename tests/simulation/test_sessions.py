"""Simulated sessions have the requested properties."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.testing import simulate_sessions


def test_the_same_seed_gives_the_same_sessions():
    first, second = (simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=3)[0] for _ in range(2))
    assert all(a.identical(b) for a, b in zip(first, second, strict=True))


def test_dropout_turnover_and_splits_are_as_requested():
    _, truth = simulate_sessions(n_sessions=4, n_neurons=200, n_channels=96, dropout=0.3, turnover=0.2, seed=0)
    share = [len(units) / 200 for units in truth.neuron]
    assert 0.6 < min(share) <= max(share) < 0.8
    assert 0.1 < (truth.neuron[1] >= 200).mean() < 0.3
    _, truth = simulate_sessions(n_sessions=1, n_neurons=200, n_channels=96, dropout=0.0, oversplits=0.1, seed=0)
    counts = np.unique(truth.neuron[0], return_counts=True)[1]
    assert 0.05 < (counts == 2).mean() < 0.15


def test_disjoint_sessions_share_no_neuron():
    _, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=32, disjoint=True, seed=0)
    assert not set(truth.neuron[0]) & set(truth.neuron[1]) and not set(truth.neuron[1]) & set(truth.neuron[2])


def test_the_tissue_moves():
    sessions, truth = simulate_sessions(
        n_sessions=2, n_neurons=1, n_channels=96, dropout=0.0, gain_sd=0.0, noise_uv=0.0, shift_max_um=40.0, seed=5
    )
    weights = [np.ptp(session["templates"][0].values, axis=0) ** 2 for session in sessions]
    center = [float((w * s["y"].values).sum() / w.sum()) for w, s in zip(weights, sessions, strict=True)]
    assert abs((center[1] - center[0]) - np.diff(truth.shift_um)[0]) < 6


def test_the_recorded_rows_move():
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, rows_moved=3, seed=0)
    assert float(sessions[1]["y"].min() - sessions[0]["y"].min()) == 60.0


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"turnover": -0.1}, {"n_channels": 4}, {"n_sessions": 0}])
def test_bad_input_is_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong)) if "n_" not in next(iter(wrong)) else "use at least"):
        simulate_sessions(**wrong)
