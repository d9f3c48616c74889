"""Template matching with moving templates: every tile is matched with the templates at its own displacement.

A unit keeps its time courses wherever the tissue is; only their patterns on the channels change. For each tile,
patterns are interpolated between the tabulated displacements. What a spike of one template adds to the score of another
is computed from products of patterns and a table that all units and tiles share: correlations between the members of
one basis in which all time courses are expressed. The displacement belongs to the tile, so spikes do not depend on
chunks.
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, full, zeros
from xephys.kernels.lib.constants import ENERGY_FRACTION, ENERGY_MIN
from xephys.kernels.lib.dispatch import runs_on_devices
from xephys.kernels.lib.inner import kernel
from xephys.kernels.match.features import match_and_project
from xephys.kernels.match.leftover import match_and_look
from xephys.kernels.match.model import MatchModel, sharing_pairs, shift_matrices
from xephys.kernels.match.templates import match_templates

__all__ = ["MovingModel", "build_moving_model", "match_moving_templates", "model_at"]

#: Size of the basis in which all time courses are expressed; what it misses of a 2 ms waveform is below the noise.
N_BASIS = 20


class MovingModel(TypedDict):
    """Arrays that describe moving templates (shapes and types: `build_moving_model`)."""

    temporal: NDArray[np.float32]
    patterns: NDArray[np.float32]
    slot_channels: NDArray[np.int32]
    mixing: NDArray[np.float32]
    basis_overlaps: NDArray[np.float32]
    shifted_temporal: NDArray[np.float32]


def build_moving_model(
    *,
    temporal: NDArray[np.float32],
    patterns: NDArray[np.float32],
    channels: NDArray[np.int32],
    steps_per_sample: int = 4,
) -> MovingModel:
    """Build the arrays for `match_moving_templates` from time courses and patterns.

    Parameters
    ----------
    temporal : float32 array of shape (unit, rank, sample)
        Orthonormal time courses.
    patterns : float32 array of shape (unit, displacement, rank, slot)
    channels : int32 array of shape (unit, slot)
        Channel of each slot, -1 where empty.
    steps_per_sample : int
        Sub-sample shifts tabulated per sample (even; 0 for none).

    Returns
    -------
    dict
        ``temporal``, ``patterns``, ``slot_channels`` as given, ``mixing`` float32 (unit, rank, member): time courses in
        the basis, ``basis_overlaps`` float32 (member, member, shift, 2 sample - 1), ``shifted_temporal`` float32
        (unit, shift, rank, sample).

    Examples
    --------
    >>> model = build_moving_model(temporal=np.eye(1, 5, 2, dtype=np.float32)[None],
    ...     patterns=np.full((1, 2, 1, 1), 3.0, np.float32), channels=np.zeros((1, 1), np.int32))
    >>> model["mixing"].shape, model["basis_overlaps"].shape
    ((1, 1, 5), (5, 5, 5, 9))
    """
    n_units, n_ranks, n_samples = temporal.shape
    courses = temporal.astype(np.float64)
    strength = np.einsum("udrk,udrk->ur", patterns, patterns, dtype=np.float64) / max(patterns.shape[1], 1)
    weighted = (courses * np.sqrt(strength)[:, :, None]).reshape(n_units * n_ranks, n_samples)
    _, vectors = np.linalg.eigh(weighted.T @ weighted)
    basis = np.ascontiguousarray(vectors[:, ::-1][:, : min(N_BASIS, n_samples)].T)
    operators = shift_matrices(n_samples, steps_per_sample=steps_per_sample)
    shifted_basis = np.einsum("dij,pj->dpi", operators, basis, optimize=True)
    overlaps = np.zeros((len(basis), len(basis), len(operators), 2 * n_samples - 1))
    for lag in range(-(n_samples - 1), n_samples):
        first, last = max(0, -lag), min(n_samples, n_samples - lag)
        overlaps[:, :, :, lag + n_samples - 1] = np.einsum(
            "qj,dpj->qpd", basis[:, first:last], shifted_basis[:, :, first + lag : last + lag], optimize=True
        )
    return MovingModel(
        temporal=np.ascontiguousarray(temporal, np.float32),
        patterns=np.ascontiguousarray(np.where(channels[:, None, None, :] >= 0, patterns, 0), np.float32),
        slot_channels=np.ascontiguousarray(channels, np.int32),
        mixing=np.ascontiguousarray(courses @ basis.T, np.float32),
        basis_overlaps=overlaps.astype(np.float32),
        shifted_temporal=np.einsum("dij,urj->udri", operators, courses, optimize=True).astype(np.float32),
    )


@kernel
def _gram_of_pairs(
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    n_channels: int,
    starts: NDArray[np.int64],
    partners: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Products of the patterns of each pair, ``(pair, rank of the second, rank of the first)``."""
    n_units, n_ranks, n_slots = spatial.shape
    gram = zeros((len(partners), n_ranks, n_ranks), np.float32)
    slot_of = full(n_channels, -1, np.int64)
    for u in range(n_units):
        slot_of[:] = -1
        for k in range(n_slots):
            if channels[u, k] >= 0:
                slot_of[channels[u, k]] = k
        for pair in range(starts[u], starts[u + 1]):
            v = partners[pair]
            for k in range(n_slots):
                if channels[v, k] >= 0 and slot_of[channels[v, k]] >= 0:
                    for a in range(n_ranks):
                        for b in range(n_ranks):
                            gram[pair, a, b] += spatial[v, a, k] * spatial[u, b, slot_of[channels[v, k]]]
    return gram


