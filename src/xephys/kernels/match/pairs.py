"""Two spikes at once: where two spikes overlap, the template that best explains their sum alone may be neither of them.

Greedy picks weigh one spike at a time. If two spikes nearly coincide, the first one taken may be a third unit that
resembles their sum, or the larger of the two with an inflated amplitude. The residual then resembles neither spike, and
no later pick corrects that. Therefore, when a spike is put back, pairs are also weighed in its place. With scores
``b``, energies ``e`` and overlap ``o``, two amplitudes ``s`` lower the squared residual by ``2 sᵀb - sᵀ[[e₁, o], [o,
e₂]]s``, which is largest where that matrix times ``s`` equals ``b`` (the prior of the amplitudes is added as for one
spike). If a pair gains more than the best single spike, by the amount that any further spike has to gain, its larger
spike is taken, with the amplitude it has beside the other one; the other one is then the best pick. What templates
leave unexplained has been measured where pairs are weighed, so nothing more is doubted because the two are alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import full, zeros
from xephys.kernels.lib.inner import INNER, helper, inner, kernel
from xephys.kernels.match.limits import Limits, Pairs

__all__ = ["Stretch", "amplitude_and_gain", "larger_of_pair", "larger_of_pairs", "sub_sample_peak"]

#: The larger of two spikes is sought within this distance of its position alone.
DISPLACED_SAMPLES = 2
#: Each template of a pair is allowed the same residual as the single template that the pair would replace.
PAIR = 2.0
#: Share of a spike that must not look like the other of a pair: if the two are more alike, their amplitudes cannot be
#: separated.
DISTINCT = 0.05
#: Share of the best single spike's gain that a pair must reach with its larger spike at that one's peak alone; only
#: then is the larger spike displaced, which costs more.
NEARLY = 0.95


class Stretch(NamedTuple):
    """Scores of some units around a spike that was put back."""

    scores: NDArray[np.float32]  # (row, sample)
    rows: NDArray[np.int64]  # row of each candidate
    units: NDArray[np.int32]  # unit of each candidate, ascending
    start: int  # first sample at which candidates may be; the scores reach one farther
    stop: int
    doubt: NDArray[np.float64]  # (candidate, stop - start): gain to be doubted, infinite where a unit may not fire


@inner
def amplitude_and_gain(energy: float, limits: Limits, score: float) -> tuple[float, float]:
    """Most likely amplitude within its limits, and the gain with it."""
    precision = limits.amplitude_precision * limits.noise_gain
    total = energy + precision
    amplitude = min(max((score + precision) / total, limits.amplitude_min), limits.amplitude_max)
    gain = 2.0 * amplitude * (score + precision) - amplitude * amplitude * total - precision
    return amplitude, gain / limits.noise_gain


@inner
def sub_sample_peak(scores: NDArray[np.float32], sample: int, n_shifts: int) -> tuple[float, int]:
    """Height of the parabola through three scores, and the tabulated shift nearest to its top."""
    score = np.float64(scores[sample])
    shift = n_shifts // 2
    if n_shifts > 1 and 0 < sample < scores.size - 1:
        left, right = np.float64(scores[sample - 1]), np.float64(scores[sample + 1])
        curvature = left - 2.0 * score + right
        if curvature < 0:
            offset = min(max(0.5 * (left - right) / curvature, -0.5), 0.5)
            score -= 0.25 * (left - right) * offset
            shift += round(offset * (n_shifts - 1))
    return score, shift


@inner
def _shifted_score(scores: NDArray[np.float32], sample: int, shift: int, n_shifts: int) -> float:
    """Height of that parabola at a shift."""
    left, score, right = np.float64(scores[sample - 1]), np.float64(scores[sample]), np.float64(scores[sample + 1])
    offset = (shift - n_shifts // 2) / max(n_shifts - 1, 1)
    return score + 0.5 * (right - left) * offset + 0.5 * (left - 2.0 * score + right) * offset * offset


@njit(**INNER, fastmath={"contract"})
def _best_second(
    stretch: Stretch,
    energies: NDArray[np.float64],
    pairs: Pairs,
    limits: Limits,
    k: int,
    sample: int,
    shift: int,
    best: float,
) -> tuple[float, float]:
    """Gain of candidate `k` with the best second spike, and the first one's amplitude; `best` if it is not exceeded."""
    precision = limits.amplitude_precision * limits.noise_gain
    reach, n_shifts = pairs.overlaps.shape[2] // 2, pairs.overlaps.shape[1]
    units, start, scores, overlaps = stretch.units, stretch.start, stretch.scores, pairs.overlaps
    score = _shifted_score(stretch.scores[stretch.rows[k]], sample, shift, n_shifts) + precision
    total = energies[units[k]] + precision
    best_amplitude = 0.0
    pair, last = pairs.starts[units[k]], pairs.starts[units[k] + 1]
    for m in range(units.size):
        while pair < last and pairs.units[pair] < units[m]:
            pair += 1
        if pair == last:
            break
        if pairs.units[pair] != units[m] or energies[units[m]] <= 0:
            continue
        other_total, least = energies[units[m]] + precision, best * limits.noise_gain + 2.0 * precision
        low, high = max(start, sample - reach), min(stretch.stop, sample + reach + 1)
        row, first, lag = stretch.rows[m], np.uintp(low), np.uintp(low - sample + reach)
        # Most would be too small in any case, or gain too little, and a loop that only counts the others is vectorized.
        # Unsigned positions need no check for negative ones; a view for each pair would count references atomically.
        n_large = 0
        for i in range(np.uintp(high - low)):
            overlap32, height = overlaps[pair, shift, lag + i], scores[row, first + i] + precision
            left = height * total - score * overlap32
            most = score * (score * other_total - 2.0 * height * overlap32) + height * height * total
            separate = total * other_total - overlap32 * overlap32
            n_large += (left >= limits.amplitude_min * separate) & (most > least * separate)
        if n_large == 0:
            continue
        for t in range(low, high):
            distance = abs(t - sample)
            if m == k and distance <= limits.refractory_samples:
                continue
            other = np.float64(scores[row, t]) + precision
            overlap = np.float64(overlaps[pair, shift, t - sample + reach])
            determinant = total * other_total - overlap * overlap
            # Others would gain too little with any amplitudes; this is known without a division.
            numerator = other * total - score * overlap
            if numerator < limits.amplitude_min * determinant or determinant <= DISTINCT * total * other_total:
                continue
            most = score * score * other_total - 2.0 * score * other * overlap + other * other * total
            if most <= (best * limits.noise_gain + 2.0 * precision) * determinant:
                continue
            amplitude = (score * other_total - other * overlap) / determinant
            second = numerator / determinant
            lower, upper = min(amplitude, second), max(amplitude, second)
            if lower < limits.amplitude_min or upper > limits.amplitude_max:
                continue
            # The smaller of the two comes second: both orders gain the same, and rounding must not decide.
            if second * second * energies[units[m]] > amplitude * amplitude * energies[units[k]]:
                continue
            gain = amplitude * score + second * other - 2.0 * precision
            gain = gain / limits.noise_gain - stretch.doubt[k, sample - start] - stretch.doubt[m, t - start]
            if gain > best:
                best, best_amplitude = gain, amplitude
    return best, best_amplitude


