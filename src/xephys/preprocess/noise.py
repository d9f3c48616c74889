"""Noise levels per channel, from seeded stretches of the recording."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .. import schema
from ..errors import RecordingError
from ..extending import check_choice, check_positive, recording_plan
from ..graph.sample import sample_slices


def estimate_noise_levels(
    recording: xr.DataArray,
    *,
    method: str = "mad",
    n_slices: int = 20,
    slice_duration_s: float = 0.5,
    seed: int = 0,
) -> xr.DataArray:
    """Estimate the noise level of each channel. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    method
        ``"mad"``: median absolute deviation over 0.6745, ``"std"`` or ``"rms"``.
    n_slices, slice_duration_s
        How many stretches of which length are read, one from each of as many equal parts of the recording.
    seed
        Of the positions, which do not depend on chunks.

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
    check_positive(n_slices=n_slices, slice_duration_s=slice_duration_s)
    info = schema.validate_recording(recording)
    slices = sample_slices(recording_plan(recording), n_slices=n_slices, duration_s=slice_duration_s, seed=seed)
    levels = np.stack([kernel.noise_levels(np.asarray(s, np.float32), method=method) for s in slices])
    if not np.isfinite(levels).all():
        bad = recording.channel.values[~np.isfinite(levels).all(axis=0)]
        raise RecordingError(
            f"channels {', '.join(map(str, bad[:8]))} hold NaN or infinite values; repair them, "
            "or drop them with recording.sel(channel=...)"
        )
    coords = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    return xr.DataArray(
        np.median(levels, axis=0).astype(np.float32),
        dims="channel",
        coords=coords,
        name="noise_level",
        attrs={"units": info.units, "method": method},
    )
