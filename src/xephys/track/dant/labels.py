"""Tracks of units as DANT finds them, from units and motion that :func:`xephys.track_units` has."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError
from .clusters import cluster_similarities
from .features import nearest_channels
from .folder import mapped, result

#: Number of channels on which waveforms are compared, and largest distance of the pairs that weights are learned from.
N_CHANNELS, DISTANCE_MAX_UM = 38, 100.0


def dant_tracks(
    tables: Sequence[xr.Dataset], units: xr.Dataset, depth: NDArray[np.float64], displacement: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Track of each unit, numbered by its first unit; a unit without a cluster is a track of its own.

    Parameters
    ----------
    tables
        Templates of each session on one time axis; see :func:`xephys.session_units`.
    units
        The same units, as one table.
    depth
        Registered depth of each unit in µm.
    displacement
        All displacements of all sessions in µm; waveforms are compared at the smallest and at the largest one.
    """
    from ...kernels.track.dant.registration import moved_waveforms
    from ...kernels.track.dant.similarity import row_similarity, waveform_similarity

    positions, shank = _channels(tables)
    session, row = np.asarray(units["session"]), np.asarray(units["row"])
    starts = np.concatenate([[0], np.cumsum([table.sizes["unit"] for table in tables])])
    waveforms = np.concatenate([np.asarray(table["templates"]) for table in tables]).transpose(0, 2, 1)
    waveforms = waveforms[starts[session] + row]
    targets = np.array([np.min(displacement), np.max(displacement)])
    shift = np.asarray(units["place"])[:, 1, None] - depth[:, None] - targets[None]
    near = nearest_channels(positions, N_CHANNELS, np.unique(shank, return_inverse=True)[1])
    of_unit = np.asarray(units["shank"]).astype(str)
    track = np.arange(len(session))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in np.unique(of_unit):
            here = np.flatnonzero(of_unit == each)
            # The largest arrays are in files, so that memory does not limit the number of units.
            with mapped(folder / "waveforms.npy", (len(here), *waveforms.shape[1:], 2)) as moved:
                moved_waveforms(moved, waveforms[here], positions, shift[here])
            moved = result(folder, "waveforms", "track_units")
            peak = np.ptp(moved, axis=2).argmax(axis=1)
            with (
                mapped(folder / "Waveform.npy", (len(here), len(here))) as by_waveform,
                mapped(folder / "AutoCorr.npy", (len(here), len(here))) as by_rhythm,
            ):
                waveform_similarity(by_waveform, moved, np.moveaxis(near[peak], 1, 2))
                row_similarity(by_rhythm, np.asarray(units["autocorrelogram"])[here])
            matrices = {feature: result(folder, feature, "track_units") for feature in ("Waveform", "AutoCorr")}
            found = cluster_similarities(matrices, session[here], depth[here], distance_max_um=DISTANCE_MAX_UM)
            track[here] = here[_first_of(found["cluster"].values)]
    return track


def _first_of(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first unit of the cluster of each unit.

    Examples
    --------
    >>> _first_of(np.array([2, -1, 1, 2, -1, 1])).tolist()
    [0, 1, 2, 0, 4, 2]
    """
    own = np.where(label > 0, label, -1 - np.arange(len(label)))
    _, first, at = np.unique(own, return_index=True, return_inverse=True)
    return np.asarray(first[at], np.int64)


def _channels(tables: Sequence[xr.Dataset]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Places and shanks of the channels, which have to be those of all sessions."""
    maps = []
    for table in tables:
        n_channels = table.sizes["channel"]
        shank = np.asarray(table["shank"]).astype(str) if "shank" in table.coords else np.full(n_channels, "0")
        maps.append((np.column_stack([np.asarray(table["x"]), np.asarray(table["y"])]).astype(np.float64), shank))
    for number, (positions, shank) in enumerate(maps):
        if not np.array_equal(positions, maps[0][0]) or not np.array_equal(shank, maps[0][1]):
            raise ParameterError(
                f"session {number} has other channels than session 0; preset 'dant' compares waveforms on the channels "
                "themselves, so leave the preset out for channel maps that differ"
            )
    return maps[0]
