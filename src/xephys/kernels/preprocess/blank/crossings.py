"""Find where periods of large values begin and end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.inner import kernel

#: Record of an edge of a period: its first sample (``opens``) or its last one.
EDGE_DTYPE = np.dtype([("sample_index", "<i8"), ("opens", "?")])


def find_edges(
    traces: NDArray[Any],
    *,
    before: int,
    after: int,
    start: int,
    thresholds: NDArray[np.float32],
    n_channels_min: int,
    first_sample: int,
    last_sample: int,
) -> NDArray[Any]:
    """First and last samples of the periods in which enough channels reach their threshold in size.

    Parameters
    ----------
    traces
        Shape (before + n + after, channel).
    before, after
        Halo, at least one row on each side.
    start
        Number of the first sample of the core.
    thresholds
        Shape (channel,).
    n_channels_min
        Number of channels that must reach their threshold.
    first_sample, last_sample
        Ends of the searched range, at which longer periods are cut.

    Returns
    -------
    Records of ``EDGE_DTYPE``, ascending; a period of one sample has two records.

    Examples
    --------
    >>> traces = np.array([[0], [9], [9], [0], [9], [0]], np.float32)
    >>> edges = find_edges(traces, before=1, after=1, start=1, thresholds=np.array([5], np.float32), n_channels_min=1,
    ...                    first_sample=0, last_sample=5)
    >>> edges.tolist()
    [(1, True), (2, False), (4, True), (4, False)]
    """
    if before < 1 or after < 1:
        raise ValueError(f"before is {before} and after {after}; edges are seen with one row more on either side")
    large = np.zeros(len(traces), np.bool_)
    _mark(np.ascontiguousarray(traces), thresholds, n_channels_min, large)
    rows = np.flatnonzero(large[before : len(large) - after]) + before
    samples = rows - before + start
    opens = ~large[rows - 1] | (samples == first_sample)
    closes = ~large[rows + 1] | (samples == last_sample)
    edges = np.empty(int(opens.sum() + closes.sum()), EDGE_DTYPE)
    # Even keys for opening edges and the next odd ones for closing edges order the two edges of a one-sample period.
    order = np.argsort(np.concatenate([2 * samples[opens], 2 * samples[closes] + 1]), kind="stable")
    edges["sample_index"] = np.concatenate([samples[opens], samples[closes]])[order]
    edges["opens"] = (np.arange(len(edges)) < opens.sum())[order]
    return edges


@kernel
def _mark(traces, thresholds, n_channels_min, large):  # type: ignore[no-untyped-def]
    for t in range(traces.shape[0]):
        count = 0
        for c in range(traces.shape[1]):
            if abs(np.float32(traces[t, c])) >= thresholds[c]:
                count += 1
                if count >= n_channels_min:
                    large[t] = True
                    break
