"""Set samples too large to be spikes to zero, and nothing else."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ... import schema
from ...calls import operation
from ...checks import check_positive
from ...errors import ParameterError
from ...graph.plan import Stage
from ...per_channel import bad_channels_of
from ...recording.stages import extend_recording


@operation
def blank_artifacts(recording: xr.DataArray, *, threshold: float, reach_ms: float = 3.0) -> xr.DataArray:
    """Set all channels to zero wherever one of them reaches a threshold, lazily.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``. Channels marked ``bad`` are ignored.
    threshold
        Minimum absolute value of an artifact, in the recording's unit.
    reach_ms
        Time set to zero before and after the artifact, to cover what the filter has smeared. A second-order resonance
        at 300 Hz falls to a hundredth in 3 ms.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If the threshold is not positive or the reach negative.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> blank_artifacts(recording, threshold=1e6).dtype
    dtype('float32')
    """
    from ...kernels.preprocess.blank.artifacts import blank_artifacts as kernel

    check_positive(threshold=threshold)
    if not reach_ms >= 0:
        raise ParameterError(f"reach_ms is {reach_ms}; it must be at least 0")
    rate = schema.validate_recording(recording).sampling_frequency
    reach = round(reach_ms * 1e-3 * rate)
    stage = Stage(
        kernel,
        dtype=np.dtype("f4"),
        parameters={"threshold": float(threshold), "reach_samples": reach},
        arrays={"good": ~bad_channels_of(recording)},
        before=reach,
        after=reach,
    )
    return extend_recording(recording, stage)
