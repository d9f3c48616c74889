"""Motion from the local field potential, for movement that is too fast or too large for spikes: heartbeat, breathing.

1. Profiles of the field over depth are compared between pairs of samples up to some seconds apart, and a banded system
   gives the displacements that agree best with all pairs (DREDge).
2. The covariance of the registered field between depths is learned, and every sample is registered to it, in turn. The
   mixture of sources changes from sample to sample, and with it the profile; their covariance does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..per_channel import bad_channels_of, positions_of
from ..recording.clock import start_time_s
from ..recording.geometry import shank_labels, shank_numbers
from ..recording.slicing import sample_slice
from .displacement import make_motion
from .estimate import check_depth_axis
from .windows import spread_lags

#: Length of the stretches that are read and compared at once.
_STRETCH_S = 10.0
#: Minimum number of rows of contacts: fewer have no profile.
_ROWS_MIN = 8
#: Minimum height of a shank: the field changes little over a shorter one.
_HEIGHT_MIN_UM = 100.0
#: Samples are predicted from the one before with at most this factor: what is slower tells nothing new.
_MEMORY_MAX = 0.99


@operation
def estimate_motion_lfp(
    recording: xr.DataArray,
    *,
    bin_s: float = 0.004,
    disp_max_um: float = 200.0,
    step_um: float = 5.0,
    time_horizon_s: float = 4.0,
    mincorr: Sequence[float] = (0.5, 0.6, 0.7),
    lambda_t: float = 1.0,
    speed_um_per_s: float = 1000.0,
    n_iterations: int = 4,
) -> xr.Dataset:
    """Estimate how the tissue moves along each shank, from the local field potential. Computes.

    Parameters
    ----------
    recording
        Traces of the LFP band with positions, for example
        ``resample(bandpass_filter(raw, freq_min_hz=0.5, freq_max_hz=100), rate_hz=250)``. Contacts of one depth are
        averaged, and the second difference along depth (the current source density) is used.
    bin_s
        Width of a time bin, over which samples are averaged.
    disp_max_um
        Maximum displacement, to either side.
    step_um
        Distance of the displacements that are tried in the second step.
    time_horizon_s, mincorr, lambda_t
        First step: maximum time between two bins that are compared, minimum correlation of a pair, and smoothness.
        Every minimum correlation gives a start for the second step; the most probable result is returned.
    speed_um_per_s
        Second step: typical speed. The logarithm of the probability of a transition falls by 1 per ``speed_um_per_s *
        bin_s``.
    n_iterations
        Number of times that the covariance is learned.

    Returns
    -------
    A motion with one displacement per shank and bin, as from :func:`estimate_motion`; the ``uncertainty_um`` is NaN,
    and ``known`` is false where the field is constant. The median over time is 0.

    Raises
    ------
    RecordingError
        If the recording has no positions, no shank is long enough or has enough rows of contacts, or traces hold NaN.
    ParameterError
        If a bin is shorter than a sample, or there are fewer than two.

    Notes
    -----
    The first step follows the online form of Windolf et al. (2025), Nature Methods, "DREDge: robust motion correction
    for high-density extracellular recordings across species". Where the field has many sources, its profile changes
    without movement, and the second step is what finds the movement. The traces of all bins are held in memory: 0.35
    GiB per hour for 96 rows.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> rng = np.random.default_rng(0)
    >>> depth, moved = 20.0 * np.arange(40), np.repeat([0.0, 20.0], 250)
    >>> sources = rng.uniform(0, 800, 12) + moved[:, None]
    >>> shape = np.exp(-0.5 * ((depth - sources[:, :, None]) / 40) ** 2)
    >>> field = (rng.normal(size=(500, 12, 1)) * shape).sum(axis=1)
    >>> coordinates = {"x": np.zeros(40), "y": depth}
    >>> lfp = xephys.make_recording(field.astype("f4"), sampling_frequency=250.0, coordinates=coordinates)
    >>> motion = xephys.estimate_motion_lfp(lfp)
    >>> bool(abs(np.ptp(motion.displacement_um.values) - 20) <= 5)
    True
    """
    check_positive(
        bin_s=bin_s,
        disp_max_um=disp_max_um,
        step_um=step_um,
        time_horizon_s=time_horizon_s,
        lambda_t=lambda_t,
        speed_um_per_s=speed_um_per_s,
        n_iterations=n_iterations,
    )
    limits = tuple(mincorr)
    if not limits or not all(0 < limit < 1 for limit in limits):
        raise ParameterError(f"mincorr is {limits}; give at least one number between 0 and 1")
    info = schema.validate_recording(recording)
    check_depth_axis(recording)
    n_samples = _samples_per_bin(info, bin_s)
    width_s, n_bins = n_samples / info.sampling_frequency, info.n_samples // n_samples
    shanks = [_profile_weights(recording, shank) for shank in np.unique(shank_numbers(recording))]
    if not any(weights is not None for weights in shanks):
        raise RecordingError(
            f"no shank has {_ROWS_MIN} rows of good contacts over {_HEIGHT_MIN_UM:g} um; motion cannot be seen in its "
            "field"
        )
    profiles = _profiles(recording, shanks, n_samples, n_bins)
    courses, known = np.zeros((len(shanks), n_bins)), np.zeros((len(shanks), n_bins), bool)
    for number, profile in enumerate(profiles):
        if profile is None:
            continue
        samples, row_um = profile
        known[number] = samples.any(axis=1)
        starts = _by_pairs(
            samples,
            row_um,
            lag_max=max(1, round(disp_max_um / row_um)),
            reach=min(max(1, round(time_horizon_s / width_s)), n_bins - 1),
            stretch=max(2, round(_STRETCH_S / width_s)),
            mincorr=limits,
            lambda_t=lambda_t,
        )
        course = _by_covariance(
            samples,
            row_um,
            starts,
            disp_max_um=disp_max_um,
            step_um=step_um,
            fall=step_um / (speed_um_per_s * width_s),
            n_iterations=n_iterations,
        )
        courses[number] = course - np.median(course)
    given = {"bin_s": bin_s, "disp_max_um": disp_max_um, "time_horizon_s": time_horizon_s, "mincorr": limits}
    return make_motion(
        courses[:, :, None],
        time_s=start_time_s(recording) + width_s * (np.arange(n_bins) + 0.5),
        depth_um=[float(np.median(positions_of(recording, why="estimating motion")[:, 1]))],
        shank=np.unique(shank_labels(recording)),
        known=known[:, :, None],
        method="lfp",
        parameters=given | {"step_um": step_um, "speed_um_per_s": speed_um_per_s, "n_iterations": n_iterations},
    )


def _samples_per_bin(info: schema.RecordingInfo, bin_s: float) -> int:
    """Number of samples of a bin.

    Raises
    ------
    ParameterError
        If a bin is shorter than a sample, or there are fewer than two.
    """
    n_samples = round(info.sampling_frequency * bin_s)
    if n_samples < 1:
        raise ParameterError(
            f"bin_s is {bin_s:g} s and the recording has {info.sampling_frequency:g} samples per second; give at least "
            f"{1 / info.sampling_frequency:g} s"
        )
    if info.n_samples // n_samples < 2:
        raise ParameterError(
            f"bin_s is {bin_s:g} s and the recording lasts {info.n_samples / info.sampling_frequency:g} s: motion "
            "needs at least two time bins"
        )
    return n_samples


def _profile_weights(recording: xr.DataArray, shank: int) -> tuple[NDArray[np.float64], float] | None:
    """Weights ``(row, channel)`` that turn traces into second differences along a shank, and the distance of the rows.

    None if the shank is too short or has too few rows.
    """
    own = (shank_numbers(recording) == shank) & ~bad_channels_of(recording)
    y = np.round(positions_of(recording, why="estimating motion")[:, 1], 3)
    depths = np.unique(y[own])
    if len(depths) < _ROWS_MIN or depths[-1] - depths[0] < _HEIGHT_MIN_UM:
        return None
    average = (y[None] == depths[:, None]) & own[None]
    row_um = float(np.median(np.diff(depths)))
    n_rows = int((depths[-1] - depths[0]) // row_um) + 1
    places = depths[0] + row_um * np.arange(n_rows)
    between = np.stack([np.interp(places, depths, one) for one in np.eye(len(depths))], axis=1)
    field = between @ (average / average.sum(axis=1, keepdims=True))
    return field[2:] - 2 * field[1:-1] + field[:-2], row_um


def _profiles(
    recording: xr.DataArray, shanks: list[tuple[NDArray[np.float64], float] | None], n_samples: int, n_bins: int
) -> list[tuple[NDArray[np.float32], float] | None]:
    """Second differences of each shank in each bin, ``(bin, row)`` with unit variance, read stretch by stretch."""
    rate = float(recording.attrs["sampling_frequency"])
    stretch = max(1, round(_STRETCH_S * rate / n_samples))
    parts: list[list[NDArray[np.float32]]] = [[] for _ in shanks]
    for first in range(0, n_bins, stretch):
        last = min(first + stretch, n_bins)
        traces = np.asarray(sample_slice(recording, first * n_samples, last * n_samples).values, np.float64)
        if not np.isfinite(traces).all():
            raise RecordingError("the traces hold NaN or infinite values; repair or drop these channels")
        binned = traces.reshape(last - first, n_samples, -1).mean(axis=1)
        for part, weights in zip(parts, shanks, strict=True):
            if weights is not None:
                part.append((binned @ weights[0].T).astype(np.float32))
    profiles: list[tuple[NDArray[np.float32], float] | None] = []
    for part, weights in zip(parts, shanks, strict=True):
        if weights is None:
            profiles.append(None)
            continue
        joined = np.concatenate(part)
        profiles.append((joined / np.float32(max(joined.std(), 1e-30)), weights[1]))
    return profiles


def _by_pairs(
    samples: NDArray[np.float32],
    row_um: float,
    *,
    lag_max: int,
    reach: int,
    stretch: int,
    mincorr: Sequence[float],
    lambda_t: float,
) -> NDArray[np.float64]:
    """Displacement ``(mincorr, time)`` from pairs of bins, stretch by stretch; earlier ones within reach are fixed."""
    from ..kernels.motion.chain import solve_pairs
    from ..kernels.motion.dredge import pair_lags, pair_weights

    window = np.full(samples.shape[1], 1 / samples.shape[1], np.float32)
    lags = spread_lags(reach)
    courses = np.zeros((len(mincorr), len(samples), 1))
    for start in range(0, len(samples), stretch):
        stop, first = min(start + stretch, len(samples)), max(0, start - reach)
        own = lags[lags < max(stop - first, 2)]
        lag, correlation = pair_lags(samples[first:stop], window, own, lag_max, start - first)
        for course, limit in zip(courses, mincorr, strict=True):
            weight = pair_weights(correlation[..., None], own, mincorr=limit)
            solved = solve_pairs(
                (lag * np.float32(row_um))[..., None], weight, own, time_smoothness=lambda_t, depth_smoothness=0.0,
                fixed=course[first:start],
            )  # fmt: skip
            course[start:stop] = solved[start - first :]
    return courses[:, :, 0]


def _by_covariance(
    samples: NDArray[np.float32],
    row_um: float,
    starts: NDArray[np.float64],
    *,
    disp_max_um: float,
    step_um: float,
    fall: float,
    n_iterations: int,
) -> NDArray[np.float64]:
    """Displacement under one covariance of registered depths, learned in turn with it; the best of all starts."""
    from ..kernels.motion.field import best_course, field_grid, log_likelihood, registered_covariance

    # The field changes slowly; only what the sample before does not predict is evidence.
    memory = float((samples[1:] * samples[:-1]).sum() / max(float((samples[:-1] ** 2).sum()), 1e-30))
    news = samples[1:] - np.float32(min(max(memory, 0.0), _MEMORY_MAX)) * samples[:-1]
    news = np.concatenate([news[:1], news])
    grid = field_grid(samples.shape[1], row_um=row_um, disp_max_um=disp_max_um, step_um=step_um)
    best, highest = np.zeros(len(samples), np.int64), -np.inf
    for start in starts:
        course = start - np.median(start)
        place = np.clip(np.rint((course - grid.shifts_um[0]) / step_um).astype(np.int64), 0, len(grid.shifts_um) - 1)
        probability = -np.inf
        for _ in range(n_iterations):
            likelihood = log_likelihood(news, registered_covariance(news, place, grid), grid)
            place = best_course(likelihood, fall)
            probability = likelihood[np.arange(len(place)), place].sum() - fall * np.abs(np.diff(place)).sum()
        if probability > highest:
            best, highest = place, probability
    return np.asarray(grid.shifts_um[best])
