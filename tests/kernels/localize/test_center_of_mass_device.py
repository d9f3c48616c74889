"""Centers of mass on a device equal those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.crossings import CHANNELS, EDGES, NEIGHBORS, POSITIONS, N
from xephys.kernels.localize import center_of_mass as localize
from xephys.kernels.localize import center_of_mass_device as localize_device


@pytest.mark.parametrize("feature", ["ptp", "energy", "peak_voltage"])
def test_positions(xp, traces, events, feature):
    keywords = {
        **EDGES, "positions": POSITIONS, "neighbors": NEIGHBORS, "feature": feature, "nbefore": 15,
        "nafter": 15,
    }  # fmt: skip
    found = localize_device.localize_center_of_mass(xp, xp.asarray(traces), events, **keywords).get()
    expected = localize.localize_center_of_mass(traces, events, **keywords)
    assert found.dtype == expected.dtype
    for name in "xyz":
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)


def test_events_on_silent_channels_are_located_at_their_own(xp, events):
    keywords = {**EDGES, "positions": POSITIONS, "neighbors": NEIGHBORS, "nbefore": 15, "nafter": 15}
    silent = xp.zeros((N, CHANNELS), dtype=np.float32)
    found = localize_device.localize_center_of_mass(xp, silent, events, **keywords).get()
    np.testing.assert_array_equal(found["y"], POSITIONS[events["channel_index"], 1])
