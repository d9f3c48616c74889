"""Hypothesis strategies: lengths of chunks, ranges in time, chains of toy stages."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.graph import toys
from xephys.graph.plan import Stage


def chunk_lengths(n_samples: int, *, tile_samples: int, smallest: int = 1) -> st.SearchStrategy[int]:
    """Chunk lengths, preferably awkward ones: just off a tile, primes, one sample less than the recording."""
    awkward = {
        n
        for n in (
            tile_samples - 1,
            tile_samples,
            tile_samples + 1,
            7 * tile_samples // 10 + 1,
            n_samples - 1,
            n_samples + 1,
        )
        if n >= smallest
    }
    return st.one_of(st.sampled_from(sorted(awkward)), st.integers(smallest, n_samples))


def cuts(n_samples: int, *, max_cuts: int = 6) -> st.SearchStrategy[tuple[int, ...]]:
    """Irregular chunks of a whole recording."""

    def lengths(borders: list[int]) -> tuple[int, ...]:
        return tuple(int(n) for n in np.diff([0, *sorted(set(borders)), n_samples]))

    return st.lists(st.integers(1, n_samples - 1), max_size=max_cuts).map(lengths)


def ranges(n_samples: int) -> st.SearchStrategy[tuple[int, int]]:
    """Non-empty ranges ``[start, stop)``."""
    pairs = st.tuples(st.integers(0, n_samples), st.integers(0, n_samples))
    return pairs.filter(lambda pair: pair[0] != pair[1]).map(lambda pair: (min(pair), max(pair)))


@st.composite
def toy_stages(draw: Any) -> Stage:
    """A trace stage: a running mean with any halo, a gain, or a matrix over channels."""
    kind = draw(st.sampled_from(("mean", "gain", "mix")))
    if kind == "mean":
        before, after = draw(st.integers(0, 150)), draw(st.integers(0, 150))
        return Stage(toys.running_mean, dtype=np.float32, before=before, after=after)
    if kind == "gain":
        return Stage(toys.scale, dtype=np.float32, parameters={"gain": draw(st.floats(-3, 3))})
    seed = draw(st.integers(0, 100))
    matrix = np.random.default_rng(seed).normal(size=(toys.N_CHANNELS, toys.N_CHANNELS)).astype(np.float32)
    return Stage(toys.mix, dtype=np.float32, arrays={"matrix": matrix})


def toy_chains(max_size: int = 5) -> st.SearchStrategy[list[Stage]]:
    return st.lists(toy_stages(), min_size=1, max_size=max_size)
