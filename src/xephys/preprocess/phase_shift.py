"""Undo the sampling delays between channels that share a converter."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..errors import ParameterError, RecordingError
from ..graph.plan import Stage
from ..per_channel import of_these_channels
from ..recording.stages import extend_recording


@operation
def phase_shift(recording: xr.DataArray, *, inter_sample_shift: Any = None) -> xr.DataArray:
    """Shift each channel by a fraction of a sample, lazily, so that all are sampled at the same times.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    inter_sample_shift
        Delay of each channel's sampling, in samples; the coordinate of that name if None.

    Returns
    -------
    Aligned traces, float32, with ``inter_sample_shift`` set to zero, still lazy.

    Raises
    ------
    RecordingError
        If no shifts are given and the recording has none.
    ParameterError
        If the shifts are not one finite value below 1 for each channel.

    Notes
    -----
    Uses a windowed-sinc filter of fixed length. Unlike a Fourier transform of each chunk, its result does not depend on
    how the recording is chunked.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> shifted = phase_shift(recording, inter_sample_shift=[0, 0.5] * 4)
    >>> float(shifted.inter_sample_shift.max())
    0.0
    """
    from ..kernels.preprocess import phase_shift as kernel

    n = schema.validate_recording(recording).n_channels
    if inter_sample_shift is None:
        if "inter_sample_shift" not in recording.coords:
            raise RecordingError(
                "the recording has no inter_sample_shift; give one value per channel, or assign the coordinate"
            )
        inter_sample_shift = recording.coords["inter_sample_shift"].values
    shifts = of_these_channels(recording, inter_sample_shift, what="inter_sample_shift")
    shifts = np.asarray(shifts, np.float64)
    if shifts.shape != (n,) or not np.isfinite(shifts).all() or np.abs(shifts).max() >= 1:
        raise ParameterError(
            f"inter_sample_shift has shape {shifts.shape} and reaches {np.abs(shifts).max(initial=0):g}; "
            f"give one value below 1 for each of {n} channels"
        )
    halo = kernel.phase_shift_halo()
    stage = Stage(kernel.phase_shift, dtype=np.dtype("f4"), arrays={"shifts": shifts}, before=halo, after=halo)
    return extend_recording(recording, stage).assign_coords(inter_sample_shift=("channel", np.zeros(n)))
