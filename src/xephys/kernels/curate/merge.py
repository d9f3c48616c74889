"""Decide which templates are one unit: first by similar waveforms, then by their spike trains.

Waveforms propose, trains decide. Two trains of one neuron never fire together within its refractory period; two neurons
with similar waveforms do, about as often as chance predicts. A template that reports the spikes of another a second
time fires with it at a fixed lag.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import pdtr

from xephys.kernels.lib.arrays import full, zeros
from xephys.kernels.lib.inner import KERNEL
from xephys.kernels.metrics.spike_trains import are_two_neurons, coincidences, correlogram_counts

CANDIDATE = np.dtype(
    [
        ("first", np.int32),
        ("second", np.int32),
        ("similarity", np.float64),
        ("lag", np.int32),
        ("scale", np.float64),
    ]
)
"""A pair of similar templates: ``second``, shifted ``lag`` samples earlier, resembles ``first`` times ``scale``.

A feature that comes ``lag`` samples later in the waveform is found ``lag`` samples earlier: for the same spike, the
second template reports a time that is smaller by ``lag``.
"""

#: At least this share of a template's energy is the neuron's, however much of it noise is expected to be.
ENERGY_LEFT_MIN = 0.25

#: Two trains avoid each other significantly if the probability of so few coincidences by chance is below this.
APART_SIGNIFICANCE = 0.02

DECISION = np.dtype(
    [
        *[(name, CANDIDATE[name]) for name in ("first", "second", "similarity", "lag", "scale")],
        ("observed", np.int64),
        ("expected", np.float64),
        ("action", "U8"),
        ("reason", "U60"),
    ]
)
"""A candidate with the evidence from the trains, the decision (merge, drop, keep) and the reason."""


@njit(**KERNEL, error_model="numpy")
def _similarities(
    waveforms: NDArray[np.float32],
    channels: NDArray[np.int32],
    noise_energy: NDArray[np.float64],
    n_channels: int,
    lag_samples_max: int,
    similarity_min: float,
    pairs: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Number of similar pairs; those that ``pairs`` and ``figures`` have room for are written there."""
    n_units, n_samples, n_slots = waveforms.shape
    energy = zeros(n_units)
    norms = zeros((n_units, n_slots))
    for unit in range(n_units):
        for slot in range(n_slots):
            if channels[unit, slot] >= 0:
                for t in range(n_samples):
                    energy[unit] += waveforms[unit, t, slot] ** 2
                    norms[unit, slot] += waveforms[unit, t, slot] ** 2
            norms[unit, slot] = np.sqrt(norms[unit, slot])
        energy[unit] = max(energy[unit] - noise_energy[unit], ENERGY_LEFT_MIN * energy[unit])
    slot_of = full(n_channels, -1, np.int64)
    dots = zeros(2 * lag_samples_max + 1)
    n_pairs = 0
    for a in range(n_units):
        for slot in range(n_slots):
            if channels[a, slot] >= 0:
                slot_of[channels[a, slot]] = slot
        for b in range(a + 1, n_units):
            most = 0.0
            for slot in range(n_slots):
                channel = channels[b, slot]
                if channel >= 0 and slot_of[channel] >= 0:
                    most += norms[a, slot_of[channel]] * norms[b, slot]
            # No lag can make them more similar than this, which rules out nearly all pairs.
            if most == 0.0 or most < (1.0 - 1e-9) * similarity_min * np.sqrt(energy[a] * energy[b]):
                continue
            for k in range(dots.size):
                dots[k] = 0.0
            for slot in range(n_slots):
                channel = channels[b, slot]
                if channel < 0 or slot_of[channel] < 0:
                    continue
                other = slot_of[channel]
                for k in range(2 * lag_samples_max + 1):
                    lag = k - lag_samples_max
                    total = 0.0
                    for t in range(max(0, -lag), min(n_samples, n_samples - lag)):
                        total += waveforms[a, t, other] * waveforms[b, t + lag, slot]
                    dots[k] += total
            best = 0
            for k in range(1, dots.size):
                if dots[k] > dots[best]:
                    best = k
            similarity = min(dots[best] / np.sqrt(energy[a] * energy[b]), 1.0)
            if similarity >= similarity_min:
                if n_pairs < len(pairs):
                    pairs[n_pairs, 0], pairs[n_pairs, 1], pairs[n_pairs, 2] = a, b, best - lag_samples_max
                    figures[n_pairs, 0], figures[n_pairs, 1] = similarity, np.sqrt(energy[b] / energy[a])
                n_pairs += 1
        for slot in range(n_slots):
            if channels[a, slot] >= 0:
                slot_of[channels[a, slot]] = -1
    return n_pairs


