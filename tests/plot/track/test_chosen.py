"""Which tracks are drawn: the longest, by depth; named ones as named; rejected ones only on demand."""

import numpy as np
import pytest

from xephys import reject_track
from xephys.errors import ParameterError
from xephys.plot.track.chosen import chosen_tracks, shown_names


def test_the_longest_tracks_are_drawn_by_depth(tracks):
    found = chosen_tracks(tracks, None, 5)
    table, units = tracks["tracks"].to_dataset(), tracks["units"].to_dataset()
    lengths = table["n_units"].sel(track=found).values
    assert sorted(lengths) == sorted(table["n_units"].values)[-5:]
    depth = [units["y_registered"].values[units["track"].values == track].mean() for track in found]
    assert (np.diff(depth) > 0).all()


def test_rejected_tracks_are_drawn_only_on_demand(tracks):
    first = int(chosen_tracks(tracks, None, 1)[0])
    rejected = reject_track(tracks, first)
    assert first not in chosen_tracks(rejected, None, 1000)
    assert chosen_tracks(rejected, [first], 1).tolist() == [first]


def test_names_are_thinned():
    assert shown_names(list("abcde"), 10) == ([0, 1, 2, 3, 4], list("abcde"))
    assert shown_names(list("abcde"), 2) == ([0, 3], ["a", "d"])
    assert shown_names([], 2) == ([], [])


def test_bad_input_is_refused(tracks):
    with pytest.raises(ParameterError, match="no track 999"):
        chosen_tracks(tracks, [0, 999], 5)
    with pytest.raises(ParameterError, match="n_tracks_max"):
        chosen_tracks(tracks, None, 0)
    with pytest.raises(TypeError, match="expected tracks"):
        chosen_tracks(tracks["units"], None, 5)
