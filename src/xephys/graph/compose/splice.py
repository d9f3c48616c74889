"""A source made of stretches of another one, spliced together: a short stand-in for a long recording."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..plan import Array, Source


@dataclass(frozen=True)
class SplicedSource:
    """Stretches of equal length, each faded into the next one so that no filter sees a step.

    Parameters
    ----------
    source
        Where the samples come from.
    starts
        First sample of each stretch, ascending; they are at least the length of a stretch apart.
    length
        Number of samples in a stretch.
    fade
        Number of samples at the end of a stretch over which it fades into what precedes the next one.
    """

    source: Source
    starts: tuple[int, ...]
    length: int
    fade: int

    @property
    def n_samples(self) -> int:
        return len(self.starts) * self.length

    @property
    def n_channels(self) -> int:
        return self.source.n_channels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.source.dtype

    @cached_property
    def token(self) -> str:
        return f"spliced:{self.source.token}:{self.starts}:{self.length}:{self.fade}"

    def read(self, start: int, stop: int) -> Array:
        parts = [self._part(k, start, stop) for k in range(start // self.length, -(-stop // self.length))]
        if not parts:
            return np.empty((0, self.n_channels), self.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, number: int, start: int, stop: int) -> Array:
        """Contribution of one stretch to ``[start, stop)``."""
        lo, hi = max(start - number * self.length, 0), min(stop - number * self.length, self.length)
        own = self.source.read(self.starts[number] + lo, self.starts[number] + hi)
        begin = max(lo, self.length - self.fade)
        if number + 1 == len(self.starts) or hi <= begin:
            return own
        ahead = self.starts[number + 1] - self.length
        coming = self.source.read(ahead + begin, ahead + hi).astype(np.float64)
        weight = (np.arange(begin, hi) - (self.length - self.fade) + 1)[:, None] / (self.fade + 1)
        mixed = own[begin - lo :] + weight * (coming - own[begin - lo :])
        faded = np.array(own)
        faded[begin - lo :] = np.rint(mixed) if self.dtype.kind in "iu" else mixed
        return faded


def spread_starts(start: int, stop: int, *, n_stretches: int, length: int, grid: int) -> tuple[int, ...]:
    """First samples of stretches spread evenly over ``[start, stop)``, on a grid, never overlapping.

    Examples
    --------
    >>> spread_starts(0, 1000, n_stretches=3, length=100, grid=50)
    (0, 450, 900)
    """
    last = (stop - length - start) // grid
    steps = np.linspace(0, last, n_stretches).astype(np.int64) if n_stretches > 1 else np.array([last // 2])
    return tuple((start + steps * grid).tolist())
