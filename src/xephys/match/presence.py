"""Select the spikes of units at displacements where the units fire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..graph.columns import Records, count_of, iter_blocks, load_columns
from ..motion.registered import Tissue
from .settings import MatchSettings

#: Width of a bin of displacement.
STEP_UM = 8.0


def fires_there(
    spikes: Records,
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
    bool (spike,); all True if too little was matched to tell, and True for peaks of no unit (``unit_index`` -1).
    """
    from ..kernels.match.presence import absent_places, expected_levels

    kept = np.ones(count_of(spikes), np.bool_)
    units, place = np.empty(len(kept), np.int32), np.empty(len(kept), np.int32)
    for rows, some in iter_blocks(spikes, ("sample_index", "channel_index", "unit_index")):
        units[rows] = some["unit_index"]
        place[rows] = np.floor(tissue.of_samples(some["sample_index"], some["channel_index"]) / STEP_UM)
    of_units = units >= 0
    if not of_units.any():
        return kept
    units, place = units[of_units], place[of_units]
    place -= place.min()
    n_places = int(place.max()) + 1
    amplitudes, gains = (column[of_units] for column in load_columns(spikes, amplitude=np.float64, gain=np.float64))
    expected = expected_levels(
        units * np.int32(n_places) + place,
        amplitudes,
        gains,
        n_cells=n_units * n_places,
        noise_gain=noise_gain,
        amplitude_std=amplitude_std,
    ).reshape(n_units, n_places)
    del amplitudes
    absent = absent_places(units, place, np.sqrt(gains), expected=expected, match_threshold=match_threshold)
    kept[of_units] = ~absent[units, place]
    return kept
