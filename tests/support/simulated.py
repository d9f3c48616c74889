"""Simulations without noise, and their isolated spikes."""

from __future__ import annotations

import numpy as np


def isolated(truth, gap=150):
    """Spikes with no other spike within ``gap`` samples."""
    s = truth.spikes["sample_index"]
    apart = np.diff(s, prepend=-(10**6), append=10**9)
    return truth.spikes[(apart[:-1] > gap) & (apart[1:] > gap)]
