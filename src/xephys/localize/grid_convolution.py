"""Localize a peak on a grid: where the expected footprint of a source fits best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import schema
from ..checks import check_positive
from ..errors import ParameterError
from ..features.prototype import trough_prototype
from ..graph.plan import Stage
from ..recording.geometry import APART_UM
from .window import PeakWindow


def grid_convolution(
    window: PeakWindow, *, radius_um: float = 75.0, prototype: NDArray[np.floating[Any]] | None = None
) -> Stage:
    """The stage that adds ``x``, ``y`` and ``z`` of each peak.

    Parameters
    ----------
    window
        Positions and samples around a peak.
    radius_um
        Grid points within this radius of the peak's channel are used.
    prototype
        Expected waveform in the window, one value per sample; a negative Gaussian if None.

    Raises
    ------
    ParameterError
        If the prototype does not cover the window, or the radius is not positive.
    """
    from ..kernels.localize.grid_convolution import localize_grid_convolution

    check_positive(radius_um=radius_um)
    length = window.nbefore + window.nafter
    if prototype is None:
        prototype = trough_prototype(length, nbefore=window.nbefore, sampling_frequency=window.sampling_frequency)
    prototype = np.asarray(prototype, np.float32)
    if prototype.shape != (length,):
        raise ParameterError(
            f"prototype has shape {prototype.shape}; give one value for each of the window's {length} samples"
        )
    return Stage(
        localize_grid_convolution,
        dtype=schema.PEAK_DTYPE,
        parameters={"nbefore": window.nbefore},
        arrays={
            "positions": window.positions,
            "prototype": prototype,
            **_footprints(window, radius_um),
        },
        before=window.nbefore,
        after=window.nafter,
        emits="events",
    )


def _footprints(window: PeakWindow, radius_um: float) -> dict[str, NDArray[Any]]:
    """The grid's tables. Each group of channels has grid points of its own, moved back to where the group really is."""
    from ..kernels.localize.footprint_grid import grid_footprints

    apart = window.positions + window.separation
    tables = grid_footprints(apart, radius_um=radius_um)
    points = tables["grid_positions"]
    if window.groups is not None and len(points):
        left = np.array([apart[window.groups == group, 0].min() for group in range(int(window.groups.max()) + 1)])
        own = np.searchsorted(left - 0.5 * APART_UM, points[:, 0], side="right") - 1
        first = np.array([np.flatnonzero(window.groups == group)[0] for group in range(len(left))])
        tables["grid_positions"] = points - window.separation[first[own]]
    return tables
