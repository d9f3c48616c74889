"""Projections of matched spikes, cleaned of the spikes that overlap them.

The residual after all spikes are subtracted, plus a spike's own template at its own amplitude, is the spike's waveform
without its neighbors (as in Kilosort, Pachitariu et al. 2024, Nature Methods 21:914). The template is added back
without the spike's sub-sample delay, so that one unit's spikes form one cloud: the sampling phases of a large spike are
many noise levels apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.features.waveforms import project_waveforms
from xephys.kernels.lib.dispatch import overwrites, with_device_twin
from xephys.kernels.lib.inner import kernel
from xephys.kernels.match.model import MatchModel
from xephys.kernels.match.templates import match_templates, subtract_spikes

__all__ = ["match_and_project"]


@kernel
def _add_templates(
    projection: NDArray[np.float32],
    units: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    slots: NDArray[np.int32],
    coefficients: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
) -> None:
    for event in range(units.size):
        unit = units[event]
        for j in range(slots.shape[1]):
            if slots[event, j] < 0:
                continue
            for k in range(channels.shape[1]):
                if channels[unit, k] == slots[event, j]:
                    for p in range(projection.shape[2]):
                        value = 0.0
                        for rank in range(spatial.shape[1]):
                            value += coefficients[unit, rank, p] * spatial[unit, rank, k]
                        projection[event, j, p] += np.float32(amplitudes[event] * value)


@overwrites
@with_device_twin
def match_and_project(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    model: MatchModel,
    overwrite: bool = False,
    **settings: Any,
) -> NDArray[np.void]:
    """Find the spikes of known templates in one tile, with the projections of their cleaned waveforms.

    Parameters
    ----------
    traces, before, after, start, nbefore
        As for `match_templates`.
    components : float32 (component, template sample)
        Components in the window of the templates.
    neighbors : int32 (channel, k)
        Channels on which a spike with each peak channel is projected, padded with -1.
    overwrite : bool
        Whether the traces may be overwritten.
    model, **settings
        As for `match_templates`.

    Returns
    -------
    structured array
        The records of `match_templates` with the field ``projection``, float32 (k, component).

    Raises
    ------
    ValueError
        If the components and the templates differ in length.

    Examples
    --------
    >>> from xephys.kernels.match.model import build_match_model
    >>> shape = np.array([0, 2, -9, 5, 2, 0.0])
    >>> model = build_match_model(temporal=shape[None, None], spatial=np.ones((1, 1, 1)),
    ...                           channels=np.zeros((1, 1), int), n_channels=1)
    >>> traces = np.zeros((60, 1), np.float32)
    >>> traces[28:34, 0] = 1.1 * shape
    >>> unit = (shape / np.linalg.norm(shape))[None].astype(np.float32)
    >>> spikes = match_and_project(traces, before=10, after=10, start=1000, nbefore=2, components=unit,
    ...                            neighbors=np.zeros((1, 1), np.int32), model=model)
    >>> float((spikes["projection"][0, 0, 0] / np.linalg.norm(shape)).round(2))
    1.1
    """
    return cleaned_and_left(
        traces, before=before, after=after, start=start, nbefore=nbefore, components=components, neighbors=neighbors,
        model=model, overwrite=overwrite, **settings,
    )[0]  # fmt: skip


def cleaned_and_left(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    model: MatchModel,
    overwrite: bool = False,
    **settings: Any,
) -> tuple[NDArray[np.void], NDArray[np.float32]]:
    """The records of `match_and_project`, and the tile, including its halo, without any of its spikes.

    The latter may take the place of the traces.
    """
    n_samples = model["temporal"].shape[2]
    if components.shape[1] != n_samples:
        raise ValueError(
            f"components have {components.shape[1]} samples and templates {n_samples}; they need the same window"
        )
    first = start - before
    spikes = match_templates(traces, before=0, after=0, start=first, nbefore=nbefore, model=model, **settings)
    residual = subtract_spikes(traces, spikes, start=first, nbefore=nbefore, model=model, overwrite=overwrite)
    n_core = len(traces) - before - after
    own = spikes[(spikes["sample_index"] >= start) & (spikes["sample_index"] < start + n_core)]
    records = project_waveforms(
        residual, own, before=before, after=after, start=start, components=components, neighbors=neighbors,
        nbefore=nbefore,
    )  # fmt: skip
    _add_templates(
        records["projection"],
        own["unit_index"],
        own["amplitude"],
        np.ascontiguousarray(neighbors, np.int32)[own["channel_index"]],
        # The memory layout of a product depends on its sizes, and a kernel is compiled for each layout.
        np.ascontiguousarray(np.einsum("urt,pt->urp", model["temporal"], components, optimize=True), np.float32),
        model["spatial"],
        model["channels"],
    )
    return records, residual