@kernel
def _patterns_at(patterns: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
    n_units, n_displacements, n_ranks, n_slots = patterns.shape
    spatial = empty((n_units, n_ranks, n_slots), np.float32)
    for unit in range(n_units):
        at = min(max(place[unit], 0.0), float(n_displacements - 1))
        low = min(int(at), max(n_displacements - 2, 0))
        high, share = min(low + 1, n_displacements - 1), np.float32(at - low)
        for rank in range(n_ranks):
            for k in range(n_slots):
                before, after = patterns[unit, low, rank, k], patterns[unit, high, rank, k]
                spatial[unit, rank, k] = before + share * (after - before)
    return spatial


def _strongest_first(
    spatial: NDArray[np.float32], channels: NDArray[np.int32], n_channels_max: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Patterns and channels without those that carry no energy here."""
    energy = np.where(channels >= 0, np.einsum("urk,urk->uk", spatial, spatial), np.float32(-1))
    floor = np.maximum(ENERGY_FRACTION * energy.max(axis=1, initial=0.0), ENERGY_MIN)
    order = np.argsort(-energy, axis=1, kind="stable")[:, :n_channels_max]
    kept = np.take_along_axis(energy, order, axis=1) > floor[:, None]
    width = max(int(kept.sum(axis=1).max(initial=0)), 1)
    order, kept = order[:, :width], kept[:, :width]
    slots = np.where(kept, np.take_along_axis(channels, order, axis=1), -1).astype(np.int32)
    chosen = np.take_along_axis(spatial, order[:, None, :], axis=2)
    return np.ascontiguousarray(np.where(kept[:, None, :], chosen, np.float32(0))), slots


def model_at(
    place: NDArray[np.float64],
    *,
    n_channels: int,
    n_channels_max: int,
    moving: MovingModel,
) -> MatchModel:
    """The model of the templates at one displacement of the tissue.

    Parameters
    ----------
    Displacement of each unit, in units of the table's step along the second axis of `patterns`.
        Displacement of each unit, in steps along the second axis of `patterns`.
    n_channels, n_channels_max : int
        Number of channels of the recording, and maximum number of channels of a template.
    moving : MovingModel
        From `build_moving_model`.

    Returns
    -------
    dict
        The arrays of `model.build_match_model`.

    Examples
    --------
    >>> moving = build_moving_model(temporal=np.eye(1, 5, 2, dtype=np.float32)[None],
    ...     patterns=np.array([2.0, 4.0], np.float32).reshape(1, 2, 1, 1), channels=np.zeros((1, 1), np.int32))
    >>> model_at(np.array([0.5]), n_channels=1, n_channels_max=1, moving=moving)["energies"].tolist()
    [9.0]
    """
    spatial, channels = _strongest_first(
        _patterns_at(moving["patterns"], place), moving["slot_channels"], n_channels_max
    )
    starts, partners = sharing_pairs(channels, n_channels)
    gram = _gram_of_pairs(spatial, channels, n_channels, starts, partners)
    first = np.repeat(np.arange(len(spatial)), np.diff(starts))
    mixing, basis_overlaps = moving["mixing"], moving["basis_overlaps"]
    mixed = np.matmul(np.matmul(mixing[partners].transpose(0, 2, 1), gram), mixing[first])
    n_members, _, n_shifts, n_lags = basis_overlaps.shape
    table = basis_overlaps.reshape(n_members * n_members, n_shifts * n_lags)
    overlaps = np.dot(mixed.reshape(len(partners), n_members * n_members), table)
    energy = np.einsum("urk,urk->uk", spatial, spatial)
    return MatchModel(
        temporal=moving["temporal"],
        spatial=spatial,
        channels=channels,
        peak_channels=channels[np.arange(len(channels)), 0].astype(np.int64),
        energies=energy.sum(axis=1, dtype=np.float64),
        pair_starts=starts,
        pair_units=partners,
        pair_overlaps=overlaps.reshape(len(partners), n_shifts, n_lags),
        shifted_temporal=moving["shifted_temporal"],
    )


@runs_on_devices
def match_moving_templates(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    tile_samples: int,
    first_tile: int,
    places: NDArray[np.float64],
    n_channels_max: int,
    moving: MovingModel,
    components: NDArray[np.float32] | None = None,
    neighbors: NDArray[np.int32] | None = None,
    **settings: Any,
) -> NDArray[np.void]:
    """Find the spikes of moving templates in one tile, with projections if components are given.

    Parameters
    ----------
    traces, before, after, start
        As for `templates.match_templates`.
    tile_samples : int
        Length of a tile of the absolute sample axis.
    first_tile : int
        Number of the tile to which the first row of `places` belongs.
    places : float64 array of shape (tile, unit)
        Displacement of each unit in each tile, in units of the table's step along the second axis of `patterns`.
    n_channels_max : int
        Maximum number of channels of a template.
    moving : MovingModel
        From `build_moving_model`.
    components, neighbors
        As for `features.match_and_project`.
    **settings
        ``nbefore`` and the settings of `templates.match_templates`; with ``peak_thresholds`` also those of
        `leftover.match_and_look`.

    Returns
    -------
    structured array
        As returned by `templates.match_templates`, `features.match_and_project` or `leftover.match_and_look`;
        ``channel_index`` is the peak channel at the displacement of the tile.

    Examples
    --------
    >>> shape = np.array([0, 2, -9, 5, 2, 0.0], np.float32)
    >>> norm = np.linalg.norm(shape)
    >>> moving = build_moving_model(temporal=(shape / norm)[None, None],
    ...     patterns=(norm * np.eye(2, dtype=np.float32))[None, :, None, :], channels=np.array([[0, 1]], np.int32))
    >>> traces = np.zeros((60, 2), np.float32)
    >>> traces[28:34, 1] = 1.1 * shape
    >>> spikes = match_moving_templates(traces, before=10, after=10, start=1000, nbefore=2, tile_samples=1000,
    ...     first_tile=1, places=np.array([[1.0]]), n_channels_max=2, moving=moving)
    >>> spikes[["sample_index", "channel_index"]].tolist()
    [(1020, 1)]
    """
    tile = min(max(start // tile_samples - first_tile, 0), len(places) - 1)
    model = model_at(places[tile], n_channels=traces.shape[1], n_channels_max=n_channels_max, moving=moving)
    settings |= {"before": before, "after": after, "start": start, "model": model}
    if components is None or neighbors is None:
        return match_templates(traces, **settings)
    matched = match_and_look if "peak_thresholds" in settings else match_and_project
    return matched(traces, components=components, neighbors=neighbors, **settings)
