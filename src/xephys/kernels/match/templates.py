"""Template matching on whitened traces: which unit fired when, with what amplitude, overlapping spikes resolved."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import with_device_twin
from xephys.kernels.match.limits import Limits
from xephys.kernels.match.pursuit import minimum_scores, pursue
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
    """Samples needed before and after a tile, so that spikes in it don't depend on where the tile ends.

    A spike in the core is decided together with those it overlaps, and those with the ones they overlap: `chain` such
    links are followed.

    Parameters
    ----------
    n_template_samples : int
    nbefore : int
        Template samples before the spike's sample.
    chain : int
        Links of overlapping spikes kept whole.

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


def checked_limits(
    *,
    threshold: float = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_samples: int = 15,
    mismatch: float = 0.02,
    guard_samples: int = 10,
    n_sweeps: int = 1,
) -> Limits:
    """The limits of `match_templates`, once they are known to make sense.

    Raises
    ------
    ValueError
        If one is outside its range.
    """
    if not 0 < amplitude_min <= 1 <= amplitude_max:
        raise ValueError(
            f"amplitude_min is {amplitude_min} and amplitude_max {amplitude_max}; they must satisfy "
            "0 < amplitude_min <= 1 <= amplitude_max (1 is the template's own size)."
        )
    if threshold <= 0 or noise_gain <= 0 or amplitude_std <= 0:
        raise ValueError(
            f"threshold is {threshold}, noise_gain {noise_gain} and amplitude_std {amplitude_std}; all must be "
            "positive (amplitude_std=inf leaves the amplitude free)."
        )
    return Limits(
        threshold=float(threshold),
        noise_gain=float(noise_gain),
        amplitude_precision=1.0 / amplitude_std**2,
        amplitude_min=float(amplitude_min),
        amplitude_max=float(amplitude_max),
        refractory_samples=int(refractory_samples),
        mismatch=float(mismatch),
        guard_samples=int(guard_samples),
        n_sweeps=int(n_sweeps),
    )


