"""Odds are learned without labels, and units that are parts of one neuron do not spoil them."""

import numpy as np
import pytest
import xarray as xr

from xephys import track_units
from xephys.testing import simulate_sessions

from .outcome import outcome


@pytest.mark.parametrize("seed", [2211, 2212])
def test_units_that_a_sorter_split_are_all_proposed_as_merges(seed):
    """With a fifth of the units split, pairs within sessions hide many that are the same neuron between sessions."""
    sessions, truth = simulate_sessions(oversplits=0.2, seed=seed)
    tracks = track_units(sessions)
    precision, recall, brier, _ = outcome(tracks, truth)
    assert precision >= 0.98 and recall >= 0.96 and brier <= 0.03
    units, splits = tracks["units"].to_dataset(), tracks["splits"].to_dataset()
    neuron = np.array([truth.neuron[s][r] for s, r in zip(units["session"].values, units["row"].values, strict=True)])
    proposed = {
        (min(a, b), max(a, b))
        for a, b in zip(splits["first"].values.tolist(), splits["second"].values.tolist(), strict=True)
    }
    session = units["session"].values
    i, j = np.triu_indices(len(neuron), 1)
    parts = (session[i] == session[j]) & (neuron[i] == neuron[j])
    assert proposed == set(zip(i[parts].tolist(), j[parts].tolist(), strict=True))
    assert (units["track"].values[i[parts]] == units["track"].values[j[parts]]).all()


def test_neurons_are_followed_where_a_sorter_splits_many():
    """More pairs look the same within sessions than between them."""
    sessions, truth = simulate_sessions(oversplits=0.3, n_neurons=40, n_sessions=3, noise_uv=2.0, seed=2211)
    tracks = track_units(sessions)
    precision, recall, _, _ = outcome(tracks, truth)
    assert precision > 0.95 and recall > 0.9
    assert float(tracks["model"]["split_odds"]) > 0.4 and tracks["splits"].sizes["split"] > 15


def test_odds_are_learned_from_near_sessions_where_there_are_many_pairs(monkeypatch):
    sessions, truth = simulate_sessions(n_sessions=6, seed=12)
    monkeypatch.setattr("xephys.track.odds.N_PAIRS_LEARNED", 100)
    tracks = track_units(sessions)
    precision, recall, _, _ = outcome(tracks, truth)
    assert precision >= 0.98 and recall >= 0.96
    monkeypatch.undo()
    assert not tracks["model"].identical(track_units(sessions)["model"])


def test_parts_are_found_with_one_shared_partner_or_split_partners():
    """A neuron is split in both of two sessions, or in one of two only; all its units are in one track."""
    for n_sessions, split in ((3, [0, 1]), (2, [0])):
        sessions, truth = simulate_sessions(n_sessions=n_sessions, n_neurons=30, dropout=0.0, oversplits=0.0, seed=5)
        twin = simulate_sessions(
            n_sessions=n_sessions, n_neurons=30, dropout=0.0, oversplits=0.0, gain_sd=0.12, seed=5
        )[0]
        for k in split:
            sessions[k] = xr.concat(
                [sessions[k], twin[k].isel(unit=[7])], "unit", data_vars="minimal", coords="minimal", compat="override"
            )
            truth.neuron[k] = np.append(truth.neuron[k], 7)
        tracks = track_units(sessions)
        assert tracks["splits"].sizes["split"] == len(split)
        assert outcome(tracks, truth)[1] == 1.0


def outcomes_of(seed, **keywords):
    sessions, truth = simulate_sessions(seed=seed, **keywords)
    tracks = track_units(sessions)
    units, pairs = tracks["units"].to_dataset(), tracks["pairs"].to_dataset()
    neuron = np.array([truth.neuron[s][r] for s, r in zip(units["session"].values, units["row"].values, strict=True)])
    wrong = neuron[pairs["first"].values] != neuron[pairs["second"].values]
    return tracks, truth, pairs["probability"].values[wrong]


def test_a_look_alike_at_another_depth_is_not_the_neuron():
    """Locations are exact to a fraction of a micrometer here; these pairs are 8 to 29 µm apart, and look the same."""
    for seed, keywords in (
        (15273, {"n_neurons": 60, "n_sessions": 3}),
        (16130, {"lookalikes": 0.05, "turnover": 0.05, "oversplits": 0.05, "noise_uv": 2.0}),
    ):
        tracks, truth, wrong = outcomes_of(seed, **keywords)
        assert wrong.max(initial=0.0) < 0.5 and outcome(tracks, truth)[1] >= 0.98
        assert (tracks["model"]["scale_um"].values < 1.5).all()


def test_two_neurons_of_one_shape_3_um_apart_are_not_parts_of_one():
    """Each finds its own partner in every session, which is better than the other's although both look the same."""
    keywords = {"lookalikes": 0.05, "turnover": 0.05, "oversplits": 0.05, "noise_uv": 2.0}
    tracks, truth, _ = outcomes_of(16125, **keywords)
    precision, recall, _, _ = outcome(tracks, truth)
    assert precision == 1.0 and recall >= 0.98


@pytest.mark.parametrize("seed", [17321, 17332])
def test_among_many_neurons_of_sessions_that_share_none_no_match_is_probable(seed):
    _, _, wrong = outcomes_of(seed, disjoint=True, n_neurons=150, n_channels=384)
    assert wrong.max(initial=0.0) < 0.4
