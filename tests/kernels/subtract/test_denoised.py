"""Places and features of denoised events, against the same things computed in NumPy."""

from __future__ import annotations

import numpy as np

from xephys.kernels.localize.point_source import radial_decrease_steps
from xephys.kernels.subtract.denoised import localize_denoised, project_cleaned

POSITIONS = np.array([[x, y] for y in range(0, 160, 20) for x in (0.0, 32.0)])
AROUND = np.tile(np.arange(16, dtype=np.int32), (16, 1))


def test_point_sources_are_found_where_they_are() -> None:
    rng = np.random.default_rng(0)
    truth = np.column_stack([rng.uniform(-5, 40, 40), rng.uniform(30, 120, 40), rng.uniform(10, 40, 40)])
    distance = np.sqrt(((POSITIONS[None] - truth[:, None, :2]) ** 2).sum(axis=2) + truth[:, 2:] ** 2)
    denoised = -(1000 / distance)[:, :, None].astype(np.float32)
    found = localize_denoised(
        denoised,
        distance.argmin(axis=1),
        np.array([[0.2, 1.0, 0.3]], np.float32),
        positions=POSITIONS,
        around=AROUND,
        slots=AROUND,
        decrease_steps=radial_decrease_steps(POSITIONS, AROUND),
        distance_max_um=np.float64(150),
    )
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 2.0
    np.testing.assert_allclose(found[:, 3], 1000, rtol=0.1)


def test_a_size_that_grows_away_from_the_event_is_limited() -> None:
    denoised = np.full((1, 16, 1), 1.0, np.float32)
    denoised[0, 6], denoised[0, 15] = 10.0, 50.0  # a spike of another unit, far away
    steps = radial_decrease_steps(POSITIONS, AROUND)
    common = {"positions": POSITIONS, "around": AROUND, "slots": AROUND, "distance_max_um": np.float64(150)}
    found = localize_denoised(denoised, np.array([6]), np.ones((1, 1), "f4"), decrease_steps=steps, **common)
    assert np.hypot(*(found[0, :2] - POSITIONS[6])) < 30


def test_projections_are_those_of_residual_plus_denoised() -> None:
    rng = np.random.default_rng(1)
    residual = rng.standard_normal((80, 4)).astype(np.float32)
    components, basis = (rng.standard_normal((k, n)).astype(np.float32) for k, n in ((3, 20), (2, 9)))
    denoised = rng.standard_normal((2, 3, 3)).astype(np.float32)
    rows, shifts, channels = np.array([30, 45]), np.array([2, -1]), np.array([1, 3])
    neighbors = np.array([[0, 1], [1, 2], [2, 3], [3, -1]], np.int32)
    places = np.array([[0, 1], [1, -1], [1, 2], [0, -1]], np.int32)
    found = project_cleaned(
        residual, rows, shifts, channels, denoised, components, nbefore=7,
        basis=basis, basis_nbefore=np.int64(3), neighbors=neighbors, places=places,
    )  # fmt: skip
    for i, (row, shift, channel) in enumerate(zip(rows, shifts, channels, strict=True)):
        for j, (c, slot) in enumerate(zip(neighbors[channel], places[channel], strict=True)):
            if c < 0:
                assert not found[i, j].any()
                continue
            cleaned = residual[:, c].astype(np.float64)
            if slot >= 0:
                cleaned[row - 7 : row + 13] += denoised[i, slot] @ components
            np.testing.assert_allclose(
                found[i, j], basis @ cleaned[row + shift - 3 : row + shift + 6], rtol=1e-4, atol=1e-4
            )
