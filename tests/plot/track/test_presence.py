"""Presence over sessions: found, missed in between, absent; rejected and short tracks are left out."""

import numpy as np
import pytest

from xephys import reject_track
from xephys.errors import ParameterError
from xephys.plot import plot_presence


def test_cells_say_found_missed_and_absent(tracks):
    drawn = plot_presence(tracks).images[0].get_array()
    units, table = tracks["units"].to_dataset(), tracks["tracks"].to_dataset()
    assert drawn.shape == (table.sizes["track"], 4)
    pairs = np.unique(np.column_stack([units["track"].values, units["session"].values]), axis=0)
    np.testing.assert_array_equal((drawn == 2).sum(axis=0), np.bincount(pairs[:, 1]))
    first = [np.flatnonzero(row == 2)[0] for row in drawn]
    assert first == sorted(first)
    gaps = (table["last_session"] - table["first_session"] + 1).sum() - len(pairs)
    assert (drawn == 1).sum() == int(gaps) > 0


def test_rejected_and_short_tracks_are_left_out(tracks):
    n_units = tracks["tracks"]["n_units"].values
    assert len(plot_presence(tracks, n_units_min=2).images[0].get_array()) == (n_units >= 2).sum()
    rejected = reject_track(tracks, 0)
    assert len(plot_presence(rejected).images[0].get_array()) == len(n_units) - 1
    assert not plot_presence(tracks, n_units_min=100).images[0].get_array().any()


def test_bad_input_is_refused(tracks):
    with pytest.raises(ParameterError, match="n_units_min"):
        plot_presence(tracks, n_units_min=0)
