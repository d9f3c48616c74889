"""The model of a set of templates for the matching pursuit: energies, thresholds and pairwise overlaps.

The overlap of templates ``u`` and ``v`` at lag ``l`` is what one spike of ``u`` adds to the score of ``v``. Overlaps
are stored only for pairs that share a channel, as rows of a compressed sparse table, so that memory grows with units ×
neighbors instead of units squared. Each overlap is tabulated for a few sub-sample shifts of ``u``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, grown, zeros
from xephys.kernels.lib.inner import INNER, inner, kernel
from xephys.kernels.lib.lanes import fma, load_f64, splat_f64, store

__all__ = ["MatchModel", "build_match_model", "shift_matrices"]

SINC_HALF_WIDTH = 16
#: Lags of an overlap that are summed together: eight registers of AVX2.
LAGS = 32


class MatchModel(TypedDict):
    """The arrays that describe templates for matching (shapes and types: `build_match_model`)."""

    temporal: NDArray[np.float32]
    spatial: NDArray[np.float32]
    channels: NDArray[np.int32]
    peak_channels: NDArray[np.int64]
    energies: NDArray[np.float64]
    pair_starts: NDArray[np.int64]
    pair_units: NDArray[np.int32]
    pair_overlaps: NDArray[np.float32]
    shifted_temporal: NDArray[np.float32]


def shift_matrices(n_samples: int, *, steps_per_sample: int) -> NDArray[np.float64]:
    """Operators that delay a waveform by a fraction of a sample (Hann-windowed sinc interpolation).

    Parameters
    ----------
    n_samples : int
        Length of the waveform, which is zero outside.
    steps_per_sample : int
        Resolution. Shifts run from -half to +half a sample in steps of ``1 / steps_per_sample``; an even number.

    Returns
    -------
    float64 array of shape (steps_per_sample + 1, n_samples, n_samples)
        ``result[i] @ waveform`` is the waveform delayed by ``(i - steps_per_sample // 2) / steps_per_sample`` samples.

    Raises
    ------
    ValueError
        If `steps_per_sample` is odd or negative.

    Examples
    --------
    >>> import numpy as np
    >>> bool(np.allclose(shift_matrices(8, steps_per_sample=4)[2], np.eye(8)))
    True
    """
    if steps_per_sample < 0 or steps_per_sample % 2:
        raise ValueError(f"steps_per_sample is {steps_per_sample}; it must be 0 or an even number, for example 4.")
    half = steps_per_sample // 2
    delays = np.arange(-half, half + 1) / max(steps_per_sample, 1)
    position = np.arange(n_samples)
    distance = position[:, None] - position[None, :] - delays[:, None, None]
    window = np.where(np.abs(distance) < SINC_HALF_WIDTH, np.cos(0.5 * np.pi * distance / SINC_HALF_WIDTH) ** 2, 0.0)
    return np.asarray(np.sinc(distance) * window)


@kernel
def sharing_pairs(channels: NDArray[np.int32], n_channels: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    n_units, n_slots = channels.shape
    starts = zeros(n_units + 1, np.int64)
    partners = empty(64, np.int32)
    on_channel = zeros(n_channels, np.bool_)
    n_pairs = 0
    for u in range(n_units):
        for c in range(n_channels):
            on_channel[c] = False
        for k in range(n_slots):
            if channels[u, k] >= 0:
                on_channel[channels[u, k]] = True
        for v in range(n_units):
            shared = u == v
            for k in range(n_slots):
                if channels[v, k] >= 0 and on_channel[channels[v, k]]:
                    shared = True
            if shared:
                if n_pairs == partners.size:
                    partners = grown(partners, 2 * partners.size)
                partners[n_pairs] = v
                n_pairs += 1
        starts[u + 1] = n_pairs
    return starts, partners[:n_pairs].copy()


@kernel
def _tabulate_overlaps(
    shifted: NDArray[np.float64],
    temporal: NDArray[np.float64],
    spatial: NDArray[np.float64],
    channels: NDArray[np.int32],
    n_channels: int,
    starts: NDArray[np.int64],
    partners: NDArray[np.int32],
    overlaps: NDArray[np.float32],
    first_unit: int,
    last_unit: int,
) -> None:
    """Fill in the overlaps of the units from `first_unit` to before `last_unit`."""
    n_ranks, n_samples = temporal.shape[1:]
    n_lags = (2 * n_samples - 1 + LAGS - 1) // LAGS * LAGS
    slot_of = empty(n_channels, np.int64)
    gram, total = empty((n_ranks, n_ranks)), empty(n_lags)
    mixed = zeros(n_samples + n_lags)
    _tabulate_each(
        shifted, temporal, spatial, channels, starts, partners, overlaps, first_unit, last_unit, slot_of, gram, total,
        mixed,
    )  # fmt: skip


@njit(**INNER, fastmath={"contract"})
def _tabulate_each(
    shifted: NDArray[np.float64],
    temporal: NDArray[np.float64],
    spatial: NDArray[np.float64],
    channels: NDArray[np.int32],
    starts: NDArray[np.int64],
    partners: NDArray[np.int32],
    overlaps: NDArray[np.float32],
    first_unit: int,
    last_unit: int,
    slot_of: NDArray[np.int64],
    gram: NDArray[np.float64],
    total: NDArray[np.float64],
    mixed: NDArray[np.float64],
) -> None:
    """The last four arguments are working memory; ``mixed`` is zero beyond the samples that are written to."""
    n_ranks, n_samples = temporal.shape[1:]
    n_slots = channels.shape[1]
    n_shifts = shifted.shape[1]
    for u in range(first_unit, last_unit):
        for c in range(slot_of.size):
            slot_of[c] = -1
        for k in range(n_slots):
            if channels[u, k] >= 0:
                slot_of[channels[u, k]] = k
        for pair in range(starts[u], starts[u + 1]):
            v = partners[pair]
            for a in range(n_ranks):
                for b in range(n_ranks):
                    gram[a, b] = 0.0
            for k in range(n_slots):
                if channels[v, k] >= 0 and slot_of[channels[v, k]] >= 0:
                    for a in range(n_ranks):
                        for b in range(n_ranks):
                            gram[a, b] += spatial[v, a, k] * spatial[u, b, slot_of[channels[v, k]]]
            for shift in range(n_shifts):
                for lag in range(total.size):
                    total[lag] = 0.0
                for a in range(n_ranks):
                    used = False
                    for t in range(n_samples):
                        mixed[n_samples - 1 + t] = 0.0
                    for b in range(n_ranks):
                        if gram[a, b] != 0.0:  # templates have fewer ranks than the table has room for
                            used = True
                            for t in range(n_samples):
                                mixed[n_samples - 1 + t] += gram[a, b] * shifted[u, shift, b, t]
                    if used:
                        _add_lagged(temporal, (v * n_ranks + a) * n_samples, n_samples, mixed, total)
                for lag in range(overlaps.shape[2]):
                    overlaps[pair, shift, lag] = total[lag]


@inner
def _add_lagged(
    temporal: NDArray[np.float64],
    first: int,
    n_samples: int,
    mixed: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """Add the score of v at each lag l (v starts l samples after u), sum_j v[j] u[j + l], `LAGS` of them in registers.

    Samples at which u is zero are left out of a block of lags, or add nothing.
    """
    flat = temporal.reshape(-1)
    for lag in range(0, total.size, LAGS):
        s0, s1 = load_f64(total, lag), load_f64(total, lag + 8)
        s2, s3 = load_f64(total, lag + 16), load_f64(total, lag + 24)
        for j in range(max(0, n_samples - lag - LAGS), min(n_samples, 2 * n_samples - 1 - lag)):
            weight, at = splat_f64(flat[first + j]), lag + j
            s0 = fma(weight, load_f64(mixed, at), s0)
            s1 = fma(weight, load_f64(mixed, at + 8), s1)
            s2 = fma(weight, load_f64(mixed, at + 16), s2)
            s3 = fma(weight, load_f64(mixed, at + 24), s3)
        store(total, lag, s0)
        store(total, lag + 8, s1)
        store(total, lag + 16, s2)
        store(total, lag + 24, s3)


def build_match_model(
    *,
    temporal: NDArray[np.floating],
    spatial: NDArray[np.floating],
    channels: NDArray[np.integer],
    n_channels: int,
    steps_per_sample: int = 4,
    each: Callable[[Callable[[slice], None], list[slice]], Any] = map,
    blocks: list[slice] | None = None,
) -> MatchModel:
    """Build the model for `match_templates` from low-rank templates.

    Parameters
    ----------
    temporal : array of shape (unit, rank, sample)
    spatial : array of shape (unit, rank, slot)
    channels : integer array of shape (unit, slot)
        Channel of each slot, -1 where empty.
    n_channels : int
        Channels of the recording.
    steps_per_sample : int
        Sub-sample shifts tabulated per sample (even; 0 for none).
    each, blocks
        Function that applies another to each of a list of blocks of units, as `map` does, and that may do so in
        threads; all units are one block by default.

    Returns
    -------
    dict
        ``temporal`` float32 (unit, rank, sample), ``spatial`` float32 (unit, rank, slot), ``channels`` int32
        (unit, slot), ``peak_channels`` int64 (unit,), ``energies`` float64 (unit,): squared norms, ``pair_starts``
        int64 (unit + 1,), ``pair_units`` int32 (pair,), ``pair_overlaps`` float32 (pair, shift, 2 sample - 1),
        ``shifted_temporal`` float32 (unit, shift, rank, sample).

    Raises
    ------
    ValueError
        If the shapes disagree, a channel is outside the recording, or a template is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> model = build_match_model(temporal=np.eye(1, 5, 2)[None], spatial=np.full((1, 1, 1), 3.0),
    ...                           channels=np.zeros((1, 1), int), n_channels=2)
    >>> float(model["energies"][0]), model["pair_overlaps"].shape
    (9.0, (1, 5, 9))
    """
    n_units, n_ranks, n_samples = temporal.shape
    if spatial.shape != (n_units, n_ranks, channels.shape[1]) or channels.shape[0] != n_units:
        raise ValueError(
            f"temporal {temporal.shape}, spatial {spatial.shape} and channels {channels.shape} do not describe the "
            "same templates: pass (unit, rank, sample), (unit, rank, slot) and (unit, slot)."
        )
    if channels.size and channels.max() >= n_channels:
        raise ValueError(
            f"a template uses channel {channels.max()}, but the recording has {n_channels} channels: "
            "pass templates made on the same probe."
        )
    if not (np.isfinite(temporal).all() and np.isfinite(spatial).all()):
        raise ValueError("templates hold NaN or infinite values: drop units without spikes before matching.")
    temporal64 = np.ascontiguousarray(temporal, dtype=np.float64)
    spatial64 = np.ascontiguousarray(np.where(channels[:, None, :] >= 0, spatial, 0), dtype=np.float64)
    slots = np.ascontiguousarray(channels, dtype=np.int32)
    operators = shift_matrices(n_samples, steps_per_sample=steps_per_sample)
    shifted = np.ascontiguousarray(np.einsum("dij,urj->udri", operators, temporal64))
    starts, partners = sharing_pairs(slots, n_channels)
    overlaps = np.zeros((partners.size, operators.shape[0], 2 * n_samples - 1), np.float32)

    def tabulate(block: slice) -> None:
        _tabulate_overlaps(
            shifted, temporal64, spatial64, slots, n_channels, starts, partners, overlaps, block.start, block.stop
        )

    list(each(tabulate, [slice(0, n_units)] if blocks is None else blocks))
    waveforms = np.einsum("urt,urk->utk", temporal64, spatial64)
    peak_slots = np.ptp(waveforms, axis=1).argmax(axis=1) if waveforms.size else np.zeros(n_units, np.int64)
    return MatchModel(
        temporal=temporal64.astype(np.float32),
        spatial=spatial64.astype(np.float32),
        channels=slots,
        peak_channels=slots[np.arange(n_units), peak_slots].astype(np.int64),
        energies=np.einsum("utk,utk->u", waveforms, waveforms),
        pair_starts=starts,
        pair_units=partners,
        pair_overlaps=overlaps,
        shifted_temporal=shifted.astype(np.float32),
    )
