"""Template matching: find the spikes of known templates lazily, resolving overlaps."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..calls import operation
from ..graph.events import SpikeTable
from ..recording.stages import recording_plan
from .settings import MatchSettings, spikes_stage


@operation
def match_templates(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    rank: int = 5,
    n_channels_max: int = 64,
    match_threshold: float | NDArray[np.float64] = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_ms: float = 0.5,
    freq_max_hz: float | None = None,
    components: xr.DataArray | None = None,
    n_nearest: int = 12,
) -> SpikeTable:
    """Find the spikes of known templates by greedy matching pursuit, lazily.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates
        From :func:`estimate_templates`. If a variable ``unexplained (unit)`` gives the share of a spike's energy that
        each template leaves, two spikes may replace one if they explain more than that.
    rank
        Maximum number of time courses per template; those that carry no energy are dropped.
    n_channels_max
        Maximum number of channels per template; those that carry no energy are dropped.
    match_threshold
        A spike must lower the squared residual by the square of this, in units of the noise along a template: one
        number, or an array with one number per template (see :func:`balance_thresholds`).
    noise_gain
        Variance of that noise, from :func:`estimate_noise_gain`; 1 for noise that is white in time.
    amplitude_min, amplitude_max
        Limits of a spike's amplitude as a multiple of its template.
    amplitude_std
        Standard deviation of the amplitude's prior around 1; ``inf`` leaves the amplitude free within its limits.
    refractory_ms
        Minimum interval between two spikes of one unit.
    freq_max_hz
        Upper corner of the band-pass applied to the traces. If it is at most a fifth of the sampling rate, templates
        are compared with every second sample and the scores in between are interpolated, which saves work and changes
        one spike in thousands. None computes every score directly.
    components
        From :func:`learn_components`, in the window of the templates: each spike's waveform, without the spikes that
        overlap it, is projected on them. No projections if None.
    n_nearest
        Number of channels that are projected: the nearest to the peak channel of the template, itself included.

    Returns
    -------
    Lazy table with ``sample_index``, ``unit_index``, ``channel_index``, ``amplitude`` (multiple of the template),
    ``sample_offset`` (sub-sample delay) and ``gain`` (drop of the squared residual); with components ``projection``
    (float32, channel by component).

    Raises
    ------
    ParameterError
        If a number is outside its limits, or a name is unknown.
    RecordingError
        If the templates come from another probe.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = np.array([(1000, 0), (2000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([3]))
    >>> match_templates(recording, templates=templates).fields[0]
    'sample_index'
    """
    schema.validate_recording(recording)
    settings = MatchSettings(
        rank=rank,
        n_channels_max=n_channels_max,
        match_threshold=match_threshold,
        noise_gain=noise_gain,
        amplitude_min=amplitude_min,
        amplitude_max=amplitude_max,
        amplitude_std=amplitude_std,
        refractory_ms=refractory_ms,
        freq_max_hz=freq_max_hz,
    )
    stage = spikes_stage(
        recording,
        templates,
        settings,
        components=components,
        n_nearest=n_nearest,
    )
    return SpikeTable.of_plan(recording_plan(recording).then(stage))
