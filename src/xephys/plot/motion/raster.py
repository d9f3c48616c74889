"""Plot spikes by depth over time: drift shows as bands that are not level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_positive
from ...errors import ParameterError
from ...features.events import columns_of
from ...recording.clock import segment_start_s
from ...recording.geometry import shank_labels
from ...schema import validate_recording
from ...sorting import (
    first_samples,
    samples_in_part,
    samples_per_segment,
    segment_starts_s,
    spike_times_s,
    validate_sorting,
)
from ..canvas.strips import Strips
from ..canvas.style import ALARM, FAINT, INK, axes_or_new, paper_style, unit_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More dots than this hide each other.
N_SPIKES_MAX = 150_000


def plot_drift_raster(
    spikes: Any,
    *,
    recording: xr.DataArray | None = None,
    sampling_frequency: float | None = None,
    start_s: float = 0.0,
    motion: xr.Dataset | None = None,
    n_spikes_max: int = N_SPIKES_MAX,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Plot spikes as dots, depth against time, with the motion of the tissue. Shanks are drawn one above the other.

    Parameters
    ----------
    spikes
        A sorting (units in color, noise units in grey), or computed peaks with the fields ``sample_index``, ``y`` and
        ``amplitude`` (larger is darker).
    recording
        For peaks: the recording on which they were detected. It provides the rate, the time of sample 0, and the
        shanks.
    sampling_frequency
        In hertz; needed for peaks without a recording.
    start_s
        For peaks: time of sample 0 of their segment on the recording's clock, ``recording.attrs["segment_start_s"]``.
        Sortings know theirs.
    motion
        Motion to draw as lines that follow the tissue; by default that of the sorting, if it has one.
    n_spikes_max
        Maximum number of dots; if there are more spikes, a seeded choice is drawn.
    seed
        Seed of that choice.
    ax
        Axes to draw into; a new figure if None.

    Raises
    ------
    ParameterError
        If the spikes are not computed or have no positions, or the sampling frequency is unknown.

    Examples
    --------
    >>> peaks = np.zeros(2, [("sample_index", "i8"), ("y", "f8"), ("amplitude", "f8")])
    >>> plot_drift_raster(peaks, sampling_frequency=30_000.0).get_ylabel()
    'depth (µm)'
    """
    of_sorting = isinstance(spikes, xr.DataTree)
    if of_sorting:
        validate_sorting(spikes)
        sampling_frequency = float(spikes.attrs["sampling_frequency"])
    elif recording is not None:
        sampling_frequency = validate_recording(recording).sampling_frequency
        start_s = segment_start_s(recording) or 0.0
    table: Any = columns_of(spikes)
    if missing := sorted({"sample_index", "y", *(() if of_sorting else ("amplitude",))} - set(table)):
        raise ParameterError(f"the spikes have no {' and no '.join(missing)}; localize them first (localize_peaks)")
    if sampling_frequency is None:
        raise ParameterError("sampling_frequency is None; give the recording of the peaks, or its rate in hertz")
    check_positive(sampling_frequency=sampling_frequency, n_spikes_max=n_spikes_max)
    sample, depth = (np.asarray(table[name], np.float64) for name in ("sample_index", "y"))
    time, begin = sample / sampling_frequency + start_s, start_s
    if of_sorting:
        time, begin = _seconds_of(spikes)
    shank, names = _shanks(spikes, table, recording)
    strips = Strips.of(depth, names) if len(names) > 1 else None
    if strips is not None:
        depth = depth + strips.offset_um(shank)
    kept = np.flatnonzero(np.isfinite(depth))
    if len(kept) > n_spikes_max:
        kept = np.sort(np.random.default_rng(seed).choice(kept, n_spikes_max, replace=False))
    size = float(np.clip(6e4 / max(len(kept), 1), 0.6, 8.0))
    with paper_style():
        ax = axes_or_new(ax, figsize=(6.5, 3.5))
        colors = spike_colors(spikes)[kept] if of_sorting else _gray(np.abs(np.asarray(table["amplitude"])[kept]))
        ax.scatter(time[kept], depth[kept], s=size, c=colors, lw=0, rasterized=True)
        ax.set_xlabel("time (s)")
        ax.set_ylabel("depth (µm)")
        if strips is not None:
            strips.mark(ax)
        if len(kept):
            last = max(float(time.max()), begin + 1.0 / sampling_frequency)
            ax.set_xlim(begin, last + 0.005 * (last - begin))
        else:
            ax.text(0.5, 0.5, "no spikes", transform=ax.transAxes, ha="center", va="center", color=INK)
        if motion is None and of_sorting and "motion" in spikes.children:
            motion = spikes["motion"].to_dataset()
        for number, name in enumerate(() if motion is None else motion["shank"].values):
            place = 0.0 if strips is None else float(strips.offset_um(np.array(number)))
            draw_motion(ax, motion, shank=name, offset_um=place)
    return ax


