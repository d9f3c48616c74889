"""How a density of peaks over registered depth and amplitude pulls the peaks of each time bin.

The density is a table of counts by depth and level of amplitude, smoothed. A peak seen at ``y`` while the tissue is
displaced by ``d`` belongs at ``y - d``; the slope of the logarithm of the density there says in which direction the
displacement should be corrected, and its square how much the peak knows about it. A bin's own peaks are taken out of
the density that they are compared with: otherwise each bin would find itself where it was put.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.motion.interpolate import bracket

#: Density that is added everywhere, in single peaks: what fewer peaks than this say is not trusted.
_BACKGROUND_PEAKS = 3.0


@njit(cache=True, nogil=True)
def registered_counts(
    depth_um: NDArray[np.float64],
    level: NDArray[np.int64],
    displacement_um: NDArray[np.float64],
    low_um: float,
    bin_um: float,
    n_depths: int,
    n_levels: int,
) -> NDArray[np.float32]:
    """Number of peaks by registered depth and level, ``(level, depth)``; those beyond the ends are left out."""
    counts = np.zeros((n_levels, n_depths), np.float32)
    for i in range(len(depth_um)):
        z = int(np.floor((depth_um[i] - displacement_um[i] - low_um) / bin_um))
        if 0 <= z < n_depths:
            counts[level[i], z] += 1.0
    return counts


@njit(cache=True, nogil=True)
def pulls(
    offsets: NDArray[np.int64],
    depth_um: NDArray[np.float64],
    level: NDArray[np.int64],
    displacement_um: NDArray[np.float64],
    knot_um: NDArray[np.float64],
    density: NDArray[np.float32],
    depth_kernel: NDArray[np.float64],
    level_kernel: NDArray[np.float64],
    low_um: float,
    bin_um: float,
    slope: NDArray[np.float64],
    information: NDArray[np.float64],
) -> None:
    """Slope of the log likelihood of each bin at its displacement, and what it knows, per knot.

    Parameters
    ----------
    offsets
        First peak of each bin, ``(time + 1,)``.
    depth_um, level, displacement_um
        Of each peak: where it was seen, its level of amplitude, and the present displacement there.
    knot_um
        Depths between which displacement is linear.
    density
        ``(level, depth)``: counts smoothed with the two kernels, the bins' own peaks included.
    depth_kernel, level_kernel
        With which it was smoothed.
    low_um, bin_um
        Lower end of the depths, and width of a bin.
    slope, information
        Written: ``(time, knot)``, and ``(time, knot, 2)``, of each knot and shared with the next one.
    """
    n_levels, n_depths = density.shape
    own = np.zeros((n_levels, n_depths), np.float32)
    single = depth_kernel[len(depth_kernel) // 2] * level_kernel[len(level_kernel) // 2]
    background = _BACKGROUND_PEAKS * single
    slope[:] = 0.0
    information[:] = 0.0
    for t in range(len(offsets) - 1):
        first, last = offsets[t], offsets[t + 1]
        for i in range(first, last):
            _add(own, depth_um[i] - displacement_um[i], level[i], depth_kernel, level_kernel, low_um, bin_um, 1.0)
        for i in range(first, last):
            # The value of a bin of the table belongs to its centre.
            place = (depth_um[i] - displacement_um[i] - low_um) / bin_um - 0.5
            z = int(np.floor(place))
            if z < 1 or z + 2 >= n_depths:
                continue
            share = place - z
            here, other = density[level[i]], own[level[i]]
            a0, a1 = here[z - 1] - other[z - 1], here[z] - other[z]
            a2, a3 = here[z + 1] - other[z + 1], here[z + 2] - other[z + 2]
            value = max((1.0 - share) * a1 + share * a2, 0.0) + background
            rise = ((1.0 - share) * (a2 - a0) + share * (a3 - a1)) / (2.0 * bin_um)
            score = -rise / value
            b, beyond = bracket(knot_um, depth_um[i])
            slope[t, b] += (1.0 - beyond) * score
            information[t, b, 0] += (1.0 - beyond) ** 2 * score**2
            if beyond > 0.0:
                slope[t, b + 1] += beyond * score
                information[t, b + 1, 0] += beyond**2 * score**2
                information[t, b, 1] += beyond * (1.0 - beyond) * score**2
        for i in range(first, last):
            _add(own, depth_um[i] - displacement_um[i], level[i], depth_kernel, level_kernel, low_um, bin_um, 0.0)


@njit(cache=True, nogil=True)
def _add(
    table: NDArray[np.float32],
    depth_um: float,
    level: int,
    depth_kernel: NDArray[np.float64],
    level_kernel: NDArray[np.float64],
    low_um: float,
    bin_um: float,
    count: float,
) -> None:
    """Add one smoothed peak to a table; with no count, clear what it touches."""
    n_levels, n_depths = table.shape
    z = int(np.floor((depth_um - low_um) / bin_um))
    if not 0 <= z < n_depths:
        return
    reach, side = len(depth_kernel) // 2, len(level_kernel) // 2
    for k in range(max(0, level - side), min(n_levels, level + side + 1)):
        weight = level_kernel[k - level + side]
        for j in range(max(0, z - reach), min(n_depths, z + reach + 1)):
            if count == 0.0:
                table[k, j] = 0.0
            else:
                table[k, j] += np.float32(weight * depth_kernel[j - z + reach])
