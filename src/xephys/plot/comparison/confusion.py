"""Plot a comparison with the truth: which unit was found as which, and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...comparison.pair import Comparison
from ..canvas.style import INK, MUTED, UNIT_COLORS, axes_or_new, paper_style, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

#: More names than this are illegible along an axis.
NAMES_MAX = 20


def plot_confusion(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Plot the spikes that true and tested units share, as a fraction of the true unit's spikes.

    Matched units come first, on the diagonal. The separate column holds the spikes that the match missed. The separate
    row holds the spikes of the match (or of an unmatched unit) that are not the true unit's, as a fraction of its own
    spikes.

    Parameters
    ----------
    comparison
        From :func:`xephys.compare`.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> plot_confusion(xephys.compare(truth, truth)).get_xlabel()
    'tested unit'
    """
    from matplotlib.colors import LinearSegmentedColormap

    counts = comparison.confusion
    true_names, tested_names = (counts[dim].values[:-1].astype(str) for dim in counts.dims)
    values = counts.values.astype(float)
    true_total = comparison.units["num_truth"].sel(truth_unit=_as_ids(comparison.units.truth_unit, true_names)).values
    tested_ids = _as_ids(comparison.tested_units.tested_unit, tested_names)
    tested_total = comparison.tested_units["num_spikes"].sel(tested_unit=tested_ids).values
    n_true, n_tested = len(true_names), len(tested_names)
    shares = np.full((n_true + 2, n_tested + 2), np.nan)
    shares[:n_true, :n_tested] = values[:-1, :-1] / np.maximum(true_total, 1)[:, None]
    shares[:n_true, -1] = values[:-1, -1] / np.maximum(true_total, 1)
    shares[-1, :n_tested] = values[-1, :-1] / np.maximum(tested_total, 1)
    with paper_style():
        ax = axes_or_new(ax, figsize=(4.2, 3.8))
        cmap = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#A8C8E0", UNIT_COLORS[0], "#002B45"])
        image = ax.imshow(shares, cmap=cmap, vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        for axis, names, extra in ((ax.xaxis, tested_names, "missed"), (ax.yaxis, true_names, "false")):
            shown = np.arange(0, len(names), max(1, -(-len(names) // NAMES_MAX)))
            axis.set_ticks([*shown, len(names) + 1], [*names[shown], extra])
            axis.set_tick_params(length=0, labelsize=6.5)
        for label in ax.get_xticklabels():
            label.set_rotation(90)
        ax.axhline(n_true, color="white", lw=2)
        ax.axvline(n_tested, color="white", lw=2)
        for x, y, w, h in (
            (-0.5, -0.5, n_tested, n_true),
            (n_tested + 0.5, -0.5, 1, n_true),
            (-0.5, n_true + 0.5, n_tested, 1),
        ):
            ax.add_patch(_frame(x, y, w, h))
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_xlabel("tested unit")
        ax.set_ylabel("true unit")
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04)
        bar.set_label("share of spikes")
        bar.outline.set_visible(False)
    return ax


def plot_accuracy(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Plot accuracy, recall and precision of the true units, best first.

    Parameters
    ----------
    comparison
        From :func:`xephys.compare`.
    ax
        Axes to draw into; a new figure if None.

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> plot_accuracy(xephys.compare(truth, truth)).get_ylabel()
    'score'
    """
    units = comparison.units
    order = np.argsort(-units["accuracy"].values, kind="stable")
    rank = np.arange(1, len(order) + 1)
    with paper_style():
        ax = axes_or_new(ax, figsize=(3.4, 2.6))
        ax.plot(rank, units["recall"].values[order], "^", ms=3, color=UNIT_COLORS[1], label="recall", alpha=0.8, mew=0)
        ax.plot(
            rank, units["precision"].values[order], "v", ms=3, color=UNIT_COLORS[2], label="precision", alpha=0.8, mew=0
        )
        ax.plot(rank, units["accuracy"].values[order], "-o", ms=2.5, lw=1.0, color=INK, label="accuracy")
        ax.axhline(0.8, color=MUTED, lw=0.6, ls=":")
        ax.set_ylim(0.0, 1.05)
        ax.set_xlim(0.5, len(order) + 0.5)
        whole_numbers(ax.xaxis)
        ax.set_xlabel("true units, best first")
        ax.set_ylabel("score")
        ax.legend(loc="lower left", handletextpad=0.3)
    return ax


def _as_ids(ids: object, names: np.ndarray) -> list[object]:
    """Unit ids in the order of their names."""
    by_name = {str(i): i for i in np.asarray(ids).tolist()}
    return [by_name[name] for name in names]


def _frame(x: float, y: float, width: float, height: float) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, fill=False, edgecolor=MUTED, lw=0.6, clip_on=False)
