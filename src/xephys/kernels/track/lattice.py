"""Footprints at places that are fixed in the tissue, so that two units are compared where the tissue is the same.

A footprint around its own unit looks the same wherever the unit is. This finds the motion; but it depends on how well
the unit is localized, and two neurons that differ by their location alone have the same one. Once the motion is known,
footprints are resampled to common depths: those of one neuron agree although its location was off by some µm, and
those of neighbors differ.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .footprints import ROWS_UM

#: Distance of two depths of the lattice: that of two rows of a footprint.
STEP_UM = float(ROWS_UM[1] - ROWS_UM[0])


class OnLattice(NamedTuple):
    """Footprints at depths of the lattice around each unit."""

    footprints: NDArray[np.float32]
    """(unit, place, sample)"""
    valid: NDArray[np.bool_]
    """(unit, place)"""
    noise: NDArray[np.float32]
    """(unit, place)"""
    first_row: NDArray[np.int64]
    """(unit,): number of the lattice depth of each unit's first row; depth 0 has number 0"""


def on_lattice(
    footprints: NDArray[np.float32],
    valid: NDArray[np.bool_],
    noise: NDArray[np.float32],
    depth_um: NDArray[np.float64],
) -> OnLattice:
    """Resample footprints along the shank by cubic convolution (Keys 1981, IEEE Trans. ASSP 29:1153).

    Parameters
    ----------
    footprints : (unit, place, sample)
        See :func:`xephys.kernels.track.footprints.unit_footprints`.
    valid, noise : (unit, place)
        Places without four valid rows around them are not valid.
    depth_um : (unit,)
        Registered depth.

    Examples
    --------
    >>> rows = np.arange(-75.0, 76.0, 15.0)
    >>> moved = [np.exp(-(((rows - off) / 40.0) ** 2))[:, None] for off in (0.0, 6.0)]  # a source at 107 µm, twice
    >>> seen, every = np.float32(moved), np.ones((2, 11), bool)
    >>> found = on_lattice(seen, every, np.zeros((2, 11), np.float32), np.array([107.0, 101.0]))
    >>> both = found.valid.all(axis=0)
    >>> bool(np.abs(np.diff(found.footprints[:, both, 0], axis=0)).max() < 0.01), found.first_row.tolist()
    (True, [2, 2])
    """
    n_rows, (n_units, n_places, n_samples) = len(ROWS_UM), footprints.shape
    start = (depth_um + ROWS_UM[0]) / STEP_UM
    first_row = np.floor(start + 0.5).astype(np.int64)
    ahead = first_row - start  # of the unit's own rows, between -0.5 and 0.5 of their distance
    whole = np.floor(ahead).astype(np.int64)
    share = (ahead - whole)[:, None]
    weights = (
        ((2 - share) * share - 1) * share / 2, ((3 * share - 5) * share**2 + 2) / 2,
        ((4 - 3 * share) * share + 1) * share / 2, (share - 1) * share**2 / 2,
    )  # fmt: skip
    shape = (n_units, n_places // n_rows, n_rows)
    values, known, energy = footprints.reshape(*shape, n_samples), valid.reshape(shape), noise.reshape(shape)
    out, kept, rest = np.zeros_like(values), np.ones(shape, np.bool_), np.zeros_like(energy)
    unit = np.arange(n_units)[:, None]
    for tap, weight in enumerate(weights):
        row = np.arange(n_rows) + whole[:, None] + tap - 1
        at, inside = np.clip(row, 0, n_rows - 1), (row >= 0) & (row < n_rows)
        used = np.broadcast_to(weight != 0, row.shape)
        out += weight[:, :, None, None].astype(np.float32) * values[unit, :, at].transpose(0, 2, 1, 3)
        rest += (np.maximum(weight, 0)[:, None] * energy[unit, :, at].transpose(0, 2, 1)).astype(np.float32)
        kept &= ~used[:, None] | (inside[:, None] & known[unit, :, at].transpose(0, 2, 1))
    out[~kept] = 0.0
    return OnLattice(
        out.reshape(footprints.shape), kept.reshape(valid.shape), np.where(kept, rest, 0.0).reshape(noise.shape),
        first_row,
    )  # fmt: skip


def spread(values: NDArray[np.float32], n_places: int, start: NDArray[np.int64], n_rows: int) -> NDArray[np.float32]:
    """Values at the places of each unit, put where they are on a longer part of the lattice; 0 elsewhere.

    Parameters
    ----------
    values : (unit, place * k)
    n_places
    start : (unit,)
        Row of the long part at which the unit's first row is.
    n_rows
        Length of that part.

    Returns
    -------
    (unit, column * n_rows * k)

    Examples
    --------
    >>> spread(np.ones((1, 11), np.float32), 11, np.array([1]), 13).tolist()
    [[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]]
    """
    own = values.reshape(len(values), n_places // len(ROWS_UM), len(ROWS_UM), -1)
    out = np.zeros((len(values), own.shape[1], n_rows, own.shape[3]), np.float32)
    at = start[:, None] + np.arange(len(ROWS_UM))
    out[np.arange(len(values))[:, None], :, at] = own.transpose(0, 2, 1, 3)
    return out.reshape(len(values), -1)
