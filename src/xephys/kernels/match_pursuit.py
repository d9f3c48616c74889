"""Greedy matching pursuit on template scores: the spike that explains most is taken first, over and over.

A spike of unit ``u`` with amplitude ``s`` lowers the squared residual by ``2 s b - s² e`` (``b`` the score, ``e`` the
template's energy). With a Gaussian prior on the amplitude, mean 1 and standard deviation σ, in whitened traces of unit
noise, the gain in twice the log posterior is ``2 s b - s² e - (s - 1)² / σ²``, greatest at
``s = (b + 1/σ²) / (e + 1/σ²)`` (the form used by DARTsort and by Wobble; Lee et al. 2020, YASS).

Only the best candidate of each (unit, block of samples) is kept. A pick changes scores only for units that share a
channel and within one template length, so only those blocks are looked at again: picks far apart do not see each other,
and taking them one after another costs the same as taking them at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SEARCH_SAMPLES = 32

__all__ = ["minimum_scores", "pursue"]


def minimum_scores(
    energies: NDArray[np.float64],
    *,
    threshold: float,
    amplitude_precision: float,
    amplitude_min: float,
    amplitude_max: float,
) -> NDArray[np.float32]:
    """Smallest score at which a template's gain reaches ``threshold²`` with an amplitude within its limits.

    Parameters
    ----------
    energies : float64 array of shape (unit,)
    threshold : float
        In standard deviations of the (white, unit) noise.
    amplitude_precision : float
        ``1 / σ²`` of the amplitude prior.
    amplitude_min, amplitude_max : float

    Returns
    -------
    float32 array of shape (unit,)
        Infinite for empty templates, which can't match.

    Examples
    --------
    >>> import numpy as np
    >>> minimum_scores(np.array([100.0, 0.0]), threshold=5.0, amplitude_precision=0.0, amplitude_min=0.1,
    ...                amplitude_max=9.0)
    array([50., inf], dtype=float32)
    """
    total = energies + amplitude_precision
    gain = threshold**2 + amplitude_precision
    free = np.sqrt(gain * total)
    capped = (gain / amplitude_max + amplitude_max * total) / 2
    scores = np.where(free > amplitude_max * total, capped, free)
    scores = np.maximum(scores, amplitude_min * total) - amplitude_precision
    return np.where(energies > 0, scores, np.inf).astype(np.float32)


@njit(nogil=True, cache=True)
def _amplitude_and_gain(
    score: float, energy: float, precision: float, amplitude_min: float, amplitude_max: float
) -> tuple[float, float]:
    amplitude = (score + precision) / (energy + precision)
    amplitude = min(max(amplitude, amplitude_min), amplitude_max)
    gain = 2.0 * amplitude * (score + precision) - amplitude * amplitude * (energy + precision) - precision
    return amplitude, gain


@njit(nogil=True, cache=True)
def _suspicion(
    unit: int,
    sample: int,
    block: int,
    first_in_block: NDArray[np.int64],
    next_in_block: NDArray[np.int64],
    picked: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    energies: NDArray[np.float64],
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_peaks: NDArray[np.float64],
    guard_samples: int,
) -> float:
    """Energy of spikes already taken at about this time that this unit's template resembles."""
    reach = guard_samples // SEARCH_SAMPLES + 1
    energy = 0.0
    for b in range(max(block - reach, 0), min(block + reach + 1, first_in_block.size)):
        event = first_in_block[b]
        while event >= 0:
            if abs(picked[event, 1] - sample) <= guard_samples:
                other = picked[event, 0]
                for pair in range(pair_starts[other], pair_starts[other + 1]):
                    if pair_units[pair] == unit:
                        energy += amplitudes[event] ** 2 * pair_peaks[pair]
            event = next_in_block[event]
    return energy


