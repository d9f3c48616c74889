"""How a density of peaks over registered depth and amplitude pulls the peaks of each time bin.

The density is a smoothed table of counts by depth and level of amplitude. A peak seen at ``y`` while the tissue is
displaced by ``d`` belongs at ``y - d``. There, the slope of the logarithm of the density tells in which direction the
displacement should be corrected, and its square how much the peak knows about it. A bin's own peaks are removed from
the density with which they are compared; otherwise each bin would be drawn to where it already is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import full, zeros
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.motion.interpolate import bracket

#: Density that is added everywhere, in single peaks: evidence from fewer peaks than this is not trusted.
_BACKGROUND_PEAKS = 3.0
#: Where more peaks than this are close together, each gets less weight: a unit that fires often is localized no less
#: wrongly than others, and must not outvote them.
_CROWD_PEAKS = 5.0
#: Squared slopes per µm² below this are rounding errors.
_NOTHING = 1e-8


@kernel
def registered_counts(
    depth_um: NDArray[np.float64],
    level: NDArray[np.integer],
    displacement_um: NDArray[np.float64],
    weight: NDArray[np.float32],
    low_um: float,
    bin_um: float,
    n_depths: int,
    n_levels: int,
) -> NDArray[np.float32]:
    """Sum of the weights of peaks by registered depth and level, ``(level, depth)``.

    Peaks beyond the ends are ignored.
    """
    counts = zeros((n_levels, n_depths), np.float32)
    for i in range(len(depth_um)):
        z = int(np.floor((depth_um[i] - displacement_um[i] - low_um) / bin_um))
        if 0 <= z < n_depths:
            counts[level[i], z] += weight[i]
    return counts


@kernel
def moving_shares(
    depth_um: NDArray[np.float64],
    level: NDArray[np.integer],
    displacement_um: NDArray[np.float64],
    density: NDArray[np.float32],
    resting: NDArray[np.float32],
    background: float,
    low_um: float,
    bin_um: float,
) -> NDArray[np.float32]:
    """Probability of each peak to move with the tissue instead of resting with the contacts.

    Parameters
    ----------
    depth_um, level, displacement_um
        Depth seen, level of amplitude and displacement of each peak.
    density, resting
        ``(level, depth)``: densities of moving peaks over registered depth, and of resting ones over the depth seen.
    background
        Added to both.
    low_um, bin_um
        Lower end of the depths, and width of a bin.
    """
    n_depths = density.shape[1]
    share = full(len(depth_um), 0.5, np.float32)
    for i in range(len(depth_um)):
        z = int(np.floor((depth_um[i] - displacement_um[i] - low_um) / bin_um))
        seen = int(np.floor((depth_um[i] - low_um) / bin_um))
        if 0 <= z < n_depths and 0 <= seen < n_depths:
            moves, rests = density[level[i], z] + background, resting[level[i], seen] + background
            share[i] = moves / (moves + rests)
    return share


@kernel
def pulls(
    offsets: NDArray[np.int64],
    depth_um: NDArray[np.float64],
    level: NDArray[np.integer],
    displacement_um: NDArray[np.float64],
    share: NDArray[np.float32],
    knot_um: NDArray[np.float64],
    density: NDArray[np.float32],
    resting: NDArray[np.float32],
    depth_kernel: NDArray[np.float64],
    level_kernel: NDArray[np.float64],
    low_um: float,
    bin_um: float,
    slope: NDArray[np.float64],
    information: NDArray[np.float64],
) -> None:
    """Slope of the log likelihood of each bin at its displacement, and its information, per knot.

    Parameters
    ----------
    offsets
        First peak of each bin, ``(time + 1,)``.
    depth_um, level, displacement_um, share
        Depth seen, level of amplitude, current displacement, and probability to move with the tissue, for each peak.
    knot_um
        Depths at which displacement is estimated; it is linear in between.
    density, resting
        ``(level, depth)``: densities of moving peaks over registered depth, including the bins' own peaks, and of
        resting ones over the depth seen.
    depth_kernel, level_kernel
        Kernels with which they were smoothed.
    low_um, bin_um
        Lower end of the depths, and width of a bin.
    slope, information
        Output, zeros before: ``(time, knot)``, and ``(time, knot, 2)``, of each knot and shared with the next one.
    """
    n_levels, n_depths = density.shape
    own = zeros((n_levels, n_depths), np.float32)
    single = depth_kernel[len(depth_kernel) // 2] * level_kernel[len(level_kernel) // 2]
    nothing = np.float32(0.0)
    background, crowd = _BACKGROUND_PEAKS * single, _CROWD_PEAKS * single
    curvature, squared = zeros((len(knot_um), 2)), zeros(len(knot_um))
    for t in range(len(offsets) - 1):
        first, last = offsets[t], offsets[t + 1]
        for i in range(first, last):
            _add(own, depth_um[i] - displacement_um[i], level[i], depth_kernel, level_kernel, low_um, bin_um, share[i])
        for i in range(first, last):
            # The value of a bin of the table belongs to its center.
            place = (depth_um[i] - displacement_um[i] - low_um) / bin_um - 0.5
            z = int(np.floor(place))
            seen = int(np.floor((depth_um[i] - low_um) / bin_um))
            if z < 1 or z + 2 >= n_depths or not 0 <= seen < n_depths:
                continue
            beside = place - z
            here, other = density[level[i]], own[level[i]]
            a0, a1 = here[z - 1] - other[z - 1], here[z] - other[z]
            a2, a3 = here[z + 1] - other[z + 1], here[z + 2] - other[z + 2]
            value = max((1.0 - beside) * a1 + beside * a2, 0.0) + resting[level[i], seen] + background
            rise = ((1.0 - beside) * (a2 - a0) + beside * (a3 - a1)) / (2.0 * bin_um)
            bend = ((1.0 - beside) * (a0 - 2.0 * a1 + a2) + beside * (a1 - 2.0 * a2 + a3)) / bin_um**2
            score = -rise / value
            weight = 1.0 / (1.0 + value / crowd)
            known = weight * score**2
            b, beyond = bracket(knot_um, depth_um[i])
            for knot, part in ((b, 1.0 - beyond), (b + 1, beyond)):
                if part > 0.0:
                    slope[t, knot] += part * weight * score
                    information[t, knot, 0] += part**2 * known
                    curvature[knot, 0] += part * known
                    # The weight falls where the density rises, which makes the pull vary even more.
                    curvature[knot, 1] += part * weight * (bend / value - (1.0 - weight) * score**2)
                    squared[knot] += part * weight * known
            if beyond > 0.0:
                information[t, b, 1] += beyond * (1.0 - beyond) * known
        for i in range(first, last):
            _add(own, depth_um[i] - displacement_um[i], level[i], depth_kernel, level_kernel, low_um, bin_um, nothing)
    _as_precision(slope, information, curvature, squared)


@helper
def _as_precision(
    slope: NDArray[np.float64],
    information: NDArray[np.float64],
    curvature: NDArray[np.float64],
    squared: NDArray[np.float64],
) -> None:
    """Scale the evidence from the peaks of each knot to its true weight.

    The squared slopes of a density without structure are those of its counting noise, so that peaks without information
    would seem to have some. There the mean curvature of the logarithm is zero; where the density is right, it equals
    the mean squared slope. The precision of a weighted sum of slopes is the square of its curvature over its variance.
    """
    n_knots = len(squared)
    for_slope, for_information = zeros(n_knots), zeros(n_knots)
    for b in range(n_knots):
        real = curvature[b, 0] - curvature[b, 1]
        if real > 0.0 and squared[b] > _NOTHING:
            for_slope[b] = real / squared[b]
            for_information[b] = real**2 / (squared[b] * curvature[b, 0])
    for t in range(len(slope)):
        for b in range(n_knots):
            slope[t, b] *= for_slope[b]
            information[t, b, 0] *= for_information[b]
            if b + 1 < n_knots:
                information[t, b, 1] *= np.sqrt(for_information[b] * for_information[b + 1])


@helper
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
    """Add one smoothed peak to a table; with a count of zero, clear the cells it touches."""
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
