"""Size of each spike as a multiple of its unit's template, taking overlapping spikes into account.

For an isolated spike, this is the slope of its waveform on the template, both without their means (ordinary least
squares with an intercept). If spikes of overlapping units are within a lag, it is the non-negative least squares of all
their templates together, without their means, over all samples and channels that any of them covers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.analysis.nonnegative import nonnegative
from xephys.kernels.lib.arrays import copy_values, empty, full, zeros
from xephys.kernels.lib.inner import helper, kernel
from xephys.kernels.lib.lanes import LANES, add, fma, load_f64, splat_f64, store, sum_lanes


@kernel
def scale_spikes(
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    wanted: NDArray[np.int64],
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    overlap: NDArray[np.bool_],
    nbefore: int,
    lag_samples: int,
    lo: int,
    hi: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scale of some of the given spikes, and which of them collide.

    Parameters
    ----------
    traces : (row, channel)
    gains, offsets : (channel,) float32
        Templates are compared with each sample times the gain of its channel, plus its offset.
    rows : (spike,) int64
        Row of each spike's sample, ascending; including spikes beyond the tile that may overlap.
    units : (spike,) int64
    wanted : (wanted,) int64
        Positions of the spikes whose scale is computed; the others only overlap them.
    templates : (unit, sample, slot) float32
    channels : (unit, slot) int32
        -1 where empty.
    overlap : (unit, unit) bool
        Units that share a channel.
    nbefore : int
        Samples of a template before the spike's sample.
    lag_samples : int
        Spikes collide at lags from ``-lag_samples`` up to but not including ``lag_samples``; 0 for never.
    lo, hi : int
        Range of rows that are samples of the recording; templates are cut there.

    Returns
    -------
    scale : (wanted,) float32
        0 if the template is zero.
    collides : (wanted,) bool

    Examples
    --------
    >>> template = np.float32([[[0], [-2], [1]]])
    >>> traces = np.zeros((9, 1), np.float32)
    >>> traces[3:6, 0] = [0, -3, 1.5]
    >>> scale, collides = scale_spikes(traces, np.ones(1, np.float32), np.zeros(1, np.float32), np.array([4]),
    ...     np.array([0]), np.array([0]), template, np.zeros((1, 1), np.int32), np.ones((1, 1), bool), 1, 0, 0, 9)
    >>> scale.tolist(), collides.tolist()
    ([1.5], [False])
    """
    scale = zeros(wanted.size, np.float32)
    collides = zeros(wanted.size, np.bool_)
    places = full(traces.shape[1], -1, np.int64)
    cut = zeros(templates.shape[1] * templates.shape[2], np.float32)
    whole = empty((templates.shape[0], 3))
    whole[:] = np.nan
    fits = empty((rows.size, 5))
    fits[:] = np.nan
    group = empty(rows.size, np.int64)
    for place in range(wanted.size):
        i = wanted[place]
        group[0], n_members = i, 1
        j = i - 1
        while lag_samples > 0 and j >= 0 and rows[j] >= rows[i] - lag_samples:
            j -= 1
        for other in range(j + 1, rows.size):
            if lag_samples == 0 or rows[other] >= rows[i] + lag_samples:
                break
            if other != i and overlap[units[i], units[other]]:
                group[n_members] = other
                n_members += 1
        members = group[:n_members]
        for member in members:
            if np.isnan(fits[member, 0]):
                unit, row = units[member], rows[member] - nbefore
                _fit(traces, gains, offsets, row, unit, templates[unit], channels[unit], lo, hi, cut, whole,
                     fits[member])  # fmt: skip
        if n_members == 1:
            n, x, xx, y, xy = fits[i]
            spread = xx - x * x / max(n, 1.0)
            if spread > 1e-12 * xx:
                scale[place] = (xy - x * y / n) / spread
        else:
            collides[place] = True
            scale[place] = _joint(
                traces, gains, offsets, members, rows, units, templates, channels, nbefore, lo, hi, fits, places
            )
    return scale, collides


@helper
def _fit(
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    row: int,
    unit: int,
    template: NDArray[np.float32],
    wanted: NDArray[np.int32],
    lo: int,
    hi: int,
    cut: NDArray[np.float32],
    whole: NDArray[np.float64],
    fit: NDArray[np.float64],
) -> None:
    """Number of values of a template inside the recording, sums of these and of the traces there, and of products.

    Those of a whole template alone are kept in ``whole``, because hardly any spike is at the end of a recording.
    """
    n_samples, n_slots = template.shape
    begin, end = max(0, lo - row), min(n_samples, hi - row)
    flat = traces.reshape(-1)
    for k in range(n_slots):
        channel = wanted[k]
        gain, offset = gains[channel], offsets[channel]
        if channel < 0:  # reads the last channel and makes nothing of it
            gain, offset = np.float32(0), np.float32(0)
        at = (row + begin) * traces.shape[1] + (channel if channel >= 0 else 0)
        for t in range(max(0, end - begin)):
            cut[t * n_slots + k] = np.float32(flat[at + t * traces.shape[1]]) * gain + offset
    inside = template[begin : max(begin, end)]
    if inside.shape[0] < n_samples or np.isnan(whole[unit, 0]):
        fit[0] = inside.shape[0] * (wanted >= 0).sum()
        fit[1], fit[2] = _sum_and_product(inside, inside)
        if inside.shape[0] == n_samples:
            copy_values(fit[:3], whole[unit])
    else:
        copy_values(whole[unit], fit[:3])
    fit[3], fit[4] = _sum_and_product(cut, inside)


