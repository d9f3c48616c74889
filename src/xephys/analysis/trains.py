"""Results from spike times: correlograms, autocorrelograms, also by firing rate, and interval histograms."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from .results import Analysis
from .spikes import Rows
from .subject import Subject


def bins_of(subject: Subject, *, window_ms: float, bin_ms: float) -> tuple[int, int]:
    """Number of samples in a bin, and number of whole bins in half the window.

    Raises
    ------
    ParameterError
        If a bin is shorter than a sample or longer than half the window.
    """
    check_positive(window_ms=window_ms, bin_ms=bin_ms)
    rate = subject.sampling_frequency
    bin_samples = round(bin_ms * 1e-3 * rate)
    half = round(window_ms / 2 * 1e-3 * rate)
    if not 1 <= bin_samples <= half:
        raise ParameterError(
            f"bin_ms is {bin_ms:g} at {rate:g} Hz for a window of {window_ms:g} ms; a bin must be as long as a sample, "
            f"{1e3 / rate:g} ms, and no longer than half the window"
        )
    return bin_samples, half // bin_samples


def correlograms(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``correlograms``: ``counts (unit, other, bin)`` of the lags of ``unit`` behind ``other``."""
    from ..kernels.metrics.correlograms import add_pairs

    subject, changed = analysis.subject, analysis.changed["correlograms"]
    bin_samples, n_half = bins_of(subject, **parameters)
    counts = np.zeros((subject.n_units, subject.n_units, 2 * n_half), np.int64)
    for first, last in pairwise(subject.segment_bounds):
        add_pairs(
            counts, subject.sample_index[first:last], subject.unit_index[first:last], changed, bin_samples, n_half
        )
    return xr.Dataset(
        {"counts": (("unit", "other", "bin"), of_pairs(analysis, "correlograms", "counts", counts))},
        coords={"bin": _lags_ms(subject, bin_samples, n_half)},
    )


def auto_correlograms(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``auto_correlograms``: ``counts (unit, bin)``."""
    from ..kernels.metrics.correlograms import add_own_pairs

    subject = analysis.subject
    bin_samples, n_half = bins_of(subject, **parameters)
    counts = np.zeros((subject.n_units, 2 * n_half), np.int64)
    for samples, bounds in _trains(subject):
        add_own_pairs(counts, samples, bounds, bin_samples, n_half)
    return xr.Dataset({"counts": (("unit", "bin"), counts)}, coords={"bin": _lags_ms(subject, bin_samples, n_half)})


def isi_histograms(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``isi_histograms``: ``counts (unit, bin)`` of the intervals between a unit's spikes."""
    from ..kernels.metrics.correlograms import add_intervals

    subject = analysis.subject
    window_ms, bin_ms = parameters["window_ms"], parameters["bin_ms"]
    bin_samples, n_bins = bins_of(subject, window_ms=2 * window_ms, bin_ms=bin_ms)
    counts = np.zeros((subject.n_units, n_bins), np.int64)
    for samples, bounds in _trains(subject):
        add_intervals(counts, samples, bounds, bin_samples)
    left = np.arange(n_bins) * bin_samples * 1e3 / subject.sampling_frequency
    return xr.Dataset({"counts": (("unit", "bin"), counts)}, coords={"bin": ("bin", left, {"units": "ms"})})


def acgs_3d(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``acgs_3d``: ``probability (unit, quantile, lag)``, and the ``rate (unit, quantile)`` of a quantile."""
    from ..kernels.metrics.correlograms import rate_correlograms

    subject = analysis.subject
    bin_ms, n_half = parameters["bin_ms"], int(0.5 * parameters["window_ms"] / parameters["bin_ms"])
    check_positive(bin_ms=bin_ms, n_half=n_half)
    found, rates = rate_correlograms(
        list(_trains(subject)),
        n_units=subject.n_units,
        bin_samples=int(np.ceil(subject.sampling_frequency * bin_ms * 1e-3)),
        bin_ms=bin_ms,
        n_half=n_half,
        n_quantiles=parameters["n_quantiles"],
        smooth_ms=parameters["smooth_ms"],
    )
    lags = np.linspace(-parameters["window_ms"] / 2, parameters["window_ms"] / 2, 2 * n_half + 1)
    return xr.Dataset(
        {"probability": (("unit", "quantile", "lag"), found), "rate": (("unit", "quantile"), rates, {"units": "Hz"})},
        coords={"lag": ("lag", lags, {"units": "ms"})},
    )


def _trains(subject: Subject) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each segment, the samples train after train, and the start of each train."""
    trains = []
    for first, last in pairwise(subject.segment_bounds):
        units = subject.unit_index[first:last]
        order = np.argsort(units, kind="stable")
        bounds = np.searchsorted(units[order], np.arange(subject.n_units + 1))
        trains.append((subject.sample_index[first:last][order], bounds.astype(np.int64)))
    return trains


def of_pairs(analysis: Analysis, name: str, variable: str, values: NDArray[Any]) -> NDArray[Any]:
    """Values of pairs: new ones where either unit changed, known ones elsewhere."""
    old, changed = analysis.old(name, variable), analysis.changed[name]
    if old is None:
        return values
    either = changed[:, None] | changed[None]
    out = old.astype(values.dtype)
    out[either] = values[either]
    return out


def _lags_ms(subject: Subject, bin_samples: int, n_half: int) -> tuple[str, NDArray[np.float64], dict[str, str]]:
    """Lower edge of each bin."""
    return "bin", np.arange(-n_half, n_half) * bin_samples * 1e3 / subject.sampling_frequency, {"units": "ms"}
