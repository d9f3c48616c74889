"""Learn sequences from a recording, and sort a recording by sequences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..errors import RecordingError
from ..graph.checkpoint import run_events
from ..graph.keep.folder import scratch_folder
from ..per_channel import check_order, noise_levels_of, positions_of
from ..preprocess.noise import estimate_noise_levels
from ..recording.clock import first_sample
from ..recording.slicing import sample_slice
from ..sorter.presets import read_parameters
from ..sorter.rt_sort.parameters import RTSortParameters
from ..sorter.rt_sort.prepare import band_passed
from ..sorter.segments import join_segments, sorting_of_segments
from ..sorting import build_sorting
from ..typing import PathLike
from .assigning import assign_all
from .learning import learn_from
from .model import (
    codetections_of,
    network_for,
    network_of,
    parameters_of,
)


def detect_sequences(
    recording: xr.DataArray | xr.DataTree,
    *,
    noise_levels: xr.DataArray | None = None,
    network: xr.Dataset | None = None,
    folder: PathLike | None = None,
    **parameters: Any,
) -> xr.Dataset:
    """Learn sequences: the patterns that neurons leave on neighboring channels. Computes.

    Parameters
    ----------
    recording
        Raw traces with dims ``(time, channel)`` and positions; a few minutes are enough. Segments are joined in a row.
    noise_levels
        Noise level per channel of the filtered traces; estimated here if None.
    network
        From :func:`read_network`; by default that of the parameter ``probe``.
    folder
        Where detections are kept, so that learning again with other late parameters does not detect again; a temporary
        folder if None. Nothing that is as large as the recording is written.
    **parameters
        Those of ``xephys.parameters("rt_sort")``, which have the names of RT-Sort.

    Returns
    -------
    Dataset with ``root``, ``num_spikes`` and ``root_std`` per sequence, ``amplitudes`` (noise levels), ``latencies``
    (samples after the root) and ``probabilities`` per sequence and slot, ``neighbors`` (the channels of the slots of
    each root), noise levels, positions and the network, so that it can sort further recordings of the same channels.

    Raises
    ------
    ParameterError
        If a parameter does not exist or is outside its limits.
    RecordingError
        If positions are missing, or every channel is silent or bad.

    References
    ----------
    RT-Sort: van der Molen, Lim et al. 2024, PLOS ONE 19:e0312438.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=2, seed=1)
    >>> sequences = detect_sequences(recording)
    >>> sequences["amplitudes"].dims
    ('sequence', 'slot')
    """
    p: RTSortParameters = read_parameters("rt_sort", parameters)
    recording = join_segments(recording)
    schema.validate_recording(recording)
    rate = float(recording.attrs["sampling_frequency"])
    if p.detection_window_s is not None:
        recording = sample_slice(recording, 0, min(recording.sizes["time"], round(p.detection_window_s * rate)))
    filtered = band_passed(recording, p)
    noise = estimate_noise_levels(filtered, seed=p.seed) if noise_levels is None else noise_levels
    noise = xr.DataArray(noise_levels_of(filtered, noise), dims="channel", coords={"channel": filtered["channel"]})
    network = network_for(p, rate) if network is None else network
    table = codetections_of(filtered, p, noise_levels=noise, network=network)
    with _folder(folder) as place:
        records = run_events(table, place)
        return learn_from(records, recording, p, noise_levels=noise, network=network)


def sort_offline(
    recording: xr.DataArray | xr.DataTree, sequences: xr.Dataset, *, folder: PathLike | None = None
) -> xr.DataTree:
    """Sort a recording by sequences that were learned before: the same spikes as :func:`stream` finds live. Computes.

    Parameters
    ----------
    recording
        Raw traces ``(time, channel)`` of the channels from which the sequences were learned, or segments of them.
    sequences
        From :func:`detect_sequences` or :func:`open_sequences`.
    folder
        Where detections are kept; a temporary folder if None.

    Returns
    -------
    A sorting, one unit per sequence, with the sequences in ``/learned/sequences``; spikes of segments by segment.

    Raises
    ------
    ParameterError
        If the dataset does not hold sequences.
    RecordingError
        If the recording has other channels or another sampling rate.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=16, n_units=2, seed=1)
    >>> sort_offline(recording, detect_sequences(recording))["units"].sizes["unit"] > 0
    True
    """
    joined = join_segments(recording)
    sorting = sorting_of(joined, spikes_of(joined, sequences, folder=folder), sequences)
    return sorting_of_segments(sorting, recording, joined)


def spikes_of(recording: xr.DataArray, sequences: xr.Dataset, *, folder: PathLike | None) -> NDArray[Any]:
    """Spikes of the sequences in a recording of their channels, in order of time."""
    p = parameters_of(sequences)
    check_same_channels(recording, sequences)
    filtered = band_passed(recording, p)
    levels = xr.DataArray(sequences["noise_levels"].values, dims="channel", coords={"channel": recording["channel"]})
    levels.attrs.update(units=filtered.attrs.get("units", ""))
    usable = filtered.assign_coords(bad=("channel", ~sequences["good"].values))
    table = codetections_of(usable, p, noise_levels=levels, network=network_of(sequences))
    with _folder(folder) as place:
        spikes = assign_all(run_events(table, place), sequences)
    first = first_sample(recording)
    spikes["sample_index"] = np.clip(spikes["sample_index"], first, first + recording.sizes["time"] - 1)
    return spikes


def sorting_of(recording: xr.DataArray, spikes: NDArray[Any], sequences: xr.Dataset) -> xr.DataTree:
    """A sorting of spikes, one unit per sequence."""
    root = sequences["root"].values
    return build_sorting(
        recording,
        spikes={name: spikes[name] for name in ("sample_index", "unit_index")} | places_of(spikes, sequences),
        units={
            "label": np.full(len(root), "unsorted"),
            "channel_index": root,
            "x": sequences["x"].values[root],
            "y": sequences["y"].values[root],
        },
        learned={"sequences": sequences},
        preset="rt_sort",
        parameters=parameters_of(sequences).model_dump(),
        log=json.loads(sequences.attrs["log"]),
    )


def places_of(spikes: NDArray[Any], sequences: xr.Dataset) -> dict[str, NDArray[np.float32]]:
    """Position of the channel on which each spike is largest."""
    return {axis: sequences[axis].values[spikes["channel_index"]].astype(np.float32) for axis in ("x", "y")}


def check_same_channels(recording: xr.DataArray, sequences: xr.Dataset) -> None:
    """Refuse a recording of other channels than the sequences.

    Raises
    ------
    RecordingError
        If the number of channels, their positions, or the sampling rate differ.
    """
    info = schema.validate_recording(recording)
    own = float(sequences.attrs["sampling_frequency"])
    if info.n_channels != sequences.sizes["channel"] or abs(info.sampling_frequency - own) > 1e-6 * own:
        raise RecordingError(
            f"the recording has {info.n_channels} channels at {info.sampling_frequency:g} Hz and the sequences were "
            f"learned from {sequences.sizes['channel']} at {own:g} Hz; learn from this recording, or resample it"
        )
    check_order(recording, sequences, what="the sequences")
    positions = positions_of(recording, why="sequences")
    if not np.allclose(positions, np.stack([sequences["x"].values, sequences["y"].values], axis=1), atol=0.5):
        raise RecordingError("the channels lie elsewhere than those of the sequences; learn from this recording")


@contextmanager
def _folder(folder: PathLike | None) -> Iterator[Path]:
    """The given folder, or one that is deleted afterwards."""
    if folder is not None:
        yield Path(folder)
        return
    with scratch_folder() as temporary:
        yield temporary
