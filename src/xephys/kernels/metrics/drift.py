"""Movement of a unit's position over the recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def drift(
    samples: list[NDArray[np.int64]],
    places: list[NDArray[np.float64]],
    edges: list[NDArray[np.int64]],
    *,
    n_spikes_min: int = 100,
    share_min: float = 0.5,
    n_bins_min: int = 2,
) -> tuple[float, float, float]:
    """Range, standard deviation and median absolute deviation of the median position in bins (Siegle et al. 2021).

    Parameters
    ----------
    samples, places : list of (n,)
        Samples and positions of one unit in each segment.
    edges : list of (bin + 1,)
        Edges of the bins of each segment.
    n_spikes_min : int
        Bins with fewer spikes are ignored.
    share_min : float
        Minimum share of usable bins.
    n_bins_min : int
        Minimum number of bins in every segment.

    Returns
    -------
    ptp, std, mad : float
        NaN if too few bins are usable.

    Examples
    --------
    >>> train = np.arange(400)
    >>> drift([train], [np.repeat([0.0, 4.0], 200)], [np.array([0, 200, 400])])
    (4.0, 2.0, 2.0)
    """
    nothing = (float("nan"),) * 3
    if any(len(some) - 1 < n_bins_min for some in edges) or not any(len(train) for train in samples):
        return nothing
    medians = []
    for train, place, some in zip(samples, places, edges, strict=True):
        bounds = np.searchsorted(train, some)
        medians += [float(np.median(place[a:b])) if b - a >= n_spikes_min else np.nan for a, b in pairwise(bounds)]
    moved = np.array(medians) - np.median(np.concatenate(places))
    if np.isnan(moved).mean() > share_min:
        return nothing
    center = np.nanmedian(moved)
    return (
        float(np.nanmax(moved) - np.nanmin(moved)),
        float(np.nanstd(moved)),
        float(np.nanmedian(np.abs(moved - center))),
    )


def drifts(
    samples: NDArray[np.int64],
    places: NDArray[np.float64],
    parts: NDArray[np.int64],
    n_samples: NDArray[np.int64],
    *,
    bin_samples: int,
) -> NDArray[np.float64]:
    """:func:`drift` of every unit ``(unit, 3)``.

    Parameters
    ----------
    samples, places : (spike,)
        Unit by unit, segment by segment; samples count from the segment's start.
    parts : (unit, segment + 1) int64
        Start of the spikes of each unit in each segment.
    n_samples : (segment,) int64
    bin_samples : int
        Length of a bin; only in the last segment do bins end with a whole one.

    Examples
    --------
    >>> train = np.arange(400)
    >>> places = np.repeat([0.0, 4.0], 200)
    >>> drifts(train, places, np.array([[0, 400]]), np.array([400]), bin_samples=200).tolist()
    [[4.0, 2.0, 2.0]]
    """
    ends = np.array(n_samples)
    ends[-1] = ends[-1] // bin_samples * bin_samples + 1
    edges = [np.arange(0, end, bin_samples) for end in ends]
    out = np.full((len(parts), 3), np.nan)
    for unit, part in enumerate(parts):
        out[unit] = drift([samples[a:b] for a, b in pairwise(part)], [places[a:b] for a, b in pairwise(part)], edges)
    return out
