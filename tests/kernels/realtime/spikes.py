"""Roots of simulated sequences: patterns on a line of channels, with noise in amplitudes and latencies."""

import numpy as np

from xephys.kernels.realtime.patterns import Around, Roots

N_CHANNELS, N_SLOTS = 12, 6


def around_line():
    """Channels 20 µm apart: six slots around each, and inner ones within 40 µm."""
    apart = np.abs(np.arange(N_CHANNELS)[:, None] - np.arange(N_CHANNELS)[None])
    neighbors = np.argsort(apart, axis=1, kind="stable")[:, :N_SLOTS].astype(np.int32)
    inner = np.full((N_CHANNELS, 5), -1, np.int32)
    for c in range(N_CHANNELS):
        near = np.flatnonzero(apart[c] <= 2)
        inner[c, : len(near)] = near
    n_inner = (np.take_along_axis(apart, neighbors.astype(np.int64), axis=1) <= 2).sum(axis=1).astype(np.int32)
    return Around(neighbors, n_inner, inner)


def make_roots(centers, speeds, sizes, *, n_spikes=200, seed=0, drift=0.0):
    """Spikes of neurons at ``centers`` (channels), later with distance by ``speeds`` samples, and their neurons."""
    rng = np.random.default_rng(seed)
    around, n = around_line(), len(centers)
    unit = rng.integers(n, size=n * n_spikes)
    samples = np.cumsum(rng.integers(40, 200, len(unit)))
    place = np.array(centers)[unit] + drift * np.arange(len(unit)) / len(unit)
    apart = np.abs(np.arange(N_CHANNELS)[None] - place[:, None])
    amplitude = np.array(sizes)[unit, None] * np.exp(-apart / 2.0) * rng.normal(1, 0.05, (len(unit), 1))
    amplitude = amplitude + rng.standard_normal(apart.shape)
    late = np.array(speeds)[unit, None] * apart + rng.normal(0, 0.3, apart.shape)
    channel = amplitude.argmax(axis=1)
    slots = around.neighbors[channel]
    own = np.take_along_axis(amplitude, slots.astype(np.int64), axis=1)
    latency = np.take_along_axis(late, slots.astype(np.int64), axis=1)
    latency -= latency[:, :1]
    detected = own > 3.5
    roots = Roots(
        samples.astype(np.int64), channel.astype(np.int64), np.zeros(len(unit), np.float32),
        np.maximum(own, 0).astype(np.float32), np.where(detected, latency, 0).astype(np.float32),
        np.where(detected, 0.9, 0).astype(np.float32), np.ones(len(unit), bool),
    )  # fmt: skip
    return roots, around, unit
