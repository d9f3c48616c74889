"""Velocity, decay and extent of templates drawn with known values."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.metrics.template_spread import COLUMNS, median_line, template_spreads

POSITIONS = np.stack([np.zeros(15), np.arange(15) * 20.0], axis=1)


def spread_of(template: np.ndarray, channels: np.ndarray) -> dict[str, float]:
    found = template_spreads(
        template[None].astype(np.float32), channels[None].astype(np.int32), POSITIONS, sampling_frequency=30_000.0
    )
    return dict(zip(COLUMNS, found[0], strict=True))


def moving(delay_samples: float, length_um: float) -> np.ndarray:
    apart = np.abs(np.arange(15) - 5) * 20.0
    times = np.arange(80)[:, None] - 25 - delay_samples * np.maximum(np.arange(15) - 5, 0)
    return -100 * np.exp(-0.5 * (times / 4) ** 2) * (np.exp(-apart / length_um) + 0.02)


def test_velocity_and_decay() -> None:
    found = spread_of(moving(1.0, 40.0), np.arange(15))
    assert found["velocity_above"] == pytest.approx(20.0 * 30, rel=0.05)  # 20 µm a sample
    assert np.isnan(found["velocity_below"])  # without delays a flat line explains nothing
    assert found["exp_decay"] == pytest.approx(1 / 40.0, rel=0.1)


def test_a_wider_template_covers_more_depth() -> None:
    narrow, wide = (spread_of(moving(0.0, length), np.arange(15))["spread"] for length in (20.0, 80.0))
    assert narrow < wide


def test_few_channels_give_no_value() -> None:
    found = spread_of(moving(1.0, 40.0)[:, [4, 5]], np.array([4, 5]))
    assert np.isnan([found["velocity_above"], found["exp_decay"]]).all()
    assert np.isnan(list(spread_of(np.zeros((80, 2)), np.array([0, -1])).values())).all()


def test_outliers_do_not_change_the_line() -> None:
    x = np.arange(9.0)
    y = 3 * x
    y[4] = 500
    assert median_line(x, y)[0] == pytest.approx(3.0)
    assert np.isnan(median_line(np.zeros(3), np.arange(3.0))[0])