@helper
def _sum_and_product(first: NDArray[Any], second: NDArray[np.float32]) -> tuple[float, float]:
    """Sum of as many values of the first as the second has, and sum of the products with these."""
    one, other = first.reshape(-1), second.reshape(-1)
    totals, products = splat_f64(0.0), splat_f64(0.0)
    more_totals, more_products = splat_f64(0.0), splat_f64(0.0)
    lanes = LANES // 2
    n = other.size // LANES * LANES
    for i in range(0, n, LANES):
        values, more = load_f64(one, i), load_f64(one, i + lanes)
        totals, more_totals = add(totals, values), add(more_totals, more)
        products = fma(values, load_f64(other, i), products)
        more_products = fma(more, load_f64(other, i + lanes), more_products)
    total, product = sum_lanes(add(totals, more_totals)), sum_lanes(add(products, more_products))
    for i in range(n, other.size):
        total += np.float64(one[i])
        product += np.float64(one[i]) * np.float64(other[i])
    return total, product


@helper
def _joint(
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    members: NDArray[np.int64],
    rows: NDArray[np.int64],
    units: NDArray[np.int64],
    templates: NDArray[np.float32],
    channels: NDArray[np.int32],
    nbefore: int,
    lo: int,
    hi: int,
    fits: NDArray[np.float64],
    places: NDArray[np.int64],
) -> float:
    """Scale of the first of several spikes that are fitted together; ``places`` is -1 everywhere, before and after."""
    n, n_samples = members.size, templates.shape[1]
    first = last = rows[members[0]] - nbefore
    n_listed = 0
    listed = empty(min(places.size, n * channels.shape[1]), np.int64)
    for member in members:
        first, last = min(first, rows[member] - nbefore), max(last, rows[member] - nbefore)
        for channel in channels[units[member]]:
            if channel >= 0 and places[channel] < 0:
                places[channel] = n_listed
                listed[n_listed] = channel
                n_listed += 1
    begin, end = max(lo, first), min(hi, last + n_samples)
    places[listed[:n_listed]] = -1
    size = (end - begin) * n_listed
    mean = _total(traces, gains, offsets, begin, end, listed[:n_listed]) / size
    gram, target = empty((n, n)), empty(n)
    for a in range(n):
        one = members[a]
        for b in range(a):
            other = members[b]
            gram[a, b] = _overlap(rows[one] - nbefore, templates[units[one]], channels[units[one]],
                                  rows[other] - nbefore, templates[units[other]], channels[units[other]], lo, hi,
                                  places)  # fmt: skip
            gram[a, b] -= fits[one, 1] * fits[other, 1] / size
            gram[b, a] = gram[a, b]
        gram[a, a] = fits[one, 2] - fits[one, 1] ** 2 / size
        target[a] = fits[one, 4] - fits[one, 1] * mean
    return float(nonnegative(gram, target)[0])


@helper
def _total(
    traces: NDArray[Any],
    gains: NDArray[np.float32],
    offsets: NDArray[np.float32],
    begin: int,
    end: int,
    listed: NDArray[np.int64],
) -> float:
    """Sum of the scaled samples of some rows and channels.

    The samples of all channels from the first to the last are added, eight at a time, because these mostly lie together
    and are in the cache.
    """
    n_channels, lanes = traces.shape[1], LANES // 2
    low, high = listed.min(), listed.max() + 1
    flat, sums = traces.reshape(-1), zeros(high - low)
    whole = low + (high - low) // lanes * lanes
    for c in range(low, whole, lanes):
        even, odd = splat_f64(0.0), splat_f64(0.0)
        for row in range(begin, end - 1, 2):
            even = add(even, load_f64(flat, row * n_channels + c))
            odd = add(odd, load_f64(flat, (row + 1) * n_channels + c))
        if (end - begin) % 2:
            even = add(even, load_f64(flat, (end - 1) * n_channels + c))
        store(sums, c - low, add(even, odd))
    for c in range(whole, high):
        for row in range(begin, end):
            sums[c - low] += np.float64(flat[row * n_channels + c])
    total = 0.0
    for channel in listed:
        total += sums[channel - low] * np.float64(gains[channel]) + (end - begin) * np.float64(offsets[channel])
    return total


@helper
def _overlap(
    first_row: int,
    first: NDArray[np.float32],
    first_channels: NDArray[np.int32],
    second_row: int,
    second: NDArray[np.float32],
    second_channels: NDArray[np.int32],
    lo: int,
    hi: int,
    places: NDArray[np.int64],
) -> float:
    """Sum of the products of two templates where both are, inside the recording."""
    n_slots = first.shape[1]
    for k in range(n_slots):
        if second_channels[k] >= 0:
            places[second_channels[k]] = k
    begin = max(lo, first_row, second_row)
    n = min(hi, first_row + first.shape[0], second_row + second.shape[0]) - begin
    one, other = first.reshape(-1), second.reshape(-1)
    total = 0.0
    for k in range(n_slots):
        there = places[first_channels[k]] if first_channels[k] >= 0 else -1
        if there < 0:
            continue
        at, across = (begin - first_row) * n_slots + k, (begin - second_row) * n_slots + there
        even = odd = 0.0
        for t in range(0, n - 1, 2):
            even += np.float64(one[at + t * n_slots]) * np.float64(other[across + t * n_slots])
            odd += np.float64(one[at + (t + 1) * n_slots]) * np.float64(other[across + (t + 1) * n_slots])
        if n > 0 and n % 2:
            even += np.float64(one[at + (n - 1) * n_slots]) * np.float64(other[across + (n - 1) * n_slots])
        total += even + odd
    for k in range(n_slots):
        if second_channels[k] >= 0:
            places[second_channels[k]] = -1
    return total
