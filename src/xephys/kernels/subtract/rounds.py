"""The rounds of subtraction: leading peaks are denoised and subtracted, and what was examined is closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.peaks import suppress_weaker
from xephys.kernels.detect.threshold_scan import find_candidates
from xephys.kernels.lib.arrays import copy_values, empty, grown, zeros
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.subtract.snippet import REALIGN_SAMPLES, denoise_snippet, peak_shift, take_snippet

__all__ = ["subtract_in_rounds"]

#: What a closed neighborhood refuses: every candidate, or positive ones.
_CLOSED, _CLOSED_TO_PEAKS = np.uint8(1), np.uint8(2)


@kernel
def subtract_in_rounds(
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
    """The events of all rounds: rows, shifts, channels, gains, coefficients; and the residual, changed in place."""
    n_rows, n_channels = residual.shape
    n_samples, n_components = components.shape
    n_slots = subtracted.shape[1]
    # Snippets and their realigned peaks stay inside the tile.
    first, last = nbefore + REALIGN_SAMPLES, n_rows - (n_samples - nbefore) - REALIGN_SAMPLES
    state = zeros((n_rows, n_channels), np.uint8)
    out_rows = empty(256, np.int64)
    out_shifts = empty(256, np.int64)
    out_channels = empty(256, np.int64)
    out_gains = empty(256, np.float64)
    out_coefficients = empty((256, n_slots, n_components), np.float32)
    count = 0
    coefficients = empty((n_slots, n_components), np.float32)
    rows, channels = find_candidates(residual, first, last, low, high)
    while rows.size:
        sizes = empty(rows.size, np.float64)
        for i in range(rows.size):
            value = residual[rows[i], channels[i]]
            sizes[i] = -trough_priority * value if value < 0 else value
        leading = suppress_weaker(rows, channels, sizes, competing, n_samples, 1.0)
        changed = zeros(n_rows, np.bool_)
        for i in range(rows.size):
            if not leading[i]:
                continue
            row, channel = int(rows[i]), int(channels[i])
            slots = subtracted[channel]
            gain = denoise_snippet(residual, row - nbefore, slots, components, weights, noise, coefficients)
            _close(state, row, closed[channel], closed_samples, _CLOSED)
            if not gain > energy_min:
                continue
            if residual[row, channel] < 0:
                _close(state, row, closed[channel], closed_to_peaks_samples, _CLOSED_TO_PEAKS)
            own = 0
            while slots[own] != channel:
                own += 1
            shift = peak_shift(coefficients[own], components, nbefore, trough_priority)
            take_snippet(residual, row - nbefore, slots, components, coefficients)
            changed[row - nbefore - 1 : row - nbefore + n_samples + 1] = True
            if count == out_rows.size:
                out_rows = grown(out_rows, 2 * count)
                out_shifts = grown(out_shifts, 2 * count)
                out_channels = grown(out_channels, 2 * count)
                out_gains = grown(out_gains, 2 * count)
                longer = empty((2 * count, n_slots, n_components), np.float32)
                copy_values(out_coefficients.reshape(-1), longer[:count].reshape(-1))
                out_coefficients = longer
            out_rows[count], out_shifts[count], out_channels[count], out_gains[count] = row, shift, channel, gain
            copy_values(coefficients.reshape(-1), out_coefficients[count].reshape(-1))
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
    more_rows = empty(max(64, 2 * rows.size), np.int64)
    more_channels = empty(more_rows.size, np.int64)
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
        rows = grown(rows, 2 * count)
        channels = grown(channels, 2 * count)
    rows[count], channels[count] = row, channel
    return count + 1, rows, channels


@helper
def _close(state: NDArray[np.uint8], row: int, slots: NDArray[np.int32], n_samples: int, kind: np.uint8) -> None:
    for r in range(max(0, row - n_samples), min(len(state), row + n_samples + 1)):
        for c in slots:
            if c >= 0:
                state[r, c] |= kind
