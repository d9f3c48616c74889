"""Displacements of sessions: a line for each depth, a dot for each unit, a cross where nothing is known."""

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError
from xephys.plot import plot_track_motion


def test_lines_are_the_motion_and_dots_surround_them(tracks):
    ax = plot_track_motion(tracks)
    motion = tracks["motion"].to_dataset().isel(shank=0)
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == [f"{knot:.0f} µm" for knot in motion["knot"].values]
    np.testing.assert_array_equal(np.stack([line.get_ydata() for line in lines], 1), motion["displacement_um"])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["mon", "tue", "wed", "thu"]
    dots = [line for line in ax.lines if line.get_marker() == "."]
    x, y = (np.concatenate([getattr(line, f"get_{axis}data")() for line in dots]) for axis in "xy")
    tracked = tracks["tracks"]["n_units"].values
    assert len(x) == tracked[tracked > 1].sum()
    low, high = motion["displacement_um"].min("knot").values, motion["displacement_um"].max("knot").values
    session = x.round().astype(int)
    assert ((y > low[session] - 8) & (y < high[session] + 8)).mean() > 0.9


def test_unknown_displacements_are_crosses(tracks):
    motion = tracks["motion"].to_dataset()
    nodes = {name: node.to_dataset() for name, node in tracks.children.items()}
    nodes["motion"] = motion.assign(known=(("shank", "session"), [[True, False, True, False]]))
    partly = xr.DataTree.from_dict(nodes)
    partly.attrs |= tracks.attrs
    ax = plot_track_motion(partly)
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert cross.get_xdata().tolist() == [1, 3]
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert all(np.isnan(line.get_ydata()).tolist() == [False, True, False, True] for line in lines)


def test_an_unknown_shank_is_refused(tracks):
    with pytest.raises(ParameterError, match="give one of them"):
        plot_track_motion(tracks, shank="left")
