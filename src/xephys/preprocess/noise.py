"""Noise levels per channel, from seeded stretches of the recording."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..errors import RecordingError
from ..extending import check_choice, check_positive, recording_plan
from ..graph.local import map_in_threads
from ..graph.sample import sample_slices

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


def estimate_noise_levels(
    recording: xr.DataArray,
    *,
    method: str = "mad",
    sample: Sample | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Estimate the noise level of each channel. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    method
        ``"mad"``: median absolute deviation over 0.6745, ``"std"`` or ``"rms"``.
    sample
        Stretches of these very traces, from :func:`sample_traces`; drawn here if None.
    seed
        Of that drawing.

    Returns
    -------
    DataArray ``noise_level`` with dim ``channel``, float32, in the recording's unit: the median over the stretches.

    Raises
    ------
    RecordingError
        If the traces hold NaN or infinite values.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> estimate_noise_levels(recording).sizes
    Frozen({'channel': 8})
    """
    from ..kernels import noise as kernel

    check_choice("method", method, ("mad", "std", "rms"))
    info = schema.validate_recording(recording)
    parts = sample_traces(recording, seed=seed) if sample is None else sample
    levels = np.stack(map_in_threads(partial(kernel.noise_levels, method=method), parts))
    coords = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    return xr.DataArray(
        np.median(levels, axis=0).astype(np.float32),
        dims="channel",
        coords=coords,
        name="noise_level",
        attrs={"units": info.units, "method": method},
    )
