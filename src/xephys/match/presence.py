"""Select the spikes of units at displacements where the units fire."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..motion.registered import Tissue
from .settings import MatchSettings

#: Width of a bin of displacement.
STEP_UM = 8.0


def fires_there(
    spikes: NDArray[Any],
    *,
    tissue: Tissue,
    n_units: int,
    match_threshold: float,
    noise_gain: float,
    amplitude_std: float = MatchSettings.amplitude_std,
) -> NDArray[np.bool_]:
    """Mask of the matched spikes that were seen at a displacement where their unit fires.

    A unit may fire during only a part of the recording. At displacements that the tissue has at other times, its
    template is interpolated and matches false alarms, which must not be averaged into it.

    Parameters
    ----------
    spikes
        Records with ``sample_index``, ``channel_index``, ``unit_index``, ``amplitude`` and ``gain``, from
        :func:`xephys.match.moving.match_moving_templates`.
    tissue
        Motion of the recording.
    n_units
        Number of templates that were matched.
    match_threshold, noise_gain, amplitude_std
        Settings of the match.

    Returns
    -------
    bool (spike,); all True if too little was matched to tell.
    """
    from ..kernels.match.presence import absent_places, expected_levels

    if not len(spikes):
        return np.zeros(0, bool)
    moved = tissue.of_samples(spikes["sample_index"], spikes["channel_index"])
    place = np.floor(moved / STEP_UM).astype(np.int64)
    place -= place.min()
    n_places = int(place.max()) + 1
    units, gains = spikes["unit_index"].astype(np.int64), spikes["gain"].astype(np.float64)
    expected = expected_levels(
        units * n_places + place,
        spikes["amplitude"].astype(np.float64),
        gains,
        n_cells=n_units * n_places,
        noise_gain=noise_gain,
        amplitude_std=amplitude_std,
    ).reshape(n_units, n_places)
    absent = absent_places(units, place, np.sqrt(gains), expected=expected, match_threshold=match_threshold)
    return ~absent[units, place]
