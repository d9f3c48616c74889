"""Candidates and likelihoods of spikes that were not fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.expect import expect
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows, cells_of, whiten_features
from xephys.kernels.cluster.mixture.pairs import Pairs, Projected


def assign(
    features: NDArray[Any],
    neighborhood: NDArray[np.int32],
    neighborhoods: Neighborhoods,
    pairs: Pairs,
    seen: Projected,
    log_weights: NDArray[np.float64],
    log_noise: float,
    n_candidates: int,
    spikes: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The most likely units of some spikes, among all that can appear on their neighborhoods.

    Parameters
    ----------
    features : (n_spikes, n_slots, n_components) float
    neighborhood : (n_spikes,) int32
    neighborhoods, pairs, seen, log_weights, log_noise
        The model; weights ``(n_neighborhoods, n_units)``.
    n_candidates : int
    spikes : (n,) int64
        Which spikes, sorted by neighborhood.

    Returns
    -------
    candidates : (n, n_candidates) int32
    joint : (n, n_candidates + 1) float32
        Log weight plus log likelihood relative to noise; the log weight of noise in the last column.
    """
    own = neighborhood[spikes]
    white = whiten_features(features, spikes, own, neighborhoods.whiten, neighborhoods.entries)
    rows = Rows(white, own, np.ones(len(spikes), np.bool_), cells_of(own))
    background = np.full(len(spikes), log_noise, np.float32)
    unknown = np.full((len(spikes), n_candidates), -1, np.int32)
    nobody = np.full((log_weights.shape[1], 0), -1, np.int32)
    parts = expect(rows, pairs, seen, log_weights, background, unknown, nobody, True, rows.cells)
    joint = np.full((len(spikes), n_candidates + 1), log_noise, np.float32)
    for (_, start, stop), part in zip(rows.cells.tolist(), parts, strict=True):
        unknown[start:stop], joint[start:stop, :-1] = part.candidates, part.joint
    return unknown, joint
