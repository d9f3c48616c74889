"""Benchmarks of tracking run on few units and days, and report what they should."""

from __future__ import annotations

import numpy as np

import xephys
from xephys.testing import simulate_session_recordings, simulate_sessions

from .conftest import FOLDER


def test_dant_labels(load, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    assert "identical labels" in load("dant_labels").large(20, 3)


def test_tracking(load):
    tracking = load("tracking")
    sets = [
        (name, keywords, seeds[:1]) for name, keywords, seeds in tracking.SETS if name in ("20 % missing", "disjoint")
    ]
    found, calibration = tracking.accuracy(sets, None)
    assert "| 20 % missing | 1 | xephys | 1.000" in found and "nearest" in found
    assert "Brier score 0.0" in calibration
    assert "units" in tracking.cost(((20, 2, 96),)) and "takes" in tracking.added(20, 3)


def test_two_shanks_have_units_and_displacements_of_their_own(load):
    tracking = load("tracking")
    sessions, truth = tracking.made_sessions(seed=1, two_shanks=True, n_sessions=2, n_neurons=10, n_channels=32)
    for session, neuron in zip(sessions, truth.neuron, strict=True):
        size = np.ptp(session["templates"].values, axis=1)
        assert (size.argmax(axis=1) // 32 == (neuron >= 1000)).all() and session["shank"].values[[0, -1]].tolist() == [
            0,
            1,
        ]
    assert truth.shift_um.shape == (2, 2)
    assert tracking.ours(sessions, truth)[0].motion_um < 1.0


def test_halves_of_a_session_have_its_templates_as_their_mean(load):
    """Their troughs are where the other package expects them, and half their difference is the noise that is added."""
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=5, n_channels=32, noise_uv=2.0, seed=0)
    halves = load("tracking_unitmatch").halves(sessions, noise_uv=2.0)
    templates = np.concatenate([session["templates"].values for session in sessions])
    assert halves.shape == (len(templates), 82, 32, 2)
    np.testing.assert_allclose(halves.mean(axis=3)[:, 24:72], templates, atol=1e-4)
    assert abs((halves[..., 0] - halves[..., 1]).std() / 2 - 2.0) < 0.1


def test_tracking_of_recordings(load, tmp_path):
    recordings = load("tracking_recordings")
    made = simulate_session_recordings(n_sessions=2, duration_s=10.0, n_channels=16, seed=1)
    found = recordings.outcome(made, tmp_path)
    assert found.precision == 1.0 and found.recall == 1.0 and found.n_neurons >= 4


def test_contacts_without_a_row_are_found_from_the_rows_of_the_units(load, monkeypatch):
    """Contacts are left out at random; each unit's rows are those of its 14 nearest contacts."""
    monkeypatch.syspath_prepend(FOLDER)
    contacts = load("rat_contacts")
    rng = np.random.default_rng(0)
    left_out = np.zeros(contacts.N_CONTACTS, np.bool_)
    left_out[rng.choice(np.arange(20, 120), 8, replace=False)] = True
    unit = rng.choice(np.flatnonzero(~left_out)[:130], 120)
    sites = contacts.sites_of(unit, left_out)
    rows = (np.cumsum(~left_out) - 1)[sites]
    found = contacts.contacts_left_out(unit, rows, (sites == unit[:, None]).argmax(axis=1))
    assert (contacts.sites_of(unit, found) == sites).mean() > 0.99


def test_tracking_of_a_rat_compares_intervals_of_tracks_and_of_neighbors(load, tmp_path):
    """Two days of made-up units in the stored layout: the same waveforms at the same sites, and regular intervals."""
    rat = load("tracking_rat")
    rng = np.random.default_rng(0)
    n_units, n_spikes = 8, 400
    shapes = -60 * np.hanning(40)[None, :, None] * np.exp(-0.3 * np.abs(np.arange(14) - 7))[None, None]
    contact = 21 + 40 * np.arange(n_units)
    rows = contact[:, None] - 7 + np.arange(14)
    days = []
    for day in range(2):
        intervals = (20 + 8 * np.arange(n_units))[:, None] + rng.normal(0, 1, (n_units, n_spikes))
        spikes = (np.cumsum(intervals, axis=1) * 30).astype(np.int64)
        waveforms = shapes * (1 + 0.2 * np.arange(n_units))[:, None, None]
        days.append(tmp_path / f"day{day}.npz")
        np.savez(
            days[-1], mean_waveforms=waveforms.astype(np.float32), site_rows=rows,
            electrode=rat.FIRST_ELECTRODE + contact,
            peak_waveform_uv=waveforms[:, :, 7], spike_samples=spikes.ravel(),
            unit_offsets=np.arange(n_units + 1) * n_spikes,
        )  # fmt: skip
    first = rat.session(days[0])
    assert first["templates"].values.min(axis=1).argmin(axis=1).tolist() == contact.tolist()
    intervals = [rat.intervals_of(day) for day in days]
    own = [float(a @ b) for a, b in zip(*(day.shape for day in intervals), strict=True)]
    assert min(own) > 0.7
    assert all((day.itself > 0.7).all() and not day.many.any() for day in intervals)
    tracks = xephys.track_units(map(rat.session, days), names=["one", "two"])
    units, single = tracks["units"].to_dataset(), [np.arange(n_units) < 5] * 2
    assert all(rat.isolated(day).sum() == 0 for day in days)  # spikes in the first minute only
    *_, every, alone = rat.compared(units, units["track"].values, ["one", "two"], intervals, {"single": single})
    assert (every[0], every[1], alone[0], alone[1]) == ("all", n_units, "all, single", 5)
    assert float(every[2]) > 0.7 and float(every[4]) > 0.7
