"""Move the data: traces at the contacts as if the tissue had rested, in the same pass as everything else."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_positive
from ..errors import ParameterError
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, positions_of
from ..recording.clock import start_time_s
from ..recording.geometry import channel_groups
from ..recording.stages import extend_recording, recording_plan
from .displacement import check_inside, shank_indices, shanks_asked_for, validate_motion

METHODS = ("kriging", "inverse_distance", "nearest")
#: Step of displacement in the table of weights.
_STEP_UM = 0.5
#: Maximum displacement for which a table is made.
_DISPLACEMENT_MAX_UM = 2000.0


@operation
def correct_motion(
    recording: xr.DataArray,
    *,
    motion: xr.Dataset,
    method: str = "kriging",
    sigma_um: float = 20.0,
    power: float = 2.0,
    n_nearest: int = 12,
    border_um: float = 20.0,
) -> xr.DataArray:
    """Read every contact at its tissue's position at each time, lazily.

    Tissue that belongs at a contact's depth is seen higher by the displacement. There the signal is interpolated from
    the surrounding contacts of the same shank. The displacement is linear between the bins of the motion, and updated
    every 32 samples.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``, filtered and referenced, not whitened. Channels marked ``bad`` are not
        used for interpolation, but get a signal like the others.
    motion
        Motion of this recording, from :func:`estimate_motion` or :func:`make_motion`.
    method
        ``"kriging"``: the best linear estimate for signals whose similarity is a Gaussian of their distance;
        ``"inverse_distance"``; ``"nearest"``: the nearest contact.
    sigma_um
        Standard deviation of that Gaussian.
    power
        Power of the distance with which the weights of inverse distance fall off.
    n_nearest
        Number of contacts from which a signal is interpolated.
    border_um
        A contact whose tissue is more than this above or below the outermost good contacts of its shank is zero during
        that time.

    Returns
    -------
    Traces, float32, still lazy.

    Raises
    ------
    RecordingError
        If the recording has no positions.
    ParameterError
        If the motion belongs to another probe or time, or a number is outside its limits.

    Notes
    -----
    Interpolation costs amplitude between the rows of contacts. Templates that move with the tissue leave the data
    unchanged, and find more units.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=3, n_channels=16, n_units=2, seed=0)
    >>> motion = xephys.make_motion([[0.0], [4.0], [8.0]], time_s=[0.5, 1.5, 2.5], depth_um=[0])
    >>> xephys.correct_motion(xephys.bandpass_filter(recording), motion=motion).dtype
    dtype('float32')
    """
    from ..kernels.motion.shift import shift_channels, weight_table

    check_choice("method", method, METHODS)
    check_positive(sigma_um=sigma_um, power=power, n_nearest=n_nearest)
    if not border_um >= 0:
        raise ParameterError(f"border_um is {border_um!r}; it must be at least 0")
    info = schema.validate_recording(recording)
    positions = positions_of(recording, why="correcting motion")
    validate_motion(motion)
    origin_s = start_time_s(recording)
    check_inside(motion, np.array([origin_s, origin_s + (info.n_samples - 1) / info.sampling_frequency]))
    names = shanks_asked_for(recording, motion)
    shank_index = np.broadcast_to(shank_indices(motion, names), info.n_channels).astype(np.int64)
    displacement = np.ascontiguousarray(motion["displacement_um"].values, np.float32)
    limit = float(np.abs(displacement).max())
    if limit > _DISPLACEMENT_MAX_UM:
        raise ParameterError(
            f"the motion reaches {limit:g} um, more than {_DISPLACEMENT_MAX_UM:g}; check that it is in um"
        )
    n_steps = int(np.ceil(limit / _STEP_UM))
    good = ~bad_channels_of(recording)
    if not good.any():
        raise ParameterError("every channel is marked bad, so there is nothing to interpolate from; check bad")
    found = channel_groups(recording)
    groups = np.zeros(info.n_channels, np.int64) if found is None else found
    source, weight = weight_table(
        positions, groups, good, _STEP_UM * np.arange(-n_steps, n_steps + 1), method=method,
        sigma_um=sigma_um, power=power, n_nearest=n_nearest, border_um=border_um,
    )  # fmt: skip
    stage = Stage(
        shift_channels,
        dtype=np.dtype("f4"),
        parameters={
            "sampling_frequency": info.sampling_frequency,
            # A part of a recording keeps the sample numbers of the whole.
            "origin_sample": round(origin_s * info.sampling_frequency) - recording_plan(recording).start,
            "first_shift_um": -n_steps * _STEP_UM,
            "shift_step_um": _STEP_UM,
        },
        arrays={
            "depth_um": np.ascontiguousarray(positions[:, 1]),
            "shank_index": shank_index,
            "displacement_um": displacement,
            "cell_time_s": np.ascontiguousarray(motion["time"].values, np.float64),
            "cell_depth_um": np.ascontiguousarray(motion["depth"].values, np.float64),
            "source": source,
            "weight": weight,
        },
        timed=True,
    )
    return extend_recording(recording, stage)
