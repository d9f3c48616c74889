"""A recording in memory with every kind of label, and a check that two such recordings are the same."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xephys.graph.source import chunked_array
from xephys.schema import make_recording


def make_samples() -> np.ndarray:
    return np.random.default_rng(1).integers(-3000, 3000, (7001, 5)).astype("int16")


def make_labelled(samples: np.ndarray) -> xr.DataArray:
    """Coordinates of every kind, a start, annotations and a history."""
    return make_recording(
        chunked_array(samples, chunk_samples=700),
        sampling_frequency=1000.0,
        channel_ids=np.array(["a", "b", "c", "d", "e"]),
        start_s=12.5,
        coordinates={
            "x": np.array([0.0, 20.0, 0.0, 20.0, 0.0]),
            "y": np.array([0.0, 0.0, 20.0, 20.0, 40.0]),
            "gain_to_uv": np.full(5, 0.195),
            "offset_to_uv": np.zeros(5),
            "group": np.array([0, 0, 0, 1, 1]),
            "inter_sample_shift": np.linspace(0, 0.8, 5),
            "brain_area": np.array(["CA1", "CA1", "DG", "DG", "cortex"]),
            "anything": np.array([None, {"depth": 3}, "text", 2.5, [1, 2]], object),
            "bad": np.array([False, True, False, False, False]),
        },
        attributes={"annotations": {"experimenter": "A", "days": [1, 2]}, "history": ["simulated"]},
    )


def assert_same_recording(one: xr.DataArray, two: xr.DataArray) -> None:
    """Equal values, coordinates (to the dtype's kind) and attributes."""
    np.testing.assert_array_equal(one.values, two.values)
    assert one.dtype == two.dtype
    assert float(one.time[0]) == float(two.time[0])
    np.testing.assert_array_max_ulp(one.time.values, two.time.values, maxulp=2)  # a range computes its times
    ours, theirs = set(one.coords) - {"contact_index", "contact_id"}, set(two.coords) - {"contact_index", "contact_id"}
    assert ours == theirs
    for name in ours - {"time"}:
        assert one[name].values.tolist() == two[name].values.tolist(), name
        assert one[name].dtype.kind == two[name].dtype.kind, name
    for name in ("sampling_frequency", "units", "annotations", "history"):
        assert one.attrs.get(name) == two.attrs.get(name), name
