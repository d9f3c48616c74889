"""Find pieces of a neuron that are made of its collisions: small units whose spikes are hardly ever alone.

A spike that overlaps another neuron's is changed by what the other's template leaves of it. Over half an hour enough of
such spikes of one active neuron gather for a cluster of their own, with a template that resembles the neuron's. Their
trains tell them from a neuron: nearly all of their spikes have a spike of another unit close by, while most spikes of
the neuron that they resemble have none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr

from xephys.kernels.metrics.spike_trains import are_two_neurons, coincidences

__all__ = ["ACCOMPANIED", "find_accompanied"]

ACCOMPANIED = np.dtype(
    [
        ("unit", np.int64),
        ("piece_of", np.int64),
        ("lag", np.int64),
        ("similarity", np.float64),
        ("alone", np.int64),
        ("alone_expected", np.float64),
    ]
)
"""A unit that is a piece of another one, and the evidence.

``lag`` is added to its samples; ``similarity`` is the cosine of the two templates; ``alone`` counts its spikes without
a spike of a third unit close by, and ``alone_expected`` is their number if they were as often alone as the other's.
"""

#: A piece has at most this share of the spikes of its neuron: collisions are rare.
SHARE_MAX = 0.05
#: At most this share of the expected spikes may be alone, and so few must be this improbable.
ALONE_MAX, SIGNIFICANCE = 0.2, 1e-3
#: Spikes of the larger unit that are looked at, evenly spread: enough to know how often it is alone.
N_LOOKED_AT = 2000


def find_accompanied(
    candidates: NDArray[np.void],
    channels: NDArray[np.integer],
    trains: Sequence[NDArray[np.int64]],
    *,
    window_samples: int,
    refractory_samples: int,
    dead_samples: int,
    duration_samples: int,
) -> NDArray[np.void]:
    """Small units whose spikes are hardly ever alone, and the similar unit of which they are pieces.

    Parameters
    ----------
    candidates : structured array of dtype `CANDIDATE` of `kernels.curate.merge`
        Pairs of units that are similar to some degree, most similar first.
    channels : (unit, slot) int
        Channels of each template, -1 where empty. Units that share none with the larger one of a pair are no company.
    trains : list of int64 arrays
        Samples of the units, ascending.
    window_samples : int
        Maximum lag of a spike that is close by.
    refractory_samples, dead_samples, duration_samples : int
        As for `spike_trains.coincidences`.

    Returns
    -------
    structured array of dtype `ACCOMPANIED`
        One record per unit that is a piece, with the unit that it resembles most.

    Examples
    --------
    >>> from xephys.kernels.curate.merge import CANDIDATE
    >>> large, third = np.arange(0, 900_000, 300), np.arange(40, 900_000, 3000)
    >>> small = third[::5] + 20
    >>> pairs = np.array([(0, 1, 0.9, 0, 1.0)], CANDIDATE)
    >>> find_accompanied(pairs, np.zeros((3, 1), int), [large, small, third], window_samples=39, refractory_samples=60,
    ...                  dead_samples=15, duration_samples=900_000)[["unit", "piece_of", "alone"]].tolist()
    [(1, 0, 0)]
    """
    found: dict[int, tuple[float | int, ...]] = {}
    sizes = np.array([len(train) for train in trains], np.int64)
    for pair in candidates:
        first, second = int(pair["first"]), int(pair["second"])
        large, small = (first, second) if sizes[first] >= sizes[second] else (second, first)
        if small in found or not 0 < sizes[small] <= SHARE_MAX * sizes[large]:
            continue
        seen = np.isin(channels, channels[large][channels[large] >= 0]).max(axis=1)
        third = [train for unit, train in enumerate(trains) if seen[unit] and unit not in (large, small)]
        some = trains[large][:: max(1, sizes[large] // N_LOOKED_AT)]
        expected = float(_are_alone(some, third, window_samples).mean() * sizes[small])
        alone = int(_are_alone(trains[small], third, window_samples).sum())
        if alone > ALONE_MAX * expected or pdtr(alone, expected) > SIGNIFICANCE:
            continue
        lag = int(pair["lag"]) if small == second else -int(pair["lag"])
        observed, by_chance = coincidences(
            trains[large],
            trains[small] + lag,
            refractory_samples=refractory_samples,
            dead_samples=dead_samples,
            duration_samples=duration_samples,
        )
        clash = are_two_neurons(observed, by_chance)
        if not clash:
            found[small] = (small, large, lag, float(pair["similarity"]), alone, expected)
    return np.array([found[unit] for unit in sorted(found)], ACCOMPANIED)


def _are_alone(
    samples: NDArray[np.int64], others: Sequence[NDArray[np.int64]], window_samples: int
) -> NDArray[np.bool_]:
    """Mask of the samples without a spike of the others within the window."""
    alone = np.ones(len(samples), np.bool_)
    for train in others:
        before = np.searchsorted(train, samples - window_samples)
        after = np.searchsorted(train, samples + window_samples, side="right")
        alone &= before == after
    return alone
