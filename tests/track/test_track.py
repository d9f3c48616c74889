"""Neurons are followed through drift, dropout, look-alikes and splits; no neuron is matched that is not there."""

import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from xephys import add_session, track_units
from xephys.errors import ParameterError
from xephys.testing import simulate_sessions

from .outcome import outcome

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@pytest.mark.parametrize(
    "kind",
    [
        {"dropout": 0.0, "gain_sd": 0.0},
        {"shift_max_um": 80.0},
        {"tilt_max_um": 60.0},
        {"lookalikes": 0.05, "turnover": 0.05, "oversplits": 0.05, "noise_uv": 2.0},
        {"rows_moved": 6, "n_neurons": 60},
        {"probe": "linear", "n_channels": 32},
        {"probe": "mea", "n_channels": 144, "n_neurons": 60},
    ],
    ids=["plain", "far", "tilted", "hard", "other channels", "linear", "mea"],
)
def test_neurons_are_followed(kind):
    sessions, truth = simulate_sessions(**{"n_sessions": 4, "seed": 11, **kind})
    precision, recall, brier, _ = outcome(track_units(sessions), truth)
    assert precision >= 0.98 and recall >= 0.96 and brier <= 0.03


def test_artifacts_are_not_compared_and_say_nothing_about_the_motion():
    sessions, _ = simulate_sessions(n_neurons=25, n_sessions=3, seed=5)
    with_artifacts = []
    for session in sessions:
        some = session.isel(unit=slice(0, 15))
        everywhere = 20 * session["templates"].values[:1].mean(axis=2, keepdims=True)
        noisy = everywhere + np.random.default_rng(0).standard_normal(some["templates"].shape)
        artifacts = some.assign(templates=(some["templates"].dims, noisy.astype(np.float32)))
        with_artifacts.append(xr.concat([session, artifacts], "unit", data_vars="minimal"))
    plain, tracks = track_units(sessions), track_units(with_artifacts)
    np.testing.assert_allclose(tracks["motion"]["displacement_um"], plain["motion"]["displacement_um"], atol=0.5)
    artifact = tracks["units"]["far_share"].values > 0.6
    assert artifact.sum() == 45
    counts = np.bincount(tracks["units"]["track"].values)[tracks["units"]["track"].values]
    assert (counts[artifact] == 1).all() and (counts[~artifact] > 1).mean() > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_matched_where_nothing_is_shared(seed):
    sessions, truth = simulate_sessions(disjoint=True, seed=20 + seed)
    tracks = track_units(sessions)
    assert outcome(tracks, truth)[3] < 0.005
    assert not tracks["motion"]["known"].any() and not tracks["motion"]["displacement_um"].any()


def test_tracks_do_not_depend_on_the_order_of_units():
    sessions, _ = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    plain = track_units(sessions)["units"].to_dataset()
    turned = track_units([s.isel(unit=slice(None, None, -1)) for s in sessions])["units"].to_dataset()

    def sets(units):
        rows = zip(units["session"].values, units["unit_id"].values, units["track"].values, strict=True)
        by_track = {}
        for session, unit, track in rows:
            by_track.setdefault(track, set()).add((int(session), str(unit)))
        return {frozenset(members) for members in by_track.values()}

    assert sets(plain) == sets(turned)


@pytest.mark.parametrize("seed", [1, 2])
def test_tracks_do_not_depend_on_the_order_of_sessions(seed):
    sessions, _ = simulate_sessions(n_sessions=4, n_neurons=30, n_channels=64, seed=seed)
    order = [2, 0, 3, 1]

    def sets(units, number):
        by_track = {}
        columns = (units[name].values for name in ("session", "unit_id", "track"))
        for session, unit, track in zip(*columns, strict=True):
            by_track.setdefault(int(track), set()).add((number[session], str(unit)))
        return {frozenset(members) for members in by_track.values()}

    plain = sets(track_units(sessions)["units"], range(4))
    assert plain == sets(track_units([sessions[k] for k in order])["units"], order)


