"""Style shared by all figures: type sizes, colors, scale bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

#: The colors of Okabe and Ito (2008), which color-blind readers can tell apart; without yellow, invisible on white.
UNIT_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4EA3", "#8C6D31")
INK, MUTED, FAINT, ALARM = "#222222", "#7A7A7A", "#C9C9C9", "#C1272D"

_RC: Any = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.formatter.useoffset": False,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "savefig.dpi": 200,
    "figure.dpi": 120,
    "legend.frameon": False,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Context with the sizes and colors of all figures; it leaves the user's settings alone.

    Other settings that change inside the context keep their new values: the first figure of a notebook loads its
    backend, which switches on the display of figures.
    """
    import matplotlib as mpl

    before = {name: mpl.rcParams[name] for name in _RC}
    mpl.rcParams.update(_RC)
    try:
        yield
    finally:
        mpl.rcParams.update(before)


def shown_unit(variable: Any) -> str:
    """The unit of an array with attributes as it is written beside an axis; microvolts if it has none.

    Examples
    --------
    >>> import xarray as xr
    >>> shown_unit(xr.DataArray(0)), shown_unit(xr.DataArray(0, attrs={"units": "counts"}))
    ('µV', 'counts')
    """
    return str(variable.attrs.get("units", "uV")).replace("uV", "µV")


def axes_or_new(ax: Axes | None, *, figsize: tuple[float, float]) -> Axes:
    """The given axes, or those of a new figure (size in inches), without the frame parts that the style omits."""
    if ax is None:
        return new_figure(figsize).add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def new_figure(figsize: tuple[float, float]) -> Figure:
    """A pyplot figure, like those of Xarray's plots: notebooks show it, and ``plt.savefig`` saves it."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=figsize, layout="constrained")


def axes_for_panels(ax: Axes | None, *, figsize: tuple[float, float]) -> Axes:
    """The given axes, or those of a new figure (size in inches), as an empty frame for :func:`panels_in`."""
    ax = axes_or_new(ax, figsize=figsize)
    ax.set_axis_off()
    return ax


def panels_in(ax: Axes, n_rows: int, n_columns: int, **ratios: Any) -> NDArray[Any]:
    """Axes ``(row, column)`` in the place of ``ax``; ``ratios`` as in :meth:`Figure.subplots`."""
    from matplotlib.gridspec import GridSpec, SubplotSpec

    place = ax.get_subplotspec()
    if place is None:  # axes placed by hand
        box = ax.get_position()
        whole = GridSpec(1, 1, ax.get_figure(), left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)
        place = SubplotSpec(whole, 0)
    grid = place.subgridspec(n_rows, n_columns, **ratios)
    figure: Any = ax.get_figure()
    return np.array([[figure.add_subplot(grid[row, k]) for k in range(n_columns)] for row in range(n_rows)])


def whole_numbers(axis: Axis) -> None:
    """Place ticks at whole numbers, for an axis that counts."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def unit_color(index: int) -> str:
    """Color of a unit by its position in a list; neighbors in the list differ."""
    return UNIT_COLORS[index % len(UNIT_COLORS)]


def round_length(length: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that does not exceed ``length``."""
    if not length > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(m for m in (1, 2, 5) if m * power <= length * (1 + 1e-9)) * power)
