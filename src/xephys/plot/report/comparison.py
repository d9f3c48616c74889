"""Plot a sorting on one page: drift raster, templates, and a comparison with the truth if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ...comparison.pair import Comparison
from ..canvas.style import INK, axes_for_panels, panels_in, paper_style
from ..comparison.confusion import plot_accuracy, plot_confusion
from ..motion.raster import plot_drift_raster
from ..units.templates import plot_templates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Height in inches of a row that holds only a title.
HEADING = 0.02


def plot_report(
    sorting: Any, *, comparison: Comparison | None = None, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a one-page report.

    Parameters
    ----------
    sorting
        From :func:`xephys.sort` or :func:`xephys.open_sorting`. For any other sorting, without templates or positions,
        only the comparison is drawn.
    comparison
        From :func:`xephys.compare`, for the confusion matrix and the accuracy of each unit.
    title
        Title of the page; numbers of units and spikes if None.
    ax
        Axes whose place the page takes; a new figure if None.

    Returns
    -------
    These axes, empty except for the panels inside them; ``ax.figure`` has them all, the title's first.

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
    >>> page = plot_report(sorting, comparison=xephys.compare(sorting, truth))
    >>> page.figure.axes[1].get_title(loc="left")[:7]
    '3 units'
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
    heights = [HEADING] + [2.6] * ours + [3.4] * (comparison is not None) + [HEADING, 0.4 + 1.35 * n_rows] * ours
    with paper_style():
        frame = axes_for_panels(ax, figsize=(9.0, 0.5 + sum(heights)))
        parts = list(panels_in(frame, len(heights), 1, height_ratios=heights)[:, 0])
        _heading(parts.pop(0), title or _title(sorting, comparison, ours=ours), fontsize=10)
        if ours:
            raster = parts.pop(0)
            plot_drift_raster(sorting, ax=raster)
            raster.set_title("Spikes by depth; colors are units, grey is noise")
        if comparison is not None:
            pair = parts.pop(0)
            pair.set_axis_off()
            left, right = panels_in(pair, 1, 2, width_ratios=[1.25, 1.0])[0]
            plot_confusion(comparison, ax=left)
            left.set_title("Confusion with the truth")
            plot_accuracy(comparison, ax=right)
            right.set_title("Scores of the true units")
        if ours:
            _heading(parts.pop(0), "Templates at their contacts")
            plot_templates(sorting, n_units_max=24, n_columns=8, ax=parts[0])
    return frame


def _heading(ax: Axes, text: str, **font: Any) -> None:
    """A row that holds only a title, for which the layout reserves space as it does above any axes."""
    ax.set_axis_off()
    ax.set_title(text, color=INK, **font)


def _title(sorting: Any, comparison: Comparison | None, *, ours: bool) -> str:
    parts = []
    if ours:
        labels = sorting["units"]["label"].values.astype(str)
        kinds = ", ".join(
            f"{np.sum(labels == kind)} {kind}" for kind in ("good", "mua", "noise") if (labels == kind).any()
        )
        parts.append(
            f"{len(labels)} unit{'' if len(labels) == 1 else 's'}{f' ({kinds})' if kinds else ''}, "
            f"{sorting['spikes'].sizes['spike']:,} spikes"
        )
    if comparison is not None:
        s = comparison.summary
        parts.append(
            f"mean accuracy {s['accuracy']:.2f}, "
            f"{s['num_well_detected']:.0f} of {s['num_truth_units']:.0f} well detected"
        )
    return "; ".join(parts)
