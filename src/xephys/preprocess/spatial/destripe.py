"""Remove stripes across the probe by a high-pass over depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ... import schema
from ...calls import operation
from ...checks import check_positive
from ...errors import ParameterError, RecordingError
from ...graph.plan import Stage
from ...per_channel import positions_of
from ...recording.geometry import channel_groups
from ...recording.stages import extend_recording

#: A lower corner is, in double precision, that of no filter.
FREQ_MIN_MIN = 1e-4


@operation
def highpass_spatial_filter(
    recording: xr.DataArray,
    *,
    freq_min: float = 0.01,
    order: int = 3,
    n_channel_pad: int = 60,
    gain_window_s: float | None = 0.1,
    gain_floor: float = 0.003,
) -> xr.DataArray:
    """Remove what varies slowly over depth (stripes shared by a whole shank), lazily.

    A common reference subtracts one value from all channels; this filter also follows a slope over depth. Each channel
    is divided by its recent amplitude before the filter and multiplied by it afterwards, so that large spikes do not
    ring.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)`` and positions; interpolate bad channels beforehand.
    freq_min
        Corner as a fraction of the highest spatial frequency, which is half a cycle per channel.
    order
        Of the Butterworth design, applied forwards and backwards over the channels of a shank in order of depth.
    n_channel_pad
        Number of channels mirrored at both ends, at most the number of channels of the shank.
    gain_window_s
        Length of the Hann window over which the amplitude is averaged; None switches this gain control off.
    gain_floor
        Constant added to the gain, as a fraction of its mean over the shank.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If ``freq_min`` is not inside (0, 1), or a number is out of range.
    RecordingError
        If positions are missing, or a shank has too few channels.

    Notes
    -----
    Follows the destriping of the International Brain Laboratory (2022, figshare 19705522).

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=32, n_units=2, seed=0)
    >>> highpass_spatial_filter(xephys.bandpass_filter(recording)).dtype
    dtype('float32')
    """
    from ...kernels.lib.mixing import pack_dense
    from ...kernels.preprocess.spatial.destripe import destripe, highpass_matrix

    info = schema.validate_recording(recording)
    positions = positions_of(recording, why="a filter over depth")
    if not 0 < freq_min < 1:
        raise ParameterError(
            f"freq_min is {freq_min!r}; it is a fraction of the highest spatial frequency, inside (0, 1)"
        )
    if freq_min < FREQ_MIN_MIN:
        raise ParameterError(f"freq_min is {freq_min!r}; below {FREQ_MIN_MIN:g} nothing would be removed; give more")
    check_positive(order=order)
    if n_channel_pad < 0 or gain_floor < 0:
        raise ParameterError(f"n_channel_pad is {n_channel_pad!r} and gain_floor {gain_floor!r}; give at least 0")
    if gain_window_s is not None:
        check_positive(gain_window_s=gain_window_s)
    found = channel_groups(recording)
    groups = np.zeros(info.n_channels, np.int64) if found is None else np.asarray(found, np.int64)
    matrix = np.zeros((info.n_channels, info.n_channels))
    for shank in np.unique(groups):
        own = np.flatnonzero(groups == shank)
        own = own[np.lexsort([positions[own, 0], positions[own, 1]])]
        if n_channel_pad and len(own) + 2 * min(n_channel_pad, len(own)) <= 3 * (order + 1):
            raise RecordingError(
                f"a shank has {len(own)} channels, too few for a filter over depth of order {order}; use "
                "common_reference, or a lower order"
            )
        matrix[np.ix_(own, own)] = highpass_matrix(
            len(own), freq_min=freq_min, order=order, n_channel_pad=n_channel_pad
        )
    half = 0 if gain_window_s is None else max(1, round(0.5 * gain_window_s * info.sampling_frequency))
    arrays: dict[str, Any] = {"groups": groups, **pack_dense(matrix)}
    stage = Stage(
        destripe,
        dtype=np.dtype("f4"),
        parameters={"window_samples": 2 * half + 1 if half else 0, "floor": float(gain_floor)},
        arrays=arrays,
        before=half,
        after=half,
    )
    return extend_recording(recording, stage)
