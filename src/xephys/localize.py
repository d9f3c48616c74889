"""Where peaks come from, in the same pass as their detection."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from . import schema
from .errors import ParameterError
from .extending import check_choice, check_positive
from .features import event_table, window_samples
from .graph.events import SpikeTable
from .graph.plan import Stage
from .neighbours import neighbours_within

METHODS = ("center_of_mass", "grid_convolution", "monopolar_triangulation")


def localize_peaks(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    method: str = "center_of_mass",
    feature: str = "ptp",
    radius_um: float = 75.0,
    ms_before: float = 0.5,
    ms_after: float = 0.5,
    **method_parameters: Any,
) -> SpikeTable:
    """Localise each peak from its amplitudes on the channels around it, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    method
        ``"center_of_mass"``, ``"grid_convolution"`` or ``"monopolar_triangulation"``.
    feature
        ``"ptp"``, ``"energy"`` or ``"peak_voltage"``: the amplitude on each channel.
    radius_um
        Channels used around the peak's channel.
    ms_before, ms_after
        Window in which the feature is taken.
    **method_parameters
        Further parameters of the method's kernel in :mod:`xephys.kernels.localize`.

    Returns
    -------
    The table with fields ``x`` and ``y`` (µm), and what else the method estimates.

    Raises
    ------
    ParameterError
        If a name is unknown or a number outside its limits.
    RecordingError
        If the recording has no positions.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> "y" in localize_peaks(filtered, peaks).fields
    True
    """
    from .kernels import localize as kernel

    check_choice("method", method, METHODS)
    check_choice("feature", feature, ("ptp", "energy", "peak_voltage"))
    check_positive(radius_um=radius_um)
    table = event_table(recording, peaks)
    positions = schema.positions_of(recording, why="localisation")
    nbefore, nafter = window_samples(ms_before, ms_after, table.sampling_frequency)
    func = getattr(kernel, f"localize_{method}")
    parameters = {"feature": feature, "window_before": nbefore, "window_after": nafter, **method_parameters}
    arrays = {"positions": positions, "neighbours": neighbours_within(positions, radius_um=radius_um)}
    fields = kernel.ADDED_FIELDS[method]
    taken = set(fields) & set(table.fields)
    if taken:
        raise ParameterError(
            f"the peaks already have {', '.join(sorted(taken))}; start from the table before localisation"
        )
    dtype = np.dtype([*[(n, table.dtype[n]) for n in table.fields], *[(name, "<f8") for name in fields]])
    stage = Stage(func, dtype=dtype, parameters=parameters, arrays=arrays, before=nbefore, after=nafter, emits="events")
    return table.then(stage)
