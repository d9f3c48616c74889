"""Find pieces of a neuron that take turns: together they fire throughout, and hardly ever within the same second.

A neuron that was split where the tissue moved, on a probe too short to tell its motion, leaves units with similar
templates. One is silent while another fires, as often as the tissue goes back and forth. Two neurons that are active
throughout fire side by side; and so do one that is active for part of the time and one that is active throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrc

from xephys.kernels.curate.pieces import joined_trains
from xephys.kernels.metrics.spike_trains import coincidences

__all__ = ["TURN", "find_turns", "take_turns"]

TURN = np.dtype([("unit", np.int64), ("piece_of", np.int64), ("lag", np.int64), ("similarity", np.float64)])
"""A unit that takes turns with another one; ``lag`` is added to its samples."""

#: Minimum cosine of the templates, and of the ratio of their sizes.
SIMILARITY_MIN, SCALE_MIN = 0.85, 0.5
#: Trains that coincide more than this, relative to independent trains, are those of two neurons.
COINCIDENCE_MAX = 0.3
#: Pairs of spikes within the window, relative to independent trains: 0.00 to 0.25 was seen of most pieces of simulated
#: neurons that drift, and about 1 of neurons side by side.
PAIRS_MAX = 0.2
#: Fewer expected pairs tell nothing.
N_EXPECTED_MIN = 30.0
#: The recording is cut into at most this many parts, with at least so many spikes of both trains in each on average.
N_PARTS_MAX, N_SPIKES_OF_PART = 40, 8
#: Together, the trains have at least this share of their mean rate in a part that they cover, and cover so many parts.
COVERED_RATE_MIN, COVERED_MIN = 0.25, 0.8


def find_turns(
    candidates: NDArray[np.void],
    trains: Sequence[NDArray[np.int64]],
    target: NDArray[np.int64],
    shift: NDArray[np.int64],
    *,
    window_samples: int,
    refractory_samples: int,
    dead_samples: int,
    duration_samples: int,
) -> NDArray[np.void]:
    """Units that take turns with a similar one, in the order in which they are joined.

    Parameters
    ----------
    candidates : structured array of dtype `CANDIDATE` of `kernels.curate.merge`
        Pairs of similar templates, most similar first.
    trains : list of int64 arrays
        Samples of each template, ascending.
    target, shift : integer array of shape (template,)
        The unit of each template after earlier decisions, -1 for none, and what is added to its samples.
    window_samples : int
        As for `take_turns`.
    refractory_samples, dead_samples, duration_samples : int
        As for `spike_trains.coincidences`.

    Returns
    -------
    structured array of dtype `TURN`
        For `pieces.join_pieces`.

    Examples
    --------
    >>> from xephys.kernels.curate.merge import CANDIDATE
    >>> whole = np.arange(0, 1_800_000, 3000)
    >>> pairs = np.array([(0, 1, 0.9, 2, 1.0)], CANDIDATE)
    >>> find_turns(pairs, [whole[:400], whole[400:]], np.arange(2), np.zeros(2, int), window_samples=30_000,
    ...            refractory_samples=60, dead_samples=15, duration_samples=1_800_000).tolist()
    [(1, 0, 2, 0.9)]
    """
    unit_of, moved = target.astype(np.int64), shift.astype(np.int64)
    together = joined_trains(list(trains), unit_of, moved)
    alike = (candidates["similarity"] >= SIMILARITY_MIN) & (candidates["scale"] >= SCALE_MIN)
    alike &= candidates["scale"] * SCALE_MIN <= 1.0
    found: list[tuple[int, int, int, float]] = []
    searching = True
    while searching:  # a piece may take turns with two others only once these are joined
        searching = False
        for pair in candidates[alike]:
            a, b = int(pair["first"]), int(pair["second"])
            first, second = int(unit_of[a]), int(unit_of[b])
            if first < 0 or second < 0 or first == second:
                continue
            lag = int(pair["lag"] + moved[a] - moved[b])
            aligned = together[second] + lag
            observed, expected = coincidences(
                together[first],
                aligned,
                refractory_samples=refractory_samples,
                dead_samples=dead_samples,
                duration_samples=duration_samples,
            )
            clash = observed > 0 and pdtrc(observed - 1, COINCIDENCE_MAX * expected) < 0.01
            extent = {"window_samples": window_samples, "duration_samples": duration_samples}
            if clash or not take_turns(together[first], aligned, **extent):
                continue
            found.append((second, first, lag, float(pair["similarity"])))
            members = unit_of == second
            unit_of[members], moved[members] = first, moved[members] + lag
            together[first], together[second] = np.sort(np.concatenate([together[first], aligned])), aligned[:0]
            searching = True
    return np.array(found, TURN)


def take_turns(
    first: NDArray[np.int64], second: NDArray[np.int64], *, window_samples: int, duration_samples: int
) -> bool:
    """Whether two trains take turns and together last for the whole recording.

    Parameters
    ----------
    first, second : (n,), (m,) int64
        Sorted sample indices.
    window_samples : int
        Spikes closer than this are side by side: shorter than the time for which either of two pieces is silent.
    duration_samples : int
        Length of the recording.

    Examples
    --------
    >>> import numpy as np
    >>> whole = np.arange(0, 1_800_000, 3000)
    >>> window = {"window_samples": 30_000, "duration_samples": 1_800_000}
    >>> take_turns(whole[:400], whole[400:], **window), take_turns(whole[::2], whole[1::2], **window)
    (True, False)
    """
    observed, expected = coincidences(
        first, second, refractory_samples=window_samples, dead_samples=1, duration_samples=duration_samples
    )
    if expected < N_EXPECTED_MIN or observed > PAIRS_MAX * expected:
        return False
    both = np.concatenate([first, second])
    n_parts = int(np.clip(len(both) // N_SPIKES_OF_PART, 1, N_PARTS_MAX))
    part = np.minimum((both - both.min()) * n_parts // duration_samples, n_parts - 1)
    counts = np.bincount(part, minlength=n_parts)
    return bool((counts >= COVERED_RATE_MIN * counts.mean()).mean() >= COVERED_MIN)
