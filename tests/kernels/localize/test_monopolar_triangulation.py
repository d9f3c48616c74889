"""Point sources are located where they are, with their strength."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.lib.records import PEAK_DTYPE
from xephys.kernels.localize.monopolar_triangulation import localize_monopolar_triangulation

POSITIONS = np.array([[x, y] for y in range(0, 160, 20) for x in (0.0, 30.0)])
ALL = np.tile(np.arange(16, dtype=np.int32), (16, 1))


def localized(sizes, **parameters):
    traces = np.zeros((5, 16), np.float32)
    traces[2] = -sizes
    events = np.zeros(1, PEAK_DTYPE)
    events["channel_index"] = np.argmax(sizes)
    return localize_monopolar_triangulation(
        traces, events, before=2, after=2, start=0, positions=POSITIONS, neighbors=ALL, nbefore=2,
        nafter=3, **parameters,
    )[0]  # fmt: skip


@pytest.mark.parametrize("source", [(10, 45, 15), (25, 90, 30), (5, 70, 20)])
def test_a_source_without_noise(source):
    x, y, z = source
    found = localized(5000 / np.sqrt(((POSITIONS - [x, y]) ** 2).sum(axis=1) + z**2))
    assert (found["x"], found["y"], found["z"]) == (
        pytest.approx(x, abs=2),
        pytest.approx(y, abs=2),
        pytest.approx(z, abs=3),
    )
    assert found["alpha"] == pytest.approx(5000, rel=0.1)


def test_silent_events_are_located_at_their_channel():
    found = localized(np.zeros(16))
    assert (found["x"], found["y"], found["alpha"]) == (*POSITIONS[0], 0.0)


def test_the_box_has_a_minimum_size():
    with pytest.raises(ValueError, match=r"distance_max_um is 0.5; it must be at least 1"):
        localized(np.ones(16), distance_max_um=0.5)
