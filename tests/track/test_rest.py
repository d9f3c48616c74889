"""The motion within a session tells where its units rest."""

import numpy as np
import pytest
import xarray as xr

from xephys import session_units, track_units
from xephys.motion.displacement import make_motion
from xephys.sorting import build_sorting
from xephys.testing import simulate_recording, simulate_sessions

#: Tissue that is still in the first half of a session and displaced in the second.
DISPLACED_UM, HALF_S = 24.0, 5.0


@pytest.fixture(scope="module")
def templates() -> xr.Dataset:
    sessions, _ = simulate_sessions(
        n_sessions=1, n_neurons=16, n_channels=64, dropout=0.0, shift_max_um=0.0, noise_uv=0.2, seed=3
    )
    return sessions[0]


def sorting_of(templates: xr.Dataset, second_half: np.ndarray, *, preset: str = "", motion: bool = True) -> xr.DataTree:
    """Spikes of each unit in one half of a session; contacts are displaced instead of tissue, by whole rows."""
    rng = np.random.default_rng(0)
    recording, _ = simulate_recording(duration_s=2 * HALF_S, n_channels=64, n_units=1, seed=0)
    n_units = templates.sizes["unit"]
    unit = np.repeat(np.arange(n_units), 50)
    time = rng.uniform(0, HALF_S * 0.9, len(unit)) + HALF_S * 1.05 * second_half[unit]
    order = np.argsort(time, kind="stable")
    recording = recording.assign_coords(x=("channel", templates["x"].values), y=("channel", templates["y"].values))
    course = [[0.0], [0.0], [DISPLACED_UM], [DISPLACED_UM]]
    times = [0.0, HALF_S, HALF_S + 0.01, 2 * HALF_S]
    return build_sorting(
        recording,
        spikes={"sample_index": (time[order] * 30_000).astype(np.int64), "unit_index": unit[order]},
        units={"x": np.zeros(n_units)},
        templates=templates["templates"].values,
        nbefore=int(templates.attrs["nbefore"]),
        motion=make_motion(course, time_s=times, depth_um=[0.0]) if motion else None,
        preset=preset,
    )


def test_a_unit_that_fired_while_the_tissue_was_displaced_rests_elsewhere(templates):
    second_half = np.arange(16) % 2 == 1
    found = session_units(sorting_of(templates, second_half))["displacement_um"].values
    np.testing.assert_allclose(found, np.where(second_half, DISPLACED_UM, 0.0), atol=1e-5)


@pytest.mark.parametrize("keywords", [{"preset": "default"}, {"motion": False}])
def test_templates_at_rest_stay_where_they_are(templates, keywords):
    """Sorters of this package follow tissue that moves."""
    assert (session_units(sorting_of(templates, np.ones(16, np.bool_), **keywords))["displacement_um"] == 0).all()


def test_tracks_are_registered_at_rest(templates):
    """All units of the second session fired while the tissue was displaced, as their templates show it: it is still."""
    y = templates["y"] + DISPLACED_UM
    first, second = (
        sorting_of(templates, np.zeros(16, np.bool_)),
        sorting_of(templates.assign_coords(y=("channel", y.values)), np.ones(16, np.bool_)),
    )
    tracks = track_units([first, second])
    assert np.abs(tracks["motion"]["displacement_um"].values).max() < 0.5
    units = tracks["units"].to_dataset()
    assert (units["track"].values[:16] == units["track"].values[16:]).all()
    np.testing.assert_allclose(units["y"].values[:16], units["y"].values[16:], atol=0.5)
