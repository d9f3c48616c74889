"""Find pieces of a bursting neuron: smaller and wider spikes that follow milliseconds after its others.

A neuron tires in a burst: its spikes lose height and gain width. If they become a cluster of their own, the trains show
that the two clusters are one neuron: the smaller spikes come in bursts that larger ones begin, hardly ever precede
these, and never coincide with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BURST_PIECE", "find_burst_pieces", "stretched_likeness"]

BURST_PIECE = np.dtype(
    [
        ("unit", np.int64),
        ("piece_of", np.int64),
        ("lag", np.int64),
        ("likeness", np.float64),
        ("stretch", np.float64),
        ("follow", np.float64),
        ("precede", np.float64),
        ("together", np.float64),
    ]
)
"""A unit whose spikes are the late ones of another's bursts, and the evidence.

``lag`` is added to its samples; ``likeness`` is the cosine of its template and the other's, widened by ``stretch``;
``follow`` is the share of its spikes that come in a burst after a spike of the other's, ``precede`` the share of the
other's spikes that one of its spikes precedes, and ``together`` the share of its spikes within the refractory period of
one of the other's.
"""

LIKENESS_MIN, FOLLOW_MIN, PRECEDE_MAX, TOGETHER_MAX = 0.93, 0.6, 0.25, 0.05
STRETCHES = np.arange(1.0, 2.3, 0.1)


def stretched_likeness(
    wide: NDArray[np.floating], narrow: NDArray[np.floating], *, nbefore: int, lag_samples_max: int = 6
) -> tuple[float, float]:
    """Cosine of one waveform and a widened one, at the best stretch and lag.

    Parameters
    ----------
    wide, narrow : (n_samples, n_channels) float
    nbefore : int
        The sample around which the waveform is stretched.
    lag_samples_max : int

    Returns
    -------
    likeness, stretch : float

    Examples
    --------
    >>> time = np.arange(60)[:, None] - 20.0
    >>> narrow, wide = (np.exp(-0.5 * (time / width) ** 2) for width in (3, 4.5))
    >>> [round(value, 2) for value in stretched_likeness(wide, narrow, nbefore=20)]
    [1.0, 1.5]
    """
    time, n = np.arange(len(narrow), dtype=np.float64), len(narrow)
    norm = float(np.linalg.norm(wide))
    best = (-1.0, 1.0)
    for stretch in STRETCHES:
        source = nbefore + (time - nbefore) / stretch
        below = np.clip(np.floor(source).astype(np.int64), 0, n - 2)
        part = np.clip(source - below, 0, 1)[:, None]
        made = (1 - part) * narrow[below] + part * narrow[below + 1]
        size = max(norm * float(np.linalg.norm(made)), 1e-30)
        for lag in range(-lag_samples_max, lag_samples_max + 1):
            first, second = wide[max(lag, 0) : n + min(lag, 0)], made[max(-lag, 0) : n - max(lag, 0)]
            likeness = float((first * second).sum()) / size
            if likeness > best[0] + 1e-9:
                best = (likeness, float(stretch))
    return best


def find_burst_pieces(
    candidates: NDArray[np.void],
    waveforms: NDArray[np.float32],
    channels: NDArray[np.int32],
    trains: list[NDArray[np.int64]],
    *,
    nbefore: int,
    window_samples: int,
    refractory_samples: int,
) -> NDArray[np.void]:
    """Units whose spikes are the late ones of another unit's bursts.

    Parameters
    ----------
    candidates : structured array of dtype `CANDIDATE` of `kernels.curate.merge`
        Pairs of units that are similar to some degree.
    waveforms, channels : (unit, sample, slot) float32, (unit, slot) int32
        Templates of the units.
    trains : list of int64 arrays
        Samples of the units, ascending.
    nbefore : int
        Samples of a template before the spike.
    window_samples : int
        Maximum interval within a burst.
    refractory_samples : int
        Minimum interval between two spikes of one neuron.

    Returns
    -------
    structured array of dtype `BURST_PIECE`
        One record per unit that is a piece, with the unit that it resembles most.

    Examples
    --------
    >>> from xephys.kernels.curate.merge import merge_candidates
    >>> time = np.arange(60)[:, None] - 20.0
    >>> waveforms = np.stack([-20 * np.exp(-0.5 * (time / 3) ** 2), -8 * np.exp(-0.5 * (time / 4.5) ** 2)]).astype("f4")
    >>> channels, bursts = np.zeros((2, 1), np.int32), np.arange(1, 200) * 30_000
    >>> pairs = merge_candidates(waveforms, channels)
    >>> find_burst_pieces(pairs, waveforms, channels, [bursts, bursts + 150], nbefore=20, window_samples=450,
    ...                   refractory_samples=45)[["unit", "piece_of"]].tolist()
    [(1, 0)]
    """
    norms = np.sqrt((waveforms.astype(np.float64) ** 2).sum(axis=(1, 2)))
    found: dict[int, tuple[float | int, ...]] = {}
    for pair in candidates:
        first, second = int(pair["first"]), int(pair["second"])
        large, small = (first, second) if norms[first] >= norms[second] else (second, first)
        if not (len(trains[large]) and len(trains[small])):
            continue
        lag = int(pair["lag"]) if small == second else -int(pair["lag"])
        own = trains[small] + lag
        together = _share_after(own, trains[large], -refractory_samples, refractory_samples)
        follow = share_in_bursts_of(own, trains[large], interval_min=refractory_samples, interval_max=window_samples)
        precede = _share_after(trains[large], own, refractory_samples, window_samples)
        if follow < FOLLOW_MIN or precede > PRECEDE_MAX or together > TOGETHER_MAX:
            continue
        shared = np.intersect1d(channels[large][channels[large] >= 0], channels[small][channels[small] >= 0])
        wide, narrow = (_on(waveforms[unit], channels[unit], shared) for unit in (small, large))
        likeness, stretch = stretched_likeness(wide, narrow, nbefore=nbefore)
        if likeness >= LIKENESS_MIN and likeness > found.get(small, (0, 0, 0, 0.0))[3]:
            found[small] = (small, large, lag, likeness, stretch, follow, precede, together)
    return np.array([found[unit] for unit in sorted(found)], BURST_PIECE)


def share_in_bursts_of(
    samples: NDArray[np.int64], starts: NDArray[np.int64], *, interval_min: int, interval_max: int
) -> float:
    """Share of the samples that one of the ``starts`` precedes, at once or over other samples of the same burst.

    A smaller neuron that bursts by itself follows its own spikes, and says nothing of another's.

    Parameters
    ----------
    samples, starts : (n,), (m,) int64
        In ascending order.
    interval_min, interval_max : int
        Intervals between successive spikes of a burst.

    Examples
    --------
    >>> starts = np.array([0, 10_000])
    >>> late = np.array([100, 200, 300, 20_000, 20_100, 20_200])
    >>> share_in_bursts_of(late, starts, interval_min=45, interval_max=450)
    0.5
    """
    if not len(samples):
        return 0.0
    both = np.concatenate([starts, samples])
    order = np.argsort(both, kind="stable")
    in_order, is_start = both[order], order < len(starts)
    burst = np.cumsum(np.diff(in_order, prepend=in_order[0]) > interval_max)
    # Of each spike, the last start before it, if that is in the same burst and not within the refractory period.
    last = np.maximum.accumulate(np.where(is_start, np.arange(len(both)), -1))
    follows = (last >= 0) & (burst[last] == burst) & (in_order - in_order[last] >= interval_min)
    return float(follows[~is_start].mean())


def _share_after(samples: NDArray[np.int64], others: NDArray[np.int64], interval_min: int, interval_max: int) -> float:
    """Share of the samples that follow one of the others by such a time."""
    first = np.searchsorted(others, samples - interval_max)
    last = np.searchsorted(others, samples - interval_min, side="right")
    return float((last > first).mean())


def _on(waveform: NDArray[np.float32], channels: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.float32]:
    slots = [int(np.flatnonzero(channels == channel)[0]) for channel in wanted]
    return waveform[:, slots]
