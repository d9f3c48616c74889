"""Where units rest, if the motion within their session is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..motion.displacement import displacement_at, validate_motion
from ..motion.stillness import moves


def template_displacements(
    sorting: xr.DataTree, *, depth_um: NDArray[np.float64], shank: NDArray[Any]
) -> NDArray[np.float64]:
    """How far the tissue was from where it rests, on average, when a unit fired.

    A sorter that follows the tissue, as those of this package do, gives templates of tissue at rest. In any other
    sorting with a motion, a template is the mean of spikes wherever the tissue was. A unit that fired mostly while the
    tissue was displaced is seen at another depth than in a session in which it fired throughout.

    Parameters
    ----------
    sorting
        With or without a node ``/motion``.
    depth_um, shank
        Of each unit, as its template shows it.

    Returns
    -------
    (unit,)
        Displacements in µm; 0 for templates at rest, without a motion, and for units without spikes.

    Examples
    --------
    >>> from xephys.motion.displacement import make_motion
    >>> from xephys.sorting import build_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, _ = simulate_recording(duration_s=2.0, n_channels=4, n_units=1)
    >>> motion = make_motion([[0.0], [10.0]], time_s=[0.0, 2.0], depth_um=[0.0])
    >>> spikes = {"sample_index": np.array([30_000, 45_000]), "unit_index": np.array([0, 0])}
    >>> sorting = build_sorting(recording, spikes=spikes, units={"x": np.zeros(1)}, motion=motion)
    >>> template_displacements(sorting, depth_um=np.zeros(1), shank=np.zeros(1)).round(2).tolist()
    [6.25]
    """
    out = np.zeros(len(depth_um))
    if "motion" not in sorting.children:
        return out
    motion = validate_motion(sorting["motion"].to_dataset())
    several = motion.sizes["shank"] > 1
    unknown = several and not set(shank.astype(str)) <= set(motion["shank"].values.astype(str))
    if unknown or (sorting.attrs.get("preset") and moves(motion)):
        return out
    spikes = sorting["spikes"].to_dataset()
    unit, cells = np.asarray(spikes["unit_index"].values), motion["time"].values
    moved = displacement_at(
        motion,
        time_s=np.clip(np.asarray(spikes["time"].values, np.float64), cells[0], cells[-1]),
        depth_um=depth_um[unit],
        shank=shank[unit] if several else None,
    )
    count = np.bincount(unit, minlength=len(out))
    return np.asarray(np.bincount(unit, moved, len(out)) / np.maximum(count, 1))
