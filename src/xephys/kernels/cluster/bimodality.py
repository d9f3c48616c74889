"""Is there a gap between two groups of spikes? Held-out discriminant, then a search for a valley.

A discriminant fitted on the spikes it is judged on always separates them a little: in 50 dimensions two
halves of one Gaussian of 100 spikes look like two units. So the direction is fitted on every other spike
and judged on the rest, and the reverse.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

GRID = 128
"""Points of the grid on which the density along the discriminant is looked at."""


@njit(nogil=True, cache=True, error_model="numpy")
def _valley(values: NDArray[np.float64], low: float, high: float, n_grid: int) -> tuple[float, float]:
    """Depth of the deepest valley in [low, high] in standard errors, and its ratio to the lower shoulder."""
    margin = 0.5 * (high - low)
    origin = low - margin
    step = (high - low + 2.0 * margin) / n_grid
    counts = np.zeros(n_grid + 1, np.int64)
    for value in values:
        cell = int(np.floor((value - origin) / step))
        if 0 <= cell < n_grid:
            counts[cell + 1] += 1
    total = np.cumsum(counts)
    best = 0.0
    ratio = 1.0
    # Windows of 8, 14 and 25 % of the range looked at: narrow ones find sharp gaps, wide ones shallow gaps in few
    # spikes.
    for half in (n_grid // 25, n_grid // 14, n_grid // 8):
        window = np.zeros(n_grid, np.int64)
        for i in range(half, n_grid - half):
            window[i] = total[i + half] - total[i - half]
        right = np.zeros(n_grid, np.int64)
        running = np.int64(0)
        for i in range(n_grid - 1, -1, -1):
            running = max(running, window[i])
            right[i] = running
        running = np.int64(0)
        for i in range(half, n_grid - half):
            running = max(running, window[i])
            position = origin + i * step
            if position <= low or position >= high:
                continue
            shoulder = min(running, right[i])
            if shoulder > window[i]:
                depth = (shoulder - window[i]) / np.sqrt(float(shoulder + window[i]))
                if depth > best:
                    best = depth
                    ratio = window[i] / shoulder
    return best, ratio


def valley_depth(values: NDArray[np.float64], *, low: float, high: float) -> tuple[float, float]:
    """Depth of the deepest valley of a one-dimensional sample between two places.

    Spikes are counted in sliding windows of three widths. A valley is a window with fewer spikes than the
    fullest window on either side of it.

    Parameters
    ----------
    values : (n,) float64
    low, high : float
        Where the two groups are expected; the valley is looked for between, the shoulders up to half the
        distance beyond.

    Returns
    -------
    depth : float
        Difference between the lower shoulder and the valley in standard errors of that difference. 0 if
        the sample is unimodal. Because it is a maximum over places it reaches 2 by chance.
    ratio : float
        Spikes in the valley over spikes in the lower shoulder, 1 if the sample is unimodal.

    Examples
    --------
    >>> import numpy as np
    >>> two = np.r_[np.linspace(-1.3, -0.7, 50), np.linspace(0.7, 1.3, 50)]
    >>> depth, ratio = valley_depth(two, low=-1.0, high=1.0)
    >>> depth > 4, ratio
    (True, 0.0)
    """
    if not high > low:
        return 0.0, 1.0
    depth, ratio = _valley(np.ascontiguousarray(values, np.float64), float(low), float(high), GRID)
    return float(depth), float(ratio)


def _direction(
    first: NDArray[np.float64], second: NDArray[np.float64], shrinkage: float
) -> tuple[NDArray[np.float64], float, float]:
    """Regularised Fisher direction, and the two means along it."""
    mean_first, mean_second = first.mean(axis=0), second.mean(axis=0)
    n_features = first.shape[1]
    covariance = np.zeros((n_features, n_features))
    # Groups large enough to know their covariance count the same, whatever their size: that of a large neighbor
    # must not hide a small unit. Smaller groups count by what they know.
    weights = [min(len(group) - 1, 10 * n_features) for group in (first, second)]
    for group, mean, share in ((first, mean_first, weights[0]), (second, mean_second, weights[1])):
        centered = group - mean
        covariance += share / max(sum(weights), 1) * (centered.T @ centered) / max(len(group) - 1, 1)
    size = np.trace(covariance) / len(covariance)
    n_spikes = len(first) + len(second)
    weight = min(0.9, shrinkage + len(covariance) / (len(covariance) + n_spikes))
    covariance *= 1.0 - weight
    covariance[np.diag_indices_from(covariance)] += weight * size + 1e-12
    direction = np.linalg.solve(covariance, mean_second - mean_first)
    return direction, float(mean_first @ direction), float(mean_second @ direction)


def held_out_projection(
    first: NDArray[np.float32], second: NDArray[np.float32], *, shrinkage: float = 0.05
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project two groups of spikes on a discriminant fitted without the spikes projected.

    Parameters
    ----------
    first, second : (n_first, n_features), (n_second, n_features) float32
        At least two spikes each. Even spikes fit the direction for the odd ones, and the reverse.
    shrinkage : float
        Least weight of the identity in the covariance; more where there are few spikes for the features.

    Returns
    -------
    along_first, along_second : (n_first,), (n_second,) float64
        0 at the center of the fitting half's first group, 1 at the center of its second.

    Raises
    ------
    ValueError
        If a group has fewer than two spikes.
    """
    if len(first) < 2 or len(second) < 2:
        raise ValueError(
            f"The groups have {len(first)} and {len(second)} spikes: a held-out projection needs 2 in each."
        )
    first64, second64 = first.astype(np.float64), second.astype(np.float64)
    along_first, along_second = np.zeros(len(first)), np.zeros(len(second))
    for fold in (0, 1):
        direction, start, end = _direction(first64[fold::2], second64[fold::2], shrinkage)
        span = end - start
        if span <= 0:
            continue
        along_first[1 - fold :: 2] = (first64[1 - fold :: 2] @ direction - start) / span
        along_second[1 - fold :: 2] = (second64[1 - fold :: 2] @ direction - start) / span
    return along_first, along_second