@helper
def larger_of_pair(
    stretch: Stretch,
    energies: NDArray[np.float64],
    minimum: NDArray[np.float32],
    pairs: Pairs,
    limits: Limits,
    any_will_do: bool,
) -> tuple[int, int, int, float, float]:
    """The larger of two spikes that explain a stretch better than any single one does.

    Parameters
    ----------
    stretch : Stretch
    energies, minimum, pairs, limits
        As for `pursue`.
    any_will_do : bool
        Return the first pair that does, instead of the best one, if only to know whether there is any.

    Returns
    -------
    unit, sample, shift, amplitude, gain
        The unit is -1 if one spike explains it equally well.
    """
    n_shifts, start, scores = pairs.overlaps.shape[1], stretch.start, stretch.scores
    single, left = -np.inf, 0.0
    gains = full((stretch.units.size, max(stretch.stop - start, 0)), -np.inf)
    highest = full(stretch.units.size, -np.inf)
    for k in range(stretch.units.size):
        unit, row, origin = stretch.units[k], stretch.rows[k], np.uintp(start)
        least, n_above = minimum[unit], 0
        for i in range(np.uintp(max(stretch.stop - start, 0))):  # vectorized, and most units have no candidate
            n_above += scores[row, origin + i] >= least
        if n_above == 0:
            continue
        for t in range(start, stretch.stop):
            here = scores[row, t]
            if here >= least and here >= scores[row, t - 1] and here >= scores[row, t + 1]:
                top, _ = sub_sample_peak(scores[row], t, n_shifts)
                amplitude, gain = amplitude_and_gain(energies[unit], limits, top)
                gains[k, t - start] = gain - stretch.doubt[k, t - start]
                highest[k] = max(highest[k], gains[k, t - start])
                if gains[k, t - start] > single:
                    single = gains[k, t - start]
                    left = PAIR * pairs.unexplained[unit] * amplitude * amplitude * energies[unit] / limits.noise_gain
    found, found_sample, found_shift, found_amplitude, found_gain = -1, 0, 0, 0.0, 0.0
    best = single + left + limits.match_threshold**2
    for k in range(stretch.units.size):
        unit, row = stretch.units[k], stretch.rows[k]
        if highest[k] == -np.inf or 2.0 * highest[k] < single:
            continue
        for peak in range(start, stretch.stop):
            # Unless they cancel each other, the larger of two gains at least half alone.
            if gains[k, peak - start] == -np.inf or 2.0 * gains[k, peak - start] < single:
                continue
            middle, nearly = n_shifts // 2, NEARLY * single
            gain, _ = _best_second(stretch, energies, pairs, limits, k, peak, middle, nearly)
            if gain <= nearly:
                continue
            gain = single + left
            for t in range(peak - DISPLACED_SAMPLES, peak + DISPLACED_SAMPLES + 1, DISPLACED_SAMPLES):
                if start <= t < stretch.stop:
                    gain, _ = _best_second(stretch, energies, pairs, limits, k, t, middle, gain)
            if gain <= single + left:
                continue
            for t in range(max(start, peak - DISPLACED_SAMPLES), min(stretch.stop, peak + DISPLACED_SAMPLES + 1)):
                for shift in range(max(n_shifts - 1, 1)):
                    gain, amplitude = _best_second(stretch, energies, pairs, limits, k, t, shift, best)
                    if gain > best:
                        best, found, found_sample, found_shift, found_amplitude = gain, unit, t, shift, amplitude
                        precision = limits.amplitude_precision * limits.noise_gain
                        score = _shifted_score(scores[row], t, shift, n_shifts) + precision
                        found_gain = 2.0 * amplitude * score - amplitude * amplitude * (energies[unit] + precision)
                        found_gain = (found_gain - precision) / limits.noise_gain
                if any_will_do and found >= 0:
                    return found, found_sample, found_shift, found_amplitude, found_gain
    return found, found_sample, found_shift, found_amplitude, found_gain


