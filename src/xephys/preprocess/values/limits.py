"""Clip, rectify or blank values."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ... import schema
from ...calls import operation
from ...checks import check_choice
from ...errors import ParameterError
from ...graph.plan import Stage
from ...recording.stages import extend_recording


@operation
def clip(recording: xr.DataArray, *, low: float | None = None, high: float | None = None) -> xr.DataArray:
    """Clip samples to two limits, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    low, high
        Limits in the unit of the recording; None leaves that side open.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If both limits are missing, one is not finite, or ``low`` is above ``high``.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> float(clip(recording, low=-10.0, high=20.0).max())
    20.0
    """
    from ...kernels.preprocess.values.limits import clip as kernel

    schema.validate_recording(recording)
    _check_limits(low, high)
    parameters = {"low": None if low is None else float(low), "high": None if high is None else float(high)}
    return extend_recording(recording, Stage(kernel, dtype=np.dtype("f4"), parameters=parameters))


@operation
def rectify(recording: xr.DataArray) -> xr.DataArray:
    """Take the absolute value of every sample, lazily.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> bool((rectify(recording) >= 0).all())
    True
    """
    from ...kernels.preprocess.values.limits import rectify as kernel

    schema.validate_recording(recording)
    return extend_recording(recording, Stage(kernel, dtype=np.dtype("f4")))


@operation
def blank_saturation(
    recording: xr.DataArray, *, threshold: float, fill_value: float = 0.0, direction: str = "both"
) -> xr.DataArray:
    """Replace samples at or beyond the range of the amplifier, lazily.

    Only the saturated samples are replaced. Before a filter, :func:`fill_silence` keeps the step of a rail from
    ringing; :func:`blank_artifacts` also removes the time around an artifact.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    threshold
        Absolute value from which a sample counts as saturated, in the unit of the recording.
    fill_value
        Replacement value.
    direction
        ``"upper"``: values of at least ``threshold``; ``"lower"``: of at most ``-threshold``; ``"both"``.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If the threshold is not positive, the fill value not finite, or the direction unknown.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> bool((abs(blank_saturation(recording, threshold=30.0)) < 30).all())
    True
    """
    from ...kernels.preprocess.values.limits import blank_beyond

    schema.validate_recording(recording)
    check_choice("direction", direction, ("both", "upper", "lower"))
    if not np.isfinite(threshold) or threshold <= 0:
        raise ParameterError(f"threshold is {threshold!r}; it must be a size above 0 in the unit of the recording")
    if not np.isfinite(fill_value):
        raise ParameterError(f"fill_value is {fill_value!r}; it must be finite, or later steps refuse the traces")
    parameters = {
        "low": None if direction == "upper" else -float(threshold),
        "high": None if direction == "lower" else float(threshold),
        "fill_value": float(fill_value),
    }
    return extend_recording(recording, Stage(blank_beyond, dtype=np.dtype("f4"), parameters=parameters))


def _check_limits(low: float | None, high: float | None) -> None:
    given = [limit for limit in (low, high) if limit is not None]
    if not given or not np.isfinite(given).all():
        raise ParameterError(f"low is {low!r} and high is {high!r}; give at least one of them, finite")
    if len(given) == 2 and given[0] > given[1]:
        raise ParameterError(f"low ({low:g}) is above high ({high:g}); swap them")
