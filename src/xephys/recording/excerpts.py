"""Draw the excerpts of a recording from which estimates are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..graph.excerpts import draw_excerpts
from ..graph.local import map_in_threads
from ..per_channel import check_unit
from ..unit_mark import MADE_ON, check_made_on, size_steps
from .stages import recording_plan

#: Arrays ``(sample, channel)``, in time order.
Excerpts: TypeAlias = Sequence[NDArray[Any]]

#: Minimum length of a run of equal values, on one channel of the raw traces, that counts as silence.
SILENCE_MS = 5.0


@operation
def sample_traces(
    recording: xr.DataArray, *, n_slices: int = 20, slice_duration_s: float = 0.5, seed: int = 0
) -> Excerpts:
    """Draw excerpts of a recording for the ``estimate_*`` functions. Computes.

    Samples at which a channel was silent in the raw traces, before the recording's transforms, are left out: after lost
    packets, during blanking or at a rail there is no noise to estimate.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    n_slices, slice_duration_s
        Number and length of the excerpts. The recording is divided into equal parts, with one excerpt from each. A
        short recording gives fewer excerpts, and none is longer than a tile (1 s).
    seed
        Seed of their positions, which do not depend on chunks.

    Returns
    -------
    Arrays ``(sample, channel)``, in time order. Excerpts without a live sample are left out, unless all are silent.

    Raises
    ------
    RecordingError
        If an excerpt holds NaN or infinite values.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> [part.shape for part in sample_traces(recording, n_slices=2, slice_duration_s=0.1)]
    [(3000, 8), (3000, 8)]
    """
    check_positive(n_slices=n_slices, slice_duration_s=slice_duration_s)
    schema.validate_recording(recording)
    plan = recording_plan(recording)
    excerpts = draw_excerpts(plan, n_slices=n_slices, duration_s=slice_duration_s, seed=seed)
    for part in excerpts:
        finite = np.isfinite(part).all(axis=0) if part.dtype.kind == "f" else np.ones(part.shape[1], bool)
        if not finite.all():
            names = ", ".join(map(str, recording.channel.values[~finite][:8]))
            raise RecordingError(
                f"channels {names} hold NaN or infinite values; repair them, or drop them: recording.sel(channel=...)"
            )
    recorded = draw_excerpts(
        replace(plan, stages=()), n_slices=n_slices, duration_s=slice_duration_s, seed=seed
    ) if plan.stages else excerpts  # fmt: skip
    return DrawnFrom(_live_parts(excerpts, recorded, plan.sampling_frequency), recording)


def share_of_silence(recording: xr.DataArray, *, n_slices: int = 20, seed: int = 0) -> float:
    """Share of sampled times at which a channel is silent, ignoring channels that are silent throughout. Computes.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> share_of_silence(recording)
    0.0
    """
    from ..kernels.preprocess.silence import live_rows

    plan = replace(recording_plan(recording), stages=())
    silent = _silence(draw_excerpts(plan, n_slices=n_slices, duration_s=0.5, seed=seed), plan.sampling_frequency)
    return 1.0 - float(np.concatenate(live_rows(silent, share_min=0.0)).mean())


def _silence(recorded: Excerpts, sampling_frequency: float) -> list[NDArray[np.bool_]]:
    """Which samples of raw excerpts are silent."""
    from ..kernels.preprocess.silence import silent_samples

    run = max(2, round(SILENCE_MS * 1e-3 * sampling_frequency))
    return map_in_threads(partial(silent_samples, n_samples_min=run), recorded)


def _live_parts(excerpts: Excerpts, recorded: Excerpts, sampling_frequency: float) -> Excerpts:
    """Excerpts without the samples that were silent in the raw traces."""
    from ..kernels.preprocess.silence import live_rows

    silent = _silence(recorded, sampling_frequency)
    if not any(part.any() for part in silent):
        return excerpts
    kept = [part[rows] for part, rows in zip(excerpts, live_rows(silent), strict=True) if rows.any()]
    return kept or excerpts


class DrawnFrom(list[NDArray[Any]]):
    """Excerpts that know their traces: ``attrs`` holds the unit, and the steps that change the size of noise."""

    def __init__(self, excerpts: Excerpts, recording: xr.DataArray) -> None:
        super().__init__(excerpts)
        steps = "\n".join(size_steps(recording))
        self.attrs = MappingProxyType({"units": str(recording.attrs.get("units", "counts")), MADE_ON: steps})

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def excerpts_of_these(recording: xr.DataArray, excerpts: Excerpts | None, **drawing: Any) -> Excerpts:
    """The given excerpts, after checking that they can be of these traces, or new ones if None.

    Raises
    ------
    ParameterError
        If they are not a list of arrays ``(sample, channel)`` with as many channels as the recording, or were drawn
        before or after another filter or the like.
    RecordingError
        If they are in another unit.
    """
    if excerpts is None:
        return sample_traces(recording, **drawing)
    n = recording.sizes["channel"]
    if isinstance(excerpts, (list, tuple, np.ndarray)):
        shapes = [np.shape(part) for part in excerpts]
        wrong = next((shape for shape in shapes if len(shape) != 2 or shape[1] != n or not shape[0]), None)
        if wrong is not None or not shapes:
            raise ParameterError(
                f"excerpts hold {'nothing' if wrong is None else f'an array of shape {wrong}'}; give a list of arrays "
                f"(sample, channel) of the {n} channels, from sample_traces on these traces"
            )
    units = getattr(excerpts, "attrs", {}).get("units")
    check_unit(recording, units, what="the excerpts", made_by="sample_traces")
    check_made_on(recording, excerpts, what="the excerpts", made_by="sample_traces")
    return excerpts
