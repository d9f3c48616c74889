"""``MotionInfo``: the displacement of the tissue over the probe, in dartsort's terms, over a motion of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..checks import check_choice
from ..errors import ParameterError
from ..io.bridge.si_motion import from_spikeinterface_motion, to_spikeinterface_motion
from ..io.store.atomic import ending_with, whole_or_absent
from ..motion.displacement import displacement_at, make_motion
from ..typing import PathLike
from ..wrong_calls import explained_methods
from .convert import LOCALIZATIONS
from .geometry import column_pitch, registered_geometry, smallest_distance
from .sorting import DARTsortSorting

#: The inverse of the correction has converged when no depth changes by more than this, µm.
_TOLERANCE_UM = 1e-6
_STEPS_MAX = 200


@explained_methods
class MotionInfo:
    """The motion of one shank: displacement ``d(t, z)``, so that tissue seen at depth ``z`` rests at ``z - d``.

    Attributes
    ----------
    drifting
        Whether the tissue moves.
    geom, rgeom
        Positions ``(channel, 2)`` of the contacts in µm, and those of the registered probe: the contacts shifted by
        whole pitches over the range of the displacement.
    dredge_motion_est, si_motion
        The estimate that was given, if any.
    geom_kdt, rgeom_kdt
        ``scipy.spatial.KDTree`` of both.
    min_dist
        Smallest distance of two contacts, µm.
    pitch
        Smallest distance along the probe of two contacts of one column, µm.
    motion
        The motion as a Dataset (:func:`xephys.make_motion`); None if nothing moves.

    Examples
    --------
    >>> geom = np.column_stack([np.zeros(8), 20.0 * np.arange(8)])
    >>> info = MotionInfo.of_motion(make_motion([[0.0], [30.0]], time_s=[0, 1], depth_um=[0.0]), geom=geom)
    >>> info.pitch, info.disp_at_s(0.5, 40.0), info.uncorrect_s(1.0, np.array([10.0]))
    (20.0, array(15.), array([40.]))
    """

    def __init__(
        self,
        *,
        geom: ArrayLike,
        motion: xr.Dataset | None = None,
        dredge_motion_est: Any = None,
        si_motion: Any = None,
        rgeom: ArrayLike | None = None,
    ) -> None:
        from scipy.spatial import KDTree

        self.geom = _numbers("geom", geom)
        if self.geom.ndim != 2 or self.geom.shape[1] != 2 or not len(self.geom):
            raise ParameterError(f"geom has shape {self.geom.shape}; give one (x, y) per channel")
        if not np.isfinite(self.geom).all():
            raise ParameterError("some positions of geom are not finite; give the place of every channel")
        if motion is not None and motion.sizes["shank"] > 1:
            raise ParameterError(
                f"the motion has {motion.sizes['shank']} shanks, and MotionInfo one; select one: motion.isel(shank=[0])"
            )
        self.motion = motion
        self.dredge_motion_est, self.si_motion = dredge_motion_est, si_motion
        self.min_dist, self.pitch = smallest_distance(self.geom), column_pitch(self.geom)
        self.rgeom = registered_geometry(self.geom, motion) if rgeom is None else np.asarray(rgeom, np.float64)
        self.geom_kdt, self.rgeom_kdt = KDTree(self.geom), KDTree(self.rgeom)

    @classmethod
    def static(cls, geom: ArrayLike) -> MotionInfo:
        """Tissue that does not move."""
        return cls(geom=geom)

    @classmethod
    def of_motion(cls, motion: xr.Dataset | None, *, geom: ArrayLike) -> MotionInfo:
        """From a motion of this package."""
        return cls(geom=geom, motion=motion)

    @classmethod
    def from_motion_est(
        cls,
        *,
        geom: ArrayLike,
        dredge_motion_est: Any = None,
        si_motion: Any = None,
        rgeom: ArrayLike | None = None,
    ) -> MotionInfo:
        """From an estimate of DREDge or a ``Motion`` of SpikeInterface; static if neither is given.

        Raises
        ------
        ParameterError
            If both are given, or the displacement does not fit its times and depths.
        """
        if dredge_motion_est is not None and si_motion is not None:
            raise ParameterError("dredge_motion_est and si_motion are both given; leave one of them out")
        motion = None
        if si_motion is not None:
            try:
                motion = from_spikeinterface_motion(si_motion)
            except TypeError as error:
                raise ParameterError(
                    f"si_motion is a {type(si_motion).__name__}; give a Motion of SpikeInterface, or another motion as "
                    "motion or dredge_motion_est"
                ) from error
        elif dredge_motion_est is not None:
            motion = _motion_of_dredge(dredge_motion_est)
        return cls(geom=geom, motion=motion, dredge_motion_est=dredge_motion_est, si_motion=si_motion, rgeom=rgeom)

    @classmethod
    def try_load(cls, output_directory: PathLike, filename: str = "motion.npz") -> MotionInfo | None:
        """Read what :meth:`save` wrote; None if there is no such file.

        Raises
        ------
        ParameterError
            If the file is damaged.
        """
        path = Path(output_directory) / filename
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            motion = None
            if "displacement_um" in arrays:
                motion = make_motion(
                    arrays["displacement_um"],
                    time_s=arrays["time_s"],
                    depth_um=arrays["depth_um"],
                    known=arrays["known"],
                )
            return cls(geom=arrays["geom"], rgeom=arrays["rgeom"], motion=motion)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ParameterError(
                f"{path} is not a motion: {error}; remove it, and estimate the motion again"
            ) from error

    @property
    def drifting(self) -> bool:
        """Whether the tissue moves."""
        return self.motion is not None and bool(np.any(self.motion["displacement_um"].values != 0))

    @property
    def time_bins_s(self) -> NDArray[np.float64] | None:
        """Centers of the time bins."""
        return None if self.motion is None else self.motion["time"].values

    @property
    def spatial_bins_um(self) -> NDArray[np.float64] | None:
        """Centers of the depth windows."""
        return None if self.motion is None else self.motion["depth"].values

    def save(self, output_directory: PathLike, filename: str = "motion.npz", overwrite: bool = False) -> None:
        """Write the motion and the geometry as arrays, which no pickle has to read.

        Raises
        ------
        OutputError
            If the file exists and ``overwrite`` is False, or it cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {"geom": self.geom, "rgeom": self.rgeom}
        if self.motion is not None:
            arrays["displacement_um"] = self.motion["displacement_um"].values
            arrays["known"] = self.motion["known"].values
            arrays["time_s"], arrays["depth_um"] = self.motion["time"].values, self.motion["depth"].values
        path = Path(output_directory) / filename
        with whole_or_absent(path, overwrite=overwrite) as hidden, ending_with(hidden, ".npz") as named:
            np.savez(named, **arrays)  # type: ignore[arg-type]

    def disp_at_s(self, times_s: ArrayLike, depths_um: ArrayLike, grid: bool = False) -> NDArray[np.float64]:
        """Displacement in µm at times and depths; at every pair of them with ``grid``, as ``(depth, time)``."""
        times, depths = _numbers("times_s", times_s), _numbers("depths_um", depths_um)
        if grid:
            times, depths = times.reshape(1, -1), depths.reshape(-1, 1)
        try:
            times, depths = np.broadcast_arrays(times, depths)
        except ValueError:
            raise ParameterError(
                f"times_s has shape {times.shape} and depths_um {depths.shape}; give one depth per time, or grid=True "
                "for all pairs"
            ) from None
        if self.motion is None:
            return np.zeros(times.shape)
        shank = self.motion["shank"].values[0]
        flat = displacement_at(self.motion, time_s=times.ravel(), depth_um=depths.ravel(), shank=shank)
        return np.asarray(flat, np.float64).reshape(times.shape)

    def correct_s(self, times_s: ArrayLike, depths_um: ArrayLike) -> NDArray[np.float64]:
        """Registered depths: ``z - d(t, z)``."""
        return _numbers("depths_um", depths_um) - self.disp_at_s(times_s, depths_um)

    def uncorrect_s(self, times_s: ArrayLike, reg_depths_um: ArrayLike) -> NDArray[np.float64]:
        """Depths at which registered depths are seen: the inverse of :meth:`correct_s`.

        Raises
        ------
        ParameterError
            If the displacement grows so fast along the probe that there is no single such depth.
        """
        registered = _numbers("reg_depths_um", reg_depths_um)
        if self.motion is None:
            return registered + self.disp_at_s(times_s, registered)
        steepest = _steepest(self.motion)
        if steepest >= 1:
            raise ParameterError(
                f"the displacement grows by up to {steepest:g} um per um along the probe, so registered depths have no "
                "single depth; smooth the motion"
            )
        depths = registered + self.disp_at_s(times_s, registered)
        for _ in range(_STEPS_MAX):
            better = registered + self.disp_at_s(times_s, depths)
            change = np.abs(better - depths).max() if better.size else 0.0
            depths = better
            if change < _TOLERANCE_UM:
                break
        return depths

    def pitch_shifts(
        self,
        *,
        sorting: DARTsortSorting | None = None,
        times_s: NDArray[Any] | None = None,
        depths_um: NDArray[Any] | None = None,
        reg_depths_um: NDArray[Any] | None = None,
        shift_mode: Literal["round", "floor"] = "round",
        motion_depth_mode: Literal["channel", "localization"] = "channel",
        localizations_dset: str = LOCALIZATIONS,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """For each spike, the shift that undoes its displacement, in µm and in whole pitches.

        Parameters
        ----------
        sorting
            Gives times and depths that are not given themselves.
        times_s, depths_um, reg_depths_um
            Times, and depths as seen or registered.
        shift_mode
            ``"round"`` to the nearest pitch, or ``"floor"``: towards zero.
        motion_depth_mode
            Depth of a spike of the sorting: that of its channel, or its own.
        localizations_dset
            Name of the feature with its own.

        Returns
        -------
        ``(-d, pitches)``

        Raises
        ------
        ParameterError
            If neither times and depths nor a sorting are given.
        """
        check_choice("shift_mode", shift_mode, ("round", "floor"))
        check_choice("motion_depth_mode", motion_depth_mode, ("channel", "localization"))
        if sorting is not None:
            times_s = sorting.times_seconds if times_s is None else times_s
            if depths_um is None and reg_depths_um is None:
                by_channel = motion_depth_mode == "channel"
                depths_um = self.geom[sorting.channels, 1] if by_channel else _own(sorting, localizations_dset)[:, 2]
        if times_s is not None and depths_um is None and reg_depths_um is not None:
            depths_um = self.uncorrect_s(times_s, reg_depths_um)
        if times_s is None or depths_um is None:
            raise ParameterError("pitch_shifts needs times_s and depths_um (or reg_depths_um), or a sorting; give them")
        shifts = -self.disp_at_s(times_s, depths_um)
        pitches = np.rint(shifts / self.pitch) if shift_mode == "round" else np.trunc(shifts / self.pitch)
        return shifts, pitches.astype(np.int64)

    def to_spikeinterface(self) -> Any:
        """A ``Motion`` of SpikeInterface; None if nothing moves."""
        return None if self.motion is None else to_spikeinterface_motion(self.motion.isel(shank=[0]))


def _numbers(name: str, values: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} is no array of numbers; give numbers alone") from None


def _own(sorting: DARTsortSorting, localizations: str) -> NDArray[Any]:
    found = sorting.spike_feature_dict.get(localizations)
    if found is None:
        raise ParameterError(
            f"the sorting has no feature {localizations!r}; give depths_um, or motion_depth_mode='channel'"
        )
    return found


def _motion_of_dredge(estimate: Any) -> xr.Dataset:
    """The motion of an object with DREDge's attributes."""
    try:
        times = _numbers("time_bin_centers_s", estimate.time_bin_centers_s)
        depths = estimate.spatial_bin_centers_um
        values = _numbers("displacement", estimate.displacement)
    except AttributeError as error:
        raise ParameterError(
            f"dredge_motion_est is a {type(estimate).__name__} without DREDge's attributes ({error}); give a "
            "MotionEstimate, or a Motion of SpikeInterface as si_motion"
        ) from error
    depths = np.zeros(1) if depths is None else np.atleast_1d(_numbers("spatial_bin_centers_um", depths))
    rows = np.atleast_2d(values)
    if rows.shape != (len(depths), len(times)):
        raise ParameterError(
            f"the displacement of dredge_motion_est has shape {values.shape} for {len(depths)} depths and {len(times)} "
            "times; give (depth, time)"
        )
    return make_motion(rows.T, time_s=times, depth_um=depths, method="dredge")


def _steepest(motion: xr.Dataset) -> float:
    """Largest growth of the displacement with depth, µm per µm."""
    if motion.sizes["depth"] < 2:
        return 0.0
    return float((np.diff(motion["displacement_um"].values, axis=2) / np.diff(motion["depth"].values)).max())
