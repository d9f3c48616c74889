"""Sessions are given as sortings or as tables of templates, and described in the same way."""

import numpy as np
import pytest

from xephys import session_units
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording, simulate_sessions
from xephys.track.units import on_axis_of


@pytest.fixture(scope="module")
def table():
    return simulate_sessions(n_sessions=1, n_neurons=12, n_channels=64, dropout=0.0, seed=0)[0][0]


def test_places_equal_those_of_the_neurons(table):
    placed = session_units(table)["place"].values
    # The simulated templates are those of point sources.
    assert placed[:, 1].min() > 0 and placed[:, 1].max() < float(table["y"].max())
    assert (placed[:, 2] > 5).all() and (placed[:, 2] < 35).all()


def test_places_are_found_with_the_recorded_channels_only(table):
    """Templates that are 0 far from their largest channel, as many sorters write them, keep their places."""
    whole, templates = session_units(table)["place"].values, table["templates"].values.copy()
    peak = np.ptp(templates, axis=1).argmax(axis=1)
    far = np.abs(table["y"].values[None] - table["y"].values[peak][:, None]) > 50
    templates *= ~far[:, None]
    sparse = session_units(table.assign(templates=(table["templates"].dims, templates)))["place"].values
    assert np.abs(sparse - whole).max() < 3.0
    silent = session_units(table.assign(templates=(table["templates"].dims, 0 * templates)))
    assert np.isfinite(silent["place"]).all() and (silent["amplitude"] == 0).all()


def test_a_sorting_is_described_by_its_templates_and_spikes():
    recording, truth = simulate_recording(duration_s=20.0, n_channels=16, n_units=4, seed=0)
    spikes = truth.spikes
    sorting = build_sorting(
        recording,
        spikes={"sample_index": spikes["sample_index"], "unit_index": spikes["unit_index"]},
        units={"num_spikes": np.bincount(spikes["unit_index"], minlength=4)}, templates=truth.templates, nbefore=40,
    )  # fmt: skip
    units = session_units(sorting)
    assert units["n_spikes"].values.tolist() == np.bincount(spikes["unit_index"], minlength=4).tolist()
    trains = [np.sort(spikes["sample_index"][spikes["unit_index"] == k]) for k in range(4)]
    lags = [np.concatenate([t[d:] - t[:-d] for d in range(1, len(t))]) for t in trains]
    silent = [float((lag < 30).mean()) == 0 for lag in lags]
    first = units["autocorrelogram"].values[:, 0] / units["autocorrelogram"].values[:, 50:].mean(axis=1)
    assert all(silent) and (first < 1).all()  # refractory, smoothed


def test_other_sampling_rates_are_converted_to_one_axis(table):
    dense = session_units(table)
    time = (np.arange(64) - 21) / 40_000
    own = (np.arange(48) - 16) / 30_000
    values = np.stack(
        [np.stack([np.interp(time, own, c) for c in unit.T], axis=1) for unit in table["templates"].values]
    )
    other = table.drop_vars("templates").assign(templates=(("unit", "sample", "channel"), values.astype(np.float32)))
    other = session_units(other.assign_attrs(sampling_frequency=40_000.0, nbefore=21))
    first, second = (on_axis_of(t, dense.attrs, 48)["templates"].values for t in (dense, other))
    # Noise can shift the extremum of a template by one sample.
    apart = [((first - np.roll(second, lag, axis=1))[:, 2:-2] ** 2).sum(axis=(1, 2)) for lag in (-1, 0, 1)]
    assert (np.min(apart, axis=0) < 0.005 * (first**2).sum(axis=(1, 2))).all()


def test_other_input_is_refused():
    with pytest.raises(TypeError, match="open files with open_sorting"):
        session_units(np.zeros((3, 4)))