@kernel
def larger_of_pairs(
    scores: NDArray[np.float32],
    doubt: NDArray[np.float64],
    units: NDArray[np.int64],
    first_samples: NDArray[np.int64],
    n_samples: int,
    energies: NDArray[np.float64],
    minimum: NDArray[np.float32],
    pairs: Pairs,
    limits: Limits,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """`larger_of_pair` in place of many spikes, given the scores around each.

    Parameters
    ----------
    scores : float32 array of shape (spike, candidate, sample)
        Of the units that share a channel with the spike's, in order; what follows them is ignored.
    doubt : float64 array of shape (spike, candidate, sample)
    units : int64 array of shape (spike,)
        Unit of each spike.
    first_samples : int64 array of shape (spike,)
        Position of the scores in the tile; those before its second or after its last but one sample are left out.
    n_samples : int
        Number of samples in the tile.
    energies, minimum, pairs, limits
        As for `pursue`.

    Returns
    -------
    int64 array of shape (spike, 3)
        Unit (-1 for none), position in the tile, index of the sub-sample shift.
    float64 array of shape (spike, 2)
        Amplitude and gain.
    """
    spikes, values = full((units.size, 3), -1, np.int64), zeros((units.size, 2))
    for spike in range(units.size):
        partners = pairs.units[pairs.starts[units[spike]] : pairs.starts[units[spike] + 1]]
        first = first_samples[spike]
        start, stop = max(1, 1 - first), min(scores.shape[2] - 1, n_samples - 1 - first)
        stretch = Stretch(
            scores[spike], np.arange(partners.size), partners, start, stop, doubt[spike][:, start : max(stop, start)]
        )
        unit, sample, shift, amplitude, gain = larger_of_pair(stretch, energies, minimum, pairs, limits, False)
        if unit >= 0:
            spikes[spike, 0], spikes[spike, 1], spikes[spike, 2] = unit, sample + first, shift
            values[spike, 0], values[spike, 1] = amplitude, gain
    return spikes, values
