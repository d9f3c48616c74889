"""Tracks that DANT's clusters join have all that other tracks have."""

import numpy as np
import pytest

from xephys import add_session, merge_tracks, open_tracks, save_tracks, track_units
from xephys.errors import ParameterError
from xephys.testing import simulate_sessions


@pytest.fixture(scope="module")
def followed():
    sessions, truth = simulate_sessions(n_sessions=4, n_neurons=30, n_channels=64, seed=5, gain_sd=0.0)
    return sessions, truth, track_units(sessions[:3], preset="dant")


def joined(tracks, truth):
    units = tracks["units"].to_dataset()
    session, track = units["session"].values, units["track"].values
    neuron = np.array([truth.neuron[s][r] for s, r in zip(session, units["row"].values, strict=True)])
    i, j = np.triu_indices(len(neuron), 1)
    apart = session[i] != session[j]
    same, found = apart & (neuron[i] == neuron[j]), track[i] == track[j]
    assert not (found & ~apart).any()
    return (same & found).sum() / found.sum(), (same & found).sum() / same.sum()


def test_neurons_are_followed_with_probabilities(followed, tmp_path):
    sessions, truth, tracks = followed
    precision, recall = joined(tracks, truth)
    assert precision >= 0.98 and recall >= 0.96
    plain = track_units(sessions[:3])
    assert tracks["pairs"].to_dataset().identical(plain["pairs"].to_dataset())
    assert tracks["motion"].to_dataset().identical(plain["motion"].to_dataset())
    # Clusters join units whatever their probability.
    strict, never = (track_units(sessions[:3], preset=p, probability_min=0.99999) for p in ("dant", "default"))
    assert strict["units"]["track"].equals(tracks["units"]["track"])
    assert tracks.attrs["preset"] == "dant" and not never["units"]["track"].equals(tracks["units"]["track"])
    save_tracks(tracks, tmp_path / "tracks.zarr")
    assert open_tracks(tmp_path / "tracks.zarr").attrs["preset"] == "dant"


def test_sessions_are_added_and_tracks_are_merged(followed):
    sessions, truth, tracks = followed
    after = add_session(tracks, sessions[3])
    n = tracks["units"].sizes["unit"]
    np.testing.assert_array_equal(after["units"]["track"][:n], tracks["units"]["track"])
    assert joined(after, truth)[0] >= 0.95 and after.attrs["preset"] == "dant"
    numbers = tracks["tracks"]["track"].values
    merged = merge_tracks(tracks, *numbers[-2:], reason="looked at", same_session=True)
    assert merged["tracks"].sizes["track"] == len(numbers) - 1


def test_shanks_are_clustered_by_themselves(followed):
    sessions, _, _ = followed
    halves = [s.assign_coords(shank=("channel", (s["y"].values > s["y"].values.mean()).astype(int))) for s in sessions]
    units = track_units(halves, preset="dant")["units"].to_dataset()
    shanks = units["shank"].groupby(units["track"]).map(lambda names: (names != names[0]).any())
    assert len(np.unique(units["shank"])) == 2 and not shanks.any()


@pytest.mark.parametrize("n_units", [1, 2])
def test_one_session_and_few_units(followed, n_units):
    sessions = [s.isel(unit=slice(n_units)) for s in followed[0]]
    assert track_units(sessions[:1], preset="dant")["tracks"].sizes["track"] == n_units
    assert track_units(sessions[:2], preset="dant")["units"].sizes["unit"] == 2 * n_units


def test_bad_input(followed):
    moved = followed[0][1].assign_coords(y=followed[0][1]["y"] + 20)
    with pytest.raises(ParameterError, match="session 1 has other channels"):
        track_units([followed[0][0], moved], preset="dant")
    with pytest.raises(ParameterError, match="preset"):
        track_units(followed[0], preset="kilosort")
