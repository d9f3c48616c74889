"""Properties of SpikeInterface as coordinates, and back: names and dimensions are kept."""

from __future__ import annotations

import numpy as np

from xephys.io.read.properties import coordinates_of_properties, properties_of
from xephys.schema import make_recording

PROPERTIES = {
    "gain_to_uV": np.array([0.2, 0.3]),
    "brain_area": np.array(["CA1", "DG"]),
    "matrix": np.arange(6).reshape(2, 3),
    "x": np.array([5, 6]),  # SpikeInterface's property x, which means the position of a contact in xephys
    "time": np.array([1, 2]),
    "implanted": np.array(["2026-01-01", "2025-02-03"], "datetime64[D]"),
    "years": np.array([["2024", "2025"], ["2026", "NaT"]], "datetime64[Y]"),
    "waited": np.array([1, 2], "timedelta64[h]"),
    "age": np.array([3, 14], "timedelta64[M]"),
}


DATED = {"implanted", "years", "waited", "age"}


def test_there_and_back():
    coordinates, attributes = coordinates_of_properties(PROPERTIES)
    assert set(coordinates) == {"gain_to_uv", "brain_area", "matrix", "property_x", "property_time", *DATED}
    recording = make_recording(
        np.zeros((10, 2), "i2"), sampling_frequency=1000.0, coordinates=coordinates, attributes=attributes
    )
    back = properties_of(recording)
    assert set(back) == set(PROPERTIES)
    for name, values in PROPERTIES.items():
        np.testing.assert_array_equal(back[name], values)
        assert back[name].dtype == values.dtype


def test_properties_are_sliced_with_their_channels():
    coordinates, attributes = coordinates_of_properties(PROPERTIES)
    recording = make_recording(
        np.zeros((10, 2), "i2"), sampling_frequency=1000.0, coordinates=coordinates, attributes=attributes
    )
    assert properties_of(recording[:, [1]])["matrix"].tolist() == [[3, 4, 5]]


def test_positions_of_the_probe_are_not_properties():
    recording = make_recording(
        np.zeros((10, 2), "i2"), sampling_frequency=1000.0, coordinates={"x": [0.0, 1.0], "y": [0.0, 1.0]}
    )
    assert properties_of(recording) == {}
