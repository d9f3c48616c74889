"""Fill or list stretches without signal: lost packets, blanking, rails."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_positive
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, positions_of
from ..recording.excerpts import SILENCE_MS
from ..recording.geometry import channel_groups, neighbors_within
from ..recording.stages import extend_recording, recording_plan

#: Channels beyond this radius are not used to fill a silent one; weights fall off as ``exp(-(d / FALL_OFF_UM) **
#: 1.3)``.
RADIUS_UM, FALL_OFF_UM = 60.0, 20.0


@operation
def fill_silence(recording: xr.DataArray, *, silence_ms: float = SILENCE_MS) -> xr.DataArray:
    """Fill stretches in which a channel is constant from the channels around it, lazily.

    Lost packets and blanked stretches are often stored as zeros, a rail as the largest number. A filter answers the
    step from a channel's offset with a large transient. The filled samples have the channel's own level, plus the
    signal of the live channels around it, if any.

    Parameters
    ----------
    recording
        Traces as recorded, before any filter: afterwards silence is no longer constant.
    silence_ms
        Minimum length of a run of equal values that counts as silence.

    Returns
    -------
    Traces as float32, same coordinates and unit, still lazy; one task per chunk. Samples outside silence are unchanged.

    Raises
    ------
    ParameterError
        If ``silence_ms`` is not positive.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> fill_silence(recording).dtype
    dtype('float32')
    """
    from ..kernels.preprocess.silence import fill_silence as kernel

    info = schema.validate_recording(recording)
    run = _shortest(info, silence_ms)
    neighbors = np.full((info.n_channels, 1), -1, np.int32)
    weights = np.zeros((info.n_channels, 1), np.float32)
    if info.n_channels > 1 and "x" in recording.coords and "y" in recording.coords:
        positions = positions_of(recording, why="filling silence")
        neighbors = neighbors_within(positions, radius_um=RADIUS_UM, groups=channel_groups(recording))
        neighbors[neighbors == np.arange(info.n_channels)[:, None]] = -1
        neighbors[bad_channels_of(recording)[neighbors]] = -1
        distances = np.linalg.norm(positions[:, None] - positions[neighbors], axis=2)
        weights = np.where(neighbors >= 0, np.exp(-((distances / FALL_OFF_UM) ** 1.3)), 0.0).astype(np.float32)
    stage = Stage(
        kernel,
        dtype=np.dtype("f4"),
        parameters={"n_samples_min": run},
        arrays={"neighbors": neighbors, "weights": weights},
        before=run,
        after=run,
    )
    return extend_recording(recording, stage)


def is_silence_filled(recording: xr.DataArray) -> bool:
    """Whether :func:`fill_silence` is a step of the recording's chain.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> is_silence_filled(recording), is_silence_filled(fill_silence(recording))
    (False, True)
    """
    from ..kernels.preprocess.silence import fill_silence as kernel

    return any(stage.func is kernel for stage in recording_plan(recording).stages)


def find_silence(recording: xr.DataArray, *, silence_ms: float = SILENCE_MS) -> SpikeTable:
    """List the stretches in which a channel is constant, lazily.

    Parameters
    ----------
    recording
        Traces as recorded, before any filter.
    silence_ms
        Minimum length of a run of equal values that counts as silence.

    Returns
    -------
    Lazy table with ``sample_index`` (of the first sample), ``channel_index`` and ``num_samples``. A stretch may be
    listed as several adjoining parts. A run at either end of the recording counts as silence however short it is.

    Raises
    ------
    ParameterError
        If ``silence_ms`` is not positive.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> traces = recording.values.copy()
    >>> traces[30_000:36_000, 5] = 0
    >>> runs = find_silence(recording.copy(data=traces)).compute()
    >>> int(runs["num_samples"][runs["num_samples"] > 1].sum())
    6000
    """
    from ..kernels.preprocess.silence import RUN, silent_runs

    info = schema.validate_recording(recording)
    run = _shortest(info, silence_ms)
    stage = Stage(silent_runs, dtype=RUN, parameters={"n_samples_min": run}, before=run, after=run, emits="events")
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def _shortest(info: Any, silence_ms: float) -> int:
    """Minimum length of a silence in samples."""
    check_positive(silence_ms=silence_ms)
    return max(2, round(silence_ms * 1e-3 * float(info.sampling_frequency)))
