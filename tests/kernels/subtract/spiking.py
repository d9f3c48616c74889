"""Traces with spikes of one shape on a line of contacts, and the settings with which they are subtracted."""

from __future__ import annotations

from typing import Any

import numpy as np

from xephys.kernels.subtract.subtraction import subtraction_halo

L, NBEFORE, N_CHANNELS = 15, 5, 6
POSITIONS = np.arange(N_CHANNELS) * 20.0
BEFORE, AFTER = subtraction_halo(L, nbefore=NBEFORE)


def within(radius_um: float) -> np.ndarray:
    rows = [np.flatnonzero(abs(POSITIONS - y) <= radius_um) for y in POSITIONS]
    out = np.full((N_CHANNELS, max(map(len, rows))), -1, np.int32)
    for row, channels in zip(out, rows, strict=True):
        row[: len(channels)] = channels
    return out


def settings(**more: Any) -> dict[str, Any]:
    t = np.arange(L) - NBEFORE
    raw = np.stack([-np.exp(-(t**2) / 4) + 0.5 * np.exp(-((t - 4) ** 2) / 8), -t * np.exp(-(t**2) / 9)])
    components = np.linalg.qr(raw.T)[0].T.astype(np.float32)
    components[0] *= np.sign(-components[0, NBEFORE])
    return {
        "nbefore": NBEFORE,
        "thresholds": np.full(N_CHANNELS, 3.0),
        "denoiser": {
            "components": components,
            "weights": np.array([1.0, 0.8], np.float32),
            "noise": np.ones(2, np.float32),
        },
        "reach": {"subtracted": within(40), "competing": within(80), "closed": within(20)},
        "energy_min": 40.0,
        "closed_samples": 2,
        "closed_to_peaks_samples": 5,
        **more,
    }


def spiking(n_rows: int, n_spikes: int, seed: int, *, size: float = 25.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((n_rows, N_CHANNELS)).astype(np.float32)
    shape = settings()["denoiser"]["components"][0]
    for row in rng.integers(20, n_rows - 40, n_spikes):
        footprint = np.exp(-((POSITIONS - rng.uniform(0, 100)) ** 2) / 600)
        traces[row : row + L] += (rng.uniform(0.6, 1.4) * size * np.outer(shape, footprint)).astype(np.float32)
    return traces
