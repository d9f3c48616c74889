"""Extend a motion as the recording grows: what is known stays, new bins are appended."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..errors import ParameterError
from ..graph.checkpoint import CheckpointedEvents
from ..graph.events import SpikeTable
from ..recording.clock import start_time_s
from ..recording.geometry import shank_labels
from .displacement import validate_motion
from .dredge import estimate_by_dredge
from .shank_peaks import Course, split_by_shank


@operation
def extend_motion(
    recording: xr.DataArray, peaks: SpikeTable | CheckpointedEvents | NDArray[Any], *, motion: xr.Dataset
) -> xr.Dataset:
    """Continue an estimate of motion with new peaks. Computes.

    Parameters
    ----------
    recording
        The new part and some of the old: it begins at the edge of one of the motion's bins. New bins are compared with
        the old ones; some minutes, at most the time horizon, are enough.
    peaks
        Localized peaks of this recording, as for :func:`estimate_motion`.
    motion
        A motion of ``method="dredge"``, whose parameters are used.

    Returns
    -------
    The motion, unchanged to the bit where it was known, with the new bins.

    Raises
    ------
    ParameterError
        If the motion is by another method or of other shanks, or the recording does not begin at the edge of one of its
        bins, or has no new bin.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=12, n_channels=32, n_units=12, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> noise = xephys.estimate_noise_levels(filtered)
    >>> def located(part):
    ...     return xephys.localize_peaks(part, xephys.detect_peaks(part, noise_levels=noise), method="grid_convolution")
    >>> begun = filtered.ephys.time_slice(stop_s=8.0)
    >>> motion = xephys.estimate_motion(begun, located(begun))
    >>> whole = xephys.extend_motion(filtered, located(filtered), motion=motion)
    >>> motion.sizes["time"], whole.sizes["time"], bool((whole.displacement_um[:, :8] == motion.displacement_um).all())
    (8, 12, True)
    """
    validate_motion(motion)
    if motion.attrs.get("method") != "dredge":
        raise ParameterError(
            f"the motion is by method {motion.attrs.get('method')!r}; only one of 'dredge' can be extended"
        )
    parameters = json.loads(motion.attrs["parameters"])
    bin_s = parameters.pop("bin_s")
    names = np.unique(shank_labels(recording))
    if names.tolist() != motion["shank"].values.astype(str).tolist():
        raise ParameterError(
            f"the motion is of shanks {', '.join(motion['shank'].values.astype(str))}, the recording has "
            f"{', '.join(names)}; extend it with the same probe"
        )
    first = (start_time_s(recording) - float(motion["time"][0])) / bin_s + 0.5
    n_old, start = motion.sizes["time"], round(first)
    if abs(first - start) > 1e-3 or not 0 <= start < n_old:
        raise ParameterError(
            f"the recording begins at {start_time_s(recording):g} s; a motion of {n_old} bins of {bin_s:g} s from "
            f"{float(motion['time'][0]) - bin_s / 2:g} s is extended from the edge of one of them"
        )
    shanks = split_by_shank(recording, peaks, bin_s=bin_s)
    n_kept, n_bins = n_old - start, shanks[0].n_times
    if n_bins <= n_kept:
        raise ParameterError(f"the recording has {n_bins} bins, none of them after the motion; give new data")
    old, depths = motion.isel(time=slice(start, None)), motion["depth"].values
    grown = []
    for number, own in enumerate(shanks):
        kept = old.isel(shank=number)
        values, sd, known = (kept[name].values for name in ("displacement_um", "uncertainty_um", "known"))
        if len(own.depth_um) == 0 or not known.any():
            grown.append((np.repeat(values[-1:], n_bins - n_kept, 0), np.nan, False))
            continue
        earlier = Course(values.astype(np.float64), sd.astype(np.float64), known, depths)
        course = estimate_by_dredge(own, earlier, **parameters).at_depths(depths)
        grown.append((course.displacement_um[n_kept:], course.uncertainty_um[n_kept:], course.known[n_kept:]))
    times = motion["time"].values[-1] + bin_s * np.arange(1, n_bins - n_kept + 1)
    new = motion.isel(time=np.zeros(len(times), int)).assign_coords(time=times).copy(deep=True)
    for number, (values, sd, known) in enumerate(grown):
        new["displacement_um"].values[number] = values
        new["uncertainty_um"].values[number] = sd
        new["known"].values[number] = known
    whole = xr.concat([motion, new], dim="time")
    whole["time"].attrs = dict(motion["time"].attrs)
    return validate_motion(whole.assign_attrs(motion.attrs))
