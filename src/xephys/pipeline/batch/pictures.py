"""Pictures of a batch: what curation kept, the units' templates and metrics, spikes in time, and a page per unit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...io.read.sortings import open_sorting
from ...io.store.atomic import whole_or_absent
from ..config.config import SortingPipelineConfig
from ..config.figures import FigureConfig
from .results import STAGES_NAME
from .sources import Group
from .spike_data import SORTING_NAME, UNITS_NAME, SpikeData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Length of the raster, and the bin of the population's rate.
RASTER_S, RATE_BIN_MS = 30.0, 50.0
_METRICS = {
    "snr": "SNR",
    "firing_rate": "firing rate (Hz)",
    "num_spikes": "spikes",
    "isi_violations": "ISI violations",
}


class Drawn(NamedTuple):
    """The units of one group before and after curation, for its pictures."""

    name: str
    sorting: xr.DataTree
    units: xr.Dataset
    first: NDArray[np.bool_]
    kept: NDArray[np.bool_]


def draw_batch(groups: Sequence[Group], config: SortingPipelineConfig) -> list[Path]:
    """Draw the pictures that are wanted, those of each group below its results and those of the batch beside them.

    Returns
    -------
    The files that were written; groups without units have none.
    """
    wanted = config.figures
    if not (wanted.create_figures or wanted.create_unit_figures):
        return []
    drawn = [(group, one) for group in groups if (one := _units_of(group)) is not None]
    written = []
    for group, one in drawn if wanted.create_figures else ():
        place = group.results / "figures"
        pictures = {
            "all_templates": templates_picture(one, wanted),
            "quality": quality_picture(one, wanted),
            "raster": raster_picture(one, wanted),
        }
        written += [_saved(figure, place / f"{name}.png", wanted) for name, figure in pictures.items()]
    if drawn and wanted.create_figures:
        place, every = drawn[0][0].results.parent / "figures", [one for _, one in drawn]
        written.append(_saved(bars_picture(every, wanted), place / "curation_bars.png", wanted))
        written.append(_saved(scatter_picture(every, config), place / "std_scatter.png", wanted))
    for group, one in drawn if wanted.create_unit_figures else ():
        for k, unit in enumerate(one.units["unit_id"].values.tolist()):
            kind = "curated" if one.kept[k] else "failed"
            path = group.results / "figures" / "units" / kind / f"unit_{int(unit):04d}.png"
            written.append(_saved(unit_picture(one, k, wanted), path, wanted))
    return written


def bars_picture(every: Sequence[Drawn], wanted: FigureConfig) -> Figure:
    """Units of each group after the first stage, and those that were kept."""
    figure, ax = _figure(wanted, width=max(4.0, 0.8 * len(every) + 2))
    place = np.arange(len(every))
    ax.bar(place - 0.2, [one.first.sum() for one in every], 0.4, color="#bbbbbb", label=wanted.bar_total_label)
    ax.bar(place + 0.2, [one.kept.sum() for one in every], 0.4, color="#0072B2", label=wanted.bar_selected_label)
    ax.set_xticks(place, [one.name for one in every], rotation=wanted.bar_label_rotation)
    ax.set_xlabel(wanted.bar_x_label)
    ax.set_ylabel(wanted.bar_y_label)
    ax.set_ylim(0, 1.3 * max(1, *(one.first.sum() for one in every)))
    ax.legend(frameon=False, loc="upper right", ncols=2, fontsize="small")
    return figure


def scatter_picture(every: Sequence[Drawn], config: SortingPipelineConfig) -> Figure:
    """Spread of waveforms against the number of spikes, with the limits of the second stage."""
    wanted, curation = config.figures, config.curation
    figure, ax = _figure(wanted)
    x_max, y_max = 1.0, 0.1
    for number, one in enumerate(every):
        x, y = (
            one.units[name].values[: wanted.scatter_std_max_units_per_recording] for name in ("num_spikes", "std_norm")
        )
        color = wanted.scatter_recording_colors[number % len(wanted.scatter_recording_colors)]
        ax.scatter(x, y, s=14, color=color, alpha=wanted.scatter_recording_alpha, label=one.name)
        x_max, y_max = max(x_max, x.max(initial=0)), max(y_max, y.max(initial=0))
    for limit, line in ((curation.spikes_min_second, ax.axvline), (curation.std_norm_max, ax.axhline)):
        if limit is not None:
            line(limit, color="#888888", linestyle="--", linewidth=1)
    ax.set_xlim(0, x_max + wanted.scatter_x_max_buffer)
    ax.set_ylim(0, y_max + wanted.scatter_y_max_buffer)
    ax.set_xlabel(wanted.scatter_x_label)
    ax.set_ylabel(wanted.scatter_y_label)
    ax.legend(frameon=False, fontsize="small")
    return figure


def templates_picture(one: Drawn, wanted: FigureConfig) -> Figure:
    """The templates of all units in columns, by amplitude; those that were removed in another color."""
    order = np.argsort(-one.units["amplitude"].values, kind="stable")
    columns = max(1, -(-len(order) // wanted.templates_per_column))
    rows = min(len(order), wanted.templates_per_column)
    figure, first = _figure(wanted, width=3.2 * columns + 1, height=max(3.0, 0.35 * rows + 1.5))
    first.remove()
    rate, nbefore = one.units.attrs["sampling_frequency"], one.units.attrs["nbefore"]
    time_ms = (np.arange(one.units.sizes["sample"]) - nbefore) / rate * 1e3
    for column in range(columns):
        ax = figure.add_subplot(1, columns, column + 1)
        for row, k in enumerate(order[column * wanted.templates_per_column :][: wanted.templates_per_column]):
            color = wanted.templates_color_curated if one.kept[k] else wanted.templates_color_failed
            template = one.units["template"].values[k, :, int(one.units["peak_slot"][k])]
            ax.plot(time_ms, template - row * wanted.templates_y_spacing, color=color, linewidth=0.8)
        for guide in (-wanted.templates_line_ms_before, wanted.templates_line_ms_after):
            ax.axvline(guide, color="#888888", linestyle="--", linewidth=0.8)
        ax.set_xlim(-wanted.templates_window_ms_before, wanted.templates_window_ms_after)
        low, high = ax.dataLim.intervaly
        ax.set_ylim(low - wanted.templates_y_lim_buffer, high + wanted.templates_y_lim_buffer)
        ax.set_xlabel(wanted.templates_x_label)
        ax.set_yticks([])
        if column == 0:
            ax.set_ylabel(f"{wanted.templates_y_spacing:g} uV between units")
    return figure


def quality_picture(one: Drawn, wanted: FigureConfig) -> Figure:
    """Distributions of metrics before curation."""
    figure, first = _figure(wanted, width=9.0, height=6.5)
    first.remove()
    for number, (name, label) in enumerate(_METRICS.items()):
        ax = figure.add_subplot(2, 2, number + 1)
        values = one.units[name].values
        bins = np.histogram_bin_edges(values, 20)
        ax.hist(values, bins, color="#bbbbbb", label="all units")
        ax.hist(values[one.kept], bins, color="#0072B2", label="kept")
        ax.set_xlabel(label)
        ax.set_ylabel("units")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    return figure


def raster_picture(one: Drawn, wanted: FigureConfig) -> Figure:
    """The first seconds of all units, and the rate of the population below."""
    figure, first = _figure(wanted, width=9.0, height=6.0)
    first.remove()
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    data = SpikeData(one.sorting, one.units)
    seconds = min(RASTER_S, data.length / 1e3)
    shown = [train[train < 1e3 * seconds] * 1e-3 for train in data.train]
    if shown:  # on the joined axis of the epochs, as the rate below is
        above.eventplot(shown, lineoffsets=np.arange(len(shown)), linelengths=0.8, linewidths=0.8, colors="#222222")
    for start_ms, _ in data.epochs[1:]:
        above.axvline(start_ms * 1e-3, color="#D55E00", linewidth=1)
    above.set_ylabel("unit")
    above.set_xlim(0, seconds)
    rates = data.raster(RATE_BIN_MS).sum(axis=0)[: int(seconds * 1e3 / RATE_BIN_MS)] / (RATE_BIN_MS * 1e-3)
    below.plot(np.arange(len(rates)) * RATE_BIN_MS * 1e-3, rates, color="#0072B2", linewidth=0.8)
    below.set_xlabel("time (s)")
    below.set_ylabel("spikes / s")
    return figure


def unit_picture(one: Drawn, k: int, wanted: FigureConfig) -> Figure:
    """One unit: intervals between spikes, its footprint, and its traces on the largest channels."""
    figure, first = _figure(wanted, width=11.0, height=3.6)
    first.remove()
    left, middle, right = figure.subplots(1, 3)
    rate = float(one.units.attrs["sampling_frequency"])
    train = SpikeData(one.sorting, one.units).train[k]
    left.hist(np.diff(train), np.linspace(0, 50, 51), color="#555555")
    left.axvline(1.5, color="#D55E00", linestyle="--", linewidth=1)
    left.set_xlabel("interval (ms)")
    left.set_ylabel("pairs")
    own = one.units["channel_index"].values[k] >= 0
    template = one.units["template"].values[k][:, own]
    time_ms = (np.arange(len(template)) - one.units.attrs["nbefore"]) / rate * 1e3
    reach = max(1e-9, float(np.abs(template).max()))
    extent = (time_ms[0], time_ms[-1], own.sum() - 0.5, -0.5)
    shown = middle.imshow(template.T, aspect="auto", cmap="RdBu_r", vmin=-reach, vmax=reach, extent=extent)
    figure.colorbar(shown, ax=middle, label="uV")
    middle.set_xlabel("time (ms)")
    middle.set_ylabel("channel of the unit")
    for slot in np.argsort(-np.abs(template).max(axis=0), kind="stable")[:5]:
        right.plot(time_ms, template[:, slot], linewidth=1)
    right.set_xlabel("time (ms)")
    right.set_ylabel("uV")
    row = one.units.isel(unit=k)
    figure.suptitle(
        f"unit {row['unit_id'].item()}: {int(row['num_spikes'])} spikes, SNR {float(row['snr']):.1f}, spread "
        f"{float(row['std_norm']):.2f}",
        fontsize=wanted.font_size,
    )
    return figure


def _units_of(group: Group) -> Drawn | None:
    """What the pictures show of a group; None if no units were found."""
    stages = group.results / STAGES_NAME
    try:
        units = xr.open_zarr(str(stages / "waveforms" / UNITS_NAME), consolidated=False).load()
        sorting = open_sorting(stages / "waveforms" / SORTING_NAME)
        kept = [
            json.loads((stages / f"curation_{stage}" / "history.json").read_text(encoding="utf-8"))["curated_final"]
            for stage in ("first", "second")
        ]
    except (OSError, ValueError):
        return None
    first, second = (np.isin(units["unit_id"].values, ids) for ids in kept)
    return Drawn(group.name, sorting, units, first, second)


def _figure(wanted: FigureConfig, *, width: float = 6.0, height: float = 4.0) -> tuple[Figure, Axes]:
    """A figure that no window and no other thread knows of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _saved(figure: Any, path: Path, wanted: FigureConfig) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for text in figure.findobj(lambda artist: hasattr(artist, "set_fontsize")):
        if text.get_fontsize() == 10:
            text.set_fontsize(wanted.font_size)
    with whole_or_absent(path, overwrite=True) as hidden:
        figure.savefig(hidden, dpi=wanted.dpi or "figure", format="png")
    return path
