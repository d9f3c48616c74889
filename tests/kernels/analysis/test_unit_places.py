"""Places of units from templates made of a known source."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.analysis.unit_places import grid_places, mass_places, source_places, template_sizes

POSITIONS = np.array([[x, y] for y in range(0, 200, 20) for x in (0.0, 32.0)])
CHANNELS = np.arange(20, dtype=np.int32)[None]
SOURCE = np.array([14.0, 93.0, 25.0])


def sizes() -> np.ndarray:
    flat = ((POSITIONS - SOURCE[:2]) ** 2).sum(axis=1)
    return (5000 / np.sqrt(flat + SOURCE[2] ** 2))[None]


def test_a_point_source_is_found() -> None:
    np.testing.assert_allclose(source_places(sizes(), CHANNELS, POSITIONS)[0], [*SOURCE, 5000.0], rtol=1e-3)


def test_center_of_mass_and_grid_are_close() -> None:
    times = np.arange(-30, 60)
    trough = -np.exp(-0.5 * (times / 7.5) ** 2)
    templates = (trough[None, :, None] * sizes()[:, None, :]).astype(np.float32)
    peak = sizes().argmax(axis=1)
    for places in (
        mass_places(sizes(), CHANNELS, POSITIONS),
        grid_places(templates, CHANNELS, POSITIONS, peak, trough),
    ):
        assert np.linalg.norm(places[0, :2] - SOURCE[:2]) < 20


def test_empty_slots_and_empty_units_are_left_out() -> None:
    padded = np.array([[3, -1]], np.int32)
    np.testing.assert_array_equal(mass_places(np.array([[2.0, 9.0]]), padded, POSITIONS)[0], POSITIONS[3])
    assert np.isnan(mass_places(np.zeros((1, 2)), padded, POSITIONS)).all()
    assert np.isnan(source_places(np.zeros((1, 2)), padded, POSITIONS)).all()


@pytest.mark.parametrize(("feature", "expected"), [("ptp", 4.0), ("energy", np.sqrt(10)), ("peak_voltage", 3.0)])
def test_sizes_by_feature(feature: str, expected: float) -> None:
    found = template_sizes(np.float32([[[0], [-3], [1]]]), feature, nbefore=1)
    assert found[0, 0] == pytest.approx(expected)
