"""The background has the requested size and spectrum, without seams."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.simulation.background import block_length
from xephys.simulation.config import make_config
from xephys.simulation.source import SimulationSource


def test_colored_noise_has_no_seams_at_the_borders_of_blocks():
    config = make_config("easy", n_channels=256, n_units=0, duration_s=4.0, colored_noise=True)
    traces, n = SimulationSource(config).read(0, config.n_samples) / config.noise_uv, block_length(config)
    across = [traces[b * n + k - 1] * traces[b * n + k] for b in range(1, 8) for k in (0, 1)]
    inside = [traces[b * n + k - 1] * traces[b * n + k] for b in range(1, 8) for k in (5000, 5001)]
    assert np.mean(across) == pytest.approx(np.mean(inside), rel=0.15)


def test_background_has_the_requested_size():
    absent = [
        "n_units",
        "n_far_units",
        "stimulation_period_s",
        "movement_rate_hz",
        "n_dead_channels",
        "n_noisy_channels",
    ]
    silent = dict.fromkeys([*absent, "noise_uv", "field_uv", "slow_wave_uv", "mains_uv", "offset_uv"], 0)
    for name, size, rms in (
        ("noise_uv", 10, 10),
        ("field_uv", 80, 80),
        ("slow_wave_uv", 200, 200),
        ("mains_uv", 40, 31),
    ):
        config = make_config("hard", n_channels=16, duration_s=20.0, **{**silent, name: size})
        traces = SimulationSource(config).read(0, config.n_samples) * config.gain_uv
        assert np.sqrt((traces**2).mean()) == pytest.approx(rms, rel=0.3), name


def test_the_field_is_continuous_and_falls_with_frequency():
    config = make_config(
        "easy", n_channels=2, n_units=0, duration_s=8.0, noise_uv=0.0, field_uv=100.0, slow_wave_uv=100.0
    )
    traces = SimulationSource(config).read(0, config.n_samples) * config.gain_uv
    steps = np.abs(np.diff(traces, axis=0))
    n = block_length(config)
    borders = np.arange(n, config.n_samples, n) - 1
    assert steps[borders].max() <= np.percentile(steps, 99.9)
    power = np.abs(np.fft.rfft(traces[:, 0] * np.hanning(len(traces)))) ** 2
    hertz = np.fft.rfftfreq(len(traces), 1 / config.sampling_frequency)
    low, high = (power[(hertz >= lo) & (hertz < 1.5 * lo)].mean() for lo in (10, 100))
    assert 10**1.2 < low / high < 10**2.0
