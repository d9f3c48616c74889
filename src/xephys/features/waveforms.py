"""Snippets and projections of peaks, computed in the same pass as their detection."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..errors import ParameterError
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, nearest_channels
from .events import event_table, window_samples


@operation
def extract_snippets(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    ms_before: float = 1.0,
    ms_after: float = 2.0,
) -> SpikeTable:
    """Add to each peak the snippet of traces on its own channel, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    ms_before, ms_after
        Window around the peak.

    Returns
    -------
    The table with the field ``waveform``, float32 of one window.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> extract_snippets(filtered, peaks).fields[-1]
    'waveform'
    """
    from ..kernels.features import waveforms as kernel

    table = event_table(recording, peaks)
    nbefore, nafter = window_samples(ms_before, ms_after, table.sampling_frequency)
    stage = Stage(
        kernel.snippets,
        dtype=_with_field(table.dtype, "waveform", "<f4", (nbefore + nafter,)),
        parameters={"nbefore": nbefore, "nafter": nafter},
        before=nbefore,
        after=nafter - 1,
        emits="events",
    )
    return table.then(stage)


@operation
def project_peaks(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    components: xr.DataArray,
    n_nearest: int = 12,
) -> SpikeTable:
    """Project the waveforms around each peak on temporal components, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    components
        From :func:`learn_components`.
    n_nearest
        Number of channels that are projected: the nearest to the peak's channel, itself included, in ascending order.

    Returns
    -------
    The table with the field ``projection``, float32 ``(channel, component)``.

    Raises
    ------
    RecordingError
        If the recording has no positions.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> components = xephys.learn_components(filtered, peaks, n_components=3)
    >>> project_peaks(filtered, peaks, components=components, n_nearest=4).dtype["projection"].shape
    (4, 3)
    """
    from ..kernels.features import waveforms as kernel

    table = event_table(recording, peaks)
    positions = positions_of(recording, why="a projection")
    neighbors = nearest_channels(positions, n_nearest=n_nearest, groups=channel_groups(recording))
    n_components, length = components.shape
    nbefore = components.attrs.get("nbefore", -1)
    if components.ndim != 2 or not 0 <= nbefore < length:
        raise ParameterError(
            f"components have shape {components.shape} and the attribute nbefore {components.attrs.get('nbefore')}; "
            "give (component, sample) with the number of samples before the spike, from learn_components"
        )
    stage = Stage(
        kernel.project_waveforms,
        dtype=_with_field(table.dtype, "projection", "<f4", (neighbors.shape[1], n_components)),
        parameters={"nbefore": nbefore},
        arrays={"components": np.ascontiguousarray(components.values, np.float32), "neighbors": neighbors},
        before=nbefore,
        after=length - nbefore - 1,
        emits="events",
    )
    return table.then(stage)


def _with_field(dtype: np.dtype[Any], name: str, kind: str, shape: tuple[int, ...]) -> np.dtype[Any]:
    if name in (dtype.names or ()):
        raise ParameterError(f"the peaks already have a field {name!r}; start from the table before it was added")
    return np.dtype([*[(n, dtype[n]) for n in dtype.names or ()], (name, kind, shape)])
