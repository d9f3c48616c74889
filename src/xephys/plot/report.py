"""One page about a sorting: drift raster, templates, and the comparison with the truth where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..comparison.pair import Comparison
from .confusion import plot_accuracy, plot_confusion
from .raster import plot_drift_raster
from .style import INK, new_figure, paper_style
from .templates import plot_templates

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_report(sorting: Any, *, comparison: Comparison | None = None, title: str | None = None) -> Figure:
    """Draw a report of one page.

    Parameters
    ----------
    sorting
        Of :func:`xephys.sort` or :func:`xephys.open_sorting`. Any other sorting has no templates or places, and only
        the comparison is drawn.
    comparison
        Of :func:`xephys.compare`, for the confusion matrix and the accuracy of each unit.
    title
        Of the page; numbers of units and spikes if None.

    Raises
    ------
    TypeError
        If there is neither a sorting of ours nor a comparison.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=3, seed=0)
    >>> sorting = xephys.sort(recording)
    >>> figure = plot_report(sorting, comparison=xephys.compare(sorting, truth))
    """
    ours = isinstance(sorting, xr.DataTree) and "templates" in sorting.children
    if not ours and comparison is None:
        raise TypeError(
            f"there is nothing to draw of a {type(sorting).__name__}; give a sorting of xephys, or a comparison"
        )
    n_rows = 1
    if ours:
        n_shown = min(24, int(np.sum(sorting["units"]["label"].values.astype(str) != "noise")))
        n_rows = max(1, -(-n_shown // 8))
    heights = [2.6] * ours + [3.4] * (comparison is not None) + [0.4 + 1.35 * n_rows] * ours
    with paper_style():
        figure = new_figure((9.0, 0.5 + sum(heights)))
        figure.suptitle(title or _title(sorting, comparison, ours=ours), x=0.01, ha="left", fontsize=10, color=INK)
        parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
        if ours:
            raster = parts.pop(0).add_subplot()
            plot_drift_raster(sorting, ax=raster)
            raster.set_title("Spikes by depth; colors are units, grey is noise")
        if comparison is not None:
            left, right = parts.pop(0).subplots(1, 2, width_ratios=[1.25, 1.0])
            plot_confusion(comparison, ax=left)
            left.set_title("Confusion with the truth")
            plot_accuracy(comparison, ax=right)
            right.set_title("Scores of the true units")
        if ours:
            parts[0].suptitle("Templates at their contacts", x=0.01, ha="left", fontsize=9, color=INK)
            plot_templates(sorting, n_units_max=24, n_columns=8, figure=parts[0])
    return figure


def _title(sorting: Any, comparison: Comparison | None, *, ours: bool) -> str:
    parts = []
    if ours:
        labels = sorting["units"]["label"].values.astype(str)
        kinds = ", ".join(
            f"{np.sum(labels == kind)} {kind}" for kind in ("good", "mua", "noise") if (labels == kind).any()
        )
        parts.append(
            f"{len(labels)} units{f' ({kinds})' if kinds else ''}, {sorting['spikes'].sizes['spike']:,} spikes"
        )
    if comparison is not None:
        s = comparison.summary
        parts.append(
            f"mean accuracy {s['accuracy']:.2f}, "
            f"{s['num_well_detected']:.0f} of {s['num_truth_units']:.0f} well detected"
        )
    return "; ".join(parts)
