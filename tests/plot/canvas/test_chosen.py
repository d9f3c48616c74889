"""The choice of the units that are drawn, and their panels."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys.errors import ParameterError
from xephys.plot.canvas.chosen import chosen_units, unit_panels


def test_units_with_most_spikes_are_drawn_in_the_order_of_the_sorting():
    labels = np.repeat([4, 5, 6], [2, 9, 5])
    sorting = xephys.make_sorting(times_s=np.arange(16) / 10, labels=labels, sampling_frequency=1000.0)
    assert chosen_units(sorting, None, 2).tolist() == [1, 2]
    assert chosen_units(sorting, [6, 4], 1).tolist() == [2, 0]
    with pytest.raises(ParameterError, match="n_units_max"):
        chosen_units(sorting, None, 0)


def test_panels_beyond_the_last_unit_are_hidden():
    _, grid = unit_panels(None, 5, n_columns=4, size=(1.0, 1.0))
    assert grid.shape == (2, 4)
    assert [panel.get_visible() for panel in grid.flat] == [True] * 5 + [False] * 3
    frame, none = unit_panels(None, 0, n_columns=4, size=(1.0, 1.0))
    assert len(none) == 0
    assert frame.texts[0].get_text() == "no units"
