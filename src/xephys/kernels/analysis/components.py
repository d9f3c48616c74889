"""Principal components of waveforms from exact covariances in float64, summed in the order of the waveforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import inner, kernel
from xephys.kernels.lib.lanes import LANES, fma, load_f64, splat_f64, store

#: Number of waveforms whose products are added at once, and what their length is padded to a multiple of.
_BLOCK, _PADDING = 32, LANES
#: Number of parts of the models, and of the waveforms, that can be computed at the same time.
_PARTS = 8

#: Apply a function to each item: ``map``, or one that uses several threads.
Mapped = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class Model(NamedTuple):
    """Components ``(model, component, feature)``, means ``(model, feature)``, variances ``(model, component)``.

    One model per channel, or one for all. Models fitted to fewer waveforms than components are zero.
    """

    components: NDArray[np.float32]
    means: NDArray[np.float32]
    variances: NDArray[np.float32]


def fit(
    waveforms: NDArray[np.float32],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    *,
    mode: str,
    n_components: int,
    n_channels: int,
    mapped: Mapped = map,
) -> Model:
    """Leading eigenvectors of the covariance; the largest entry of each is positive.

    Parameters
    ----------
    waveforms : (waveform, sample, slot) float32
    units : (waveform,) int64
    channels : (unit, slot) int32
        Padded with -1.
    mode : {"by_channel_local", "by_channel_global", "concatenated"}
        One model per channel, one for the waveforms on all channels, or one for whole waveforms on all channels.
    n_components, n_channels : int
    mapped : callable
        How to apply a function to parts of the channels, for example in threads.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> waveforms = (rng.normal(size=(50, 1, 1)) * np.float32([[[1], [2], [0]]])).astype(np.float32)
    >>> model = fit(waveforms, np.zeros(50, int), np.array([[0]], np.int32), mode="by_channel_local", n_components=1,
    ...     n_channels=1)
    >>> model.components[0, 0].astype(float).round(3).tolist()
    [0.447, 0.894, 0.0]
    """
    if mode == "concatenated":
        dense = _dense(waveforms, units, channels, n_channels).reshape(len(waveforms), -1)
        return _leading(*_moments_of_rows(dense), n_components)
    if mode == "by_channel_global":
        return _leading(*_moments(waveforms, units, channels, 0, 1, False), n_components)
    parts = mapped(partial(_local_models, waveforms, units, channels, n_components), _ranges(n_channels))
    return Model(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _ranges(n: int) -> Iterable[tuple[int, int]]:
    """A number of items in parts of equal length."""
    return pairwise(np.linspace(0, n, min(n, _PARTS) + 1).round().astype(np.int64).tolist())


def _local_models(
    waveforms: NDArray[np.float32],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    n_components: int,
    of_channels: tuple[int, int],
) -> Model:
    """The models of a range of channels."""
    return _leading(*_moments(waveforms, units, channels, *of_channels, True), n_components)


def _leading(
    sums: NDArray[np.float64], products: NDArray[np.float64], counts: NDArray[np.int64], n_components: int
) -> Model:
    """Models from sums ``(model, feature)``, sums of products ``(model, feature, feature)`` and counts ``(model,)``."""
    size = sums.shape[1]
    kept = min(n_components, size)
    components = np.zeros((len(sums), n_components, size), np.float32)
    means = np.zeros((len(sums), size), np.float32)
    variances = np.zeros((len(sums), n_components), np.float32)
    for number, (total, product, count) in enumerate(zip(sums, products, counts, strict=True)):
        if count < n_components:
            continue
        mean = total / count
        values, vectors = np.linalg.eigh((product - count * np.outer(mean, mean)) / max(count - 1, 1))
        leading = vectors[:, ::-1][:, :kept].T
        largest = np.take_along_axis(leading, np.abs(leading).argmax(axis=1)[:, None], axis=1)
        components[number, :kept] = leading * np.sign(largest)
        means[number] = mean
        variances[number, :kept] = np.maximum(values[::-1][:kept], 0.0)
    return Model(components, means, variances)


def project(
    waveforms: NDArray[np.float32],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    model: Model,
    *,
    mode: str,
    whiten: bool,
    mapped: Mapped = map,
) -> NDArray[np.float32]:
    """Scores of the waveforms ``(waveform, component, slot)``, or ``(waveform, component)`` of whole ones.

    Parameters
    ----------
    waveforms, units, channels, mode, mapped
        As for :func:`fit`.
    model : Model
    whiten : bool
        Divide each score by its standard deviation.

    Examples
    --------
    >>> model = Model(np.float32([[[1, 0]]]), np.float32([[1, 0]]), np.float32([[4]]))
    >>> project(np.float32([[[5], [9]]]), np.array([0]), np.array([[0]], np.int32), model, mode="by_channel_local",
    ...     whiten=True).tolist()
    [[[2.0]]]
    """
    scale = np.where(model.variances > 0, model.variances.astype(np.float64), np.inf) ** -0.5
    taps = model.components.astype(np.float64)
    if whiten:
        taps = taps * scale[:, :, None]
    if mode == "concatenated":
        n_channels = model.means.shape[1] // waveforms.shape[1]
        dense = _dense(waveforms, units, channels, n_channels).reshape(len(waveforms), -1)
        return np.asarray((dense - model.means[0]) @ taps[0].T, np.float32)
    scores = np.zeros((len(waveforms), taps.shape[1], waveforms.shape[2]), np.float32)
    padding = -taps.shape[1] % (LANES // 2)
    taps = np.ascontiguousarray(np.pad(taps, ((0, 0), (0, padding), (0, 0))).transpose(0, 2, 1))

    def fill(of_waveforms: tuple[int, int]) -> None:
        part = slice(*of_waveforms)
        _scores(waveforms[part], units[part], channels, taps, model.means, mode == "by_channel_local", scores[part])

    list(mapped(fill, _ranges(len(waveforms))))
    return scores


@kernel
def _moments(
    waveforms: NDArray[np.float32],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    first: int,
    stop: int,
    local: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Sums, products and numbers by model: those of the channels from ``first`` to ``stop``, or one for all channels.

    Waveforms of a model are collected in blocks, so that the products pass through the cache once per block instead of
    once per waveform.
    """
    n, length, n_slots = waveforms.shape
    n_models, padded = stop - first, (length + _PADDING - 1) // _PADDING * _PADDING
    sums, products = zeros((n_models, length)), zeros((n_models, padded, padded))
    counts = zeros(n_models, np.int64)
    waiting = zeros((n_models, _BLOCK, padded))
    for i in range(n):
        for k in range(n_slots):
            channel = channels[units[i], k]
            if channel < 0 or (local and not first <= channel < stop):
                continue
            model = channel - first if local else 0
            row = waiting[model, counts[model] % _BLOCK]
            for t in range(length):
                row[t] = waveforms[i, t, k]
                sums[model, t] += row[t]
            counts[model] += 1
            if counts[model] % _BLOCK == 0:
                _add_products(products[model].reshape(-1), waiting[model].reshape(-1), padded)
    for model in range(n_models):
        left = counts[model] % _BLOCK
        if left:
            waiting[model, left:] = 0.0
            _add_products(products[model].reshape(-1), waiting[model].reshape(-1), padded)
        for t in range(length):
            for u in range(t):
                products[model, t, u] = products[model, u, t]
    return sums, np.ascontiguousarray(products[:, :length, :length]), counts


