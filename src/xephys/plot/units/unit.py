"""Everything about one unit on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ...analysis.results import columns_of, current_results
from ..canvas.chosen import chosen_units, unit_name
from ..canvas.style import INK, MUTED, axes_for_panels, panels_in, paper_style, unit_color
from .amplitudes import plot_amplitudes
from .places import draw_footprint
from .trains import plot_autocorrelograms, plot_isi_distribution
from .waveforms import plot_unit_waveforms, plot_waveform_density

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Metrics in the corner of the page, as far as they are known.
_METRICS = (
    "num_spikes", "firing_rate", "snr", "presence_ratio", "isi_violations_ratio", "rp_contamination",
    "amplitude_cutoff", "amplitude_median", "drift_ptp", "d_prime",
)  # fmt: skip


def plot_unit_summary(sorting: xr.DataTree, unit_id: Any, *, ax: Axes | None = None) -> Axes:
    """Draw what was analyzed of a unit: its template at the contacts, waveforms, correlogram, intervals, amplitudes.

    Parameters
    ----------
    sorting
        With templates and any results of :func:`xephys.analyze`; panels of those that are missing are left out.
    unit_id
        Name of the unit.
    ax
        Axes whose place the page takes; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them.

    Raises
    ------
    ParameterError
        If the unit does not exist, or the sorting has no templates.

    Examples
    --------
    >>> from xephys import analyze
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> sorting = analyze(truth_sorting(recording, truth), recording, ["waveforms", "spike_amplitudes"])
    >>> plot_unit_summary(sorting, 0).figure.axes[1].get_title(loc="left")[:6]
    'unit 0'
    """
    unit = int(chosen_units(sorting, [unit_id], 1)[0])
    results = current_results(sorting)
    color = unit_color(0)  # that of the first of the panels' units, and there is one
    with paper_style():
        frame = axes_for_panels(ax, figsize=(9.0, 5.4))
        left, right = panels_in(frame, 1, 2, width_ratios=[1.0, 2.6])[0]
        draw_footprint(left, sorting, unit, color)
        label = str(sorting["units"]["label"].values[unit])
        left.set_title(f"{unit_name(sorting, unit)} ({label})")
        right.set_axis_off()
        top, bottom = panels_in(right, 2, 1, height_ratios=[1.6, 1.0])[:, 0]
        top.set_axis_off()
        cells = panels_in(top, 2, 3)
        drawn = {
            (0, 0): ("waveforms", plot_unit_waveforms),
            (1, 0): ("waveforms", plot_waveform_density),
            (0, 1): ("correlograms", plot_autocorrelograms),
            (1, 1): ("isi_histograms", plot_isi_distribution),
        }
        for place, (name, plot) in drawn.items():
            cells[place].set_axis_off()
            if name in results or (name == "correlograms" and "auto_correlograms" in results):
                plot(sorting, unit_ids=[unit_id], ax=cells[place])
                cells[place].figure.axes[-1].set_title("", loc="center")
        for place in ((0, 2), (1, 2)):
            cells[place].set_axis_off()
        _write_metrics(cells[0, 2], sorting, results, unit)
        if "spike_amplitudes" in results or "amplitude" in sorting["spikes"]:
            plot_amplitudes(sorting, unit_ids=[unit_id], ax=bottom)
            bottom.get_legend().remove()
        else:
            bottom.set_axis_off()
    return frame


def _write_metrics(ax: Axes, sorting: xr.DataTree, results: dict[str, xr.Dataset], unit: int) -> None:
    """Names and values in two columns."""
    table = sorting["units"].dataset
    if "quality_metrics" in results:
        metrics = columns_of(results["quality_metrics"])
        table = table.assign({name: metrics[name].variable for name in metrics})
    known = [name for name in _METRICS if name in table and np.isfinite(float(table[name].values[unit]))]
    for row, name in enumerate(known):
        height = 0.98 - 0.2 * row
        value, measure = float(table[name].values[unit]), str(table[name].attrs.get("units", ""))
        measure = {"uV": "µV", "um": "µm"}.get(measure, measure)
        ax.text(0.0, height, name.replace("_", " "), transform=ax.transAxes, color=MUTED, fontsize=7, va="top")
        ax.text(
            1.0, height, f"{value:.4g} {measure}".strip(), transform=ax.transAxes, color=INK, fontsize=7, ha="right",
            va="top",
        )  # fmt: skip
