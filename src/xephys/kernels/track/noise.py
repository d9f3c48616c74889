"""How much of a footprint is noise of the mean waveform, judged from what the contacts do not tell of one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..lib.interpolate.kriging import matern
from .footprints import BATCH, grid_places, nearby

#: Contacts at least this far from a unit tell its noise, if there are so many; nearer ones show its spikes.
FAR_MIN_UM, N_FAR_MIN = 60.0, 16
#: The variance of the noise is this quantile of those of the far contacts: some show a little of the spikes.
QUANTILE = 0.25


def noise_energies(
    templates: NDArray[np.float32], positions: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Energy that the noise of a template adds to its footprint, at each place of the grid.

    Far from a unit, what a contact shows and its neighbors do not predict is noise. Noise that contacts share is not
    noticed, nor is any of a template that was stored on the nearest contacts only.

    Parameters
    ----------
    templates : (unit, sample, channel)
        Channels that are zero throughout count as not recorded.
    positions : (channel, 2)
    places : (unit, 2)

    Returns
    -------
    (unit, place)
        Sum over samples of the expected squares; 0 if there are too few contacts to tell.

    Examples
    --------
    >>> contacts = np.column_stack([np.zeros(40), np.arange(40) * 20.0])
    >>> noise = np.random.default_rng(0).normal(0.0, 2.0, (1, 500, 40)).astype(np.float32)
    >>> from xephys.kernels.track.footprints import unit_footprints
    >>> footprints, _ = unit_footprints(noise, contacts, np.array([[0.0, 400.0]]))
    >>> found = noise_energies(noise, contacts, np.array([[0.0, 400.0]]))
    >>> bool(abs((footprints**2).sum() / found.sum() - 1) < 0.1)
    True
    """
    grid = grid_places(positions, places)
    out = np.zeros(grid.shape[:2], np.float32)
    for start in range(0, len(templates), BATCH):
        batch = slice(start, start + BATCH)
        around = nearby(templates[batch], positions, places[batch])
        inverse = np.linalg.inv(around.covariance)
        across = matern(np.linalg.norm(around.positions[:, :, None] - grid[batch][:, None], axis=3))
        unpredicted = np.matmul(around.values, inverse).astype(np.float64)
        variance = (unpredicted**2).mean(axis=1) / (inverse**2).sum(axis=1)
        apart = np.linalg.norm(around.positions - places[batch][:, None], axis=2)
        far = around.recorded & (apart >= FAR_MIN_UM)
        known = far.sum(axis=1) >= N_FAR_MIN
        level = np.zeros(len(variance))
        level[known] = np.nanquantile(np.where(far, variance, np.nan)[known], QUANTILE, axis=1)
        gain = (np.matmul(inverse, across) ** 2).sum(axis=1)
        out[batch] = templates.shape[1] * level[:, None] * gain
    return out
