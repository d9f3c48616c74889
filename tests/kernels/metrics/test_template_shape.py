"""Shapes of templates drawn with known numbers give these numbers."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.template_shape import COLUMNS, extrema, half_width, slope, template_shapes, upsampled

RATE = 30_000.0


def drawn(*bumps: tuple[float, float, float]) -> np.ndarray:
    """Sum of Gaussians of (size, time in ms, sd in ms)."""
    times = np.arange(90) / 30.0
    return sum(size * np.exp(-0.5 * ((times - at) / sd) ** 2) for size, at, sd in bumps)


def shape_of(template: np.ndarray) -> dict[str, float]:
    return dict(zip(COLUMNS, template_shapes(template[None], sampling_frequency=RATE)[0], strict=True))


def test_trough_and_peaks() -> None:
    found = shape_of(drawn((30.0, 0.6, 0.1), (-100.0, 1.0, 0.08), (40.0, 1.6, 0.15)))
    assert found["peak_to_trough_duration"] == pytest.approx(0.6e-3, abs=2e-5)
    assert found["trough_half_width"] == pytest.approx(2.355 * 0.08e-3, rel=0.1)
    assert found["peak_after_to_trough_ratio"] == pytest.approx(0.4, abs=0.02)
    assert found["peak_before_to_trough_ratio"] == pytest.approx(0.3, abs=0.03)
    assert found["main_peak_to_trough_ratio"] == found["peak_after_to_trough_ratio"]
    assert found["main_to_next_extremum_duration"] == found["peak_to_trough_duration"]
    assert (found["num_positive_peaks"], found["num_negative_peaks"]) == (1.0, 1.0) or found["num_positive_peaks"] == 2
    assert found["repolarization_slope"] > 0 > found["recovery_slope"]


def test_a_scaled_template_has_the_same_times_and_ratios() -> None:
    one, two = (
        shape_of(drawn((-100.0, 1.0, 0.1), (40.0, 1.6, 0.2))),
        shape_of(drawn((-50.0, 1.0, 0.1), (20.0, 1.6, 0.2))),
    )
    for name, value in one.items():
        factor = 0.5 if name.endswith("slope") else 1.0
        assert two[name] == pytest.approx(factor * value, rel=1e-4, nan_ok=True)


def test_a_template_of_zeros_has_no_values() -> None:
    assert np.isnan(template_shapes(np.zeros((1, 90)), sampling_frequency=RATE)).all()


def test_a_trough_at_the_end_has_no_peak_after() -> None:
    found = shape_of(drawn((-100.0, 2.9, 0.05)))
    assert np.isnan(found["peak_to_trough_duration"])


def test_parts() -> None:
    times = np.arange(300) / 300.0
    template = -np.exp(-0.5 * ((times - 0.5) / 0.05) ** 2)
    trough, _, _ = extrema(template, 300_000.0)
    assert trough.at == 150
    assert half_width(-template, 150)[0] == pytest.approx(2.355 * 0.05 * 300, abs=1)
    assert half_width(template, None)[1:] == (-1, -1)
    assert slope(np.arange(5.0), 2.0) == pytest.approx(2.0)
    assert np.isnan(slope(np.arange(1.0), 2.0))
    assert upsampled(np.ones((1, 20, 3))).shape == (1, 200, 3)
