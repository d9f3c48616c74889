"""Templates: one panel per unit, with waveforms side by side."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.errors import ParameterError
from xephys.plot import plot_templates
from xephys.plot.canvas.apart import nearest_distance
from xephys.plot.units.templates import cell_size


def test_every_unit_but_noise_has_a_panel(sorting):
    titles = [ax.get_title(loc="center") for ax in _panels(plot_templates(sorting)) if ax.get_visible()]
    assert len(titles) == 2
    assert all("good" in title or "mua" in title for title in titles)
    only = plot_templates(sorting, unit_indices=[2])
    assert ["noise" in ax.get_title(loc="center") for ax in _panels(only)] == [True]
    with pytest.raises(ParameterError, match="3 units"):
        plot_templates(sorting, unit_indices=[3])


def _panels(frame):
    return frame.figure.axes[1:]


def test_templates_need_positions(sorting):
    bare = xr.DataTree.from_dict({"spikes": sorting["spikes"].to_dataset(), "units": sorting["units"].to_dataset()})
    bare.attrs["sampling_frequency"] = sorting.attrs["sampling_frequency"]
    with pytest.raises(ParameterError, match="no templates"):
        plot_templates(bare)


def test_each_waveform_has_a_cell_of_its_own():
    staggered = np.array([[0, 0], [32, 0], [16, 20], [48, 20], [0, 40], [32, 40]], float)
    assert cell_size(staggered) == (32.0, 20.0)
    line = np.array([[0, 0], [0, 25], [0, 50]], float)
    assert cell_size(line) == (25.0, 25.0)
    tetrode = np.array([[0, 0], [20, 0], [0, 20], [20, 20]], float)
    assert cell_size(tetrode) == (20.0, 20.0)
    assert cell_size(np.zeros((1, 2))) == (20.0, 20.0)
    assert nearest_distance(np.zeros((3, 2))) == 20.0


def test_templates_in_counts_are_not_labelled_as_voltages(sorting):
    counts = sorting.copy(deep=True)
    counts["templates"]["templates"].attrs["units"] = "counts"
    titles = [[ax.get_title("center") for ax in plot_templates(tree).figure.axes] for tree in (sorting, counts)]
    assert any("µV" in title for title in titles[0])
    assert any("counts" in title for title in titles[1]) and not any("µV" in title for title in titles[1])