@njit(nogil=True, cache=True)
def pursue(
    scores: NDArray[np.float32],
    energies: NDArray[np.float64],
    minimum: NDArray[np.float32],
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_overlaps: NDArray[np.float32],
    threshold: float,
    precision: float,
    amplitude_min: float,
    amplitude_max: float,
    refractory_samples: int,
    mismatch: float,
    guard_samples: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take spikes from `scores` (changed in place) until none gains `threshold`².

    Returns the picks in the order they were taken: int64 (pick, 3) with unit, sample, shift index; float64 (pick, 2)
    with amplitude and gain.
    """
    n_units, n_samples = scores.shape
    n_blocks = (n_samples + SEARCH_SAMPLES - 1) // SEARCH_SAMPLES
    n_shifts, n_lags = pair_overlaps.shape[1], pair_overlaps.shape[2]
    reach = n_lags // 2
    half_shifts = n_shifts // 2
    never = -np.inf
    pair_peaks = np.zeros(pair_units.size)
    for pair in range(pair_units.size):
        peak = np.abs(pair_overlaps[pair, half_shifts]).max()
        if energies[pair_units[pair]] > 0:
            pair_peaks[pair] = mismatch * peak * peak / energies[pair_units[pair]]

    picked = np.empty((1024, 3), np.int64)
    amplitudes = np.empty(1024)
    gains = np.empty(1024)
    n_picked = 0
    first_in_block = np.full(n_blocks, -1, np.int64)
    next_in_block = np.empty(1024, np.int64)

    unit_gain = np.full((n_blocks, n_units), never)
    unit_sample = np.zeros((n_blocks, n_units), np.int64)
    block_gain = np.full(n_blocks, never)
    block_unit = np.zeros(n_blocks, np.int64)

    # Blocks still to be searched: all at first, later those that a pick touched.
    search_from, search_to = 0, n_blocks
    last_unit = -1
    while True:
        n_search = n_units if last_unit < 0 else pair_starts[last_unit + 1] - pair_starts[last_unit]
        for index in range(n_search):
            unit = index if last_unit < 0 else pair_units[pair_starts[last_unit] + index]
            for block in range(search_from, search_to):
                start = block * SEARCH_SAMPLES
                stop = min(start + SEARCH_SAMPLES, n_samples)
                row = scores[unit, start:stop]
                n_above = 0
                for t in range(row.size):
                    n_above += row[t] >= minimum[unit]
                best, best_sample = never, 0
                if n_above:
                    for t in range(row.size):
                        if row[t] >= minimum[unit]:
                            _, gain = _amplitude_and_gain(
                                row[t], energies[unit], precision, amplitude_min, amplitude_max
                            )
                            if gain > best and n_picked > 0 and mismatch > 0:
                                gain -= _suspicion(
                                    unit, start + t, block, first_in_block, next_in_block, picked, amplitudes, energies,
                                    pair_starts, pair_units, pair_peaks, guard_samples,
                                )  # fmt: skip
                            if gain > best and gain >= threshold * threshold:
                                best, best_sample = gain, start + t
                unit_gain[block, unit] = best
                unit_sample[block, unit] = best_sample
        for block in range(search_from, search_to):
            best, best_unit = never, 0
            for unit in range(n_units):
                if unit_gain[block, unit] > best:
                    best, best_unit = unit_gain[block, unit], unit
            block_gain[block], block_unit[block] = best, best_unit

        block, best = 0, never
        for b in range(n_blocks):
            if block_gain[b] > best:
                block, best = b, block_gain[b]
        if best == never:
            break
        unit = block_unit[block]
        sample = unit_sample[block, unit]

        score = np.float64(scores[unit, sample])
        shift = half_shifts
        if half_shifts and 0 < sample < n_samples - 1:
            left, right = scores[unit, sample - 1], scores[unit, sample + 1]
            curvature = left - 2.0 * score + right
            if np.isfinite(curvature) and curvature < 0:
                offset = min(max(0.5 * (left - right) / curvature, -0.5), 0.5)
                score -= 0.25 * (left - right) * offset
                shift = half_shifts + int(np.rint(offset * (n_shifts - 1)))
        amplitude, gain = _amplitude_and_gain(score, energies[unit], precision, amplitude_min, amplitude_max)

        if n_picked == amplitudes.size:
            picked = np.concatenate((picked, np.empty_like(picked)))
            amplitudes = np.concatenate((amplitudes, np.empty_like(amplitudes)))
            gains = np.concatenate((gains, np.empty_like(gains)))
            next_in_block = np.concatenate((next_in_block, np.empty_like(next_in_block)))
        picked[n_picked, 0], picked[n_picked, 1], picked[n_picked, 2] = unit, sample, shift
        amplitudes[n_picked], gains[n_picked] = amplitude, gain
        next_in_block[n_picked] = first_in_block[block]
        first_in_block[block] = n_picked
        n_picked += 1

        low, high = max(sample - reach, 0), min(sample + reach + 1, n_samples)
        for pair in range(pair_starts[unit], pair_starts[unit + 1]):
            row = scores[pair_units[pair], low:high]
            change = pair_overlaps[pair, shift, low - sample + reach : high - sample + reach]
            scale = np.float32(amplitude)
            for t in range(row.size):
                row[t] -= scale * change[t]
        scores[unit, max(sample - refractory_samples, 0) : sample + refractory_samples + 1] = never
        search_from, search_to = low // SEARCH_SAMPLES, (high - 1) // SEARCH_SAMPLES + 1
        last_unit = unit

    values = np.empty((n_picked, 2))
    values[:, 0], values[:, 1] = amplitudes[:n_picked], gains[:n_picked]
    return picked[:n_picked].copy(), values
