"""When a unit is reliable: windows with few foreign and few missing spikes, joined into sufficiently long periods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.metrics.amplitude_shape import amplitude_cutoffs
from xephys.kernels.metrics.violations import near_pairs, rp_contaminations

#: Bins of the histogram of amplitudes in one window.
N_BINS = 50


def window_edges(n_samples: int, window_samples: int) -> NDArray[np.int64]:
    """First sample and end of each window of a segment; the last window may be shorter.

    Examples
    --------
    >>> window_edges(25, 10).tolist()
    [[0, 10], [10, 20], [20, 25]]
    """
    starts = np.arange(0, n_samples, window_samples)
    return np.stack([starts, np.minimum(starts + window_samples, n_samples)], axis=1)


def window_shares(
    samples: NDArray[np.int64],
    amplitudes: NDArray[np.floating],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    refractory_samples: int,
    censored_samples: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of foreign and missing spikes in windows of trains.

    Parameters
    ----------
    samples, amplitudes : (spike,)
    starts, stops : (window,) int64
        The spikes of each window, which are of one train.
    lengths : (window,) int64
        Length of each window in samples.
    refractory_samples, censored_samples : int

    Returns
    -------
    foreign, missing : (window,) float64
        1 if there are too few spikes to tell.
    """
    foreign = rp_contaminations(
        near_pairs(samples, starts, stops, refractory_samples), stops - starts, total_samples=lengths,
        refractory_samples=refractory_samples, censored_samples=censored_samples,
    )  # fmt: skip
    missing = amplitude_cutoffs(amplitudes, starts, stops, n_bins=N_BINS)
    return np.nan_to_num(foreign, nan=1.0), np.nan_to_num(missing, nan=1.0)


def long_runs(valid: NDArray[np.bool_], edges: NDArray[np.int64], *, duration_samples_min: int) -> NDArray[np.bool_]:
    """Windows in a sufficiently long run of valid ones.

    Examples
    --------
    >>> edges = np.array([[0, 10], [10, 20], [20, 30], [30, 40]])
    >>> long_runs(np.array([True, False, True, True]), edges, duration_samples_min=20).tolist()
    [False, False, True, True]
    """
    out = np.zeros(len(valid), bool)
    padded = np.concatenate([[False], valid, [False]]).astype(np.int8)
    steps = np.diff(padded)
    for first, last in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
        out[first:last] = edges[last - 1, 1] - edges[first, 0] >= duration_samples_min
    return out


def unit_windows(
    samples: NDArray[np.int64],
    amplitudes: NDArray[np.floating],
    parts: NDArray[np.int64],
    n_samples: NDArray[np.int64],
    *,
    window_samples: int,
    margin_samples: int,
    duration_samples_min: int,
    fp_max: float,
    fn_max: float,
    refractory_samples: int,
    censored_samples: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Shares of foreign and missing spikes of every unit in every window, and which windows are valid.

    Parameters
    ----------
    samples, amplitudes : (spike,)
        Unit by unit, segment by segment; samples count from the segment's start.
    parts : (unit, segment + 1) int64
        Start of the spikes of each unit in each segment.
    n_samples : (segment,) int64
    window_samples, margin_samples, duration_samples_min : int
    fp_max, fn_max : float
        A window is valid if it is below both.
    refractory_samples, censored_samples : int

    Returns
    -------
    foreign, missing, valid : (unit, window)
        Windows of consecutive segments, one segment after another.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> train, sizes = np.arange(0, 300_000, 150), rng.normal(100, 10, 2000)
    >>> limits = {"fp_max": 0.1, "fn_max": 0.1, "refractory_samples": 24, "censored_samples": 0}
    >>> _, _, valid = unit_windows(train, sizes, np.array([[0, 2000]]), np.array([300_000]), window_samples=100_000,
    ...     margin_samples=100_000, duration_samples_min=250_000, **limits)
    >>> valid.tolist()
    [[True, True, True]]
    """
    edges = [window_edges(int(n), window_samples) for n in n_samples]
    first = np.cumsum([0, *map(len, edges)])
    wide = [
        np.stack([np.maximum(0, windows[:, 0] - margin_samples), np.minimum(n, windows[:, 1] + margin_samples)], axis=1)
        for windows, n in zip(edges, n_samples, strict=True)
    ]
    spikes = np.zeros((len(parts), first[-1], 2), np.int64)
    for unit, bounds in enumerate(parts):
        for number, windows in enumerate(wide):
            here = slice(first[number], first[number + 1])
            own = samples[bounds[number] : bounds[number + 1]]
            spikes[unit, here] = bounds[number] + np.searchsorted(own, windows)
    lengths = np.tile(np.diff(np.concatenate(wide), axis=1)[:, 0], len(parts))
    starts, stops = spikes.reshape(-1, 2).T
    shares = window_shares(
        samples, np.ascontiguousarray(amplitudes), np.ascontiguousarray(starts), np.ascontiguousarray(stops), lengths,
        refractory_samples=refractory_samples, censored_samples=censored_samples,
    )  # fmt: skip
    foreign, missing = (share.reshape(len(parts), first[-1]) for share in shares)
    valid = (foreign < fp_max) & (missing < fn_max)
    for row in valid:
        for number, windows in enumerate(edges):
            here = slice(first[number], first[number + 1])
            row[here] = long_runs(row[here], windows, duration_samples_min=duration_samples_min)
    return foreign, missing, valid
