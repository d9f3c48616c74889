"""What template matching leaves unexplained, as lazy traces."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..recording.stages import extend_recording
from .settings import MatchSettings, residual_stage


def match_residual(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    rank: int = 5,
    n_channels_max: int = 64,
    detect_threshold: float | NDArray[np.float64] = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_ms: float = 0.5,
    freq_max_hz: float | None = None,
) -> xr.DataArray:
    """Subtract the spikes of known templates from the traces, lazily: what is left shows what was missed.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates
        From :func:`estimate_templates`.
    rank, n_channels_max, detect_threshold, noise_gain, amplitude_min, amplitude_max, amplitude_std, refractory_ms, \
freq_max_hz
        As for :func:`match_templates`, whose spikes are subtracted.

    Returns
    -------
    The traces without the matched spikes: same dims, coordinates and unit, float32.

    Raises
    ------
    ParameterError
        If a number is outside its limits.
    RecordingError
        If the templates come from another probe.

    Examples
    --------
    >>> import numpy as np, xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> spikes = np.array([(1000, 0), (2000, 0)], [("sample_index", "i8"), ("unit_index", "i8")])
    >>> templates = xephys.estimate_templates(recording, spikes, peak_channels=np.array([3]))
    >>> match_residual(recording, templates=templates).sizes
    Frozen({'time': 60000, 'channel': 8})
    """
    schema.validate_recording(recording)
    settings = MatchSettings(
        rank=rank,
        n_channels_max=n_channels_max,
        detect_threshold=detect_threshold,
        noise_gain=noise_gain,
        amplitude_min=amplitude_min,
        amplitude_max=amplitude_max,
        amplitude_std=amplitude_std,
        refractory_ms=refractory_ms,
        freq_max_hz=freq_max_hz,
    )
    return extend_recording(recording, residual_stage(recording, templates, settings))
