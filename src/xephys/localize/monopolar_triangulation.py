"""Localize a peak as a point source whose potential falls off with the inverse of the distance."""

from __future__ import annotations

from typing import Any

from .. import schema
from ..checks import check_choice, check_positive
from ..graph.plan import Stage
from ..recording.geometry import neighbors_within
from .center_of_mass import FEATURES
from .window import PeakWindow


def monopolar_triangulation(
    window: PeakWindow,
    *,
    radius_um: float = 75.0,
    feature: str = "ptp",
    enforce_decrease: bool = False,
    distance_max_um: float = 150.0,
) -> Stage:
    """The stage that adds ``x``, ``y``, ``z`` and ``alpha`` of each peak.

    Parameters
    ----------
    window
        Positions and samples around a peak.
    radius_um
        Channels within this radius of the peak's channel are used.
    feature
        How the amplitude on each channel is measured: ``"ptp"``, ``"energy"`` or ``"peak_voltage"``.
    enforce_decrease
        Limit each amplitude to those of the channels nearer to the peak.
    distance_max_um
        Maximum distance of a solution.

    Raises
    ------
    ParameterError
        If the feature is unknown or a number is not positive.

    Notes
    -----
    Follows Boussard et al. (2021), NeurIPS 34:22130.
    """
    from ..kernels.localize.monopolar_triangulation import localize_monopolar_triangulation
    from ..kernels.localize.point_source import radial_decrease_steps

    check_choice("feature", feature, FEATURES)
    check_positive(radius_um=radius_um, distance_max_um=distance_max_um)
    neighbors = neighbors_within(window.positions, radius_um=radius_um, groups=window.groups)
    arrays: dict[str, Any] = {"positions": window.positions, "neighbors": neighbors}
    if enforce_decrease:
        arrays["decrease_steps"] = radial_decrease_steps(window.positions, neighbors)
    return Stage(
        localize_monopolar_triangulation,
        dtype=schema.PEAK_DTYPE,
        parameters={
            "feature": feature,
            "nbefore": window.nbefore,
            "nafter": window.nafter,
            "distance_max_um": distance_max_um,
        },
        arrays=arrays,
        before=window.nbefore,
        after=window.nafter,
        emits="events",
    )
