"""Align the fingerprints of all time bins to their own mean, as in Kilosort's registration and related methods."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.local import map_in_threads
from .shank_peaks import ShankPeaks

#: Maximum number of the bin that serves as the first reference; it is the middle bin of shorter recordings.
_REFERENCE_BIN_MAX = 300
#: Number of time bins whose fingerprints are in memory at once, per thread.
_SLICE_BINS = 64


class Prints(NamedTuple):
    """How fingerprints are made and shifted: bins of depth, level of each peak, and the treatment of the ends."""

    peaks: ShankPeaks
    level: NDArray[np.uint8]
    n_levels: int
    low_um: float
    bin_um: float
    n_depths: int
    circular: bool

    @property
    def depth_um(self) -> NDArray[np.float64]:
        """Centers of the bins."""
        return self.low_um + self.bin_um * (np.arange(self.n_depths) + 0.5)


def amplitude_levels(amplitude: NDArray[np.float32], n_levels: int, limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Level of each amplitude, evenly spaced in its logarithm; values beyond the limits get the outermost level."""
    edges = np.exp(np.linspace(np.log(limits[0]), np.log(limits[1]), n_levels + 1)[1:-1])
    return np.searchsorted(edges, amplitude, side="right").astype(np.uint8)


def align_to_mean(prints: Prints, *, n_rounds: int, shift_max: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Shift of each bin, and the mean of the aligned fingerprints.

    In each round, every bin takes the shift at which it matches the reference best, and the mean of the aligned bins
    becomes the next reference. The shifts of all rounds add up.
    """
    applied = np.zeros(prints.peaks.n_times, np.int64)
    middle = min(_REFERENCE_BIN_MAX, prints.peaks.n_times // 2)
    reference = _fingerprints(prints, (middle, middle + 1))[0]
    everywhere = np.ones(prints.n_depths, np.float32)
    for _ in range(n_rounds):
        scores = scores_of(prints, reference, applied, [everywhere], shift_max)[:, :, 0]
        applied = applied + scores.argmax(axis=1) - shift_max
        total = sum(_in_slices(prints, partial(_sum, applied)))
        reference = np.asarray(total / prints.peaks.n_times, np.float32)
    return applied, reference


def scores_of(
    prints: Prints,
    reference: NDArray[np.float32],
    applied: NDArray[np.int64],
    windows: list[NDArray[np.float32]],
    shift_max: int,
) -> NDArray[np.float32]:
    """How well each bin matches the reference at each additional shift, ``(time, shift, window)``."""
    found = _in_slices(prints, partial(_scores, reference, applied, windows, shift_max))
    return np.concatenate(found)


def _in_slices(prints: Prints, work: Callable[..., Any]) -> list[Any]:
    n_times = prints.peaks.n_times
    spans = [(start, min(start + _SLICE_BINS, n_times)) for start in range(0, n_times, _SLICE_BINS)]
    return map_in_threads(partial(_of_slice, prints, work), spans)


def _of_slice(prints: Prints, work: Callable[..., Any], span: tuple[int, int]) -> Any:
    return work(_fingerprints(prints, span), slice(*span), prints.circular)


def _fingerprints(prints: Prints, span: tuple[int, int]) -> NDArray[np.float32]:
    from ..kernels.motion.fingerprint import fingerprints

    offsets = prints.peaks.offsets[span[0] : span[1] + 1]
    own = slice(int(offsets[0]), int(offsets[-1]))
    depth = np.floor((prints.peaks.depth_um[own] - prints.low_um) / prints.bin_um).astype(np.int64)
    made: NDArray[np.float32] = fingerprints(
        offsets - offsets[0], depth, prints.level[own], prints.n_depths, prints.n_levels
    )
    return made


def _sum(applied: NDArray[np.int64], values: NDArray[np.float32], own: slice, circular: bool) -> Any:
    from ..kernels.motion.fingerprint import aligned_sum

    return aligned_sum(values, applied[own], circular)


def _scores(
    reference: NDArray[np.float32],
    applied: NDArray[np.int64],
    windows: list[NDArray[np.float32]],
    shift_max: int,
    values: NDArray[np.float32],
    own: slice,
    circular: bool,
) -> Any:
    from ..kernels.motion.fingerprint import shift_scores

    return np.stack(
        [shift_scores(values, reference, applied[own], window, shift_max, circular) for window in windows], axis=-1
    )
