"""Estimate motion: the table of methods, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..checks import check_choice, check_keywords, check_positive, keywords_of
from ..errors import ParameterError, RecordingError
from ..graph.checkpoint import CheckpointedEvents
from ..graph.events import SpikeTable
from ..per_channel import positions_of
from ..recording.clock import start_time_s
from ..recording.geometry import shank_labels
from .decentralized import estimate_by_decentralized
from .displacement import make_motion
from .dredge import estimate_by_dredge
from .iterative_template import estimate_by_iterative_template
from .kilosort import estimate_by_kilosort
from .shank_peaks import Course, ShankPeaks, split_by_shank
from .short import believed, unknown
from .together import moved_together, probes_of_shanks

#: Methods by name. Each takes the peaks of one shank and its own parameters.
METHODS: dict[str, Callable[..., Course]] = {
    "dredge": estimate_by_dredge,
    "decentralized": estimate_by_decentralized,
    "iterative_template": estimate_by_iterative_template,
    "kilosort": estimate_by_kilosort,
}
#: Movement along a shorter shank, as that of a tetrode, cannot be told from a change of the units. Contacts over 45 µm
#: suffice: neurons that pass them are localized up to some tens of micrometres beyond both ends.
HEIGHT_MIN_UM = 40.0


@operation
def estimate_motion(
    recording: xr.DataArray,
    peaks: SpikeTable | CheckpointedEvents | NDArray[Any],
    *,
    method: str = "dredge",
    bin_s: float = 1.0,
    **parameters: Any,
) -> xr.Dataset:
    """Estimate how the tissue moves along each shank, from localized peaks. Computes.

    Parameters
    ----------
    recording
        The recording on which the peaks were detected; only its geometry and duration are used, not its samples.
    peaks
        Localized peaks in order of time: lazy, on disk, or records with ``sample_index``, ``channel_index``,
        ``amplitude`` and ``y``. Localize them by grid convolution or monopolar triangulation: centers of mass are drawn
        to the middle of the surrounding contacts and follow only part of the movement.
    method
        ``"dredge"``, ``"decentralized"``, ``"iterative_template"`` or ``"kilosort"``.
    bin_s
        Width of a time bin; displacement is linear between bins.
    **parameters
        Parameters of the method: see :func:`xephys.motion.dredge.estimate_by_dredge`,
        :func:`xephys.motion.decentralized.estimate_by_decentralized`,
        :func:`xephys.motion.iterative_template.estimate_by_iterative_template` and
        :func:`xephys.motion.kilosort.estimate_by_kilosort`.

    Returns
    -------
    Dataset with dims ``(shank, time, depth)``: ``displacement_um``, positive where the tissue moved along +y;
    ``uncertainty_um`` (standard deviation; NaN if the method has none); and ``known``, false where no peaks determine
    the displacement, which is carried over there from other times and depths. At each depth, the median over time is 0.
    See :func:`displacement_at`.

    Raises
    ------
    RecordingError
        If the recording has no positions, or no shank is long enough to have a depth axis.
    ParameterError
        If there are no peaks or fewer than two time bins, a field is missing, or a parameter is unknown or outside its
        limits.

    Notes
    -----
    ``"dredge"`` follows Windolf et al. (2025), Nature Methods, "DREDge: robust motion correction for high-density
    extracellular recordings across species", with a banded solution and a last step that compares every peak with the
    density of the registered ones. It is the most accurate; the others serve comparison with other programs:
    ``"decentralized"`` follows Varol et al. (2021), ICASSP, "Decentralized motion inference and registration of
    Neuropixel data"; ``"kilosort"`` is that of Kilosort 4, and ``"iterative_template"`` that of Kilosort 2.5.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=6, n_channels=32, n_units=12, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> located = xephys.localize_peaks(filtered, peaks, method="grid_convolution")
    >>> motion = xephys.estimate_motion(filtered, located)
    >>> motion.displacement_um.dims, motion.sizes["time"]
    (('shank', 'time', 'depth'), 6)
    """
    check_choice("method", method, METHODS)
    check_positive(bin_s=bin_s)
    check_keywords(parameters, METHODS[method], what=f"method {method!r}", beside=keywords_of(estimate_motion))
    check_depth_axis(recording)
    shanks = split_by_shank(recording, peaks, bin_s=bin_s)
    if not any(len(own.depth_um) for own in shanks):
        raise ParameterError(
            "there are no peaks to estimate motion from; lower the detection threshold, or leave it out"
        )
    alone = [_course(own, METHODS[method], parameters) for own in shanks]
    courses = moved_together(shanks, alone, probes_of_shanks(recording))
    depths = np.unique(np.concatenate([course.depth_um for course in courses]))
    times = start_time_s(recording) + bin_s * (np.arange(shanks[0].n_times) + 0.5)
    merged = [course.at_depths(depths) for course in courses]
    return make_motion(
        np.stack([course.displacement_um for course in merged]),
        time_s=times,
        depth_um=depths,
        shank=np.unique(shank_labels(recording)),
        uncertainty_um=np.stack([course.uncertainty_um for course in merged]),
        known=np.stack([course.known for course in merged]),
        method=method,
        parameters={"bin_s": bin_s, **parameters},
    )


def check_depth_axis(recording: xr.DataArray) -> None:
    """Check that at least one shank is long enough for movement along it to be visible."""
    from ..recording.geometry import shank_numbers

    y = positions_of(recording, why="estimating motion")[:, 1]
    shanks = shank_numbers(recording)
    heights = [float(np.ptp(y[shanks == shank])) for shank in np.unique(shanks)]
    if max(heights) < HEIGHT_MIN_UM:
        raise RecordingError(
            f"the contacts span {max(heights):g} um along y, less than {HEIGHT_MIN_UM:g}: such a probe has no depth "
            "axis along which motion could be seen; leave motion out"
        )


def _course(peaks: ShankPeaks, estimate: Callable[..., Course], parameters: Mapping[str, Any]) -> Course:
    """The method's result for a shank; a shank that is too short, or without peaks, is unknown."""
    if peaks.height_um < HEIGHT_MIN_UM or len(peaks.depth_um) == 0:
        return unknown(peaks)
    return believed(peaks, estimate(peaks, **parameters))
