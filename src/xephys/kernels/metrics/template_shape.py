"""Shapes of templates on their peak channel: the trough, the peaks before and after it, and the slopes in between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, resample_poly

#: Templates are resampled to this multiple of their rate.
UPSAMPLING = 10
#: Minimum prominence of an extremum, relative to the largest absolute value, and minimum distance from either end.
PROMINENCE, EDGE_MS = 0.3, 0.09
#: Minimum distance of peaks from the trough: this many samples, and this share of the trough's width at half depth.
DISTANCE_MIN, DISTANCE_SHARE = 3, 0.2
RECOVERY_MS, BASELINE_MS = 0.7, 0.5

COLUMNS = (
    "peak_to_trough_duration", "trough_half_width", "peak_half_width", "repolarization_slope", "recovery_slope",
    "num_positive_peaks", "num_negative_peaks", "main_to_next_extremum_duration", "peak_before_to_trough_ratio",
    "peak_after_to_trough_ratio", "peak_before_to_peak_after_ratio", "main_peak_to_trough_ratio", "trough_width",
    "peak_before_width", "peak_after_width", "waveform_baseline_flatness",
)  # fmt: skip


class Extremum(NamedTuple):
    """Position of an extremum, its width at half prominence in samples, and the number of extrema of its kind."""

    at: int | None
    width: float
    number: int


def upsampled(templates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Templates ``(unit, sample)`` or ``(unit, sample, slot)`` at ten times their rate.

    Examples
    --------
    >>> upsampled(np.zeros((2, 5))).shape
    (2, 50)
    """
    return np.asarray(resample_poly(templates, UPSAMPLING, 1, axis=1))


def template_shapes(templates: NDArray[np.floating], *, sampling_frequency: float) -> NDArray[np.float64]:
    """The quantities in :data:`COLUMNS` for each template: durations and widths in seconds, slopes in µV/s.

    Parameters
    ----------
    templates : (unit, sample)
        Templates on the peak channel.
    sampling_frequency : float
        In hertz.

    Returns
    -------
    (unit, column) float64
        NaN if an extremum is missing, or the template is zero.

    Examples
    --------
    >>> times = np.arange(90) / 30.0
    >>> template = -100 * np.exp(-((times - 1) / 0.1) ** 2) + 40 * np.exp(-((times - 1.5) / 0.2) ** 2)
    >>> shape = dict(zip(COLUMNS, template_shapes(template[None], sampling_frequency=30_000.0)[0]))
    >>> round(float(shape["peak_to_trough_duration"]) * 1e3, 1), int(shape["num_negative_peaks"])
    (0.5, 1)
    """
    out = np.full((len(templates), len(COLUMNS)), np.nan)
    for unit, template in enumerate(upsampled(np.asarray(templates, np.float32))):
        if np.abs(template).max() > 0:
            out[unit] = _shape(template.astype(np.float64), sampling_frequency * UPSAMPLING)
    return out


def _shape(template: NDArray[np.float64], rate: float) -> list[float]:
    trough, before, after = extrema(template, rate)
    depth, early, late = (abs(template[e.at]) if e.at is not None else np.nan for e in (trough, before, after))
    sizes = {
        "before": early / depth,
        "after": late / depth,
        "early": early / late,
        "main": np.fmax(early, late) / depth,
    }
    return [
        (after.at - trough.at) / rate if after.at is not None and trough.at is not None else np.nan,
        half_width(-template, trough.at)[0] / rate,
        half_width(template, _larger(template, before, after))[0] / rate,
        _repolarization(template, trough.at, rate),
        _recovery(template, after.at, rate),
        float(before.number + after.number),
        float(trough.number),
        _to_next(template, trough, before, after) / rate,
        sizes["before"],
        sizes["after"],
        sizes["early"],
        sizes["main"],
        trough.width / rate,
        before.width / rate,
        after.width / rate,
        _flatness(template, rate),
    ]


