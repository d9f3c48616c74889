"""Moving templates match at a tabulated displacement exactly like static templates for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from xephys.kernels.match.model import build_match_model
from xephys.kernels.match.moving import build_moving_model, match_moving_templates, model_at
from xephys.kernels.match.templates import match_templates
from xephys.kernels.templates.moving import factor_moving

N_SAMPLES, N_BEFORE, N_CHANNELS = 40, 15, 12
GRID_UM = np.arange(-20.0, 21.0, 4.0)
Y_UM = 20.0 * np.arange(N_CHANNELS)


def drifting_templates(n_units: int, seed: int = 0) -> NDArray[np.float32]:
    """(unit, displacement, sample, channel): band-limited courses times Gaussians that move along the probe."""
    rng = np.random.default_rng(seed)
    t = np.arange(N_SAMPLES) - N_BEFORE
    templates = np.zeros((n_units, len(GRID_UM), N_SAMPLES, N_CHANNELS))
    for unit in range(n_units):
        y0 = rng.uniform(40, 180)
        for _ in range(2):
            course = np.exp(-0.5 * (t / rng.uniform(2.5, 5)) ** 2) * np.cos(t / rng.uniform(3, 8) + rng.uniform(0, 6))
            reach, size = rng.uniform(20, 40), rng.uniform(5, 15)
            for index, moved in enumerate(GRID_UM):
                templates[unit, index] += size * np.outer(course, np.exp(-0.5 * ((Y_UM - y0 - moved) / reach) ** 2))
    return templates.astype(np.float32)


def moving(templates: NDArray[np.float32], rank: int = 4):
    channels = np.tile(np.arange(N_CHANNELS, dtype=np.int32), (len(templates), 1))
    counts = np.full(templates.shape[:2], 500)
    temporal, patterns = factor_moving(templates, counts=counts, channels=channels, rank=rank)
    return temporal, patterns, build_moving_model(temporal=temporal, patterns=patterns, channels=channels)


def resting_model(temporal, patterns, index: int):
    channels = np.tile(np.arange(N_CHANNELS, dtype=np.int32), (len(temporal), 1))
    return build_match_model(temporal=temporal, spatial=patterns[:, index], channels=channels, n_channels=N_CHANNELS)


@pytest.mark.parametrize("index", [0, 5, 10])
def test_overlaps_and_energies_equal_those_of_static_templates(index: int) -> None:
    temporal, patterns, model = moving(drifting_templates(5))
    found = model_at(np.full(5, float(index)), n_channels=N_CHANNELS, n_channels_max=N_CHANNELS, moving=model)
    expected = build_match_model(
        temporal=temporal, spatial=found["spatial"], channels=found["channels"], n_channels=N_CHANNELS
    )
    for name in ("pair_starts", "pair_units"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["energies"], expected["energies"], rtol=1e-5)
    np.testing.assert_allclose(found["pair_overlaps"], expected["pair_overlaps"], atol=1e-4 * found["energies"].max())
    np.testing.assert_allclose(found["shifted_temporal"], expected["shifted_temporal"], atol=1e-6)
    # The dropped weights carry nothing: the energies are those of the whole templates.
    whole = np.einsum("urk,urk->u", patterns[:, index], patterns[:, index])
    np.testing.assert_allclose(found["energies"], whole, rtol=0.01)


@pytest.mark.parametrize("place", [0.0, 3.0, 10.0])
def test_spikes_of_a_tile_are_those_of_templates_at_its_displacement(place: float) -> None:
    templates = drifting_templates(4, seed=1)
    temporal, patterns, model = moving(templates)
    rng = np.random.default_rng(2)
    traces = 0.5 * rng.standard_normal((3000, N_CHANNELS)).astype(np.float32)
    at = np.arange(150, 2850, 90)
    units = rng.integers(0, 4, len(at))
    for sample, unit in zip(at, units, strict=True):
        traces[sample - N_BEFORE : sample - N_BEFORE + N_SAMPLES] += templates[unit, int(place)]
    shared = {"before": 100, "after": 100, "nbefore": N_BEFORE, "match_threshold": 5.0}
    found = match_moving_templates(
        traces,
        start=30_100,
        tile_samples=30_000,
        first_tile=0,
        places=np.array([[7.0] * 4, [place] * 4]),
        n_channels_max=N_CHANNELS,
        **shared,
        moving=model,
    )
    expected = match_templates(traces, start=30_100, **shared, model=resting_model(temporal, patterns, int(place)))
    assert len(found) >= 0.9 * len(at)
    for name in ("sample_index", "unit_index", "channel_index"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["amplitude"], expected["amplitude"], atol=0.02)


def test_templates_at_another_displacement_explain_less() -> None:
    templates = drifting_templates(1, seed=3)
    _, _, model = moving(templates)
    traces = np.zeros((400, N_CHANNELS), np.float32)
    traces[185 : 185 + N_SAMPLES] = templates[0, 2]
    tile = {"before": 100, "after": 100, "start": 0, "nbefore": N_BEFORE, "tile_samples": 1000, "first_tile": 0}
    gains = [
        match_moving_templates(traces, places=np.array([[place]]), n_channels_max=N_CHANNELS, **tile, moving=model)[
            "gain"
        ]
        for place in (2.0, 6.0)
    ]
    assert gains[0][0] > gains[1].sum() + 10


def test_displacements_between_two_tabulated_ones_are_interpolated() -> None:
    _, patterns, model = moving(drifting_templates(2, seed=4))
    shape = {"n_channels": N_CHANNELS, "n_channels_max": N_CHANNELS}
    found = model_at(np.array([2.25, 2.25]), **shape, moving=model)
    expected = 0.75 * patterns[:, 2] + 0.25 * patterns[:, 3]
    for unit in range(2):
        used = found["channels"][unit] >= 0
        np.testing.assert_allclose(
            found["spatial"][unit][:, used], expected[unit][:, found["channels"][unit, used]], atol=1e-4
        )
