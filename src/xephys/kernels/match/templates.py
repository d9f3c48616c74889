"""Template matching on whitened traces.

It finds which unit fired when and with what amplitude, and resolves overlapping spikes.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty
from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.lib.inner import inner, kernel
from xephys.kernels.match.limits import LimitOptions, Pairs, checked_limits, minimum_scores
from xephys.kernels.match.model import MatchModel
from xephys.kernels.match.pursuit import pursue
from xephys.kernels.match.scores import correlate_templates

__all__ = ["MATCH_DTYPE", "match_halo", "match_residual", "match_templates", "subtract_spikes"]

MATCH_DTYPE = np.dtype(
    [
        ("sample_index", np.int64),
        ("channel_index", np.int64),
        ("amplitude", np.float64),
        ("segment_index", np.int64),
        ("unit_index", np.int64),
        ("sample_offset", np.float64),
        ("gain", np.float64),
    ]
)

#: Above this residual (drifting units, typically) the pair test is off: two spikes can then mimic one spike of a third
#: unit.
UNEXPLAINED_MAX = 0.02


def match_halo(n_template_samples: int, *, nbefore: int, chain: int = 3) -> tuple[int, int]:
    """Number of samples needed before and after a tile, so that its spikes do not depend on where the tile ends.

    A spike in the core is decided together with those that it overlaps, and these with the ones they overlap; `chain`
    such links are followed.

    Parameters
    ----------
    n_template_samples : int
    nbefore : int
        Number of template samples before the spike's sample.
    chain : int
        Number of links between overlapping spikes that are kept complete.

    Returns
    -------
    before, after : int

    Examples
    --------
    >>> match_halo(61, nbefore=20)
    (200, 220)
    """
    reach = chain * (n_template_samples - 1)
    return reach + nbefore, reach + n_template_samples - nbefore - 1


def pair_likeness(
    pair_overlaps: NDArray[np.float32], energies: NDArray[np.float64], pair_units: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Maximum share of the second template's direction in one spike of the first, for each pair."""
    aligned = np.abs(pair_overlaps[:, pair_overlaps.shape[1] // 2]).max(axis=1).astype(np.float64)
    return np.asarray(aligned**2 / np.maximum(energies[pair_units], 1e-30))


def left_to_pairs(energies: NDArray[np.float64], unexplained: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The argument `unexplained` of `match_templates`, for each unit; infinite where pairs are not weighed."""
    share = np.full(len(energies), np.inf) if unexplained is None else np.asarray(unexplained, np.float64)
    return np.where(share <= UNEXPLAINED_MAX, share, np.inf)


def pairs_of_model(model: MatchModel, unexplained: NDArray[np.float64] | None) -> Pairs:
    """How the templates of a model overlap, in the form used by the pursuit."""
    units, overlaps, energies = model["pair_units"], model["pair_overlaps"], model["energies"]
    return Pairs(
        starts=model["pair_starts"],
        units=units,
        overlaps=overlaps,
        likeness=pair_likeness(overlaps, energies, units),
        unexplained=left_to_pairs(energies, unexplained),
    )


@with_device_twin
def match_templates(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    model: MatchModel,
    score_step: int = 1,
    unexplained: NDArray[np.float64] | None = None,
    match_thresholds: NDArray[np.float64] | None = None,
    **options: Unpack[LimitOptions],
) -> NDArray[np.void]:
    """Find the spikes of known templates in one tile by greedy matching pursuit.

    Parameters
    ----------
    traces : float32 array of shape (before + n + after, channel)
        Whitened traces (unit noise).
    before, after, start : int
        Rows before and after the core, and the absolute sample of the core's first row.
    nbefore : int
        Number of template samples before the spike's sample.
    model : MatchModel
        From `build_match_model`.
    score_step : {1, 2}
        As for `match_scores.correlate_templates`.
    unexplained : float64 array of shape (unit,), optional
        Share of a spike's energy that its template leaves unexplained. Two spikes replace one if they gain
        ``match_threshold²`` more, and more than both templates may leave of that gain. Pairs are not weighed if the
        share is above `UNEXPLAINED_MAX` or None.
    match_thresholds : float64 array of shape (unit,), optional
        Threshold of each template, by which its scores are judged. ``match_threshold`` is then the smallest of them:
        what a spike must gain beyond what is doubted, and what the second spike of a pair must gain.
    **options
        Thresholds and limits, see `LimitOptions`.

    Returns
    -------
    structured array of dtype `MATCH_DTYPE`, sorted by sample, channel and unit
        ``amplitude`` is the multiple of the template, ``sample_offset`` the sub-sample delay of the template in
        samples, and ``gain`` the drop of the squared residual including the prior. Only spikes with ``start <=
        sample_index < start + n`` are returned.

    Raises
    ------
    ValueError
        If a threshold or limit is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from xephys.kernels.match.model import build_match_model
    >>> shape = np.array([0, 2, -9, 5, 2, 0.0])
    >>> model = build_match_model(temporal=shape[None, None], spatial=np.ones((1, 1, 1)),
    ...                           channels=np.zeros((1, 1), int), n_channels=1)
    >>> traces = np.zeros((60, 1), np.float32)
    >>> traces[28:34, 0] = 1.1 * shape
    >>> spikes = match_templates(traces, before=10, after=10, start=1000, nbefore=2, model=model)
    >>> spikes["sample_index"].tolist()
    [1020]
    """
    limits, energies = checked_limits(**options), model["energies"]
    minimum = minimum_scores(energies, match_thresholds, limits=limits)
    scores = correlate_templates(
        traces, temporal=model["temporal"], spatial=model["spatial"], channels=model["channels"], score_step=score_step
    )
    picks, values = pursue(scores, energies, minimum, pairs_of_model(model, unexplained), limits)
    n_core = traces.shape[0] - before - after
    row = picks[:, 1] + nbefore - before
    inside = (row >= 0) & (row < n_core)
    picks, values, row = picks[inside], values[inside], row[inside]
    spikes = np.zeros(row.size, MATCH_DTYPE)
    n_shifts = model["shifted_temporal"].shape[1]
    spikes["sample_index"] = start + row
    spikes["segment_index"] = 0
    spikes["unit_index"] = picks[:, 0]
    spikes["channel_index"] = model["peak_channels"][picks[:, 0]]
    spikes["amplitude"] = values[:, 0]
    spikes["gain"] = values[:, 1]
    spikes["sample_offset"] = (picks[:, 2] - n_shifts // 2) / max(n_shifts - 1, 1)
    order = np.lexsort((spikes["unit_index"], spikes["channel_index"], spikes["sample_index"]))
    return spikes[order]


@kernel
def _subtract(
    traces: NDArray[np.float32],
    units: NDArray[np.int64],
    rows: NDArray[np.int64],
    shifts: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    shifted_temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
) -> None:
    waveform = empty(shifted_temporal.shape[3])
    _subtract_events(traces, units, rows, shifts, amplitudes, shifted_temporal, spatial, channels, waveform)


@inner
def _subtract_events(
    traces: NDArray[np.float32],
    units: NDArray[np.int64],
    rows: NDArray[np.int64],
    shifts: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    shifted_temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    waveform: NDArray[np.float64],
) -> None:
    n_ranks, n_samples = shifted_temporal.shape[2], shifted_temporal.shape[3]
    for event in range(units.size):
        unit = units[event]
        first, last = max(0, -rows[event]), min(n_samples, traces.shape[0] - rows[event])
        for k in range(channels.shape[1]):
            channel = channels[unit, k]
            if channel < 0:
                continue
            waveform[:] = 0.0
            for rank in range(n_ranks):
                weight = spatial[unit, rank, k]
                if weight != 0:
                    course = shifted_temporal[unit, shifts[event], rank]
                    for t in range(n_samples):
                        waveform[t] += course[t] * weight
            for t in range(first, last):
                traces[rows[event] + t, channel] -= amplitudes[event] * waveform[t]


def subtract_spikes(
    traces: NDArray[np.float32],
    spikes: NDArray[np.void],
    *,
    start: int,
    nbefore: int,
    model: MatchModel,
    overwrite: bool = False,
) -> NDArray[np.float32]:
    """Traces without the given spikes.

    Parameters
    ----------
    traces : float32 array of shape (sample, channel)
        Not modified, unless they are to be overwritten.
    spikes : structured array of dtype `MATCH_DTYPE`
        In any order; parts outside the traces are ignored.
    start : int
        Absolute sample of the first row of `traces`.
    nbefore, model
        As for `match_templates`.
    overwrite : bool
        Return these traces instead of a copy.

    Returns
    -------
    float32 array of shape (sample, channel)

    Examples
    --------
    >>> import numpy as np
    >>> from xephys.kernels.match.model import build_match_model
    >>> model = build_match_model(temporal=np.ones((1, 1, 1)), spatial=np.ones((1, 1, 1)),
    ...                           channels=np.zeros((1, 1), int), n_channels=1)
    >>> spikes = np.zeros(1, MATCH_DTYPE)
    >>> spikes["sample_index"], spikes["amplitude"] = 11, 2.0
    >>> residual = subtract_spikes(np.ones((3, 1), np.float32), spikes, start=10, nbefore=0, model=model)
    >>> residual[:, 0].tolist()
    [1.0, -1.0, 1.0]
    """
    residual, shifted_temporal = traces if overwrite else traces.copy(), model["shifted_temporal"]
    n_shifts = shifted_temporal.shape[1]
    shifts = np.rint(spikes["sample_offset"] * (n_shifts - 1)).astype(np.int64) + n_shifts // 2
    _subtract(
        residual,
        spikes["unit_index"].astype(np.int64),
        spikes["sample_index"] - start - nbefore,
        shifts,
        spikes["amplitude"].astype(np.float64),
        shifted_temporal,
        model["spatial"],
        model["channels"],
    )
    return residual


def match_residual(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    model: MatchModel,
    **settings: Any,
) -> NDArray[np.float32]:
    """The residual of a tile after matching: a trace stage with the parameters of `match_templates`.

    Spikes in the halo are subtracted too, so that those that extend into the core leave nothing there.

    Parameters
    ----------
    traces, before, after, start, nbefore, model, **settings
        As for `match_templates`.

    Returns
    -------
    float32 array of shape (n, channel)

    Examples
    --------
    >>> import numpy as np
    >>> from xephys.kernels.match.model import build_match_model
    >>> shape = np.array([0, 2, -9, 5, 2, 0.0])
    >>> model = build_match_model(temporal=shape[None, None], spatial=np.ones((1, 1, 1)),
    ...                           channels=np.zeros((1, 1), int), n_channels=1)
    >>> traces = np.zeros((60, 1), np.float32)
    >>> traces[28:34, 0] = shape
    >>> residual = match_residual(traces, before=10, after=10, start=0, nbefore=2, model=model)
    >>> residual.shape, float(abs(residual).max()) < 1e-5
    ((40, 1), True)
    """
    n_rows = traces.shape[0]
    tile: dict[str, Any] = {"start": start - before, "nbefore": nbefore, "model": model}
    spikes = match_templates(traces, before=0, after=0, **tile, **settings)
    return subtract_spikes(traces, spikes, **tile)[before : n_rows - after]
