"""Spikes of two or more sortings as arrays on one axis, and the number of coincident spikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import RecordingError
from .one_axis import on_one_axis

if TYPE_CHECKING:
    from spikeinterface import BaseSorting


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of a sorting, in order of segment and sample.

    Attributes
    ----------
    sample_index, unit_index, segment_index
        Of each spike.
    unit_ids
        Names of the units.
    n_segments, sampling_frequency
        Of the recording.
    """

    sample_index: NDArray[np.int64]
    unit_index: NDArray[np.int64]
    segment_index: NDArray[np.int64]
    unit_ids: NDArray[Any]
    n_segments: int
    sampling_frequency: float

    @classmethod
    def of(cls, sorting: BaseSorting) -> Spikes:
        vector = sorting.to_spike_vector()
        columns = {name: np.ascontiguousarray(vector[name], np.int64) for name in vector.dtype.names}
        order = np.lexsort((columns["sample_index"], columns["segment_index"]))
        return cls(
            sample_index=columns["sample_index"][order],
            unit_index=columns["unit_index"][order],
            segment_index=columns["segment_index"][order],
            unit_ids=np.asarray(sorting.unit_ids),
            n_segments=int(sorting.get_num_segments()),
            sampling_frequency=float(sorting.sampling_frequency),
        )

    @property
    def num_spikes(self) -> NDArray[np.int64]:
        """Number of spikes of each unit."""
        return np.bincount(self.unit_index, minlength=len(self.unit_ids)).astype(np.int64)

    def parts(self) -> Iterator[slice]:
        """Slice of the spikes of each segment."""
        bounds = np.searchsorted(self.segment_index, np.arange(self.n_segments + 1))
        yield from (slice(int(first), int(end)) for first, end in pairwise(bounds))

    def samples_of(self, delta_ms: float) -> int:
        """A distance in samples, rounded down as in SpikeInterface."""
        return int(delta_ms / 1000 * self.sampling_frequency)


def spikes_of_two(first: Any, second: Any, names: tuple[str, str]) -> tuple[Spikes, Spikes]:
    """Two sortings of any kind on one axis, restricted to their common range.

    Parameters
    ----------
    first, second
        Any sortings.
    names
        Names of the sortings, for errors.

    Raises
    ------
    TypeError
        If something is not a sorting.
    RecordingError
        If rates or segments differ, or the sortings have no time in common.
    """
    one, other = as_spikeinterface_sorting(first), as_spikeinterface_sorting(second)
    if one.sampling_frequency != other.sampling_frequency:
        raise RecordingError(
            f"the {names[0]} sorting was sampled at {one.sampling_frequency:g} Hz and the {names[1]} at "
            f"{other.sampling_frequency:g} Hz; compare sortings of one recording"
        )
    if one.get_num_segments() != other.get_num_segments():
        raise RecordingError(
            f"the {names[0]} sorting has {one.get_num_segments()} segments and the {names[1]} "
            f"{other.get_num_segments()}; compare sortings of one recording"
        )
    other, one = on_one_axis(second, first, other, one)  # on the axis of the first
    return Spikes.of(one), Spikes.of(other)


def count_coincident(first: Spikes, second: Spikes, delta_ms: float, *, symmetric: bool) -> NDArray[np.int64]:
    """Coincident spikes of each pair of units ``(first unit, second unit)``, at most as many as the second one has.

    Parameters
    ----------
    first, second
        Of the same segments.
    delta_ms
        Maximum distance of coincident spikes.
    symmetric
        Count in both directions, and take in each segment the larger count.
    """
    from ..kernels.comparison.coincidences import add_coincidences

    within = first.samples_of(delta_ms)
    total = np.zeros((len(first.unit_ids), len(second.unit_ids)), np.int64)
    for of_first, of_second in zip(first.parts(), second.parts(), strict=True):
        one = first.sample_index[of_first], first.unit_index[of_first]
        other = second.sample_index[of_second], second.unit_index[of_second]
        counts = np.zeros_like(total)
        add_coincidences(counts, *one, *other, within)
        if symmetric:
            back = np.zeros_like(total.T)
            add_coincidences(back, *other, *one, within)
            counts = np.maximum(counts, back.T)
        total += counts
    return np.minimum(total, second.num_spikes[None, :])


def coincident_with_partner(
    first: Spikes, second: Spikes, partner: NDArray[np.int64], delta_ms: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each spike of both sortings, whether one of its unit's partner coincides with it, each counted once.

    Parameters
    ----------
    first, second
        Of the same segments.
    partner
        Number of the second sorting's unit that belongs to each unit of the first; -1 for none.
    delta_ms
        Maximum distance of coincident spikes.
    """
    from ..kernels.comparison.coincidences import coincident_spikes

    within = first.samples_of(delta_ms)
    found = np.zeros(len(first.sample_index), bool), np.zeros(len(second.sample_index), bool)
    for of_first, of_second in zip(first.parts(), second.parts(), strict=True):
        one = first.sample_index[of_first], first.unit_index[of_first]
        other = second.sample_index[of_second], second.unit_index[of_second]
        both = coincident_spikes(*one, *other, partner, within)
        found[0][of_first], found[1][of_second] = both[0] >= 0, both[1] >= 0
    return found


def agreement_by_distance(first: Spikes, second: Spikes, delta_ms: float) -> NDArray[np.float64]:
    """Agreement of trains of boxes ``(first unit, second unit)``: their product over the rest of their squares.

    Each spike is a box ``delta_ms`` long. With the distance d between two such trains and their product p, the
    agreement is ``1 / (1 + d^2 / p)``: 1 for equal trains, falling with every sample by which spikes differ.

    Parameters
    ----------
    first, second
        Of the same segments.
    delta_ms
        Length of a box.
    """
    width = first.samples_of(delta_ms)
    both = _overlaps(first, second, width).astype(np.float64)
    squares = [np.diagonal(_overlaps(one, one, width)).astype(np.float64) for one in (first, second)]
    rest = squares[0][:, None] + squares[1][None, :] - both
    return np.divide(both, rest, out=np.zeros(both.shape), where=rest > 0)


def _overlaps(first: Spikes, second: Spikes, width: int) -> NDArray[np.int64]:
    from ..kernels.comparison.coincidences import add_overlaps

    total = np.zeros((len(first.unit_ids), len(second.unit_ids)), np.int64)
    for of_first, of_second in zip(first.parts(), second.parts(), strict=True):
        one = first.sample_index[of_first], first.unit_index[of_first]
        add_overlaps(total, *one, second.sample_index[of_second], second.unit_index[of_second], width)
    return total


def as_spikeinterface_sorting(sorting: Any) -> BaseSorting:
    """Any kind of sorting as a SpikeInterface sorting."""
    from spikeinterface import BaseSorting

    if isinstance(sorting, BaseSorting):
        return sorting
    if hasattr(sorting, "to_spikeinterface"):
        return sorting.to_spikeinterface()
    if not isinstance(sorting, xr.DataTree) or "spikes" not in sorting.children:
        raise TypeError(
            f"expected a sorting (a DataTree with /spikes, or SpikeInterface's), got {type(sorting).__name__}; "
            "see open_sorting"
        )
    from ..io.bridge.spikeinterface import to_spikeinterface

    converted: BaseSorting = to_spikeinterface(sorting)
    return converted
