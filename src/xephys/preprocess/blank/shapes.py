"""Recurring artifacts: learn their shape from all of them, and subtract it from each."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...calls import operation
from ...checks import check_choice
from ...errors import ParameterError
from ...features.events import window_samples
from ...graph.build import to_dask
from ...graph.events import compute
from ...graph.plan import Stage
from ...per_channel import check_unit, of_these_channels
from ...recording.slicing import samples_at
from ...recording.stages import extend_recording, recording_plan
from ...unit_mark import check_made_on
from .triggers import trigger_times

_OPERATORS = {"median": np.median, "average": np.mean}


@operation
def estimate_artifacts(
    recording: xr.DataArray,
    *,
    trigger_times_s: Any,
    labels: Any = None,
    ms_before: float = 0.5,
    ms_after: float = 3.0,
    operator: str = "median",
    n_triggers_max: int = 100,
) -> xr.DataArray:
    """Learn the shape of recurring artifacts on every channel from the traces around their triggers. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    trigger_times_s
        Times of the artifacts in seconds on the recording's clock.
    labels
        Kind of each artifact; one kind if None.
    ms_before, ms_after
        Window around the trigger.
    operator
        ``"median"`` or ``"average"`` over the artifacts of a kind.
    n_triggers_max
        Maximum number of artifacts of a kind that are read; if there are more, evenly spread ones are used.

    Returns
    -------
    DataArray ``artifact`` with dims ``(label, sample, channel)``, float32, in the unit of the recording; attribute
    ``nbefore``.

    Raises
    ------
    ParameterError
        If no window lies inside the recording, or there is not one label per trigger.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> estimate_artifacts(recording, trigger_times_s=[0.5, 1.0, 1.5]).sizes
    Frozen({'label': 1, 'sample': 105, 'channel': 8})
    """
    check_choice("operator", operator, tuple(_OPERATORS))
    info = schema.validate_recording(recording)
    nbefore, nafter = window_samples(ms_before, ms_after, info.sampling_frequency)
    first = samples_at(recording, trigger_times(trigger_times_s)) - nbefore
    kinds = _kinds(labels, len(first))
    inside = (first >= 0) & (first + nbefore + nafter <= info.n_samples)
    plan = recording_plan(recording)
    names = np.unique(kinds)
    shapes = np.zeros((len(names), nbefore + nafter, info.n_channels), np.float32)
    for row, name in enumerate(names):
        own = np.sort(first[inside & (kinds == name)])
        if not len(own):
            raise ParameterError(
                f"no artifact of kind {str(name)!r} lies with {ms_before:g} ms before and {ms_after:g} ms after it "
                f"inside the recording of {info.n_samples / info.sampling_frequency:g} s; check trigger_times_s"
            )
        chosen = own[np.unique(np.linspace(0, len(own) - 1, min(len(own), n_triggers_max)).round().astype(int))]
        parts = [to_dask(plan.narrowed(plan.start + at, (nbefore + nafter,))) for at in chosen.tolist()]
        shapes[row] = _OPERATORS[operator](np.stack(compute(*parts)), axis=0)
    channels = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    return xr.DataArray(
        shapes,
        dims=("label", "sample", "channel"),
        coords={"label": names, **channels},
        name="artifact",
        attrs={"nbefore": nbefore, "units": info.units},
    )


@operation
def subtract_artifacts(
    recording: xr.DataArray,
    *,
    trigger_times_s: Any,
    artifacts: xr.DataArray,
    labels: Any = None,
    scale_amplitude: bool = False,
    time_jitter_ms: float = 0.0,
) -> xr.DataArray:
    """Subtract the known shape of an artifact at each trigger, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    trigger_times_s
        Times of the artifacts in seconds on the recording's clock.
    artifacts
        Their shapes, from :func:`estimate_artifacts`.
    labels
        Kind of each artifact; may be None if there is one kind.
    scale_amplitude
        Scale each artifact to fit best over all channels, instead of subtracting its shape at the size it was learned.
    time_jitter_ms
        Shift each artifact to where it correlates best, by at most this much from its trigger.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If there is not one label per trigger, a label has no shape, the jitter is negative, or the shapes are of
        another number of channels, or of traces before or after another filter or the like.
    RecordingError
        If the shapes name their channels, and one of the recording's is not among them, or are in another unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> times_s = [0.5, 1.0, 1.5]
    >>> shape = estimate_artifacts(recording, trigger_times_s=times_s)
    >>> subtract_artifacts(recording, trigger_times_s=times_s, artifacts=shape).dtype
    dtype('float32')
    """
    from ...kernels.preprocess.blank.shapes import subtract_shapes

    info = schema.validate_recording(recording)
    artifacts = of_these_channels(recording, artifacts, what="artifacts")
    if artifacts.sizes["channel"] != info.n_channels:
        raise ParameterError(
            f"artifacts are of {artifacts.sizes['channel']} channels and the recording has {info.n_channels}; "
            "estimate them on this recording"
        )
    check_unit(recording, artifacts.attrs.get("units"), what="the artifacts", made_by="estimate_artifacts")
    check_made_on(recording, artifacts, what="the artifacts", made_by="estimate_artifacts")
    if not time_jitter_ms >= 0:
        raise ParameterError(f"time_jitter_ms is {time_jitter_ms!r}; it must be at least 0")
    triggers = recording_plan(recording).start + samples_at(recording, trigger_times(trigger_times_s))
    known = artifacts["label"].values
    kinds = np.full(len(triggers), known[0]) if labels is None and len(known) == 1 else _kinds(labels, len(triggers))
    unknown = np.setdiff1d(kinds, known)
    if len(unknown):
        raise ParameterError(
            f"artifacts hold no shape of label {str(unknown[0])!r}; they hold {', '.join(map(str, known))}"
        )
    order = np.argsort(triggers, kind="stable")
    jitter = round(1e-3 * time_jitter_ms * info.sampling_frequency)
    reach = 2 * (artifacts.sizes["sample"] + jitter)
    stage = Stage(
        subtract_shapes,
        dtype=np.dtype("f4"),
        parameters={
            "nbefore": int(artifacts.attrs["nbefore"]),
            "jitter_samples": jitter,
            "scale_amplitude": bool(scale_amplitude),
        },
        arrays={
            "triggers": triggers[order],
            "labels": np.searchsorted(known, kinds[order]).astype(np.int64),
            "shapes": np.ascontiguousarray(artifacts.values, np.float32),
        },
        before=reach,
        after=reach,
        timed=True,
    )
    return extend_recording(recording, stage)


def _kinds(labels: Any, n_triggers: int) -> NDArray[Any]:
    """One label for each trigger."""
    kinds = np.zeros(n_triggers, np.int64) if labels is None else np.asarray(labels)
    if kinds.shape != (n_triggers,):
        raise ParameterError(f"labels have shape {kinds.shape} for {n_triggers} triggers; give one for each")
    return kinds
