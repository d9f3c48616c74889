"""Excerpts of a recording from which estimates are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import RecordingError
from ..graph.sample import sample_slices
from .stages import recording_plan

Sample: TypeAlias = Sequence[NDArray[Any]]


def sample_traces(
    recording: xr.DataArray, *, n_slices: int = 20, slice_duration_s: float = 0.5, seed: int = 0
) -> Sample:
    """Draw stretches of a recording for the ``estimate_*`` functions. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    n_slices, slice_duration_s
        How many stretches of which length, one from each of as many equal parts of the recording; a short recording
        gives fewer, and none is longer than a tile (1 s).
    seed
        Of the positions, which do not depend on chunks.

    Returns
    -------
    Arrays ``(sample, channel)``, in time order.

    Raises
    ------
    RecordingError
        If a stretch holds NaN or infinite values.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> [part.shape for part in sample_traces(recording, n_slices=2, slice_duration_s=0.1)]
    [(3000, 8), (3000, 8)]
    """
    check_positive(n_slices=n_slices, slice_duration_s=slice_duration_s)
    sample = sample_slices(recording_plan(recording), n_slices=n_slices, duration_s=slice_duration_s, seed=seed)
    for part in sample:
        finite = np.isfinite(part).all(axis=0) if part.dtype.kind == "f" else np.ones(part.shape[1], bool)
        if not finite.all():
            names = ", ".join(map(str, recording.channel.values[~finite][:8]))
            raise RecordingError(
                f"channels {names} hold NaN or infinite values; repair them, or drop them: recording.sel(channel=...)"
            )
    return sample
