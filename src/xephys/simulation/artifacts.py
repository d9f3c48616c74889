"""Artifacts: stimulus trains that saturate the amplifiers, and movements."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.simulation.config import SimulationConfig
from xephys.simulation.probe import ProbeLayout

PULSES, PULSE_RATE_HZ, PULSE_LENGTH_MS = 10, 50.0, 12.0


class Artifacts(NamedTuple):
    """Events (pulses and movements) in order of their start, and the windows that they occupy."""

    first: NDArray[np.int64]
    length: NDArray[np.int64]
    movement: NDArray[np.bool_]
    windows_s: NDArray[np.float64]  # (window, 2): first and last moment of a train or movement


def draw_artifacts(config: SimulationConfig) -> Artifacts:
    """Draw the times of the artifacts: a function of the configuration alone."""
    rng = np.random.default_rng([*config.session_seed, 8])
    fs, duration = config.sampling_frequency, config.duration_s
    first, length, movement, windows = [], [], [], []
    if config.stimulation_period_s > 0:
        for train in np.arange(0.5 * config.stimulation_period_s, duration, config.stimulation_period_s):
            starts = train + np.arange(PULSES) / PULSE_RATE_HZ
            first += list(np.rint(starts * fs))
            length += [round(PULSE_LENGTH_MS * fs / 1000)] * PULSES
            movement += [False] * PULSES
            windows.append((train, starts[-1] + PULSE_LENGTH_MS / 1000))
    for _ in range(rng.poisson(config.movement_rate_hz * duration)):
        start, span = rng.uniform(0, duration), rng.uniform(0.1, 0.5)
        first.append(np.rint(start * fs))
        length.append(round(span * fs))
        movement.append(True)
        windows.append((start, start + span))
    order = np.argsort(first, kind="stable")
    return Artifacts(
        np.asarray(first, np.int64)[order], np.asarray(length, np.int64)[order], np.asarray(movement, np.bool_)[order],
        np.asarray(sorted(windows), np.float64).reshape(-1, 2),
    )  # fmt: skip


def artifact_course(
    config: SimulationConfig, layout: ProbeLayout, event: int, length: int, movement: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Time course (sample,) of one artifact in µV and its size on each channel (near 1)."""
    fs = config.sampling_frequency
    t = np.arange(length) / fs
    if movement:
        rng = np.random.default_rng([*config.session_seed, 9, event])
        frequency = np.exp(rng.uniform(np.log(8), np.log(600), 24))
        swing = np.sin(2 * np.pi * frequency[:, None] * t + rng.uniform(0, 2 * np.pi, (24, 1)))
        swing *= (300 / frequency[:, None]) ** 0.35
        course = rng.uniform(60, 200) * swing.mean(axis=0) * np.sqrt(24) * np.sin(np.pi * t / t[-1]) ** 2
        loading = rng.uniform(0.8, 1.2, len(layout.xy))
    else:
        # All stimuli are alike: a biphasic pulse far beyond the converter's range, then the amplifier's slow return.
        rng = np.random.default_rng([*config.session_seed, 10])
        ms = 1000 * t
        course = 20_000.0 * ((ms < 0.2) * 1.0 - ((ms >= 0.2) & (ms < 0.4))) + 900.0 * np.exp(-ms / 2.5) * (ms >= 0.4)
        course -= 900.0 * np.exp(-ms[-1] / 2.5) * (ms / ms[-1])
        depth = (layout.xy[:, 1] - layout.xy[:, 1].mean()) / 1000.0
        loading = rng.uniform(0.7, 1.3) * np.exp(-0.4 * depth) * rng.uniform(0.9, 1.1, len(layout.xy))
    return course.astype(np.float32), loading.astype(np.float32)
