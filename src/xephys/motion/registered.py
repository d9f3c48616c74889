"""Spikes as they would look if the tissue had not moved: the input of clustering for a drifting recording."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..graph.checkpoint import StoredRecords
from ..per_channel import positions_of
from ..recording.clock import first_sample, start_time_s
from ..recording.geometry import channel_groups, nearest_channels, separation_um
from .displacement import displacement_at, shanks_asked_for

#: Maximum distance of a spike from its peak channel; larger distances are errors of the localization.
REACH_UM = 25.0


@dataclass(frozen=True, eq=False)
class Tissue:
    """A motion and its recording: maps samples to times, and channels to shanks.

    Attributes
    ----------
    motion
        From :func:`xephys.estimate_motion`.
    positions_um
        ``(channel, 2)``.
    groups, separation_um
        Group of each channel, and its offset for separating groups by distance; see :mod:`xephys.recording.geometry`.
    shanks
        Identifier of the shank of each channel, as in the motion; None if the motion has one shank.
    first_sample, first_time_s, sampling_frequency
        First sample, its time, and rate of the recording: time is linear in samples.
    """

    motion: xr.Dataset
    positions_um: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    separation_um: NDArray[np.float64]
    shanks: NDArray[Any] | None
    first_sample: int
    first_time_s: float
    sampling_frequency: float

    @classmethod
    def of(cls, recording: xr.DataArray, motion: xr.Dataset) -> Tissue:
        """The motion of a recording.

        Examples
        --------
        >>> from xephys.motion.displacement import make_motion
        >>> from xephys.testing import simulate_recording
        >>> recording, _ = simulate_recording(duration_s=2, n_channels=4, n_units=1)
        >>> motion = make_motion([[0.0], [4.0]], time_s=[0.5, 1.5], depth_um=[0])
        >>> Tissue.of(recording, motion).of_samples(np.array([15_000, 45_000]), np.array([0, 0])).tolist()
        [0.0, 4.0]
        """
        positions = positions_of(recording, why="motion")
        return cls(
            motion=motion,
            positions_um=np.ascontiguousarray(positions, np.float64),
            groups=channel_groups(recording),
            separation_um=separation_um(recording, positions),
            shanks=shanks_asked_for(recording, motion),
            first_sample=first_sample(recording),
            first_time_s=start_time_s(recording),
            sampling_frequency=float(recording.attrs["sampling_frequency"]),
        )

    @property
    def apart_um(self) -> NDArray[np.float64]:
        """Positions with the shanks moved apart, so that nearest channels are on the same shank."""
        return self.positions_um + self.separation_um

    def of_samples(self, sample_index: NDArray[np.int64], channel_index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Displacement of the tissue seen by each channel at each sample, µm."""
        times = self.first_time_s + (sample_index - self.first_sample) / self.sampling_frequency
        return self._at(times, channel_index, registered=False)

    def noise_kept(self, *, n_nearest: int) -> float:
        """Size of the noise of projections on ``n_nearest`` channels once these are registered, of what it was."""
        from ..kernels.motion.registered import noise_kept

        neighbors = nearest_channels(self.positions_um, n_nearest=n_nearest, groups=self.groups)
        displacement = self.motion["displacement_um"].values.ravel().astype(np.float64)
        return noise_kept(displacement, positions_um=self.apart_um, neighbors=neighbors)

    def of_tiles(
        self, tiles: NDArray[np.integer[Any] | np.floating[Any]], channel_index: NDArray[np.int64], *, tile_samples: int
    ) -> NDArray[np.float64]:
        """Displacement ``(tile, channel)`` in µm at the middle of each tile, of tissue resting at given channels."""
        middle = (tiles + 0.5) * tile_samples - self.first_sample
        times = self.first_time_s + middle / self.sampling_frequency
        return self._at(times[:, None], channel_index[None, :], registered=True)

    def _at(self, times_s: NDArray[Any], channel_index: NDArray[Any], *, registered: bool) -> NDArray[np.float64]:
        cells = self.motion["time"].values
        return displacement_at(
            self.motion,
            time_s=np.clip(times_s, cells[0], cells[-1]),
            depth_um=self.positions_um[channel_index, 1],
            shank=None if self.shanks is None else self.shanks[channel_index],
            registered=registered,
        )

    @cached_property
    def token(self) -> str:
        """Identity of everything on which a displacement depends."""
        values = [self.motion[name].values for name in ("displacement_um", "time", "depth")]
        shanks = None if self.shanks is None else [*map(str, self.shanks)]
        origin = (self.first_sample, self.first_time_s, self.sampling_frequency, shanks)
        parts = [repr(origin).encode(), self.apart_um.tobytes(), *(v.tobytes() for v in values)]
        digest = hashlib.sha1(usedforsecurity=False)
        for part in parts:
            digest.update(part)
        return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class UnitFeatures:
    """Features of moving templates, for spikes that were matched with them.

    Attributes
    ----------
    features
        float32 ``(unit, displacement, slot, component)``.
    channels
        int32 ``(unit, slot)``, -1 where empty.
    resting_channels
        Peak channel of each unit at displacement zero.
    displacement_um
        Evenly spaced.
    """

    features: NDArray[np.float32]
    channels: NDArray[np.int32]
    resting_channels: NDArray[np.int64]
    displacement_um: NDArray[np.float64]

    def places(self, displacement_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Displacements in units of the table's step."""
        grid = self.displacement_um
        step = grid[1] - grid[0] if len(grid) > 1 else 1.0
        return np.asarray((displacement_um - grid[0]) / step, np.float64)


@dataclass(frozen=True, eq=False)
class RegisteredEvents:
    """Records on disk with ``channel_index`` and ``projection`` as if the tissue had not moved.

    They are registered when they are loaded, so that only records that are used take time. Without ``units``, the
    records must be localized, and their projections are interpolated between contacts. With ``units``, only the
    difference between a spike and its template is interpolated, and the template at rest is added; peaks that belong to
    no unit (``unit_index`` -1) are interpolated whole, and localized by their projections.
    """

    events: StoredRecords
    tissue: Tissue
    units: UnitFeatures | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.events.dtype

    @property
    def count(self) -> int:
        return self.events.count

    @cached_property
    def token(self) -> str:
        parts = [self.events.token, self.tissue.token]
        if self.units is not None:
            digest = hashlib.sha1(self.units.features.tobytes(), usedforsecurity=False)
            digest.update(self.units.channels.tobytes() + self.units.displacement_um.tobytes())
            parts.append(digest.hexdigest()[:16])
        return "-".join(parts)

    def load(
        self, fields: Sequence[str] | None = None, *, rows: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[Any]:
        """Records in time order, all or those at the given ascending positions, with all or some of their fields."""
        names = tuple(self.dtype.names or ()) if fields is None else tuple(fields)
        if not {"channel_index", "projection"} & set(names):
            return self.events.load(names, rows=rows)
        records = self.events.load((*names, *sorted(self._needed(names) - set(names))), rows=rows)
        moved = self.tissue.of_samples(records["sample_index"], records["channel_index"])
        registered = np.zeros(len(records), np.dtype([(name, self.dtype[name]) for name in names]))
        for name in names:
            registered[name] = records[name]
        free = np.ones(len(records), bool) if self.units is None else records["unit_index"] < 0
        target = self._targets(records, moved, free, np.arange(len(records)) if rows is None else rows)
        if "projection" in names:
            registered["projection"] = self._projections(records, moved, free, target)
        if "channel_index" in names:
            registered["channel_index"] = target
        return registered

    def _needed(self, names: tuple[str, ...]) -> set[str]:
        """The fields from which these are registered."""
        if self.units is None:
            return {"sample_index", "channel_index", "x", "y"}
        needed = {"sample_index", "channel_index", "unit_index"}
        return needed | {"amplitude"} if "projection" in names else needed

    def _targets(
        self, records: NDArray[Any], moved: NDArray[np.float64], free: NDArray[np.bool_], rows: NDArray[np.integer[Any]]
    ) -> NDArray[np.int64]:
        """The channel of each record at rest: that of its unit, or the one nearest to where a ``free`` record was."""
        from ..kernels.motion.registered import resting_channels

        target = np.zeros(len(records), np.int64)
        if self.units is not None:
            target[~free] = self.units.resting_channels[records["unit_index"][~free]]
        if free.any():
            near = self._places(records[free], rows[free])
            target[free] = resting_channels(near[:, 0], near[:, 1] - moved[free], positions_um=self.tissue.apart_um)
        return target

    def _places(self, peaks: NDArray[Any], rows: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Positions ``(peak, 2)`` at which peaks were seen, with the shanks apart."""
        from ..kernels.motion.registered import feature_centers

        contacts = self.tissue.apart_um[peaks["channel_index"]]
        if self.units is None:
            places = np.stack([peaks["x"], peaks["y"]], axis=1) + self.tissue.separation_um[peaks["channel_index"]]
        else:
            projection = np.ascontiguousarray(self.events.load(("projection",), rows=rows)["projection"])
            places = feature_centers(
                projection,
                peaks["channel_index"].astype(np.int64),
                positions_um=self.tissue.apart_um,
                neighbors=self._neighbors(projection.shape[1]),
            )
        return np.asarray(np.clip(places, contacts - REACH_UM, contacts + REACH_UM), np.float64)

    def _neighbors(self, n_nearest: int) -> NDArray[np.int32]:
        return nearest_channels(self.tissue.positions_um, n_nearest=n_nearest, groups=self.tissue.groups)

    def _projections(
        self,
        records: NDArray[Any],
        moved: NDArray[np.float64],
        free: NDArray[np.bool_],
        target: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        from ..kernels.motion.registered import register_features, without_template

        neighbors = self._neighbors(records["projection"].shape[1])
        projection, channel = np.ascontiguousarray(records["projection"]), records["channel_index"].astype(np.int64)
        around: dict[str, Any] = {"positions_um": self.tissue.positions_um, "neighbors": neighbors}
        if self.units is None:
            return register_features(projection, channel, moved, target, **around)
        of_units = ~free
        own = {
            "unit_index": records["unit_index"][of_units],
            "amplitude": records["amplitude"][of_units],
            "neighbors": neighbors,
            "unit_features": self.units.features,
            "unit_channels": self.units.channels,
        }
        place = self.units.places(moved[of_units])
        rest = np.array(projection)
        rest[of_units] = without_template(projection[of_units], channel[of_units], place=place, **own)
        rest = register_features(rest, channel, moved, target, **around)
        at_rest = self.units.places(np.zeros(len(place)))
        rest[of_units] = without_template(rest[of_units], target[of_units], place=at_rest, added=True, **own)
        return rest
