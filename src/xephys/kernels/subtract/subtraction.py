"""Detect spikes on one tile by iterative subtraction: denoise the largest peaks, subtract them, look again.

A round takes every peak that no larger one competes with within the length of a snippet and twice the radius of
subtraction. Snippets of one round therefore share no sample, and the order within a round does not matter. A peak is
examined once: whether it is accepted or not, its neighborhood is closed afterwards, so the rounds end. What happens to
a peak depends on the peaks that its snippet overlaps, and on those that these overlap; `subtraction_halo` follows a
fixed number of such links.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.detect.threshold_scan import PeakSign, scan_limits
from xephys.kernels.lib.records import PEAK_DTYPE, add_fields
from xephys.kernels.subtract.denoised import Features, Places, localize_denoised, project_cleaned
from xephys.kernels.subtract.rounds import subtract_in_rounds
from xephys.kernels.subtract.snippet import REALIGN_SAMPLES

__all__ = [
    "Denoiser",
    "Reach",
    "Subtracted",
    "detect_by_subtraction",
    "subtract",
    "subtraction_halo",
    "subtraction_residual",
]

#: A trough counts as large as a peak of twice its size.
TROUGH_PRIORITY = 2.0
#: Links between overlapping events that are kept complete at the ends of a tile.
CHAIN = 3


class Denoiser(TypedDict):
    """A low-rank denoiser.

    ``components`` float32 (component, sample), orthonormal; ``weights`` float32 (component,), what is kept of each;
    ``noise`` float32 (component,), the variance of its projection of noise.
    """

    components: NDArray[np.float32]
    weights: NDArray[np.float32]
    noise: NDArray[np.float32]


class Reach(TypedDict):
    """Channels around each channel, int32 (channel, k), itself included, padded with -1.

    ``subtracted``: those of a snippet; ``competing``: those whose peaks are not taken in the same round; ``closed``:
    those that are not examined again.
    """

    subtracted: NDArray[np.int32]
    competing: NDArray[np.int32]
    closed: NDArray[np.int32]


class Subtracted(NamedTuple):
    """Accepted events: where, what they explain, their denoised coefficients (event, slot, component), and the rest."""

    rows: NDArray[np.int64]
    shifts: NDArray[np.int64]
    channels: NDArray[np.int64]
    gains: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    residual: NDArray[np.float32]


def subtraction_halo(n_samples: int, *, nbefore: int, chain: int = CHAIN) -> tuple[int, int]:
    """Number of samples needed before and after a tile, so that its events do not depend on where the tile ends.

    Parameters
    ----------
    n_samples : int
        Length of a snippet.
    nbefore : int
        Number of its samples before the peak.
    chain : int
        Number of links between overlapping events that are kept complete.

    Returns
    -------
    before, after : int

    Examples
    --------
    >>> subtraction_halo(121, nbefore=42)
    (421, 458)
    """
    reach = chain * (n_samples + REALIGN_SAMPLES) + 1
    return reach + nbefore, reach + n_samples - nbefore


def detect_by_subtraction(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    thresholds: NDArray[np.floating[Any]],
    denoiser: Denoiser,
    reach: Reach,
    energy_min: float,
    peak_sign: PeakSign = "both",
    closed_samples: int,
    closed_to_peaks_samples: int = 0,
    good: NDArray[np.bool_] | None = None,
    places: Places | None = None,
    features: Features | None = None,
    keep_denoised: bool = False,
) -> NDArray[np.void]:
    """Detect the spikes of one tile by iterative subtraction.

    Parameters
    ----------
    traces : float32 (before + n + after, channel)
        Whitened traces; row ``before`` is sample `start`.
    before, after : int
        Halo rows on each side, at least ``subtraction_halo(...)``.
    start : int
        Absolute index of the first core sample.
    nbefore : int
        Number of samples of a snippet before its peak.
    thresholds : float (channel,)
        Positive threshold of each channel: smaller peaks are not examined.
    denoiser : Denoiser
    reach : Reach
    energy_min : float
        An event is accepted if subtracting its denoised waveform lowers the energy by more than this.
    peak_sign : {"neg", "pos", "both"}
        Sign of the peaks. With "both", a trough competes as if it were twice as large.
    closed_samples : int
        Around an examined peak, the samples on each side that are not examined again.
    closed_to_peaks_samples : int
        Around an accepted trough, the samples on each side in which positive peaks are not examined.
    good : bool (channel,), optional
        False where a channel must not give peaks (bad channels).
    places : Places, optional
        Adds the fields ``x``, ``y``, ``z`` and ``alpha`` of `localize_denoised`.
    features : Features, optional
        Adds the field ``projection`` of `project_cleaned`.
    keep_denoised : bool
        Adds the field ``denoised``, float32 (slot, component): coefficients of the denoised waveform on the channels of
        ``reach["subtracted"]``.

    Returns
    -------
    structured ndarray
        `PEAK_DTYPE` records of the core with the field ``gain``, the square root of the energy that the event
        explains, and those above. ``amplitude`` is the trace at the event without all other events.

    Raises
    ------
    ValueError
        If the halo is too short, or a threshold is not positive.

    Examples
    --------
    >>> shape = np.array([0, -1, -3, 1, 1], np.float32) / np.sqrt(12, dtype=np.float32)
    >>> traces = np.zeros((120, 1), np.float32)
    >>> for row in (60, 62):  # two spikes that overlap
    ...     traces[row - 2 : row + 3, 0] += 60 * shape
    >>> own = np.zeros((1, 1), np.int32)
    >>> events = detect_by_subtraction(
    ...     traces, before=40, after=40, start=100, nbefore=2, thresholds=np.array([3.0]),
    ...     denoiser={"components": shape[None], "weights": np.ones(1, "f4"), "noise": np.ones(1, "f4")},
    ...     reach={"subtracted": own, "competing": own, "closed": own}, energy_min=100.0, closed_samples=1)
    >>> events["sample_index"]
    array([120, 122])
    """
    found = subtract(
        traces, before=before, after=after, nbefore=nbefore, thresholds=thresholds, denoiser=denoiser, reach=reach,
        energy_min=energy_min, peak_sign=peak_sign, closed_samples=closed_samples,
        closed_to_peaks_samples=closed_to_peaks_samples, good=good,
    )  # fmt: skip
    samples = found.rows + found.shifts
    order = np.lexsort((found.channels, samples))
    own = order[(samples[order] >= before) & (samples[order] < len(traces) - after)]
    channels, coefficients = found.channels[own], found.coefficients[own]
    events = add_fields(np.zeros(len(own), PEAK_DTYPE), _fields(reach, denoiser, places, features, keep_denoised))
    events["sample_index"] = samples[own] + (start - before)
    events["channel_index"] = channels
    events["gain"] = np.sqrt(found.gains[own])
    own_slots = np.argmax(reach["subtracted"] == np.arange(len(reach["subtracted"]))[:, None], axis=1)
    at_peak = denoiser["components"][:, nbefore + found.shifts[own]]
    events["amplitude"] = found.residual[samples[own], channels] + np.einsum(
        "ek,ke->e", coefficients[np.arange(len(own)), own_slots[channels]], at_peak
    )
    if places is not None:
        sources = localize_denoised(coefficients, channels, denoiser["components"], **places)
        events["x"], events["y"], events["z"], events["alpha"] = sources.T
    if features is not None:
        events["projection"] = project_cleaned(
            found.residual, found.rows[own], found.shifts[own], channels, coefficients,
            denoiser["components"], nbefore=nbefore, **features,
        )  # fmt: skip
    if keep_denoised:
        events["denoised"] = coefficients
    return events


def _fields(
    reach: Reach, denoiser: Denoiser, places: Places | None, features: Features | None, keep_denoised: bool
) -> list[tuple[str, Any, tuple[int, ...]]]:
    """The fields that are added to those of a peak."""
    fields: list[tuple[str, Any, tuple[int, ...]]] = [("gain", "<f8", ())]
    if places is not None:
        fields += [(name, "<f8", ()) for name in ("x", "y", "z", "alpha")]
    if features is not None:
        fields.append(("projection", "<f4", (features["neighbors"].shape[1], len(features["basis"]))))
    if keep_denoised:
        fields.append(("denoised", "<f4", (reach["subtracted"].shape[1], len(denoiser["components"]))))
    return fields


def subtraction_residual(
    traces: NDArray[np.float32], *, before: int, after: int, **settings: Any
) -> NDArray[np.float32]:
    """The core of a tile without its events; parameters as for `detect_by_subtraction`.

    Examples
    --------
    >>> shape = np.array([0, -1, -3, 1, 1], np.float32) / np.sqrt(12, dtype=np.float32)
    >>> traces = np.zeros((120, 1), np.float32)
    >>> traces[58:63, 0] = 60 * shape
    >>> own = np.zeros((1, 1), np.int32)
    >>> residual = subtraction_residual(
    ...     traces, before=40, after=40, nbefore=2, thresholds=np.array([3.0]),
    ...     denoiser={"components": shape[None], "weights": np.ones(1, "f4"), "noise": np.ones(1, "f4")},
    ...     reach={"subtracted": own, "competing": own, "closed": own}, energy_min=100.0, closed_samples=1)
    >>> bool(abs(residual).max() < 0.02 * abs(traces).max())
    True
    """
    return subtract(traces, before=before, after=after, **settings).residual[before : len(traces) - after]


def subtract(
    traces: NDArray[np.float32],
    *,
    before: int,
    after: int,
    nbefore: int,
    thresholds: NDArray[np.floating[Any]],
    denoiser: Denoiser,
    reach: Reach,
    energy_min: float,
    peak_sign: PeakSign = "both",
    closed_samples: int,
    closed_to_peaks_samples: int = 0,
    good: NDArray[np.bool_] | None = None,
) -> Subtracted:
    """All events of a tile and its halo, and what they leave."""
    components = np.ascontiguousarray(denoiser["components"].T)
    n_samples = len(components)
    needed = subtraction_halo(n_samples, nbefore=nbefore)
    if before < needed[0] or after < needed[1]:
        raise ValueError(
            f"halo is {before} samples before and {after} after; snippets of {n_samples} samples with {nbefore} before "
            f"the peak need {needed[0]} and {needed[1]}"
        )
    low, high = scan_limits(traces, thresholds, peak_sign, good, strict=False)
    return Subtracted(
        *subtract_in_rounds(
            traces.astype(np.float32, copy=True),
            low,
            high,
            components,
            denoiser["weights"],
            denoiser["noise"],
            reach["subtracted"],
            reach["competing"],
            reach["closed"],
            float(energy_min),
            nbefore,
            closed_samples,
            closed_to_peaks_samples,
            TROUGH_PRIORITY if peak_sign == "both" else 1.0,
        )
    )