def pair_likeness(
    pair_overlaps: NDArray[np.float32], energies: NDArray[np.float64], pair_units: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Largest share of the second template's direction in one spike of the first, for each pair."""
    aligned = np.abs(pair_overlaps[:, pair_overlaps.shape[1] // 2]).max(axis=1).astype(np.float64)
    return np.asarray(aligned**2 / np.maximum(energies[pair_units], 1e-30))


def left_to_pairs(energies: NDArray[np.float64], unexplained: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """What `match_templates` takes as `unexplained`, for each unit; infinite where pairs are not weighed."""
    share = np.full(len(energies), np.inf) if unexplained is None else np.asarray(unexplained, np.float64)
    return np.where(share <= UNEXPLAINED_MAX, share, np.inf)


@with_device_twin
def match_templates(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    peak_channels: NDArray[np.int64],
    energies: NDArray[np.float64],
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_overlaps: NDArray[np.float32],
    shifted_temporal: NDArray[np.float32],
    threshold: float = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_samples: int = 15,
    mismatch: float = 0.02,
    guard_samples: int = 10,
    n_sweeps: int = 1,
    score_step: int = 1,
    unexplained: NDArray[np.float64] | None = None,
    thresholds: NDArray[np.float64] | None = None,
) -> NDArray[np.void]:
    """Spikes of known templates in one tile, by greedy matching pursuit.

    Parameters
    ----------
    traces : float32 array of shape (before + n + after, channel)
        Whitened traces (unit noise).
    before, after, start : int
        Rows before and after the core, and the absolute sample of the core's first row.
    nbefore : int
        Template samples before the spike's sample.
    temporal, spatial, channels, peak_channels, energies, pair_starts, pair_units, pair_overlaps, shifted_temporal
        The arrays of `build_match_model`.
    threshold : float
        A spike must lower the squared residual, prior included, by ``threshold²`` times the variance of the noise
        along a template.
    noise_gain : float
        That variance: 1 in white noise, more in filtered noise of unit variance (`estimate_noise_gain`).
    amplitude_min, amplitude_max : float
        Limits of the amplitude, as a multiple of the template.
    amplitude_std : float
        Standard deviation of the Gaussian prior of the amplitude around 1; ``inf`` for none.
    refractory_samples : int
        Two spikes of one unit are more than this apart.
    mismatch : float
        Share of a spike's energy that its template may fail to explain. A later spike within `guard_samples` of it has
        to gain that much more, in proportion to how alike the two templates are, so that what a large spike leaves
        behind isn't reported as its neighbor's.
    guard_samples : int
    n_sweeps : int
        How often each spike is put back and decided anew with the others in place.
    score_step : {1, 2}
        As for `match_scores.correlate_templates`.
    unexplained : float64 array of shape (unit,), optional
        Share of a spike's energy that its template leaves unexplained. Where two spikes gain ``threshold²`` more than
        one, and more than what both templates may leave of that, they are taken in its place; never if it is above
        `UNEXPLAINED_MAX` or None.
    thresholds : float64 array of shape (unit,), optional
        The threshold of each template, by which its scores are judged. ``threshold`` is then what a spike must gain
        beyond what is doubted, and a second one in a pair: the smallest of them.

    Returns
    -------
    structured array of dtype `MATCH_DTYPE`, sorted by sample, channel and unit
        ``amplitude`` is the multiple of the template, ``sample_offset`` the sub-sample delay of the template
        (samples), ``gain`` the drop of the squared residual with the prior. Only spikes with ``start <= sample_index
        < start + n``.

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
    >>> spikes = match_templates(traces, before=10, after=10, start=1000, nbefore=2, **model)
    >>> spikes["sample_index"].tolist()
    [1020]
    """
    limits = checked_limits(
        threshold=threshold, noise_gain=noise_gain, amplitude_min=amplitude_min, amplitude_max=amplitude_max,
        amplitude_std=amplitude_std, refractory_samples=refractory_samples, mismatch=mismatch,
        guard_samples=guard_samples, n_sweeps=n_sweeps,
    )  # fmt: skip
    minimum = minimum_scores(
        energies,
        thresholds,
        threshold=limits.threshold,
        noise_gain=limits.noise_gain,
        amplitude_precision=limits.amplitude_precision,
        amplitude_min=limits.amplitude_min,
        amplitude_max=limits.amplitude_max,
    )
    likeness = pair_likeness(pair_overlaps, energies, pair_units)
    left = left_to_pairs(energies, unexplained)
    scores = correlate_templates(traces, temporal=temporal, spatial=spatial, channels=channels, score_step=score_step)
    picks, values = pursue(scores, energies, minimum, pair_starts, pair_units, pair_overlaps, likeness, left, limits)
    n_core = traces.shape[0] - before - after
    row = picks[:, 1] + nbefore - before
    inside = (row >= 0) & (row < n_core)
    picks, values, row = picks[inside], values[inside], row[inside]
    spikes = np.zeros(row.size, MATCH_DTYPE)
    n_shifts = shifted_temporal.shape[1]
    spikes["sample_index"] = start + row
    spikes["segment_index"] = 0
    spikes["unit_index"] = picks[:, 0]
    spikes["channel_index"] = peak_channels[picks[:, 0]]
    spikes["amplitude"] = values[:, 0]
    spikes["gain"] = values[:, 1]
    spikes["sample_offset"] = (picks[:, 2] - n_shifts // 2) / max(n_shifts - 1, 1)
    order = np.lexsort((spikes["unit_index"], spikes["channel_index"], spikes["sample_index"]))
    return spikes[order]


@njit(nogil=True, cache=True)
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
    n_ranks, n_samples = shifted_temporal.shape[2], shifted_temporal.shape[3]
    waveform = np.empty(n_samples)
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
    shifted_temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Traces without the given spikes.

    Parameters
    ----------
    traces : float32 array of shape (sample, channel)
        Left as it is.
    spikes : structured array of dtype `MATCH_DTYPE`
        In any order; parts that stick out of the traces are left out.
    start : int
        Absolute sample of the first row of `traces`.
    nbefore, shifted_temporal, spatial, channels
        As for `match_templates`.

    Returns
    -------
    float32 array of shape (sample, channel)

    Examples
    --------
    >>> import numpy as np
    >>> spikes = np.zeros(1, MATCH_DTYPE)
    >>> spikes["sample_index"], spikes["amplitude"] = 11, 2.0
    >>> residual = subtract_spikes(np.ones((3, 1), np.float32), spikes, start=10, nbefore=0,
    ...                            shifted_temporal=np.ones((1, 1, 1, 1), np.float32),
    ...                            spatial=np.ones((1, 1, 1), np.float32), channels=np.zeros((1, 1), np.int32))
    >>> residual[:, 0].tolist()
    [1.0, -1.0, 1.0]
    """
    residual = traces.copy()
    n_shifts = shifted_temporal.shape[1]
    shifts = np.rint(spikes["sample_offset"] * (n_shifts - 1)).astype(np.int64) + n_shifts // 2
    _subtract(
        residual,
        spikes["unit_index"].astype(np.int64),
        spikes["sample_index"] - start - nbefore,
        shifts,
        spikes["amplitude"].astype(np.float64),
        shifted_temporal,
        spatial,
        channels,
    )
    return residual


def match_residual(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    peak_channels: NDArray[np.int64],
    energies: NDArray[np.float64],
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_overlaps: NDArray[np.float32],
    shifted_temporal: NDArray[np.float32],
    **limits: Any,
) -> NDArray[np.float32]:
    """What the matched spikes leave of a tile: a trace stage with the parameters of `match_templates`.

    Spikes of the halo are subtracted too, so that those reaching into the core leave nothing there.

    Parameters
    ----------
    traces, before, after, start, nbefore
        As for `match_templates`.
    temporal, spatial, channels, peak_channels, energies, pair_starts, pair_units, pair_overlaps, shifted_temporal
        The arrays of `build_match_model`.
    **limits
        Thresholds and limits of `match_templates`.

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
    >>> residual = match_residual(traces, before=10, after=10, start=0, nbefore=2, **model)
    >>> residual.shape, float(abs(residual).max()) < 1e-5
    ((40, 1), True)
    """
    n_rows = traces.shape[0]
    spikes = match_templates(
        traces, before=0, after=0, start=start - before, nbefore=nbefore, temporal=temporal, spatial=spatial,
        channels=channels, peak_channels=peak_channels, energies=energies, pair_starts=pair_starts,
        pair_units=pair_units, pair_overlaps=pair_overlaps, shifted_temporal=shifted_temporal, **limits,
    )  # fmt: skip
    residual = subtract_spikes(
        traces,
        spikes,
        start=start - before,
        nbefore=nbefore,
        shifted_temporal=shifted_temporal,
        spatial=spatial,
        channels=channels,
    )
    return residual[before : n_rows - after]
