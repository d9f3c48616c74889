"""One track: a column for each of its sessions, waveforms at their contacts on one scale, the whole autocorrelogram."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.plot import plot_track


@pytest.fixture(scope="module")
def longest(tracks):
    return int(tracks["tracks"]["n_units"].to_series().idxmax())


def test_each_session_of_the_track_has_its_waveforms_and_its_autocorrelogram(sessions, tracks, longest):
    panels = plot_track(tracks, sessions[0], longest, n_channels_max=6).figure.axes[1:]
    units = tracks["units"].to_dataset()
    rows = np.flatnonzero(units["track"].values == longest)
    assert len(panels) == 2 * len(rows) > 4
    scales = []
    for panel, row in zip(panels, rows, strict=False):
        session = sessions[0][int(units["session"].values[row])]
        template = session["templates"].values[units["row"].values[row]]
        drawn = [line for line in panel.lines if len(line.get_xdata()) == template.shape[0]]
        assert len(drawn) == 6
        sizes = max(np.ptp(line.get_ydata()) for line in drawn)
        scales.append(sizes / np.ptp(template, axis=0).max())
        assert any(np.all(line.get_ydata() == units["y"].values[row]) for line in panel.lines)
    np.testing.assert_allclose(scales, scales[0], rtol=1e-4)
    heights = panels[len(rows)].patches[0].get_data().values
    np.testing.assert_array_equal(heights, heights[::-1])
    assert len(heights) == 600


def test_at_most_so_many_sessions_are_drawn(sessions, tracks, longest):
    ax = plot_track(tracks, sessions[0], longest, n_sessions_max=2)
    assert len(ax.figure.axes) == 5
    assert ax.figure.axes[1].get_title(loc="left").startswith(f"track {longest}: ")


def test_other_sessions_are_refused(sessions, tracks, longest):
    with pytest.raises(ParameterError, match="3 sessions for tracks of 4"):
        plot_track(tracks, sessions[0][:3], longest)
    other = [session.isel(unit=slice(None, None, -1)) for session in sessions[0]]
    with pytest.raises(ParameterError, match="other units"):
        plot_track(tracks, other, longest)
