"""Simulated sessions have the requested properties."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.simulation.sessions import each_session
from xephys.testing import simulate_recording, simulate_session_recordings, simulate_sessions


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


def test_sessions_come_one_after_the_other():
    given = {"n_sessions": 3, "n_neurons": 10, "n_channels": 32, "seed": 3}
    sessions, truth = simulate_sessions(**given)
    for k, one in enumerate(each_session(**given)):
        assert one.table.identical(sessions[k]) and (one.neuron == truth.neuron[k]).all()
        assert (one.shift_um, one.tilt_um) == (truth.shift_um[k], truth.tilt_um[k])


def test_recorded_sessions_share_neurons_but_neither_spikes_nor_noise():
    made = simulate_session_recordings(
        n_sessions=3, duration_s=4.0, n_channels=16, n_units=10, missing_fraction=0.2, drift="rigid", seed=1
    )
    truths = [truth for _, truth in made]
    fires = np.array([np.bincount(truth.spikes["unit_index"], minlength=10) > 0 for truth in truths])
    assert fires.sum(axis=1).tolist() == [8, 8, 8] and not (fires == fires[0]).all()
    assert all((truth.templates == truths[0].templates).all() for truth in truths)
    both = np.flatnonzero(fires[0] & fires[1])[0]
    first, second = (t.spikes["sample_index"][t.spikes["unit_index"] == both][:5] for t in truths[:2])
    assert not np.array_equal(first, second)
    assert not np.array_equal(*(made[k][0][:100].values for k in (0, 1)))
    moved = [truth.motion.displacement(np.linspace(0, 4, 50), np.array(100.0)) for truth in truths]
    assert len({truth.config.displacement_um for truth in truths}) == 3 and not np.allclose(
        moved[0] - moved[0].mean(), moved[1] - moved[1].mean()
    )


def test_the_first_session_is_the_recording_without_sessions():
    alone = simulate_recording(duration_s=1.0, n_channels=8, n_units=3, seed=2)[0]
    given = {"duration_s": 1.0, "n_channels": 8, "n_units": 3, "seed": 2}
    first = simulate_session_recordings(n_sessions=1, displacement_max_um=0.0, missing_fraction=0.0, **given)[0][0]
    assert alone.identical(first)


def test_a_displacement_across_the_probe_changes_nothing_else():
    still, _ = simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, seed=3)
    moved, truth = simulate_sessions(n_sessions=2, n_neurons=10, n_channels=32, shift_x_max_um=15.0, seed=3)
    assert truth.shift_x_um.shape == (2,) and 0 < np.abs(truth.shift_x_um).max() <= 15
    for before, after in zip(still, moved, strict=True):
        np.testing.assert_array_equal(before["spike_time"], after["spike_time"])
        assert not np.array_equal(before["templates"], after["templates"])
