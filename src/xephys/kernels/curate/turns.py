"""Find pieces of a neuron that take turns: together they fire throughout, and hardly ever within the same second.

A neuron that was split where the tissue moved, on a probe too short to tell its motion, leaves units with similar
templates. One is silent while another fires, as often as the tissue goes back and forth. Two neurons that are active
throughout fire side by side; and so do one that is active for part of the time and one that is active throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.curate.pieces import joined_trains
from xephys.kernels.metrics.spike_trains import are_two_neurons, coincidences

__all__ = ["TURN", "find_turns", "lasts_throughout", "share_side_by_side"]

TURN = np.dtype(
    [
        ("unit", np.int64),
        ("piece_of", np.int64),
        ("lag", np.int64),
        ("similarity", np.float64),
        ("side_by_side", np.float64),
    ]
)
"""A unit that takes turns with another one; ``lag`` is added to its samples."""

#: Pieces fire side by side by at most the second number times what their cosine has beyond the first. Where the tissue
#: moves slowly, either template fits for a while, and the more alike they are, the longer.
SIMILARITY_MIN, SHARE_PER_SIMILARITY = 0.75, 2.0
#: Minimum ratio of the sizes of their templates: where one neuron leaves the sight of the contacts as another comes,
#: these look alike by chance, and are of any size.
SCALE_MIN = 0.7
#: With fewer pairs that independent trains would have, nothing is known.
N_EXPECTED_MIN = 30.0
#: The recording is cut into at most this many parts, with at least so many spikes in each on average.
N_PARTS_MAX, N_SPIKES_OF_PART = 40, 8
#: A train lasts throughout if it has at least this share of its mean rate in so many of the parts.
RATE_MIN, PARTS_MIN = 0.25, 0.8


def find_turns(
    candidates: NDArray[np.void],
    trains: Sequence[NDArray[np.int64]],
    target: NDArray[np.integer],
    shift: NDArray[np.integer],
    *,
    window_samples: int,
    refractory_samples: int,
    dead_samples: int,
    duration_samples: int,
) -> NDArray[np.void]:
    """Units that take turns with similar ones, and together with these last throughout.

    Parameters
    ----------
    candidates : structured array of dtype `CANDIDATE` of `kernels.curate.merge`
        Pairs of similar templates, most similar first.
    trains : list of int64 arrays
        Samples of each template, ascending.
    target, shift : integer array of shape (template,)
        The unit of each template after earlier decisions, -1 for none, and what is added to its samples.
    window_samples : int
        Spikes closer than this are side by side: shorter than the time for which either of two pieces is silent.
    refractory_samples, dead_samples, duration_samples : int
        As for `spike_trains.coincidences`.

    Returns
    -------
    structured array of dtype `TURN`
        In the order in which they are joined, for `pieces.join_pieces`.

    Examples
    --------
    >>> from xephys.kernels.curate.merge import CANDIDATE
    >>> whole = np.arange(0, 1_800_000, 3000)
    >>> pairs = np.array([(0, 1, 0.9, 2, 1.0)], CANDIDATE)
    >>> find_turns(pairs, [whole[:400], whole[400:]], np.arange(2), np.zeros(2, int), window_samples=30_000,
    ...            refractory_samples=60, dead_samples=15, duration_samples=1_800_000)[["unit", "piece_of"]].tolist()
    [(1, 0)]
    """
    unit_of, moved = target.astype(np.int64), shift.astype(np.int64)
    together = joined_trains(list(trains), unit_of, moved)
    scale = candidates["scale"]
    alike = (candidates["similarity"] > SIMILARITY_MIN) & (scale >= SCALE_MIN) & (scale * SCALE_MIN <= 1.0)
    found: list[tuple[int, int, int, float, float]] = []
    for pair in candidates[alike]:
        first, second = int(unit_of[pair["first"]]), int(unit_of[pair["second"]])
        if first < 0 or second < 0 or first == second:
            continue
        lag = int(pair["lag"] + moved[pair["first"]] - moved[pair["second"]])
        aligned, similarity = together[second] + lag, float(pair["similarity"])
        share = share_side_by_side(
            together[first], aligned, window_samples=window_samples, duration_samples=duration_samples
        )
        observed, expected = coincidences(
            together[first],
            aligned,
            refractory_samples=refractory_samples,
            dead_samples=dead_samples,
            duration_samples=duration_samples,
        )
        clash = are_two_neurons(observed, expected)
        if clash or share > SHARE_PER_SIMILARITY * (similarity - SIMILARITY_MIN):
            continue
        found.append((second, first, lag, similarity, share))
        members = unit_of == second
        unit_of[members], moved[members] = first, moved[members] + lag
        together[first], together[second] = np.sort(np.concatenate([together[first], aligned])), aligned[:0]
    # Three pieces may follow one another, so that only all of them last throughout.
    whole = [row for row in found if lasts_throughout(together[unit_of[row[1]]], duration_samples=duration_samples)]
    return np.array(whole, TURN)


def share_side_by_side(
    first: NDArray[np.int64], second: NDArray[np.int64], *, window_samples: int, duration_samples: int
) -> float:
    """Pairs of spikes of two trains within a window, relative to those of independent trains; 1 if these are few.

    Examples
    --------
    >>> whole = np.arange(0, 1_800_000, 3000)
    >>> parts = (whole[:300], whole[300:]), (whole[::2], whole[1::2])
    >>> [round(share_side_by_side(*both, window_samples=30_000, duration_samples=1_800_000), 1) for both in parts]
    [0.0, 1.0]
    """
    observed, expected = coincidences(
        first, second, refractory_samples=window_samples, dead_samples=1, duration_samples=duration_samples
    )
    return observed / expected if expected >= N_EXPECTED_MIN else 1.0


def lasts_throughout(train: NDArray[np.int64], *, duration_samples: int) -> bool:
    """Whether a train is active in nearly all parts of a recording that begins no later than its first spike.

    Examples
    --------
    >>> train = np.arange(0, 1_800_000, 3000)
    >>> [lasts_throughout(part, duration_samples=1_800_000) for part in (train, train[:400])]
    [True, False]
    """
    if not len(train):
        return False
    n_parts = int(np.clip(len(train) // N_SPIKES_OF_PART, 1, N_PARTS_MAX))
    part = np.minimum((train - train.min()) * n_parts // duration_samples, n_parts - 1)
    counts = np.bincount(part, minlength=n_parts)
    return bool((counts >= RATE_MIN * counts.mean()).mean() >= PARTS_MIN)
