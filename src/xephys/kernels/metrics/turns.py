"""Join parts of a unit that take turns: they are one drifting neuron, not two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Number of consecutive spikes of two parts that form a block.
BLOCK = 10


def turn_taking(second: NDArray[np.bool_], *, block: int = BLOCK) -> float:
    """Separation of two groups of spikes in time: 0 if they are mixed, 1 if they take turns.

    1 minus the probability that two spikes of one block belong to different groups, relative to that of any two spikes:
    the fixation index of population genetics (Wright 1951, *Ann. Eugenics* 15, 323), unbiased for blocks of few spikes.

    Parameters
    ----------
    second : (n_spikes,) bool
        Mask, over the spikes of both groups in order of time, of those in the second group.
    block : int
        Number of consecutive spikes that count as simultaneous; an incomplete block at the end is ignored.

    Returns
    -------
    index : float
        Slightly below 0 by chance. 0 with fewer than two blocks, or without spikes of either group.

    Examples
    --------
    >>> import numpy as np
    >>> turn_taking(np.arange(100) >= 50)
    1.0
    >>> abs(turn_taking(np.random.default_rng(0).random(1000) < 0.3)) < 0.05
    True
    """
    n_blocks = len(second) // block
    if n_blocks < 2:
        return 0.0
    blocks = second[: n_blocks * block].reshape(n_blocks, block)
    n_second = blocks.sum(axis=1, dtype=np.float64)
    total, n_total = n_second.sum(), float(blocks.size)
    overall = total * (n_total - total) / (n_total * (n_total - 1))
    if overall == 0:
        return 0.0
    within = (n_second * (block - n_second)).mean() / (block * (block - 1))
    return float(1.0 - within / overall)


def join_turns(labels: NDArray[np.int32], *, turn_taking_max: float) -> NDArray[np.int32]:
    """Join parts of one unit that take turns.

    Drift moves the waveform of one neuron from place to place, and clustering finds a part for each. Two neurons, in
    contrast, fire side by side. Pairs are tried in descending order of how clearly they take turns.

    Parameters
    ----------
    labels : (n_spikes,) int32
        Parts 0, 1, … of a unit's spikes in order of time, -1 for none.
    turn_taking_max : float
        Two parts stay separate up to this value of `turn_taking`.

    Returns
    -------
    labels : (n_spikes,) int32
        In order of decreasing size.

    Examples
    --------
    >>> import numpy as np
    >>> early_late_all = np.where(np.arange(300) % 2, 2, np.arange(300) >= 150).astype(np.int32)
    >>> np.bincount(join_turns(early_late_all, turn_taking_max=0.5))
    array([150, 150])
    """
    joined = labels.copy()
    while (n_parts := int(joined.max(initial=-1)) + 1) > 1:
        turns = np.zeros((n_parts, n_parts))
        for a in range(n_parts):
            for b in range(a + 1, n_parts):
                of_both = joined[(joined == a) | (joined == b)]
                turns[a, b] = turn_taking(of_both == b)
        first, other = divmod(int(turns.argmax()), n_parts)
        if turns[first, other] <= turn_taking_max:
            break
        joined[joined == other] = first
        sizes = np.bincount(joined[joined >= 0], minlength=n_parts)
        rank = np.empty(n_parts + 1, np.int32)
        rank[np.argsort(-sizes, kind="stable")] = np.arange(n_parts, dtype=np.int32)
        rank[-1] = -1
        joined = rank[joined]
    return joined
