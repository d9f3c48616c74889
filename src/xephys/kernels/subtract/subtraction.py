"""Detect spikes on one tile by iterative subtraction: denoise the largest peaks, subtract them, look again.

A round takes every peak that no larger one competes with within the length of a snippet and twice the radius of
subtraction. Snippets of one round therefore share no sample, and the order within a round does not matter. A peak is
examined once: whether it is accepted or not, its neighborhood is closed afterwards, so the rounds end. What happens to
a peak depends on the peaks that its snippet overlaps, and on those that these overlap; `subtraction_halo` follows a
fixed number of such links.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.detect.peaks import add_fields, suppress_weaker
from xephys.kernels.detect.threshold_scan import PeakSign, find_candidates, scan_limits
from xephys.kernels.lib.inner import helper
from xephys.kernels.lib.records import PEAK_DTYPE
from xephys.kernels.subtract.denoised import Features, Places, localize_denoised, project_cleaned

__all__ = [
    "Denoiser",
    "Reach",
    "Subtracted",
    "detect_by_subtraction",
    "subtract",
    "subtraction_halo",
    "subtraction_residual",
]

#: A trough counts as large as a peak of twice its size.
TROUGH_PRIORITY = 2.0
#: A channel is kept if its energy exceeds that of noise by this factor; larger ones are shrunk by as much.
SHRINKAGE = np.float32(2.0)
#: The largest shift of an event to the extremum of its denoised waveform, in samples.
REALIGN_SAMPLES = 5
#: Links between overlapping events that are kept complete at the ends of a tile.
CHAIN = 3
#: What a closed neighborhood refuses: every candidate, or positive ones.
_CLOSED, _CLOSED_TO_PEAKS = np.uint8(1), np.uint8(2)


class Denoiser(TypedDict):
    """A low-rank denoiser.

    ``components`` float32 (component, sample), orthonormal; ``weights`` float32 (component,), what is kept of each;
    ``noise`` float32 (component,), the variance of its projection of noise.
    """

    components: NDArray[np.float32]
    weights: NDArray[np.float32]
    noise: NDArray[np.float32]


class Reach(TypedDict):
    """Channels around each channel, int32 (channel, k), itself included, padded with -1.

    ``subtracted``: those of a snippet; ``competing``: those whose peaks are not taken in the same round; ``closed``:
    those that are not examined again.
    """

    subtracted: NDArray[np.int32]
    competing: NDArray[np.int32]
    closed: NDArray[np.int32]


class Subtracted(NamedTuple):
    """Accepted events: where, what they explain, their denoised coefficients (event, slot, component), and the rest."""

    rows: NDArray[np.int64]
    shifts: NDArray[np.int64]
    channels: NDArray[np.int64]
    gains: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    residual: NDArray[np.float32]


def subtraction_halo(n_samples: int, *, nbefore: int, chain: int = CHAIN) -> tuple[int, int]:
    """Number of samples needed before and after a tile, so that its events do not depend on where the tile ends.

    Parameters
    ----------
    n_samples : int
        Length of a snippet.
    nbefore : int
        Number of its samples before the peak.
    chain : int
        Number of links between overlapping events that are kept complete.

    Returns
    -------
    before, after : int

    Examples
    --------
    >>> subtraction_halo(121, nbefore=42)
    (421, 458)
    """
    reach = chain * (n_samples + REALIGN_SAMPLES) + 1
    return reach + nbefore, reach + n_samples - nbefore


def detect_by_subtraction(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    thresholds: NDArray[np.floating[Any]],
    denoiser: Denoiser,
    reach: Reach,
    energy_min: float,
    peak_sign: PeakSign = "both",
    closed_samples: int,
    closed_to_peaks_samples: int = 0,
    good: NDArray[np.bool_] | None = None,
    places: Places | None = None,
    features: Features | None = None,
    keep_denoised: bool = False,
) -> NDArray[np.void]:
    """Detect the spikes of one tile by iterative subtraction.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Whitened traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows on each side, at least ``subtraction_halo(...)``.
    start : int
        Absolute index of the first core sample.
    nbefore : int
        Number of samples of a snippet before its peak.
    thresholds : float (channel,)
        Positive threshold of each channel: smaller peaks are not examined.
    denoiser : Denoiser
    reach : Reach
    energy_min : float
        An event is accepted if subtracting its denoised waveform lowers the energy by more than this.
    peak_sign : {"neg", "pos", "both"}
        Sign of the peaks. With "both", a trough competes as if it were twice as large.
    closed_samples : int
        Around an examined peak, the samples on each side that are not examined again.
    closed_to_peaks_samples : int
        Around an accepted trough, the samples on each side in which positive peaks are not examined.
    good : bool (channel,), optional
        False where a channel must not give peaks (bad channels).
    places : Places, optional
        Adds the fields ``x``, ``y``, ``z`` and ``alpha`` of `localize_denoised`.
    features : Features, optional
        Adds the field ``projection`` of `project_cleaned`.
    keep_denoised : bool
        Adds the field ``denoised``, float32 (slot, component): coefficients of the denoised waveform on the channels of
        ``reach["subtracted"]``.

    Returns
    -------
    structured ndarray
        `PEAK_DTYPE` records of the core with the field ``gain``, the square root of the energy that the event
        explains, and those above. ``amplitude`` is the trace at the event without all other events.

    Raises
    ------
    ValueError
        If the halo is too short, or a threshold is not positive.

    Examples
    --------
    >>> shape = np.array([0, -1, -3, 1, 1], np.float32) / np.sqrt(12, dtype=np.float32)
    >>> traces = np.zeros((120, 1), np.float32)
    >>> for row in (60, 62):  # two spikes that overlap
    ...     traces[row - 2 : row + 3, 0] += 60 * shape
    >>> own = np.zeros((1, 1), np.int32)
    >>> events = detect_by_subtraction(
    ...     traces, before=40, after=40, start=100, nbefore=2, thresholds=np.array([3.0]),
    ...     denoiser={"components": shape[None], "weights": np.ones(1, "f4"), "noise": np.ones(1, "f4")},
    ...     reach={"subtracted": own, "competing": own, "closed": own}, energy_min=100.0, closed_samples=1)
    >>> events["sample_index"]
    array([120, 122])
    """
    found = subtract(
        traces, before=before, after=after, nbefore=nbefore, thresholds=thresholds, denoiser=denoiser, reach=reach,
        energy_min=energy_min, peak_sign=peak_sign, closed_samples=closed_samples,
        closed_to_peaks_samples=closed_to_peaks_samples, good=good,
    )  # fmt: skip
    samples = found.rows + found.shifts
    order = np.lexsort((found.channels, samples))
    own = order[(samples[order] >= before) & (samples[order] < len(traces) - after)]
    channels, coefficients = found.channels[own], found.coefficients[own]
    events = add_fields(np.zeros(len(own), PEAK_DTYPE), _fields(reach, denoiser, places, features, keep_denoised))
    events["sample_index"] = samples[own] + (start - before)
    events["channel_index"] = channels
    events["gain"] = np.sqrt(found.gains[own])
    own_slots = np.argmax(reach["subtracted"] == np.arange(len(reach["subtracted"]))[:, None], axis=1)
    at_peak = denoiser["components"][:, nbefore + found.shifts[own]]
    events["amplitude"] = found.residual[samples[own], channels] + np.einsum(
        "ek,ke->e", coefficients[np.arange(len(own)), own_slots[channels]], at_peak
    )
    if places is not None:
        sources = localize_denoised(coefficients, channels, denoiser["components"], **places)
        events["x"], events["y"], events["z"], events["alpha"] = sources.T
    if features is not None:
        events["projection"] = project_cleaned(
            found.residual, found.rows[own], found.shifts[own], channels, coefficients,
            denoiser["components"], nbefore=nbefore, **features,
        )  # fmt: skip
    if keep_denoised:
        events["denoised"] = coefficients
    return events


def _fields(
    reach: Reach, denoiser: Denoiser, places: Places | None, features: Features | None, keep_denoised: bool
) -> list[tuple[str, Any, tuple[int, ...]]]:
    """The fields that are added to those of a peak."""
    fields: list[tuple[str, Any, tuple[int, ...]]] = [("gain", "<f8", ())]
    if places is not None:
        fields += [(name, "<f8", ()) for name in ("x", "y", "z", "alpha")]
    if features is not None:
        fields.append(("projection", "<f4", (features["neighbors"].shape[1], len(features["basis"]))))
    if keep_denoised:
        fields.append(("denoised", "<f4", (reach["subtracted"].shape[1], len(denoiser["components"]))))
    return fields


def subtraction_residual(
    traces: NDArray[np.float32], *, before: int, after: int, **settings: Any
) -> NDArray[np.float32]:
    """The core of a tile without its events; parameters as for `detect_by_subtraction`.

    Examples
    --------
    >>> shape = np.array([0, -1, -3, 1, 1], np.float32) / np.sqrt(12, dtype=np.float32)
    >>> traces = np.zeros((120, 1), np.float32)
    >>> traces[58:63, 0] = 60 * shape
    >>> own = np.zeros((1, 1), np.int32)
    >>> residual = subtraction_residual(
    ...     traces, before=40, after=40, nbefore=2, thresholds=np.array([3.0]),
    ...     denoiser={"components": shape[None], "weights": np.ones(1, "f4"), "noise": np.ones(1, "f4")},
    ...     reach={"subtracted": own, "competing": own, "closed": own}, energy_min=100.0, closed_samples=1)
    >>> bool(abs(residual).max() < 0.02 * abs(traces).max())
    True
    """
    return subtract(traces, before=before, after=after, **settings).residual[before : len(traces) - after]


def subtract(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    nbefore: int,
    thresholds: NDArray[np.floating[Any]],
    denoiser: Denoiser,
    reach: Reach,
    energy_min: float,
    peak_sign: PeakSign = "both",
    closed_samples: int,
    closed_to_peaks_samples: int = 0,
    good: NDArray[np.bool_] | None = None,
) -> Subtracted:
    """All events of a tile and its halo, and what they leave."""
    components = np.ascontiguousarray(denoiser["components"].T)
    n_samples = len(components)
    needed = subtraction_halo(n_samples, nbefore=nbefore)
    if before < needed[0] or after < needed[1]:
        raise ValueError(
            f"halo is {before} samples before and {after} after; snippets of {n_samples} samples with {nbefore} before "
            f"the peak need {needed[0]} and {needed[1]}"
        )
    low, high = scan_limits(traces, thresholds, peak_sign, good, strict=False)
    return Subtracted(
        *_subtract(
            traces.astype(np.float32, copy=True),
            low,
            high,
            components,
            denoiser["weights"],
            denoiser["noise"],
            reach["subtracted"],
            reach["competing"],
            reach["closed"],
            float(energy_min),
            nbefore,
            closed_samples,
            closed_to_peaks_samples,
            TROUGH_PRIORITY if peak_sign == "both" else 1.0,
        )
    )


@njit(nogil=True, cache=True)
def _subtract(
    residual: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    components: NDArray[np.float32],
    weights: NDArray[np.float32],
    noise: NDArray[np.float32],
    subtracted: NDArray[np.int32],
    competing: NDArray[np.int32],
    closed: NDArray[np.int32],
    energy_min: float,
    nbefore: int,
    closed_samples: int,
    closed_to_peaks_samples: int,
    trough_priority: float,
) -> tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float32],
    NDArray[np.float32],
]:
    n_rows, n_channels = residual.shape
    n_samples, n_components = components.shape
    n_slots = subtracted.shape[1]
    # Snippets and their realigned peaks stay inside the tile.
    first, last = nbefore + REALIGN_SAMPLES, n_rows - (n_samples - nbefore) - REALIGN_SAMPLES
    state = np.zeros((n_rows, n_channels), dtype=np.uint8)
    out_rows = np.empty(256, dtype=np.int64)
    out_shifts = np.empty(256, dtype=np.int64)
    out_channels = np.empty(256, dtype=np.int64)
    out_gains = np.empty(256, dtype=np.float64)
    out_coefficients = np.empty((256, n_slots, n_components), dtype=np.float32)
    count = 0
    coefficients = np.empty((n_slots, n_components), dtype=np.float32)
    rows, channels = find_candidates(residual, first, last, low, high)
    while rows.size:
        sizes = np.empty(rows.size, dtype=np.float64)
        for i in range(rows.size):
            value = residual[rows[i], channels[i]]
            sizes[i] = -trough_priority * value if value < 0 else value
        leading = suppress_weaker(rows, channels, sizes, competing, n_samples, 1.0)
        changed = np.zeros(n_rows, dtype=np.bool_)
        for i in range(rows.size):
            if not leading[i]:
                continue
            row, channel = int(rows[i]), int(channels[i])
            gain = _denoise(residual, row - nbefore, subtracted[channel], components, weights, noise, coefficients)
            _close(state, row, closed[channel], closed_samples, _CLOSED)
            if not gain > energy_min:
                continue
            if residual[row, channel] < 0:
                _close(state, row, closed[channel], closed_to_peaks_samples, _CLOSED_TO_PEAKS)
            own = 0
            while subtracted[channel, own] != channel:
                own += 1
            shift = _peak_shift(coefficients[own], components, nbefore, trough_priority)
            _take(residual, row - nbefore, subtracted[channel], components, coefficients)
            changed[row - nbefore - 1 : row - nbefore + n_samples + 1] = True
            if count == out_rows.size:
                out_rows = np.append(out_rows, np.empty(count, dtype=np.int64))
                out_shifts = np.append(out_shifts, np.empty(count, dtype=np.int64))
                out_channels = np.append(out_channels, np.empty(count, dtype=np.int64))
                out_gains = np.append(out_gains, np.empty(count, dtype=np.float64))
                longer = np.empty((2 * count, n_slots, n_components), dtype=np.float32)
                longer[:count] = out_coefficients
                out_coefficients = longer
            out_rows[count], out_shifts[count], out_channels[count], out_gains[count] = row, shift, channel, gain
            out_coefficients[count] = coefficients
            count += 1
        rows, channels = _open_candidates(residual, rows, channels, changed, state, low, high, first, last)
    return (
        out_rows[:count],
        out_shifts[:count],
        out_channels[:count],
        out_gains[:count],
        out_coefficients[:count],
        residual,
    )


@helper
def _open_candidates(
    residual: NDArray[np.float32],
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
    changed: NDArray[np.bool_],
    state: NDArray[np.uint8],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    first: int,
    last: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Candidates that were not examined: the old ones of unchanged rows, and those found anew in changed rows."""
    more_rows = np.empty(max(64, 2 * rows.size), dtype=np.int64)
    more_channels = np.empty(more_rows.size, dtype=np.int64)
    count, i, row = 0, 0, first
    while row < last:
        if not changed[row]:
            # The next row that has an old candidate or was changed.
            while i < rows.size and rows[i] < row:
                i += 1
            while i < rows.size and rows[i] == row:
                count, more_rows, more_channels = _keep(
                    residual, row, channels[i], state, count, more_rows, more_channels
                )
                i += 1
            row += 1
            continue
        stop = row
        while stop < last and changed[stop]:
            stop += 1
        new_rows, new_channels = find_candidates(residual, row, stop, low, high)
        for j in range(new_rows.size):
            count, more_rows, more_channels = _keep(
                residual, new_rows[j], new_channels[j], state, count, more_rows, more_channels
            )
        row = stop
    return more_rows[:count], more_channels[:count]


