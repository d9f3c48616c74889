"""Survival: the shares of all sessions, and a line for each session that has a later one."""

import numpy as np

from xephys import track_survival
from xephys.plot import plot_survival


def test_lines_are_shares_of_all_sessions_and_of_each(tracks):
    *single, whole = plot_survival(tracks).lines
    np.testing.assert_array_equal(whole.get_ydata(), track_survival(tracks)["share"])
    assert [len(line.get_xdata()) for line in single] == [4, 3, 2]
    units = tracks["units"].to_dataset()
    of = [set(units["track"].values[units["session"].values == k]) for k in range(4)]
    for start, line in enumerate(single):
        expected = [len(of[start] & later) / len(of[start]) for later in of[start:]]
        np.testing.assert_allclose(line.get_ydata(), expected)
