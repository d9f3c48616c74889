"""Noise levels per channel, from seeded excerpts of the recording."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_choice
from ..graph.local import map_in_threads
from ..recording.excerpts import Excerpts, excerpts_of_these


@operation
def estimate_noise_levels(
    recording: xr.DataArray,
    *,
    method: str = "mad",
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Estimate the noise level of each channel. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    method
        ``"mad"``: the median absolute deviation over 0.6745; ``"std"`` or ``"rms"``.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    DataArray ``noise_level`` with dim ``channel``, float32, in the recording's unit: the median over the excerpts.

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
    from ..kernels.preprocess import noise as kernel

    check_choice("method", method, kernel.METHODS)
    info = schema.validate_recording(recording)
    parts = excerpts_of_these(recording, excerpts, seed=seed)
    levels = np.stack(map_in_threads(partial(kernel.noise_levels, method=method), parts))
    coords = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    return xr.DataArray(
        np.median(levels, axis=0).astype(np.float32),
        dims="channel",
        coords=coords,
        name="noise_level",
        attrs={"units": info.units, "method": method},
    )
