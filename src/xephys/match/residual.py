"""Traces without the spikes of known templates, lazily."""

from __future__ import annotations

from typing import Any

import xarray as xr

from .. import schema
from ..calls import operation
from ..recording.stages import extend_recording
from .settings import MatchSettings, residual_stage


@operation
def match_residual(
    recording: xr.DataArray,
    *,
    templates: xr.Dataset,
    **settings: Any,
) -> xr.DataArray:
    """Subtract the spikes of known templates from the traces, lazily; the residual shows the spikes that were missed.

    Parameters
    ----------
    recording
        Whitened traces (unit noise), on which the templates were estimated.
    templates
        From :func:`estimate_templates`.
    **settings
        ``rank``, ``n_channels_max``, ``match_threshold``, ``noise_gain``, ``amplitude_min``, ``amplitude_max``,
        ``amplitude_std``, ``refractory_ms`` and ``freq_max_hz``, as for :func:`match_templates`, whose spikes are
        subtracted.

    Returns
    -------
    The traces without the matched spikes: same dims, coordinates and unit, float32.

    Raises
    ------
    ParameterError
        If a setting is unknown or a number outside its limits.
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
    checked = MatchSettings.read(settings, what="match_residual")
    return extend_recording(recording, residual_stage(recording, templates, checked))
