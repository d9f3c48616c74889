"""Where peaks come from, in the same pass as their detection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..checks import check_choice, check_positive
from ..errors import ParameterError
from ..features.events import event_table, window_samples
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..recording.geometry import neighbours_within

METHODS = ("center_of_mass", "grid_convolution", "monopolar_triangulation")

#: Width of the Gaussian trough that grid convolution expects where no prototype is given.
PROTOTYPE_SIGMA_MS = 0.25


def localize_peaks(
    recording: xr.DataArray,
    peaks: SpikeTable | NDArray[Any],
    *,
    method: str = "center_of_mass",
    feature: str = "ptp",
    radius_um: float = 75.0,
    ms_before: float = 0.5,
    ms_after: float = 0.5,
    enforce_decrease: bool = False,
    max_distance_um: float = 150.0,
    prototype: NDArray[np.floating[Any]] | None = None,
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
        ``"ptp"``, ``"energy"`` or ``"peak_voltage"``: the amplitude on each channel (not for grid convolution).
    radius_um
        Channels used around the peak's channel; for grid convolution, grid points.
    ms_before, ms_after
        Window in which the feature is taken, or which the prototype covers.
    enforce_decrease
        For monopolar triangulation: let no amplitude exceed those nearer to the peak.
    max_distance_um
        For monopolar triangulation: farthest solution.
    prototype
        For grid convolution: the expected waveform over the window; a negative Gaussian if None.

    Returns
    -------
    The table with fields ``x``, ``y`` and ``z`` (µm; ``z`` is 0 for the centre of mass), and ``alpha`` for monopolar
    triangulation.

    Raises
    ------
    ParameterError
        If a name is unknown, a number outside its limits, or the peaks are localised already.
    RecordingError
        If the recording has no positions.

    Notes
    -----
    Monopolar triangulation after Boussard et al. (2021), NeurIPS 34:22130.

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
    check_choice("feature", feature, ("ptp", "energy", "peak_voltage"))
    check_positive(radius_um=radius_um, max_distance_um=max_distance_um)
    table = event_table(recording, peaks)
    positions = schema.positions_of(recording, why="localisation")
    nbefore, nafter = window_samples(ms_before, ms_after, table.sampling_frequency)
    fields = ["x", "y", "z", *(["alpha"] if method == "monopolar_triangulation" else [])]
    taken = set(fields) & set(table.fields)
    if taken:
        raise ParameterError(
            f"the peaks already have {', '.join(sorted(taken))}; start from the table before localisation"
        )
    if method == "grid_convolution":
        if prototype is None:
            times_ms = (np.arange(nbefore + nafter) - nbefore) / table.sampling_frequency * 1e3
            prototype = -np.exp(-0.5 * (times_ms / PROTOTYPE_SIGMA_MS) ** 2)
        stage = _grid_stage(positions, np.asarray(prototype, np.float32), nbefore, nafter, radius_um)
    else:
        stage = _amplitude_stage(positions, method, feature, nbefore, nafter, radius_um)
        if method == "monopolar_triangulation":
            stage = _with_triangulation(stage, positions, enforce_decrease, max_distance_um)
    dtype = np.dtype([*[(n, table.dtype[n]) for n in table.fields], *[(name, "<f8") for name in fields]])
    return table.then(replace(stage, dtype=dtype))


def _amplitude_stage(
    positions: NDArray[np.float64], method: str, feature: str, nbefore: int, nafter: int, radius_um: float
) -> Stage:
    from ..kernels.localize import center_of_mass as kernel

    return Stage(
        getattr(kernel, f"localize_{method}"),
        dtype=schema.PEAK_DTYPE,
        parameters={"feature": feature, "window_before": nbefore, "window_after": nafter},
        arrays={"positions": positions, "neighbours": neighbours_within(positions, radius_um=radius_um)},
        before=nbefore,
        after=nafter,
        emits="events",
    )


def _with_triangulation(
    stage: Stage, positions: NDArray[np.float64], enforce_decrease: bool, max_distance_um: float
) -> Stage:
    from ..kernels.localize.point_source import radial_decrease_steps

    arrays = dict(stage.arrays)
    if enforce_decrease:
        arrays["decrease_steps"] = radial_decrease_steps(positions, stage.arrays["neighbours"])
    return replace(stage, parameters={**stage.parameters, "max_distance_um": max_distance_um}, arrays=arrays)


def _grid_stage(
    positions: NDArray[np.float64], prototype: NDArray[np.float32], nbefore: int, nafter: int, radius_um: float
) -> Stage:
    from ..kernels.localize import center_of_mass as kernel
    from ..kernels.localize.footprint_grid import grid_footprints

    if prototype.shape != (nbefore + nafter,):
        raise ParameterError(
            f"prototype has shape {prototype.shape}; give one value for each of the window's {nbefore + nafter} samples"
        )
    return Stage(
        kernel.localize_grid_convolution,
        dtype=schema.PEAK_DTYPE,
        parameters={"nbefore": nbefore},
        arrays={"positions": positions, "prototype": prototype, **grid_footprints(positions, radius_um=radius_um)},
        before=nbefore,
        after=nafter,
        emits="events",
    )