@inner
def _add_products(products: NDArray[np.float64], rows: NDArray[np.float64], padded: int) -> None:
    """Add the products of every two samples, in the order of the rows, to the upper triangle.

    Those of four samples with eight are in registers, of which AVX2 has sixteen of half a vector's length, until all
    rows of the block are added.
    """
    for t in range(0, padded, 4):
        for u in range(t // 8 * 8, padded, 8):
            at = t * padded + u
            a, b = load_f64(products, at), load_f64(products, at + padded)
            c, d = load_f64(products, at + 2 * padded), load_f64(products, at + 3 * padded)
            for row in range(_BLOCK):
                here = row * padded
                values = load_f64(rows, here + u)
                a = fma(splat_f64(rows[here + t]), values, a)
                b = fma(splat_f64(rows[here + t + 1]), values, b)
                c = fma(splat_f64(rows[here + t + 2]), values, c)
                d = fma(splat_f64(rows[here + t + 3]), values, d)
            store(products, at, a)
            store(products, at + padded, b)
            store(products, at + 2 * padded, c)
            store(products, at + 3 * padded, d)


def _moments_of_rows(
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    values = rows.astype(np.float64)
    return values.sum(axis=0)[None], (values.T @ values)[None], np.array([len(values)])


@kernel
def _scores(
    waveforms: NDArray[np.float32],
    units: NDArray[np.int64],
    channels: NDArray[np.int32],
    taps: NDArray[np.float64],
    means: NDArray[np.float32],
    local: bool,
    scores: NDArray[np.float32],
) -> None:
    """Add sample by sample, eight components at a time; ``taps (model, sample, component)`` is padded to eights."""
    n, length, n_slots = waveforms.shape
    padded, n_components = taps.shape[2], scores.shape[1]
    flat, sums = taps.reshape(-1), empty(padded)
    for i in range(n):
        for k in range(n_slots):
            channel = channels[units[i], k]
            if channel < 0:
                continue
            model = channel if local else 0
            for first in range(0, padded, LANES // 2):
                total, at = splat_f64(0.0), model * length * padded + first
                for t in range(length):
                    value = np.float64(waveforms[i, t, k]) - np.float64(means[model, t])
                    total = fma(splat_f64(value), load_f64(flat, at + t * padded), total)
                store(sums, first, total)
            for p in range(n_components):
                scores[i, p, k] = sums[p]


def _dense(
    waveforms: NDArray[np.float32], units: NDArray[np.int64], channels: NDArray[np.int32], n_channels: int
) -> NDArray[np.float32]:
    """Waveforms on all channels ``(waveform, sample, channel)``, zero on channels outside the unit's own."""
    out = np.zeros((*waveforms.shape[:2], n_channels + 1), np.float32)
    np.put_along_axis(out, channels[units][:, None, :].astype(np.int64), waveforms, axis=2)
    return out[:, :, :n_channels]
