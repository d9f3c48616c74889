"""Scales of spikes are recovered, for isolated and for overlapping spikes, and in counts as in microvolts."""

from __future__ import annotations

from typing import Any

import numpy as np

from xephys.kernels.analysis.scalings import scale_spikes

CHANNELS = np.array([[0, 1, 2], [1, 2, 3], [6, 7, -1]], np.int32)
OVERLAP = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)


def templates() -> np.ndarray:
    rng = np.random.default_rng(0)
    made = rng.normal(size=(3, 20, 3)).astype(np.float32)
    made[2, :, 2] = 0
    return made


def planted(spikes: list[tuple[int, int, float]]) -> np.ndarray:
    traces = np.zeros((300, 8), np.float32)
    for row, unit, scale in spikes:
        for k, channel in enumerate(CHANNELS[unit]):
            if channel >= 0:
                traces[row - 8 : row + 12, channel] += np.float32(scale) * templates()[unit, :, k]
    return traces


def scaling(traces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(traces.shape[1], np.float32), np.zeros(traces.shape[1], np.float32)


def scales(traces: np.ndarray, spikes: list[tuple[int, int, float]], lag: int = 15) -> Any:
    rows, units = np.array([s[0] for s in spikes]), np.array([s[1] for s in spikes])
    return scale_spikes(
        traces,
        *scaling(traces),
        rows,
        units,
        np.arange(len(rows)),
        templates(),
        CHANNELS,
        OVERLAP,
        8,
        lag,
        0,
        len(traces),
    )


def test_scales_of_isolated_and_overlapping_spikes_are_recovered() -> None:
    spikes = [(20, 0, 1.2), (100, 0, 0.8), (106, 1, 1.5), (108, 2, 0.7), (200, 2, 1.1)]
    found, collides = scales(planted(spikes), spikes)
    np.testing.assert_allclose(found, [s[2] for s in spikes], rtol=1e-5)
    assert collides.tolist() == [False, True, True, False, False]


def test_without_collisions_each_is_fitted_alone() -> None:
    spikes = [(100, 0, 0.8), (104, 1, 1.5)]
    traces = planted(spikes)
    found, collides = scales(traces, spikes, lag=0)
    assert not collides.any()
    x = templates()[0].astype(float)
    y = traces[92:112, CHANNELS[0]].astype(float)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    np.testing.assert_allclose(found[0], slope, rtol=1e-5)


def test_an_offset_does_not_change_the_scale() -> None:
    spikes = [(100, 0, 0.9)]
    found, _ = scales(planted(spikes) + np.float32(50), spikes)
    np.testing.assert_allclose(found, 0.9, rtol=1e-4)


def test_counts_have_the_scales_of_the_microvolts() -> None:
    """Also beside an empty slot, for spikes that are alone and for those that are not."""
    rng = np.random.default_rng(6)
    spikes = [(20, 0, 30.0), (60, 2, 40.0), (100, 0, 20.0), (106, 1, 50.0), (109, 1, 30.0), (200, 2, 40.0)]
    counts = (planted(spikes) + rng.normal(size=(300, 8))).round().astype(np.int16)
    gains, offsets = rng.uniform(0.1, 3, 8).astype(np.float32), rng.normal(size=8).astype(np.float32)
    given = np.array([s[0] for s in spikes]), np.array([s[1] for s in spikes]), np.arange(len(spikes)), templates()
    more = CHANNELS, OVERLAP, 8, 15, 0, 300
    microvolts = counts.astype(np.float32) * gains + offsets
    expected, collides = scale_spikes(microvolts, *scaling(counts), *given, *more)
    found, same = scale_spikes(counts, gains, offsets, *given, *more)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert same.tolist() == collides.tolist() == [False, False, True, True, True, False]


def test_a_zero_template_has_scale_zero() -> None:
    found, _ = scale_spikes(
        np.ones((50, 8), np.float32), *scaling(np.ones((50, 8))), np.array([20]), np.array([0]), np.array([0]),
        np.zeros((1, 20, 3), np.float32), CHANNELS[:1], np.ones((1, 1), bool), 8, 0, 0, 50,
    )  # fmt: skip
    assert found.tolist() == [0.0]
