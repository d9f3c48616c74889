"""Input and output of every method: peaks of one shank by time bin, depth and amplitude, and the resulting course."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..errors import ParameterError
from ..graph.checkpoint import CheckpointedEvents
from ..graph.events import SpikeTable
from ..per_channel import positions_of
from ..recording.clock import first_sample
from ..recording.geometry import shank_numbers

FIELDS = ("sample_index", "channel_index", "amplitude", "y")
#: Peaks farther than this from the contacts are badly localized.
_BEYOND_UM = 100.0


class ShankPeaks(NamedTuple):
    """Peaks of one shank, in order of time.

    Attributes
    ----------
    offsets
        First peak of each time bin, int64 ``(time + 1,)``.
    depth_um
        float32, one value per peak, along y.
    amplitude
        float32, absolute.
    bin_s
        Width of a time bin.
    contacts_um
        Depths of the lowest and the highest contact.
    """

    offsets: NDArray[np.int64]
    depth_um: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    bin_s: float
    contacts_um: tuple[float, float]

    @property
    def n_times(self) -> int:
        return len(self.offsets) - 1

    @property
    def height_um(self) -> float:
        return self.contacts_um[1] - self.contacts_um[0]

    def bins_of(self, start: int, stop: int) -> tuple[slice, NDArray[np.int64]]:
        """The peaks of some time bins, and the bin of each, counted from ``start``."""
        counts = np.diff(self.offsets[start : stop + 1])
        return slice(int(self.offsets[start]), int(self.offsets[stop])), np.repeat(np.arange(stop - start), counts)


class Course(NamedTuple):
    """Displacement of one shank: ``(time, depth)`` values at depths, their uncertainty, and where they are known."""

    displacement_um: NDArray[np.float64]
    uncertainty_um: NDArray[np.float64]
    known: NDArray[np.bool_]
    depth_um: NDArray[np.float64]

    def at_depths(self, depths: NDArray[np.float64]) -> Course:
        """The same course at other depths: linear between its own, constant beyond."""
        if np.array_equal(self.depth_um, depths):
            return self
        below = np.clip(np.searchsorted(self.depth_um, depths, side="right") - 1, 0, len(self.depth_um) - 1)
        above = np.clip(np.searchsorted(self.depth_um, depths), 0, len(self.depth_um) - 1)
        gap = np.maximum(self.depth_um[above] - self.depth_um[below], 1e-9)
        share = np.clip((depths - self.depth_um[below]) / gap, 0, 1)
        values, sd, known = self.displacement_um, self.uncertainty_um, self.known
        return Course(
            values[:, below] * (1 - share) + values[:, above] * share,
            np.maximum(sd[:, below], sd[:, above]),
            known[:, below] & known[:, above],
            depths,
        )


def split_by_shank(
    recording: xr.DataArray, peaks: SpikeTable | CheckpointedEvents | NDArray[Any], *, bin_s: float
) -> list[ShankPeaks]:
    """The peaks of each shank, in the order in which the recording's shanks are sorted.

    Raises
    ------
    ParameterError
        If a field is missing, a peak lies outside the recording, or there are fewer than two time bins.
    RecordingError
        If the recording has no positions.
    """
    info = schema.validate_recording(recording)
    positions = positions_of(recording, why="estimating motion")
    shanks = shank_numbers(recording)
    duration_s = info.n_samples / info.sampling_frequency
    n_times = max(1, round(duration_s / bin_s))
    if n_times < 2:
        raise ParameterError(
            f"bin_s is {bin_s:g} s and the recording lasts {duration_s:g} s: motion needs at least "
            "two time bins; give a smaller bin_s, or leave motion out"
        )
    n_shanks = int(shanks.max()) + 1
    counts = np.zeros((n_shanks, n_times), np.int64)
    depths: list[list[Any]] = [[] for _ in range(n_shanks)]
    sizes: list[list[Any]] = [[] for _ in range(n_shanks)]
    first, last = first_sample(recording), 0
    for records in _chunks(peaks):
        samples, channels = records["sample_index"] - first, records["channel_index"]
        if len(samples) == 0:
            continue
        if samples[0] < last or samples[-1] >= info.n_samples or np.any(np.diff(samples) < 0):
            raise ParameterError(
                f"the peaks are not in the order of time, or lie outside the recording's {info.n_samples} samples; "
                "take the peaks of this recording, sorted by sample_index"
            )
        last = int(samples[-1])
        if np.any((channels < 0) | (channels >= info.n_channels)):
            raise ParameterError(f"some peaks are on channels that the recording's {info.n_channels} do not include")
        bins = np.minimum((samples / (info.sampling_frequency * bin_s)).astype(np.int64), n_times - 1)
        depth, size = records["y"].astype(np.float32), np.abs(records["amplitude"]).astype(np.float32)
        usable = np.isfinite(depth) & np.isfinite(size) & (size > 0)
        for shank in range(n_shanks):
            y = positions[shanks == shank, 1]
            own = usable & (shanks[channels] == shank) & (depth > y.min() - _BEYOND_UM) & (depth < y.max() + _BEYOND_UM)
            counts[shank] += np.bincount(bins[own], minlength=n_times)
            depths[shank].append(depth[own])
            sizes[shank].append(size[own])
    split = []
    for shank in range(n_shanks):
        y = positions[shanks == shank, 1]
        offsets = np.concatenate([[0], np.cumsum(counts[shank])])
        depth = np.concatenate([np.zeros(0, np.float32), *depths[shank]])
        depths[shank].clear()
        size = np.concatenate([np.zeros(0, np.float32), *sizes[shank]])
        sizes[shank].clear()
        split.append(ShankPeaks(offsets, depth, size, bin_s, (float(y.min()), float(y.max()))))
    return split


def _chunks(peaks: SpikeTable | CheckpointedEvents | NDArray[Any]) -> Iterator[NDArray[Any]]:
    names = peaks.dtype.names or ()
    missing = [name for name in FIELDS if name not in names]
    if missing:
        hint = "; localize them first (localize_peaks)" if "y" in missing else ""
        raise ParameterError(f"the peaks have no {' and no '.join(missing)}, only {', '.join(names)}{hint}")
    if isinstance(peaks, CheckpointedEvents):
        yield from peaks.iter_chunks()
    else:
        yield peaks.compute() if isinstance(peaks, SpikeTable) else peaks
