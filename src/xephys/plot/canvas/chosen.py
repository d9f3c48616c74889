"""Shared by the figures of units: which units to draw, their names and colors, and their analyzed results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...analysis.results import current_results
from ...checks import check_positive
from ...curate.names import unit_positions
from ...errors import ParameterError
from ...sorting import unit_ids_of, validate_sorting
from .style import INK, axes_for_panels, panels_in, unit_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def chosen_units(sorting: xr.DataTree, unit_ids: Any, n_units_max: int) -> NDArray[np.int64]:
    """Positions of the units to draw: the named units, or the ``n_units_max`` with the most spikes, in their order.

    Raises
    ------
    ParameterError
        If a unit does not exist.
    """
    known = np.asarray(unit_ids_of(validate_sorting(sorting)))
    check_positive(n_units_max=n_units_max)
    if unit_ids is not None:
        return unit_positions(known, unit_ids)
    counts = np.bincount(np.asarray(sorting["spikes"]["unit_index"].values, np.int64), minlength=len(known))
    return np.sort(np.argsort(-counts, kind="stable")[:n_units_max])


def analyzed(sorting: xr.DataTree, *names: str) -> list[xr.Dataset]:
    """Get the results of extensions from a sorting.

    Raises
    ------
    ParameterError
        If an extension was not computed, or was computed for other spikes.
    """
    results = current_results(sorting)
    missing = [name for name in names if name not in results]
    if missing:
        raise ParameterError(
            f"this figure needs {' and '.join(missing)}; call xephys.analyze(sorting, recording, {missing}) first"
        )
    return [results[name] for name in names]


def unit_name(sorting: xr.DataTree, unit: int) -> str:
    """The name of a unit as it appears in a title."""
    return f"unit {np.asarray(unit_ids_of(sorting))[unit]}"


def colors_of(units: Iterable[int]) -> dict[int, str]:
    """One color per unit, by its position in the list."""
    return {int(unit): unit_color(rank) for rank, unit in enumerate(units)}


def unit_panels(ax: Axes | None, n: int, *, n_columns: int, size: tuple[float, float]) -> tuple[Axes, NDArray[Any]]:
    """Divide the axes into a panel of ``size`` inches for each of ``n`` units; spare panels are hidden."""
    columns = max(1, min(n_columns, n))
    rows = max(1, -(-n // columns))
    frame = axes_for_panels(ax, figsize=(0.4 + size[0] * columns, 0.4 + size[1] * rows))
    if not n:
        frame.text(0.5, 0.5, "no units", transform=frame.transAxes, ha="center", va="center", color=INK)
        return frame, np.zeros((0,), object)
    grid = panels_in(frame, rows, columns)
    for panel in grid.flat[n:]:
        panel.set_visible(False)
    return frame, grid


def edges_of(node: xr.Dataset) -> NDArray[np.float64]:
    """Edges of a histogram's bins, from the lower edges that the node holds."""
    left = np.asarray(node["bin"].values, np.float64)
    width = left[1] - left[0] if len(left) > 1 else 1.0
    return np.append(left, left[-1] + width)