def bimodality(
    first: NDArray[np.float32], second: NDArray[np.float32], *, n_spikes_max: int = 20_000
) -> tuple[float, float]:
    """Depth of the gap between two groups of spikes along their held-out discriminant.

    Parameters
    ----------
    first, second : (n_first, n_features), (n_second, n_features) float32
    n_spikes_max : int
        Groups are thinned evenly, by the same factor, so that the larger has at most this many.

    Returns
    -------
    depth, ratio : float
        As `valley_depth`. (0, 1) if a group has fewer than 4 spikes.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).standard_normal((600, 8)).astype("float32")
    >>> depth, _ = bimodality(points[:300], points[300:])
    >>> far, _ = bimodality(points[:300], points[300:] + 3)
    >>> depth < 3 < far
    True
    """
    stride = max(1, -(-max(len(first), len(second)) // n_spikes_max))
    # The same stride for both keeps the proportions, hence the shape of the joint density. Were only the larger
    # group thinned, cutting one Gaussian in two would leave a step at the cut that looks like a gap.
    first, second = first[::stride], second[::stride]
    if len(first) < 4 or len(second) < 4:
        return 0.0, 1.0
    along_first, along_second = held_out_projection(first, second)
    low, high = float(np.median(along_first)), float(np.median(along_second))
    return valley_depth(np.concatenate([along_first, along_second]), low=low, high=high)


def separation(along_first: NDArray[np.float64], along_second: NDArray[np.float64]) -> float:
    """Distance of two groups along a line in units of their own standard deviations.

    2.65 for the halves of a Gaussian, 3.46 for those of a uniform distribution, and the distance in units of the noise
    for two Gaussians far apart (Ashman et al. 1994, *Astron. J.* 108, 2348).

    Examples
    --------
    >>> import numpy as np
    >>> line = np.linspace(0, 1, 1001)
    >>> round(separation(line[:500], line[500:]), 2)
    3.46
    """
    spread = max(np.sqrt((along_first.var() + along_second.var()) / 2), np.finfo(np.float64).tiny)
    return float((along_second.mean() - along_first.mean()) / spread)
