"""Spikes of units with known delay, width and amplitudes, projected on a basis of their shapes."""

from __future__ import annotations

import numpy as np

N_SAMPLES = 61


def spike_shape(center, width=4.0):
    time = np.arange(N_SAMPLES) - center
    return -np.exp(-0.5 * (time / width) ** 2) + 0.4 * np.exp(-0.5 * ((time - 12) / (2 * width)) ** 2)


def basis_of_shapes():
    """Six components of shapes with delays and widths around those of the units."""
    bank = np.stack([spike_shape(c, w) for c in np.linspace(17, 23, 13) for w in (3.0, 4.0, 5.5)])
    return np.linalg.svd(bank, full_matrices=False)[2][:6].astype("float32")


def spikes(basis, units, n_each, noise=1.0, seed=0):
    """Projections of units given as (delay, width, amplitude on three channels)."""
    rng = np.random.default_rng(seed)
    projection = []
    for delay, width, amplitudes in units:
        mean = np.outer(amplitudes, basis @ spike_shape(20 + delay, width))
        projection.append(mean + noise * rng.standard_normal((n_each, *mean.shape)))
    labels = np.repeat(np.arange(len(units)), n_each).astype(np.int32)
    channel = np.concatenate([np.full(n_each, int(np.argmax(u[2]))) for u in units]).astype(np.int64)
    return np.concatenate(projection).astype("float32"), labels, channel
