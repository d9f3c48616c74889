"""Whether peaks look more alike once they are registered: the evidence that tissue moved and not only its activity.

Where a few neurons start and others stop, a displacement can be found that puts the ones where the others were. What
fires there then has other amplitudes. Tissue that moved shows the same neurons, of about the same amplitudes, at every
displacement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Peaks whose displacement differs by less than this are not told apart.
STEP_UM = 3.0
#: Largest number of displacements that are compared.
N_LEVELS_MAX = 20
#: A displacement with fewer peaks tells nothing.
N_PEAKS_MIN = 20
#: Width of the bins of depth and of the logarithm of amplitude, and the standard deviations of what smooths them, in
#: bins.
DEPTH_BIN_UM, LEVEL_BIN, SMOOTHING = 4.0, 0.15, (1.2, 1.0)
#: Empty space around the densities, so that smoothing loses nothing.
MARGIN_BINS = 6


def likeness(
    depth_um: NDArray[np.floating], amplitude: NDArray[np.floating], displacement_um: NDArray[np.floating]
) -> tuple[float, float]:
    """How much the densities of peaks at different displacements resemble each other, as seen and once registered.

    Densities over depth and the logarithm of amplitude are compared by Bhattacharyya's coefficient, which is 1 for
    equal ones and 0 for those without overlap, and weighted by the number of pairs of peaks.

    Parameters
    ----------
    depth_um, amplitude : (peak,)
        Where peaks were seen, and their positive size.
    displacement_um : (peak,)
        By how much the tissue had moved then.

    Returns
    -------
    Mean coefficients, as seen and registered; both 0 if all peaks have about one displacement.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> neuron, moved = rng.integers(0, 2, 2000), np.repeat([0.0, 12.0], 1000)
    >>> depth = np.array([10.0, 50.0])[neuron] + moved + rng.normal(0, 2, 2000)
    >>> size = np.array([80.0, 150.0])[neuron]
    >>> seen, registered = likeness(depth, size, moved)
    >>> round(seen, 1), round(registered, 1)
    (0.5, 1.0)
    >>> late = np.repeat([0, 1], 1000)  # one neuron stops where the other starts
    >>> depth = np.array([10.0, 22.0])[late] + rng.normal(0, 2, 2000)
    >>> seen, registered = likeness(depth, np.array([80.0, 150.0])[late], moved)
    >>> round(seen, 1), round(registered, 1)
    (0.1, 0.1)
    """
    if not len(depth_um):
        return 0.0, 0.0
    spread = float(np.ptp(displacement_um))
    step = max(STEP_UM, spread / N_LEVELS_MAX)
    levels, level = np.unique(np.rint((displacement_um - displacement_um.min()) / step), return_inverse=True)
    counts = np.bincount(level, minlength=len(levels)).astype(np.float64)
    enough = np.flatnonzero(counts >= N_PEAKS_MIN)
    middle = np.bincount(level, displacement_um, minlength=len(levels)) / counts
    apart = np.abs(middle[enough][:, None] - middle[enough]) > STEP_UM
    weights = np.outer(counts[enough], counts[enough]) * apart
    if not weights.any():
        return 0.0, 0.0
    size = np.log(np.maximum(amplitude.astype(np.float64), 1e-9))
    roots = [_densities(places, size, level, enough) for places in (depth_um, depth_um - displacement_um)]
    seen, registered = (float((weights * (root @ root.T)).sum() / weights.sum()) for root in roots)
    return seen, registered


def _densities(
    depth_um: NDArray[np.floating], size: NDArray[np.float64], level: NDArray[np.int64], levels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Square roots of the smoothed densities ``(level, bin)`` over depth and size."""
    from scipy.ndimage import gaussian_filter

    rows = ((depth_um - depth_um.min()) / DEPTH_BIN_UM).astype(np.int64) + MARGIN_BINS
    columns = ((size - size.min()) / LEVEL_BIN).astype(np.int64) + MARGIN_BINS
    shape = int(rows.max()) + 1 + MARGIN_BINS, int(columns.max()) + 1 + MARGIN_BINS
    out = np.empty((len(levels), shape[0] * shape[1]))
    for number, one in enumerate(levels.tolist()):
        own = level == one
        density = np.zeros(shape)
        np.add.at(density, (rows[own], columns[own]), 1.0)
        density = gaussian_filter(density, SMOOTHING, mode="constant")
        out[number] = np.sqrt(density / density.sum()).ravel()
    return out
