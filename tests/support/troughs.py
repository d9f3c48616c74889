"""Peaks of two widths, at known times between samples, in noise."""

import numpy as np

from xephys.kernels.features.peak_times import MARGIN

HALF = 20
LENGTH = 2 * HALF + 1
WIDE = np.arange(-HALF - MARGIN, HALF + MARGIN + 1)


def shape(time, width):
    return -np.exp(-(((WIDE - time) / width) ** 2)) + 0.3 * np.exp(-(((WIDE - time - 9) / 6) ** 2))


def snippets():
    rng = np.random.default_rng(1)
    true = rng.uniform(-1, 1, 120)
    clean = np.stack([12 * shape(t, 3.0 if i % 2 else 5.0) for i, t in enumerate(true)])
    return (clean + rng.standard_normal(clean.shape)).astype(np.float32), true