def extrema(template: NDArray[np.float64], rate: float) -> tuple[Extremum, Extremum, Extremum]:
    """The trough, the peak before it and the peak after it.

    Examples
    --------
    >>> template = np.interp(np.arange(300), [0, 60, 100, 150, 200, 299], [0, 3, 0, -9, 4, 0])
    >>> [found.at for found in extrema(template, 300_000.0)]
    [150, 60, 200]
    """
    prominence = PROMINENCE * float(np.abs(template).max())
    edge = int(EDGE_MS * 1e-3 * rate)
    stop = len(template) - edge
    trough = _extremum(-template, prominence, edge, stop)
    if trough.at is None:
        return trough, _MISSING, _MISSING
    _, left, right = half_width(-template, trough.at)
    gap = DISTANCE_MIN if left < 0 else max(DISTANCE_MIN, int(DISTANCE_SHARE * (right - left)))
    before = _extremum(template, prominence, edge, trough.at - gap)
    return trough, before, _extremum(template, prominence, trough.at + gap, stop)


_MISSING = Extremum(None, float("nan"), 0)


def _extremum(values: NDArray[np.float64], prominence: float, start: int, stop: int) -> Extremum:
    """The most prominent maximum in a range; the largest value if none has half the required prominence."""
    if not 0 < start < stop:
        return _MISSING
    part = values[start:stop]
    found, known = find_peaks(part, prominence=prominence, width=0)
    count = len(found)
    if not count:
        found, known = find_peaks(part, prominence=prominence / 2, width=0)
    if not len(found):
        return Extremum(start + int(part.argmax()), float("nan"), 0)
    best = int(known["prominences"].argmax())
    return Extremum(start + int(found[best]), float(known["widths"][best]), count)


def half_width(values: NDArray[np.float64], index: int | None) -> tuple[float, int, int]:
    """Samples between the crossings of half a maximum's value on either side, and their positions; NaN and -1 if there
    are none.

    Examples
    --------
    >>> half_width(np.array([0, 1, 4, 1, 0.0]), 2)
    (1.0, 1, 2)
    """
    if index is None:
        return float("nan"), -1, -1
    crossings = np.flatnonzero(np.diff(values >= 0.5 * values[index]))
    left, right = crossings[crossings < index], crossings[crossings >= index]
    if not len(left) or not len(right):
        return float("nan"), -1, -1
    return float(right[0] - left[-1]), int(left[-1]), int(right[0])


def _larger(template: NDArray[np.float64], before: Extremum, after: Extremum) -> int | None:
    if before.at is None or after.at is None:
        return after.at if before.at is None else before.at
    return after.at if template[after.at] >= template[before.at] else before.at


def slope(values: NDArray[np.float64], rate: float) -> float:
    """Slope of the straight line through values, per second.

    Examples
    --------
    >>> round(slope(np.array([0.0, 2.0, 4.0]), 10.0), 6)
    20.0
    """
    if len(values) < 2:
        return float("nan")
    times = np.arange(len(values)) / rate
    centered = times - times.mean()
    return float(centered @ (values - values.mean()) / (centered @ centered))


def _repolarization(template: NDArray[np.float64], trough: int | None, rate: float) -> float:
    if not trough:
        return float("nan")
    back = np.flatnonzero(template[trough:] >= 0)
    return slope(template[trough : trough + back[0]], rate) if len(back) and back[0] >= 3 else float("nan")


def _recovery(template: NDArray[np.float64], peak: int | None, rate: float) -> float:
    if not peak:
        return float("nan")
    return slope(template[peak : min(int(peak + RECOVERY_MS / 1000 * rate), len(template))], rate)


def _to_next(template: NDArray[np.float64], trough: Extremum, before: Extremum, after: Extremum) -> float:
    """Samples from the largest extremum to the next: from the trough to the peak after it, or from a peak to it."""
    listed = [e for e in (trough, before, after) if e.at is not None]
    if trough.at is None or len(listed) < 2:
        return float("nan")
    largest = max(listed, key=lambda e: abs(template[e.at]))
    if largest is not trough:
        return float(abs(trough.at - (largest.at or 0)))
    following = after if after.at is not None else before
    return float(abs((following.at or 0) - trough.at))


def _flatness(template: NDArray[np.float64], rate: float) -> float:
    baseline = template[: int(BASELINE_MS / 1000 * rate)]
    if not len(baseline):
        return float("nan")
    largest = np.abs(template - baseline.mean()).max()
    return float(np.abs(baseline - baseline.mean()).max() / largest) if largest > 0 else float("nan")