def _seconds_of(sorting: xr.DataTree) -> tuple[NDArray[np.float64], float]:
    """Time of each spike, and of the first sample; segments follow each other from 0 on."""
    rate = float(sorting.attrs["sampling_frequency"])
    lengths = np.array(samples_per_segment(sorting)) / rate
    if len(lengths) > 1:
        index = np.asarray(sorting["spikes"]["segment_index"].values, np.int64)
        return samples_in_part(sorting) / rate + np.cumsum([0.0, *lengths])[index], 0.0
    return spike_times_s(sorting), (segment_starts_s(sorting)[0] or 0.0) + first_samples(sorting)[0] / rate


def _shanks(
    spikes: Any, table: Mapping[str, Any], recording: xr.DataArray | None
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Number of each spike's shank and names of the shanks, from the unit's channel or the peak's."""
    channels: Any = recording
    if isinstance(spikes, xr.DataTree) and "templates" in spikes.children:
        channels = spikes["templates"].dataset
    place = table.get("channel_index")
    if isinstance(spikes, xr.DataTree) and "channel_index" in spikes["units"].dataset:
        place = spikes["units"]["channel_index"].values[table["unit_index"]]
    if channels is None or place is None:
        return np.zeros(len(table["sample_index"]), np.int64), np.array(["0"])
    names, number = np.unique(shank_labels(channels), return_inverse=True)
    return number[np.asarray(place, np.int64)].astype(np.int64), names


def draw_motion(ax: Axes, motion: xr.Dataset, *, shank: Any, n_lines: int = 6, offset_um: float = 0.0) -> None:
    """Draw lines that follow the tissue from evenly spread depths, over a raster from the motion's first bin on.

    The uppermost has the word "motion" at its end, because colors of units may look like that of the lines.
    """
    from ...motion.displacement import displacement_at

    time, depth = motion["time"].values, motion["depth"].values
    begin = time[0] - 0.5 * float(np.median(np.diff(time))) if len(time) > 1 else time[0]
    low, high = ax.get_ylim() if len(depth) == 1 else (depth[0], depth[-1])
    for registered in np.linspace(low, high, n_lines + 2)[1:-1]:
        moved = displacement_at(motion, time_s=time, depth_um=registered, shank=shank, registered=True)
        course = registered + moved + offset_um
        ax.plot(time - begin, course, color=ALARM, lw=0.9, alpha=0.9)
    ax.text(
        time[-1] - begin, course[-1], "motion", color=ALARM, fontsize=7, ha="right", va="bottom",
        bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 0.5},
    )  # fmt: skip


def spike_colors(sorting: xr.DataTree) -> NDArray[np.float64]:
    """RGB of each spike of a sorting: colors alternate over units in order of depth, noise units are grey."""
    from matplotlib.colors import to_rgb

    units = sorting["units"].dataset
    palette = np.zeros((units.sizes["unit"], 3))
    for rank, unit in enumerate(np.argsort(units["y"].values, kind="stable")):
        palette[unit] = to_rgb(FAINT if str(units["label"].values[unit]) == "noise" else unit_color(rank))
    return palette[np.asarray(sorting["spikes"]["unit_index"].values, np.int64)]


def _gray(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """RGBA: black, more transparent for smaller amplitudes."""
    colors = np.zeros((len(amplitude), 4))
    if len(amplitude):
        low, high = np.quantile(amplitude, [0.05, 0.99])
        colors[:, 3] = 0.12 + 0.78 * np.clip((amplitude - low) / max(high - low, 1e-12), 0, 1)
    return colors
