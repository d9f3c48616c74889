"""Matching that also examines its residual, whose peaks are spikes of no known template."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.peaks import detect_locally_exclusive
from xephys.kernels.detect.threshold_scan import PeakSign
from xephys.kernels.features.waveforms import project_waveforms
from xephys.kernels.lib.dispatch import overwrites
from xephys.kernels.match.features import cleaned_and_left

__all__ = ["LEFT", "match_and_look"]

#: Unit of a peak that no template explains.
LEFT = -1


@overwrites
def match_and_look(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    components: NDArray[np.float32],
    neighbors: NDArray[np.int32],
    peak_thresholds: NDArray[np.float32],
    competing: NDArray[np.int32],
    good: NDArray[np.bool_],
    peak_sign: PeakSign,
    exclude_sweep_samples: int,
    **settings: Any,
) -> NDArray[np.void]:
    """Find the spikes of known templates in one tile, and the peaks in their residual, all with their projections.

    Parameters
    ----------
    traces, before, after, start, nbefore, components, neighbors
        As for `match_and_project`.
    peak_thresholds : float32 (channel,)
        Thresholds of the peaks.
    competing : int32 (channel, k)
        Channels that compete for a peak, padded with -1.
    good, peak_sign, exclude_sweep_samples
        As for `detect_locally_exclusive`.
    **settings
        The model and the settings of `match_templates`; ``overwrite=True`` if the traces may be overwritten.

    Returns
    -------
    structured array
        The records of `match_and_project`. Those of peaks have the unit `LEFT`, the height of the peak as amplitude,
        and its square as gain. They are in order of sample, unit and channel.

    Examples
    --------
    >>> from xephys.kernels.match.model import build_match_model
    >>> shape = np.array([0, 2, -9, 5, 2, 0.0])
    >>> model = build_match_model(temporal=shape[None, None], spatial=np.ones((1, 1, 1)),
    ...                           channels=np.zeros((1, 1), int), n_channels=1)
    >>> traces = np.zeros((60, 1), np.float32)
    >>> traces[23:29, 0], traces[38:40, 0] = shape, [8, -4]
    >>> near = np.zeros((1, 1), np.int32)
    >>> found = match_and_look(traces, before=10, after=10, start=0, nbefore=2, components=np.eye(1, 6, dtype="f4"),
    ...     neighbors=near, peak_thresholds=np.full(1, 5, "f4"), competing=near, good=np.ones(1, bool),
    ...     peak_sign="both", exclude_sweep_samples=5, model=model)
    >>> found[["sample_index", "unit_index"]].tolist()
    [(15, 0), (28, -1)]
    """
    records, residual = cleaned_and_left(
        traces, before=before, after=after, start=start, nbefore=nbefore, components=components, neighbors=neighbors,
        **settings,
    )  # fmt: skip
    peaks = detect_locally_exclusive(
        residual, before=before, after=after, start=start, thresholds=peak_thresholds, neighbors=competing,
        peak_sign=peak_sign, exclude_sweep_samples=exclude_sweep_samples, good=good,
    )  # fmt: skip
    projected = project_waveforms(
        residual, peaks, before=before, after=after, start=start, components=components, neighbors=neighbors,
        nbefore=nbefore,
    )  # fmt: skip
    left = np.zeros(len(peaks), records.dtype)
    for name in ("sample_index", "channel_index", "amplitude", "projection"):
        left[name] = projected[name]
    left["unit_index"], left["gain"] = LEFT, peaks["amplitude"].astype(np.float64) ** 2
    every = np.concatenate([records, left])
    return every[np.lexsort((every["channel_index"], every["unit_index"], every["sample_index"]))]
