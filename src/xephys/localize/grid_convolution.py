"""Localization on a grid: where the expected footprint of a source fits best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import schema
from ..checks import check_positive
from ..errors import ParameterError
from ..features.prototype import trough_prototype
from ..graph.plan import Stage
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
        Grid points used around the peak's channel.
    prototype
        The expected waveform over the window, one value a sample; a negative Gaussian if None.

    Raises
    ------
    ParameterError
        If the prototype does not cover the window, or the radius is not positive.
    """
    from ..kernels.localize.footprint_grid import grid_footprints
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
            **grid_footprints(window.positions, radius_um=radius_um),
        },
        before=window.nbefore,
        after=window.nafter,
        emits="events",
    )
