"""Units, templates and peaks on the probe."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.analyzed import analyzed_sorting
from xephys.errors import ParameterError
from xephys.plot import plot_peak_activity, plot_unit_locations, plot_unit_probe_map

from .test_trains import panels


def test_units_are_drawn_where_the_analysis_locates_them():
    _, sorting = analyzed_sorting()
    node = sorting["analysis/unit_locations"]
    dots = [line.get_xydata()[0] for line in plot_unit_locations(sorting).lines[1:]]
    np.testing.assert_allclose(dots, np.stack([node["x"].values, node["y"].values], axis=1))


def test_contacts_are_sized_by_the_template():
    _, sorting = analyzed_sorting()
    maps = [panel for panel in panels(plot_unit_probe_map(sorting)) if panel.get_xlabel() == "x (µm)"]
    templates = sorting["templates"]["templates"].values
    for unit, panel in enumerate(maps):
        np.testing.assert_allclose(panel.collections[0].get_array(), np.ptp(templates[unit], axis=0), rtol=1e-6)


def test_activity_is_drawn_in_peaks_per_second():
    recording, _ = analyzed_sorting()
    peaks = np.zeros(30, [("channel_index", "i8")])
    peaks["channel_index"][10:] = 4
    values = plot_peak_activity(peaks, recording).collections[0].get_array()
    np.testing.assert_allclose(values[[0, 4]], [10 / 15, 20 / 15])
    with pytest.raises(ParameterError, match="no channel_index"):
        plot_peak_activity(np.zeros(3, [("sample_index", "i8")]), recording)
