"""Localize peaks in the same pass as their detection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..checks import check_choice, check_keywords, keywords_of
from ..errors import ParameterError
from ..features.events import event_table, window_samples
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, separation_um
from .center_of_mass import center_of_mass
from .grid_convolution import grid_convolution
from .monopolar_triangulation import monopolar_triangulation
from .window import PeakWindow


class LocalizationMethod(NamedTuple):
    """The function that makes a method's stage, and the fields that the method adds to a peak."""

    build: Callable[..., Stage]
    fields: tuple[str, ...]


#: One row per method.
METHODS = {
    "center_of_mass": LocalizationMethod(center_of_mass, ("x", "y", "z")),
    "grid_convolution": LocalizationMethod(grid_convolution, ("x", "y", "z")),
    "monopolar_triangulation": LocalizationMethod(monopolar_triangulation, ("x", "y", "z", "alpha")),
}


@operation
def localize_peaks(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    method: str = "center_of_mass",
    ms_before: float = 0.5,
    ms_after: float = 0.5,
    **parameters: Any,
) -> SpikeTable:
    """Localize each peak from its amplitudes on the channels around it, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    peaks
        Lazy table detected on this recording, or computed records sorted by ``sample_index``.
    method
        ``"center_of_mass"``, ``"grid_convolution"`` or ``"monopolar_triangulation"``.
    ms_before, ms_after
        Window around the peak that the method uses.
    **parameters
        Parameters of the method: ``radius_um`` (all three), ``feature`` (center of mass and triangulation),
        ``enforce_decrease`` and ``distance_max_um`` (triangulation), ``prototype`` (grid convolution). See
        :func:`xephys.localize.center_of_mass.center_of_mass`,
        :func:`xephys.localize.monopolar_triangulation.monopolar_triangulation` and
        :func:`xephys.localize.grid_convolution.grid_convolution`.

    Returns
    -------
    The table with fields ``x``, ``y`` and ``z`` (µm; ``z`` is 0 for the center of mass), and ``alpha`` for monopolar
    triangulation.

    Raises
    ------
    ParameterError
        If a name is unknown, a number is outside its limits, or the peaks already have places.
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
    check_choice("method", method, METHODS)
    build, fields = METHODS[method]
    check_keywords(parameters, build, what=f"method {method!r}", beside=keywords_of(localize_peaks))
    table = event_table(recording, peaks)
    positions = positions_of(recording, why="localization")
    nbefore, nafter = window_samples(ms_before, ms_after, table.sampling_frequency)
    taken = set(fields) & set(table.fields)
    if taken:
        raise ParameterError(
            f"the peaks already have {', '.join(sorted(taken))}; start from the table before localization"
        )
    groups, separation = channel_groups(recording), separation_um(recording, positions)
    window = PeakWindow(positions, groups, separation, nbefore, nafter, table.sampling_frequency)
    stage = build(window, **parameters)
    dtype = np.dtype([*[(n, table.dtype[n]) for n in table.fields], *[(name, "<f8") for name in fields]])
    return table.then(replace(stage, dtype=dtype))