@helper
def _keep(
    residual: NDArray[np.float32],
    row: int,
    channel: int,
    state: NDArray[np.uint8],
    count: int,
    rows: NDArray[np.int64],
    channels: NDArray[np.int64],
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Append a candidate if its place is open."""
    closed = state[row, channel]
    if closed & _CLOSED or (closed & _CLOSED_TO_PEAKS and residual[row, channel] > 0):
        return count, rows, channels
    if count == rows.size:
        rows = np.append(rows, np.empty(count, dtype=np.int64))
        channels = np.append(channels, np.empty(count, dtype=np.int64))
    rows[count], channels[count] = row, channel
    return count + 1, rows, channels


@helper
def _close(state: NDArray[np.uint8], row: int, slots: NDArray[np.int32], n_samples: int, kind: np.uint8) -> None:
    for r in range(max(0, row - n_samples), min(len(state), row + n_samples + 1)):
        for c in slots:
            if c >= 0:
                state[r, c] |= kind


@helper
def _denoise(
    residual: NDArray[np.float32],
    first: int,
    slots: NDArray[np.int32],
    components: NDArray[np.float32],
    weights: NDArray[np.float32],
    noise: NDArray[np.float32],
    coefficients: NDArray[np.float32],
) -> float:
    """Write the denoised coefficients of one snippet, and return the energy that subtracting it would remove.

    On each channel, components are weighted by their share of signal, and the channel is shrunk by the share of its
    energy that noise would have: positive-part James–Stein shrinkage.
    """
    n_samples, n_components = components.shape
    expected = np.float32(0.0)
    for k in range(n_components):
        expected += weights[k] * noise[k]
    coefficients[:] = 0.0
    for t in range(n_samples):
        for j in range(slots.size):
            if slots[j] >= 0:
                value = residual[first + t, slots[j]]
                for k in range(n_components):
                    coefficients[j, k] += value * components[t, k]
    gain = 0.0
    for j in range(slots.size):
        energy = np.float32(0.0)
        for k in range(n_components):
            energy += weights[k] * coefficients[j, k] * coefficients[j, k]
        kept = np.float32(1.0) - SHRINKAGE * expected / energy if energy > SHRINKAGE * expected else np.float32(0.0)
        for k in range(n_components):
            seen, factor = coefficients[j, k], kept * weights[k]
            gain += np.float64((np.float32(2.0) * factor - factor * factor) * seen * seen)
            coefficients[j, k] = factor * seen
    return gain


@helper
def _peak_shift(
    coefficients: NDArray[np.float32], components: NDArray[np.float32], nbefore: int, trough_priority: float
) -> int:
    """Samples from the detected peak to the extremum of the denoised waveform; the nearer of equal ones."""
    best, shift = -1.0, 0
    for distance in range(REALIGN_SAMPLES + 1):
        for sign in (-1, 1):
            t = nbefore + sign * distance
            if t < 0 or t >= len(components):
                continue
            value = 0.0
            for k in range(coefficients.size):
                value += coefficients[k] * components[t, k]
            size = -trough_priority * value if value < 0 else value
            if size > best:
                best, shift = size, sign * distance
    return shift


@helper
def _take(
    residual: NDArray[np.float32],
    first: int,
    slots: NDArray[np.int32],
    components: NDArray[np.float32],
    coefficients: NDArray[np.float32],
) -> None:
    """Subtract one denoised snippet."""
    for t in range(len(components)):
        for j in range(slots.size):
            if slots[j] >= 0:
                value = np.float32(0.0)
                for k in range(components.shape[1]):
                    value += coefficients[j, k] * components[t, k]
                residual[first + t, slots[j]] -= value