def merge_candidates(
    waveforms: NDArray[np.float32],
    channels: NDArray[np.int32],
    *,
    lag_samples_max: int = 30,
    similarity_min: float = 0.7,
    noise_energy: NDArray[np.float64] | None = None,
) -> NDArray[np.void]:
    """Pairs of templates with similar waveforms at some lag.

    Parameters
    ----------
    waveforms : (n_units, n_samples, n_slots) float32
    channels : (n_units, n_slots) int32
        Channel of each slot, −1 where empty. A template is 0 on channels that it does not have.
    lag_samples_max : int
        Maximum shift of one against the other.
    similarity_min : float
        Minimum cosine at the best lag.
    noise_energy : (n_units,) float64, optional
        What noise adds to the energy of each template, and not to its inner products with others; see
        `kernels.templates.similarity.energy_of_noise`. Cosine and scale are those of the templates without it.

    Returns
    -------
    candidates : structured array of dtype `CANDIDATE`
        Most similar first.

    Examples
    --------
    >>> import numpy as np
    >>> waveforms = np.zeros((2, 9, 1), np.float32)
    >>> waveforms[0, 3, 0], waveforms[1, 5, 0] = 4, 2
    >>> merge_candidates(waveforms, np.array([[7], [7]], np.int32), lag_samples_max=3)[["lag", "scale"]].tolist()
    [(2, 0.5)]
    """
    if waveforms.ndim != 3 or channels.shape != (waveforms.shape[0], waveforms.shape[2]):
        raise ValueError(
            f"waveforms have shape {waveforms.shape} and channels {channels.shape}: "
            "they must be (units, samples, slots) and (units, slots)."
        )
    n_channels = int(channels.max(initial=-1)) + 1
    noise = np.zeros(len(waveforms)) if noise_energy is None else np.ascontiguousarray(noise_energy, np.float64)
    given = (
        np.ascontiguousarray(waveforms, np.float32), np.ascontiguousarray(channels, np.int32), noise, n_channels,
        min(lag_samples_max, max(waveforms.shape[1] - 1, 0)), similarity_min,
    )  # fmt: skip
    n_pairs, room = 0, 16 * len(waveforms)
    while True:  # at most twice: the first time tells how much room is needed
        pairs, figures = np.empty((room, 3), np.int64), np.empty((room, 2))
        n_pairs = _similarities(*given, pairs, figures)
        if n_pairs <= room:
            break
        room = n_pairs
    pairs, figures = pairs[:n_pairs], figures[:n_pairs]
    candidates = np.zeros(n_pairs, CANDIDATE)
    for column, name in enumerate(("first", "second", "lag")):
        candidates[name] = pairs[:, column]
    candidates["similarity"], candidates["scale"] = figures[:, 0], figures[:, 1]
    return candidates[np.lexsort((candidates["second"], candidates["first"], -candidates["similarity"]))]


def repeated_fraction(
    first: NDArray[np.int64], second: NDArray[np.int64], *, lag: int, tolerance_samples: int, duration_samples: int
) -> float:
    """Fraction of the smaller train's spikes, beyond chance, that repeat one of the other at a fixed lag.

    Parameters
    ----------
    first, second : (n,), (m,) int64
        Sorted sample indices.
    lag : int
        Expected ``second − first``.
    tolerance_samples : int
        Maximum deviation of a pair from that lag.
    duration_samples : int

    Returns
    -------
    fraction : float
        May be slightly negative by chance. 0 if a train is empty.

    Examples
    --------
    >>> import numpy as np
    >>> first = np.arange(0, 10_000, 100)
    >>> round(repeated_fraction(first, first + 4, lag=5, tolerance_samples=2, duration_samples=10**6), 2)
    1.0
    """
    smaller = min(len(first), len(second))
    if smaller == 0:
        return 0.0
    reach = tolerance_samples + 1
    counts = correlogram_counts(first, second - lag, bin_samples=1, lag_samples_max=reach)
    chance = len(first) * len(second) * (2 * tolerance_samples + 1) / max(duration_samples, 1)
    return float((counts[1:].sum() - chance) / smaller)


