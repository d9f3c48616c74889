"""Learn temporal components of a recording's spikes from seeded tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..errors import ParameterError, RecordingError, SilentRecordingError
from ..graph.events import SpikeTable, compute
from ..graph.excerpts import tile_plans
from .events import window_samples
from .waveforms import extract_snippets


@operation
def learn_components(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    n_components: int = 6,
    ms_before: float = 0.7,
    ms_after: float = 1.3,
    n_tiles: int | None = 20,
    n_peaks_max: int = 20_000,
    seed: int = 0,
) -> xr.DataArray:
    """Learn the temporal components of a recording's spikes from seeded tiles. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or its computed records.
    n_components
        Number of components.
    ms_before, ms_after
        Window around the peak.
    n_tiles
        How many seconds of the recording are read, evenly spread; all of it if None.
    n_peaks_max
        Maximum number of snippets used, evenly spread.
    seed
        Seed for choosing the tiles.

    Returns
    -------
    DataArray ``components`` with dims ``(component, sample)``, orthonormal; attribute ``nbefore``.

    Raises
    ------
    ParameterError
        If the window has fewer samples than there are components.
    SilentRecordingError
        If there are fewer peaks than components.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> learn_components(filtered, peaks, n_components=3).sizes["component"]
    3
    """
    from ..kernels.features import components as kernel

    table = extract_snippets(recording, peaks, ms_before=ms_before, ms_after=ms_after)
    nbefore, nafter = window_samples(ms_before, ms_after, table.sampling_frequency)
    if n_components > nbefore + nafter:
        raise ParameterError(
            f"n_components is {n_components}, and the window has {nbefore + nafter} samples; lower it, or raise "
            "ms_before or ms_after"
        )
    if table.plan is None:
        raise RecordingError("the peaks have no plan; detect them on the recording")
    plans = [table.plan] if n_tiles is None else tile_plans(table.plan, n_tiles=n_tiles, seed=seed)
    snippets = np.concatenate(compute(*[SpikeTable.of_plan(p).data for p in plans]))["waveform"]
    if len(snippets) < n_components:
        read_s = sum(p.n_samples for p in plans) / table.sampling_frequency
        raise SilentRecordingError(
            f"{len(snippets)} peaks were found in {read_s:g} s of the recording, too few to learn {n_components} "
            "components; lower detect_threshold or read more tiles"
        )
    chosen = np.unique(np.linspace(0, len(snippets) - 1, min(len(snippets), n_peaks_max)).astype(np.int64))
    components = kernel.learn_components(snippets[chosen], n_components=n_components)
    return xr.DataArray(
        components, dims=("component", "sample"), name="components", attrs={"nbefore": nbefore, "n_peaks": len(chosen)}
    )