def test_bits_do_not_depend_on_the_number_of_threads():
    program = """
import hashlib
from xephys import add_session, track_units
from xephys.testing import simulate_sessions
sessions, _ = simulate_sessions(n_sessions=4, n_neurons=40, n_channels=96, noise_uv=2.0, seed=77)
tracks = add_session(track_units(sessions[:3]), sessions[3])
parts = [tracks["pairs"][name].values.tobytes() for name in ("probability", "features")]
print(hashlib.sha256(b"".join([*parts, tracks["motion"]["displacement_um"].values.tobytes()])).hexdigest())
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | dict.fromkeys(THREADS, n), capture_output=True, text=True,
            check=True,
        ).stdout
        for n in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


def test_shanks_may_move_differently():
    left, truth = simulate_sessions(n_sessions=3, n_neurons=25, n_channels=64, dropout=0.0, seed=1)
    right, other = simulate_sessions(n_sessions=3, n_neurons=25, n_channels=64, dropout=0.0, seed=2)
    both = []
    for a, b in zip(left, right, strict=True):
        templates = np.zeros((50, 48, 128), np.float32)
        templates[:25, :, :64], templates[25:, :, 64:] = a["templates"], b["templates"]
        both.append(
            xr.Dataset(
                {
                    "templates": (("unit", "sample", "channel"), templates),
                    "autocorrelogram": (("unit", "lag"), np.concatenate([a["autocorrelogram"], b["autocorrelogram"]])),
                },
                coords={
                    "x": ("channel", np.concatenate([a["x"], b["x"] + 250])),
                    "y": ("channel", np.concatenate([a["y"], b["y"]])),
                    "shank": ("channel", np.repeat([0, 1], 64)),
                },
                attrs=a.attrs,
            )
        )  # fmt: skip
    motion = track_units(both, motion_model="rigid")["motion"].to_dataset()
    for row, known in enumerate((truth, other)):
        moved = motion["displacement_um"].values[row, :, 0]
        np.testing.assert_allclose(moved, known.shift_um - known.shift_um.mean(), atol=1.0)


def test_a_given_motion_is_used():
    sessions, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    tracks = track_units(sessions, motion=truth.shift_um)
    np.testing.assert_allclose(
        tracks["motion"]["displacement_um"].values[0, :, 0], truth.shift_um - truth.shift_um.mean()
    )


def test_a_given_motion_varies_with_depth_and_is_taken_over_from_other_tracks():
    sessions, _ = simulate_sessions(n_sessions=3, tilt_max_um=60.0, seed=3)
    tracks = track_units(sessions)
    motion = tracks["motion"].to_dataset()
    for given in (motion, motion["displacement_um"][0], motion["displacement_um"], tracks, tracks["motion"]):
        again = track_units(sessions, motion=given)
        assert again["tracks"].equals(tracks["tracks"])
        xr.testing.assert_allclose(again["motion"].to_dataset(), motion)


def test_a_search_beyond_the_probe_ends_at_it_and_a_probability_of_one_joins_nothing():
    sessions, _ = simulate_sessions(n_sessions=3, n_neurons=15, n_channels=48, seed=3)
    plain, far = track_units(sessions, motion_max_um=1e3), track_units(sessions, motion_max_um=1e6)
    assert far["motion"].to_dataset().identical(plain["motion"].to_dataset())
    none = track_units(sessions, probability_min=1.0)["tracks"]
    assert (none["n_units"] == 1).all()


def test_a_given_motion_makes_no_neurons_shared():
    sessions, truth = simulate_sessions(disjoint=True, seed=20)
    tracks = track_units(sessions, motion=truth.shift_um)
    assert outcome(tracks, truth)[3] < 0.005 and not tracks["motion"]["known"].any()


@pytest.mark.parametrize(
    ("n_sessions", "n_neurons"), [(1, 10), (2, 1), (2, 2), (2, 10)], ids=["one session", "one unit", "two units", "two"]
)
def test_small_inputs_are_tracked(n_sessions, n_neurons):
    sessions, truth = simulate_sessions(n_sessions=n_sessions, n_neurons=n_neurons, n_channels=32, dropout=0.0, seed=0)
    tracks = track_units(sessions)
    assert tracks["units"].sizes["unit"] == sum(map(len, truth.neuron))
    assert outcome(tracks, truth)[0] == 1.0 or n_sessions == 1


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_session_without_units(empty):
    sessions, _ = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    sessions[empty] = sessions[empty].isel(unit=slice(0, 0))
    tracks = track_units(sessions)
    assert set(tracks["units"]["session"].values) == {0, 1, 2} - {empty}
    assert tracks["motion"].sizes["session"] == len(tracks.attrs["sessions"]) == 3
    assert not tracks["motion"]["known"].values[0, empty]


def test_units_without_spikes_are_followed_by_their_waveforms():
    sessions, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    silent = [one.assign(autocorrelogram=xr.zeros_like(one["autocorrelogram"])) for one in sessions]
    precision, recall, brier, _ = outcome(track_units(silent), truth)
    assert precision >= 0.98 and recall >= 0.9 and brier <= 0.03


def with_responses(sessions, truth, seed, n_bins=20):
    """Each neuron has a response of its own, which varies a little; a tenth of the bins is unknown."""
    rng = np.random.default_rng(seed)
    names = np.unique(np.concatenate(truth.neuron))
    response = rng.standard_normal((names.max() + 1, n_bins))
    out = []
    for session, neuron in zip(sessions, truth.neuron, strict=True):
        peth = response[neuron] + 0.3 * rng.standard_normal((len(neuron), n_bins))
        peth[rng.uniform(size=peth.shape) < 0.1] = np.nan
        out.append(session.assign(peth=(("unit", "bin"), peth)))
    return out


def test_responses_tell_neurons_apart_where_waveforms_do_not():
    """Weak, noisy units without spike trains: with responses, a third fewer are lost, and no fewer are right."""
    missed = np.zeros(2)
    for seed in (4, 5, 6, 14, 15, 16):
        sessions, truth = simulate_sessions(
            n_sessions=3, n_neurons=40, noise_uv=16.0, gain_sd=0.3, dropout=0.1, seed=seed
        )
        sessions = [session.drop_vars("autocorrelogram") for session in sessions]
        plain, told = track_units(sessions), track_units(with_responses(sessions, truth, 0))
        found = [outcome(tracks, truth) for tracks in (plain, told)]
        missed += [1 - recall for _, recall, *_ in found]
        assert found[1][0] >= 0.98
    assert missed[1] < missed[0] * 2 / 3
    assert "peth" not in plain["footprints"] and (plain["pairs"]["features"].sel(feature="peth") == 0).all()


def test_only_some_sessions_have_responses():
    sessions, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=4)
    told = with_responses(sessions, truth, 0)
    for some in ([sessions[0], told[1], told[2]], [told[0], sessions[1], sessions[2]]):
        tracks = track_units(some)
        added = add_session(track_units(some[:2]), some[2])
        for found in (tracks, added):
            assert outcome(found, truth)[1] > 0.95
            assert np.isfinite(found["pairs"]["features"]).all()
    with pytest.raises(ParameterError, match=r"have \[19, 20\] bins; give the same"):
        track_units([told[0], told[1].isel(bin=slice(0, 19))])


def test_sessions_of_other_rates_are_followed():
    """Every other session is resampled to 24 kHz, with its troughs at another sample."""
    sessions, truth = simulate_sessions(n_sessions=3, n_neurons=20, n_channels=64, seed=1)
    time = (np.arange(40) - 14) / 24_000
    own = (np.arange(48) - 16) / 30_000
    values = np.apply_along_axis(lambda one: np.interp(time, own, one), 1, sessions[1]["templates"].values)
    sessions[1] = (
        sessions[1].drop_vars("templates").assign(templates=(("unit", "sample", "channel"), values.astype(np.float32)))
    ).assign_attrs(sampling_frequency=24_000.0, nbefore=14)
    precision, recall, _, _ = outcome(track_units(sessions), truth)
    assert precision >= 0.98 and recall >= 0.96


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.assign(templates=s["templates"].where(s["unit_id"] != 2)), "template of unit .*2.* is not finite"),
        (lambda s: s.drop_vars("y"), "lacks y"),
        (lambda s: s.assign(templates=s["templates"].isel(sample=0)), "needs templates"),
        (lambda s: s.isel(lag=slice(0, 5)), "5 lags; give 300"),
        (lambda s: s.assign(autocorrelogram=s["autocorrelogram"].where(s["unit_id"] != 2)), "autocorrelogram of unit"),
    ],
    ids=["NaN", "no depth", "dims", "lags", "NaN in the autocorrelogram"],
)
def test_a_bad_session_is_named(change, message):
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=5, n_channels=32, seed=0)
    with pytest.raises(ParameterError, match=message):
        track_units([sessions[0], change(sessions[1])])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sessions": []}, "there is no session"),
        ({"sessions": None}, "sessions are a NoneType; give a list"),
        ({"sessions": {"monday": None}}, "sessions are a dict; give a list"),
        ({"names": 3}, "names are 3; give a list"),
        ({"sessions": xr.Dataset()}, "sessions are one session; give a list"),
        ({"names": "ab"}, "give each a name of its own"),
        ({"motion": "none"}, "give one finite displacement"),
        ({"names": ["a"]}, "1 names for 2 sessions"),
        ({"names": ["a", "a"]}, "2 names for 2 sessions"),
        ({"strictness": "liberale"}, "liberal"),
        ({"motion_model": "linar"}, "linear"),
        ({"distance_max_um": 0.0}, "distance_max_um"),
        ({"probability_min": 1.5}, "probability_min"),
        ({"motion": [1.0]}, "motion has shape"),
        ({"motion": [1.0, np.nan]}, "finite"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_bad_input_is_refused(given, message):
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=5, n_channels=32, seed=0)
    with pytest.raises(ParameterError, match=message):
        track_units(**{"sessions": sessions, **given})
