"""Plot motion: the displacement with its uncertainty, and rasters of peaks before and after registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError
from ...motion.displacement import displacement_at, shank_indices, validate_motion
from ...recording.clock import first_sample, sample_times
from ...recording.geometry import shank_numbers
from ...schema import validate_recording
from ..canvas.style import INK, MUTED, axes_for_panels, axes_or_new, panels_in, paper_style, unit_color
from .raster import draw_motion, plot_drift_raster

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More lines than this cannot be told apart.
N_DEPTHS_MAX = 5


def plot_displacement(
    motion: xr.Dataset, *, shank: Any = None, n_depths_max: int = N_DEPTHS_MAX, ax: Axes | None = None
) -> Axes:
    """Plot displacement against time, one line per depth, with two standard deviations shaded and unknown parts in
    grey.

    Parameters
    ----------
    motion
        From ``estimate_motion`` or ``make_motion``.
    shank
        Identifier of the shank; optional if there is only one.
    n_depths_max
        Maximum number of lines; if there are more depths, evenly spread ones are drawn.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the shank is unknown.

    Examples
    --------
    >>> from xephys.motion.displacement import make_motion
    >>> motion = make_motion([[0.0, 0.0], [4.0, 2.0]], time_s=[0.5, 1.5], depth_um=[0, 400])
    >>> plot_displacement(motion).get_ylabel()
    'displacement (µm)'
    """
    validate_motion(motion)
    own = motion.isel(shank=int(shank_indices(motion, shank)))
    time = own["time"].values
    with paper_style():
        ax = axes_or_new(ax, figsize=(6.5, 2.2))
        chosen = _spread(own.sizes["depth"], n_depths_max)
        for rank, depth in enumerate(chosen):
            column = own.isel(depth=int(depth))
            value, sd, known = (column[name].values for name in ("displacement_um", "uncertainty_um", "known"))
            color = unit_color(rank)
            if np.isfinite(sd).any():
                ax.fill_between(time, value - 2 * sd, value + 2 * sd, color=color, alpha=0.18, lw=0)
            ax.plot(time, np.where(known, np.nan, value), color=MUTED, lw=0.8)
            ax.plot(time, np.where(known, value, np.nan), color=color, lw=1.0, label=f"{column['depth'].item():.0f} µm")
        ax.set_xlabel("time (s)")
        ax.set_ylabel("displacement (µm)")
        ax.set_xlim(float(time[0]), float(time[-1]) if len(time) > 1 else float(time[0]) + 1.0)
        limit = np.abs(own["displacement_um"].values).max(initial=0.0)
        ax.set_ylim(-max(1.1 * limit, 5.0), max(1.1 * limit, 5.0))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(chosen), handlelength=1.0, columnspacing=0.9)
    return ax


def plot_motion(
    recording: xr.DataArray, motion: xr.Dataset, *, peaks: NDArray[Any], seed: int = 0, ax: Axes | None = None
) -> Axes:
    """Plot the motion of each shank: peaks as seen with the motion on top, the same peaks registered, the displacement.

    Parameters
    ----------
    recording
        The recording of the peaks; only its geometry, start and sampling frequency are used.
    motion
        From ``estimate_motion``.
    peaks
        Computed peaks with ``sample_index``, ``channel_index``, ``y`` and ``amplitude``.
    seed
        Seed for choosing peaks, if there are too many to draw.
    ax
        Axes whose place the panels take; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them; ``ax.figure`` has them all.

    Raises
    ------
    ParameterError
        If the motion belongs to another probe or time, or the peaks lack a field.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=32, n_units=8, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> peaks = xephys.detect_peaks(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> located = xephys.localize_peaks(filtered, peaks, method="grid_convolution").compute()
    >>> motion = xephys.estimate_motion(filtered, located)
    >>> len(plot_motion(recording, motion, peaks=located).figure.axes)  # three panels in these axes
    4
    """
    rate = validate_recording(recording).sampling_frequency
    validate_motion(motion)
    missing = sorted({"sample_index", "channel_index", "y", "amplitude"} - set(peaks.dtype.names or ()))
    if missing:
        raise ParameterError(f"the peaks have no {' and no '.join(missing)}; localize them first (localize_peaks)")
    shanks = shank_numbers(recording)[peaks["channel_index"]]
    n_shanks = motion.sizes["shank"]
    start = first_sample(recording)
    with paper_style():
        frame = axes_for_panels(ax, figsize=(max(6.5, 4.2 * n_shanks), 7.6))
        axes = panels_in(frame, 3, n_shanks, height_ratios=[3, 3, 2])
        for column, name in enumerate(motion["shank"].values):
            own = peaks[shanks == column] if n_shanks > 1 else peaks
            times = sample_times(recording, own["sample_index"])
            seen, rested = own.copy(), own.copy()
            rested["y"] -= displacement_at(motion, time_s=times, depth_um=own["y"], shank=name)
            for shown in (seen, rested):  # both rasters start with the recording
                shown["sample_index"] -= start
            for panel, shown, title in ((axes[0, column], seen, "as seen"), (axes[1, column], rested, "registered")):
                plot_drift_raster(shown, sampling_frequency=rate, seed=seed, ax=panel)
                panel.set_title(f"shank {name}, {title}" if n_shanks > 1 else f"peaks {title}", color=INK)
            axes[1, column].set_ylim(axes[0, column].get_ylim())
            draw_motion(axes[0, column], motion, shank=name)
            plot_displacement(motion, shank=name, ax=axes[2, column])
    return frame


def _spread(n: int, n_max: int) -> NDArray[np.int64]:
    """Up to ``n_max`` of ``n`` positions, evenly spread, including the first and the last."""
    return np.unique(np.round(np.linspace(0, n - 1, min(n, n_max))).astype(np.int64))
