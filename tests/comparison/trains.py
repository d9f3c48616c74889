"""Sortings with nontrivial agreement, as SpikeInterface objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from spikeinterface import NumpySorting

RATE = 30_000.0


def numpy_sorting(segments: Sequence[dict[int | str, np.ndarray]]) -> NumpySorting:
    return NumpySorting.from_unit_dict(
        [{unit: np.sort(np.asarray(train, np.int64)) for unit, train in trains.items()} for trains in segments], RATE
    )


def two_sortings(
    seed: int, *, n_segments: int = 1, texts: bool = False, apart: int = 1
) -> tuple[NumpySorting, NumpySorting]:
    """A truth of seven units, and a sorting of it with jitter, misses, a split, a merge and a unit that does not exist.

    Spikes of a true unit are a multiple of ``apart`` samples from each other.
    """
    rng = np.random.default_rng(seed)
    segments: tuple[list[dict[int | str, np.ndarray]], ...] = ([], [])
    for _ in range(n_segments):
        truth = [apart * np.sort(rng.choice(300_000 // apart, 150 + 40 * k, replace=False)) for k in range(7)]
        moved = [train + rng.integers(-8, 9, len(train)) for train in truth]
        tested = [
            moved[0],
            moved[1][rng.random(len(moved[1])) < 0.7],
            moved[2][::2],
            moved[2][1::2],
            np.concatenate([moved[3], moved[4]]),
            rng.choice(300_000, 150, replace=False),
            moved[5][rng.random(len(moved[5])) < 0.3],
        ]
        name = (lambda k: f"u{k}") if texts else (lambda k: k)
        segments[0].append({name(k): train for k, train in enumerate(truth)})
        segments[1].append({name(10 + k): train for k, train in enumerate(tested)})
    return numpy_sorting(segments[0]), numpy_sorting(segments[1])
