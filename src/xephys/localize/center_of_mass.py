"""Localize a peak at the center of mass of its amplitudes on the surrounding channels."""

from __future__ import annotations

from .. import schema
from ..checks import check_choice, check_positive
from ..graph.plan import Stage
from ..recording.geometry import neighbors_within
from .window import PeakWindow

FEATURES = ("ptp", "energy", "peak_voltage")


def center_of_mass(window: PeakWindow, *, radius_um: float = 75.0, feature: str = "ptp") -> Stage:
    """The stage that adds ``x``, ``y`` and ``z`` (0) of each peak.

    Parameters
    ----------
    window
        Positions and samples around a peak.
    radius_um
        Channels within this radius of the peak's channel are used.
    feature
        How the amplitude on each channel is measured: ``"ptp"``, ``"energy"`` or ``"peak_voltage"``.

    Raises
    ------
    ParameterError
        If the feature is unknown or the radius is not positive.
    """
    from ..kernels.localize.center_of_mass import localize_center_of_mass

    check_choice("feature", feature, FEATURES)
    check_positive(radius_um=radius_um)
    return Stage(
        localize_center_of_mass,
        dtype=schema.PEAK_DTYPE,
        parameters={"feature": feature, "nbefore": window.nbefore, "nafter": window.nafter},
        arrays={
            "positions": window.positions,
            "neighbors": neighbors_within(window.positions, radius_um=radius_um, groups=window.groups),
        },
        before=window.nbefore,
        after=window.nafter,
        emits="events",
    )