def decide_merges(
    candidates: NDArray[np.void],
    trains: Sequence[NDArray[np.int64]],
    *,
    duration_samples: int,
    refractory_samples: int,
    dead_samples: int,
    same_shape: float = 0.97,
    similar_shape: float = 0.85,
    scale_min: float = 0.5,
    repeated_max: float = 0.5,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.void]]:
    """Merge, drop or keep similar templates, as their spike trains decide.

    In order of similarity:

    - if spikes of one repeat those of the other at the lag of the waveforms, the one with fewer spikes is dropped;
    - if the trains coincide within the refractory period as often as those of two neurons, they are kept apart;
    - if the shapes are similar, they are merged provided that the trains avoid each other within the refractory period:
      significantly (2 %) at the minimum cosine, and less strictly the more alike the shapes are;
    - if the shapes are nearly the same, they are merged without such evidence.

    Parameters
    ----------
    candidates : structured array of dtype `CANDIDATE`
    trains : list of (n,) int64
        Sorted sample indices of each unit.
    duration_samples : int
        Length of the recording.
    refractory_samples, dead_samples : int
        See `quality.coincidences`.
    same_shape, similar_shape : float
        Cosine above which trains need not avoid each other, and minimum cosine of units that are merged.
    scale_min : float
        Units with a smaller ratio of sizes are not merged.
    repeated_max : float
        Minimum fraction of repeated spikes that makes the smaller unit a copy.

    Returns
    -------
    target : (n_units,) int32
        Unit to which each unit goes: itself, another, or −1 (dropped).
    shift : (n_units,) int64
        Samples to add to the spikes of a merged unit.
    decisions : structured array of dtype `DECISION`

    Examples
    --------
    >>> import numpy as np
    >>> candidates = np.array([(0, 1, 0.99, 2, 1.0)], CANDIDATE)
    >>> trains = [np.arange(0, 90_000, 600), np.arange(300, 90_000, 600)]
    >>> target, shift, why = decide_merges(
    ...     candidates, trains, duration_samples=90_000, refractory_samples=60, dead_samples=9)
    >>> target.tolist(), shift.tolist(), why["reason"].tolist()
    ([0, 0], [0, 2], ['same shape'])
    """
    target = np.arange(len(trains), dtype=np.int32)
    shift = np.zeros(len(trains), np.int64)
    current = [np.asarray(train, np.int64) for train in trains]
    decisions = np.zeros(len(candidates), DECISION)
    for row, candidate in enumerate(candidates):
        a, b, lag = int(candidate["first"]), int(candidate["second"]), -int(candidate["lag"])
        similarity, scale = float(candidate["similarity"]), float(candidate["scale"])
        first, second = int(target[a]), int(target[b])
        observed, expected, action, reason = 0, 0.0, "keep", "different shape"
        if first < 0 or second < 0:
            reason = "one of them was dropped before"
        elif first == second:
            reason = "already one"
        else:
            # The delay with which the second one reports a spike; both may have been shifted since the comparison.
            lag += int(shift[b] - shift[a])
            aligned = current[second] - lag
            repeated = repeated_fraction(
                current[first], current[second], lag=lag, tolerance_samples=3, duration_samples=duration_samples
            )
            observed, expected = coincidences(
                current[first],
                aligned,
                refractory_samples=refractory_samples,
                dead_samples=dead_samples,
                duration_samples=duration_samples,
            )
            clash = are_two_neurons(observed, expected)
            # The root: two rare neurons are merged by chance with 6 % at a cosine of 0.96, and less below.
            doubt = np.sqrt(np.clip((same_shape - similarity) / (same_shape - similar_shape), 0.0, 1.0))
            apart = pdtr(observed, 0.4 * expected) <= APART_SIGNIFICANCE**doubt
            if repeated > repeated_max:
                action, reason = "drop", "repeats the spikes of the other"
            elif not scale_min <= scale <= 1.0 / scale_min:
                reason = "sizes differ"
            elif similarity >= same_shape:
                if clash:
                    reason = "same shape, but they fire within the refractory period"
                else:
                    action, reason = "merge", "same shape"
            elif similarity >= similar_shape:
                if apart and not clash:
                    action, reason = "merge", "similar shape, and they avoid each other"
                else:
                    reason = "similar shape, but no sign of a common refractory period"
            if action == "drop":
                target[target == (second if len(current[second]) <= len(current[first]) else first)] = -1
            elif action == "merge":
                moved = target == second
                target[moved] = first
                shift[moved] -= lag
                current[first] = np.sort(np.concatenate([current[first], aligned]))
        decisions[row] = (a, b, similarity, int(candidate["lag"]), scale, observed, expected, action, reason)
    return target, shift, decisions
