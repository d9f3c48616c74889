"""Learn a low-rank denoiser: temporal components of spikes, and how much of each is signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..checks import check_positive
from ..errors import SilentRecordingError
from ..graph.events import SpikeTable, compute
from ..graph.excerpts import tile_plans
from ..per_channel import positions_of
from ..recording.excerpts import Excerpts
from ..recording.geometry import channel_groups, neighbors_within
from .events import event_table, window_samples
from .noise import estimate_feature_noise
from .waveforms import extract_snippets


@operation
def learn_denoiser(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    rank: int = 8,
    ms_before: float = 1.4,
    ms_after: float = 2.6 + 0.1 / 3,
    fit_radius_um: float = 75.0,
    n_tiles: int = 20,
    n_peaks_max: int = 4000,
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Learn a low-rank denoiser of a recording's spikes from seeded tiles. Computes.

    The components are the leading singular vectors of snippets on the channels around peaks, each divided by its norm.
    A component is weighted by the share of signal in its projections; which channels of an event are kept, and how
    much of each, is decided event by event (:func:`xephys.detect_by_subtraction`).

    Parameters
    ----------
    recording
        White traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording.
    rank
        Number of temporal components.
    ms_before, ms_after
        Window around the peak.
    fit_radius_um
        Channels within this radius of a peak's channel are learned from.
    n_tiles
        How many seconds of the recording are read, evenly spread.
    n_peaks_max
        Most peaks that are used, evenly spread.
    excerpts
        Excerpts of these traces, from :func:`xephys.sample_traces`, for the noise; drawn here if None.
    seed
        Seed for choosing the tiles and excerpts.

    Returns
    -------
    Dataset with ``component (component, sample)``, orthonormal float32, ``weight (component)`` from 0 to 1, and
    ``noise (component)``, the variance of a projection of noise; attribute ``nbefore``.

    Raises
    ------
    SilentRecordingError
        If there are fewer peaks than components.

    Notes
    -----
    After the temporal PCA denoising of Boussard, Windolf et al. (2023), bioRxiv 2023.08.11.553023.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> white = xephys.whiten(filtered, whitening=xephys.estimate_whitening(filtered))
    >>> peaks = xephys.detect_peaks(white, noise_levels=xephys.estimate_noise_levels(white))
    >>> learn_denoiser(white, peaks, rank=3).sizes["component"]
    3
    """
    from ..kernels.features import components as kernel

    check_positive(rank=rank, fit_radius_um=fit_radius_um, n_tiles=n_tiles, n_peaks_max=n_peaks_max)
    table = event_table(recording, peaks)
    nbefore, _ = window_samples(ms_before, ms_after, table.sampling_frequency)
    assert table.plan is not None
    plans = tile_plans(table.plan, n_tiles=n_tiles, seed=seed)
    found = np.concatenate(compute(*[SpikeTable.of_plan(plan).data for plan in plans]))
    if len(found) < rank:
        raise SilentRecordingError(
            f"{len(found)} peaks were found in {n_tiles} tiles, too few for a denoiser of rank {rank}; lower "
            "detect_threshold or read more tiles"
        )
    chosen = found[np.unique(np.linspace(0, len(found) - 1, min(len(found), n_peaks_max)).astype(np.int64))]
    positions = positions_of(recording, why="a denoiser")
    around = neighbors_within(positions, radius_um=fit_radius_um, groups=channel_groups(recording))
    windows = extract_snippets(recording, _on_channels_around(chosen, around), ms_before=ms_before, ms_after=ms_after)
    assert windows.plan is not None
    parts = compute(*[SpikeTable.of_plan(plan).data for plan in tile_plans(windows.plan, n_tiles=n_tiles, seed=seed)])
    snippets = np.concatenate(parts)["waveform"]
    components = kernel.learn_components(snippets, n_components=rank)
    basis = xr.DataArray(components, dims=("component", "sample"), attrs={"nbefore": nbefore})
    noise = estimate_feature_noise(recording, components=basis, excerpts=excerpts, seed=seed) ** 2
    energies = np.square(snippets.astype(np.float64) @ components.T.astype(np.float64)).mean(axis=0)
    signal = np.maximum(energies - noise, 0.0)
    return xr.Dataset(
        {
            "component": basis,
            "weight": ("component", (signal / (signal + noise)).astype(np.float32)),
            "noise": ("component", np.full(rank, noise, np.float32)),
        },
        attrs={"nbefore": nbefore, "sampling_frequency": table.sampling_frequency},
    )


def _on_channels_around(peaks: NDArray[np.void], around: NDArray[np.int32]) -> NDArray[np.void]:
    """One record per peak and channel around it, in order of sample."""
    channels = around[peaks["channel_index"]]
    repeated = np.repeat(peaks[["sample_index", "channel_index"]], channels.shape[1])
    repeated["channel_index"] = channels.ravel()
    return repeated[channels.ravel() >= 0]
