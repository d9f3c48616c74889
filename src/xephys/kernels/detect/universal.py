"""Detect spikes by universal templates: all places, sizes and shapes at once, one event per spike.

The scores are those of Kilosort4 (Pachitariu, Sridhar, Pennington & Stringer 2024, Nature Methods 21:914). An event is
the largest score among the places around it and the samples of the sweep. Scores are also computed beyond the ends of
the core, so that an event belongs to exactly one tile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.universal_scores import GROUP, scan_universal
from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.records import PEAK_DTYPE

UNIVERSAL_DTYPE = np.dtype(
    [
        *PEAK_DTYPE.descr,
        ("place_index", "<i8"),
        ("size_index", "<i8"),
        ("shape_index", "<i8"),
        ("sign", "<i8"),
        ("x", "<f8"),
        ("y", "<f8"),
    ]
)
"""A peak with the best universal template, its sign, and the position derived from the scores on its contacts."""


def universal_halo(*, n_samples: int, nbefore: int, exclude_sweep_samples: int) -> tuple[int, int]:
    """Number of samples that detection by universal templates needs before and after its core.

    Examples
    --------
    >>> universal_halo(n_samples=61, nbefore=20, exclude_sweep_samples=20)
    (41, 61)
    """
    margin = exclude_sweep_samples + 1
    return margin + nbefore, margin + n_samples - nbefore - 1


def detect_universal(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    shapes: NDArray[np.float32],
    nbefore: int,
    contacts: NDArray[np.int32],
    envelopes: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    positions: NDArray[np.float64],
    threshold: float,
    exclude_sweep_samples: int,
) -> NDArray[np.void]:
    """Detect spikes of either sign by universal templates.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Whitened traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows, at least those of `universal_halo`.
    start : int
        Absolute index of the first core sample.
    shapes : float32 (shape, T)
        Shapes of unit norm; entry `nbefore` is the spike's sample.
    nbefore : int
    contacts, envelopes, neighbors
        From `universal_grid`.
    positions : float64 (channel, 2)
        µm.
    threshold : float
        Least score, in units of the traces.
    Minimum score, in units of the traces.
        Half width of the exclusion window.

    Returns
    -------
    structured ndarray
        `UNIVERSAL_DTYPE` records of the core, sorted by sample, then place. ``amplitude`` is the score,
        ``channel_index`` the contact on which the shape fits best, ``x`` and ``y`` the mean of the contacts weighted
        by the scores of the event's sign.

    Raises
    ------
    ValueError
        If the halo is too short or the threshold not positive.

    Examples
    --------
    >>> from xephys.kernels.detect.universal_grid import universal_grid
    >>> positions = np.array([[0, 0], [0, 20.0]])
    >>> grid = universal_grid(positions, n_contacts=2)
    >>> traces = np.zeros((120, 2), np.float32)
    >>> traces[60:63, 1] = -4, -9, -4
    >>> shape = np.array([[-4, -9, -4]], np.float32) / np.float32(np.sqrt(113))
    >>> events = detect_universal(traces, before=20, after=20, start=0, shapes=shape, nbefore=1,
    ...     contacts=grid.contacts, envelopes=grid.envelopes, neighbors=grid.neighbors, positions=positions,
    ...     threshold=8.0, exclude_sweep_samples=10)
    >>> events["sample_index"].tolist(), events["channel_index"].tolist(), float(events["y"][0].round(1))
    ([41], [1], 20.0)
    """
    needed = universal_halo(n_samples=shapes.shape[1], nbefore=nbefore, exclude_sweep_samples=exclude_sweep_samples)
    if before < needed[0] or after < needed[1]:
        raise ValueError(
            f"halo is {before} samples before and {after} after; universal templates of {shapes.shape[1]} samples and "
            f"a sweep of {exclude_sweep_samples} need {needed[0]} and {needed[1]}"
        )
    if not threshold > 0:
        raise ValueError(f"threshold is {threshold}; it must be positive")
    n_shapes = -(-len(shapes) // GROUP) * GROUP
    taps = np.zeros((n_shapes, shapes.shape[1]), np.float32)
    taps[: len(shapes)] = shapes
    rows_places, scores, codes = scan_universal(
        np.ascontiguousarray(traces, np.float32),
        before,
        len(traces) - after,
        taps,
        nbefore,
        contacts,
        envelopes,
        neighbors,
        float(threshold),
        exclude_sweep_samples,
    )
    rows, places = rows_places[:, 0], rows_places[:, 1]
    events: NDArray[np.void] = np.zeros(len(rows), UNIVERSAL_DTYPE)
    events["sample_index"] = rows + (start - before)
    events["amplitude"] = scores
    events["segment_index"] = 0
    events["place_index"] = places
    events["sign"] = np.sign(codes)
    events["size_index"], events["shape_index"] = np.divmod(np.abs(codes) - 1, n_shapes)
    channels, centers = _centers(
        traces, rows - nbefore, taps[events["shape_index"]], contacts[places], np.sign(codes), positions
    )
    events["channel_index"] = channels
    events["x"], events["y"] = centers[:, 0], centers[:, 1]
    return events


@kernel
def _centers(
    traces: NDArray[np.float32],
    first_rows: NDArray[np.int64],
    taps: NDArray[np.float32],
    contacts: NDArray[np.int32],
    signs: NDArray[np.int64],
    positions: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Contact with the largest score of the event's sign, and the center of those scores."""
    n_events, n_slots = contacts.shape
    channels, centers = zeros(n_events, np.int64), zeros((n_events, 2))
    for event in range(n_events):
        total, highest = 0.0, -1.0
        for k in range(n_slots):
            channel = contacts[event, k]
            if k > 0 and channel == contacts[event, 0]:
                continue  # padding of a small shank
            score = 0.0
            for j in range(taps.shape[1]):
                score += np.float64(taps[event, j]) * np.float64(traces[first_rows[event] + j, channel])
            score = max(0.0, score * signs[event])
            if score > highest:
                highest, channels[event] = score, channel
            total += score
            centers[event, 0] += score * positions[channel, 0]
            centers[event, 1] += score * positions[channel, 1]
        if total > 0:
            centers[event, 0] /= total
            centers[event, 1] /= total
    return channels, centers
