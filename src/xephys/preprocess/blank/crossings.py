"""Find periods in which traces are too large to be signal, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ... import schema
from ...calls import operation
from ...checks import check_positive
from ...errors import ParameterError
from ...graph.events import SpikeTable
from ...graph.plan import Stage
from ...per_channel import bad_channels_of
from ...recording.clock import sample_times
from ...recording.stages import recording_plan


@operation
def detect_artifact_periods(
    recording: xr.DataArray,
    *,
    threshold: Any,
    channel_fraction: float | None = None,
    join_ms: float = 1.0,
) -> xr.Dataset:
    """Find the periods in which channels reach a threshold, such as the rail of the amplifier. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``. Channels marked ``bad`` are ignored.
    threshold
        Absolute value to reach, in the unit of the recording: one number, or one per channel, such as ten noise levels.
    channel_fraction
        Fraction of the channels that must reach it at the same sample; if None, one channel is enough.
    join_ms
        Periods no farther apart than this are joined.

    Returns
    -------
    Dataset with dim ``period``: ``start_s`` and ``stop_s``, in seconds on the recording's clock, ascending and
    disjoint, as :func:`silence_periods` takes them.

    Raises
    ------
    ParameterError
        If the threshold is not positive or does not fit the channels, or the fraction is not in (0, 1].

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> detect_artifact_periods(recording, threshold=1e4).sizes["period"]
    0
    """
    from ...kernels.preprocess.blank.crossings import EDGE_DTYPE, find_edges

    info = schema.validate_recording(recording)
    check_positive(join_ms=join_ms)
    good = ~bad_channels_of(recording)
    sizes = np.asarray(threshold, np.float64)
    if sizes.shape not in ((), (info.n_channels,)) or not (sizes > 0).all():
        raise ParameterError(
            f"threshold has shape {sizes.shape} and a minimum of {sizes.min() if sizes.size else np.nan:g}; give one "
            f"positive size, or one for each of {info.n_channels} channels"
        )
    if channel_fraction is not None and not 0 < channel_fraction <= 1:
        raise ParameterError(f"channel_fraction is {channel_fraction!r}; it must be above 0 and at most 1")
    plan = recording_plan(recording)
    n_min = 1 if channel_fraction is None else max(1, int(np.ceil(channel_fraction * good.sum())))
    stage = Stage(
        find_edges,
        dtype=EDGE_DTYPE,
        parameters={
            "n_channels_min": n_min,
            "first_sample": plan.first_sample,
            "last_sample": plan.first_sample + plan.n_samples - 1,
        },
        arrays={"thresholds": np.where(good, sizes, np.inf).astype(np.float32)},
        before=1,
        after=1,
        emits="events",
    )
    edges = SpikeTable.of_plan(plan.then(stage)).compute()
    first, last = edges["sample_index"][edges["opens"]], edges["sample_index"][~edges["opens"]]
    apart = round(1e-3 * join_ms * info.sampling_frequency)
    fresh = np.ones(len(first) + 1, bool)
    fresh[1:-1] = first[1:] - last[:-1] > apart
    start_s, end_s = sample_times(recording, first[fresh[:-1]]), sample_times(recording, last[fresh[1:]])
    seconds = {"units": "s"}
    return xr.Dataset(
        {
            "start_s": ("period", start_s, seconds),
            "stop_s": ("period", end_s + 1 / info.sampling_frequency, seconds),
        },
        attrs={"threshold": sizes.tolist(), "units": info.units},
    )
