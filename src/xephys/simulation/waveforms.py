"""Action-potential waveforms as sums of smooth bumps: shapes seen near cortical and axonal sources."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BEFORE_MS, AFTER_MS = 1.2, 3.0
OVERSAMPLING = 8.0
KINDS = ("narrow", "broad", "slow", "triphasic", "positive", "propagating")


def fine_axis(sampling_frequency: float) -> NDArray[np.float64]:
    """Times of the table's entries in milliseconds: ``OVERSAMPLING`` per sample, zero at the trough."""
    step = 1000.0 / (sampling_frequency * OVERSAMPLING)
    return np.asarray(np.arange(round((BEFORE_MS + AFTER_MS) / step) + 1) * step - BEFORE_MS, np.float64)


def _bump(t: NDArray[np.float64], at: float, rise: float, fall: float) -> NDArray[np.float64]:
    width = np.where(t < at, rise, fall)
    return np.exp(-0.5 * ((t - at) / width) ** 2)


def _after(t: NDArray[np.float64], at: float, rise: float, decay: float) -> NDArray[np.float64]:
    """Repolarization and after-current: a smooth step at ``at`` that decays."""
    return np.exp(-np.maximum(t, 0) / decay) / (1.0 + np.exp(-(t - at) / rise))


def make_waveform(kind: str, t: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """One waveform of a kind on the axis ``t`` (ms), its extremum ±1 near 0, zero at both ends.

    Kinds: ``narrow`` (fast-spiking; trough to peak 0.25 ms), ``broad`` (0.45-0.7 ms), ``slow`` (calcium-like),
    ``triphasic`` (passing axon), ``positive`` (return current), ``dendritic`` (the wide copy of a soma's spike).
    """
    u = rng.uniform
    if kind == "narrow":
        w = -_bump(t, 0, u(0.055, 0.075), u(0.06, 0.085)) + u(0.35, 0.65) * _after(t, u(0.16, 0.22), 0.03, u(0.3, 0.6))
        w += u(0.0, 0.06) * _bump(t, -0.3, 0.15, 0.1)
    elif kind == "broad":
        w = -_bump(t, 0, u(0.065, 0.09), u(0.09, 0.15)) + u(0.25, 0.5) * _after(t, u(0.28, 0.4), 0.06, u(0.7, 1.4))
        w += u(0.0, 0.12) * _bump(t, u(-0.35, -0.25), 0.2, 0.08)
    elif kind == "slow":
        w = -_bump(t, 0, u(0.08, 0.12), u(0.25, 0.38)) + u(0.1, 0.25) * _after(t, u(0.7, 0.9), 0.12, u(1.2, 2.0))
    elif kind == "triphasic":
        w = -_bump(t, 0, u(0.05, 0.07), u(0.05, 0.07)) + u(0.4, 0.75) * _bump(t, u(-0.24, -0.17), 0.08, 0.06)
        w += u(0.3, 0.55) * _after(t, u(0.13, 0.18), 0.025, u(0.2, 0.35))
    elif kind == "positive":
        w = _bump(t, 0, u(0.07, 0.1), u(0.09, 0.15)) - u(0.2, 0.45) * _after(t, u(0.25, 0.35), 0.05, u(0.4, 0.8))
        w -= u(0.1, 0.3) * _bump(t, -0.25, 0.12, 0.08)
    else:
        w = -_bump(t, 0, u(0.12, 0.18), u(0.2, 0.35)) + u(0.15, 0.35) * _after(t, u(0.5, 0.7), 0.1, u(1.0, 1.6))
    # The ends fade out over 0.4 and 0.8 ms, so that nothing jumps where a spike's support ends.
    w *= np.clip((t - t[0]) / 0.4, 0, 1) ** 2 * np.clip((t[-1] - t) / 0.8, 0, 1) ** 2
    return np.asarray(w / np.abs(w).max(), np.float32)
