"""Estimate the offset and spread of each channel once, then remove them: centering, z-scores, quantiles."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...calls import operation
from ...checks import check_choice
from ...errors import ParameterError, RecordingError
from ...graph.local import map_in_threads
from ...kernels.lib.constants import MAD_OF_NORMAL
from ...per_channel import check_unit, of_these_channels
from ...recording.excerpts import Excerpts, excerpts_of_these
from ...unit_mark import check_made_on
from ..scale import scale

#: Statistics that :func:`estimate_statistics` computes per channel.
STATISTICS = ("median", "mad", "mean", "std", "quantile_low", "quantile_high")


@operation
def estimate_statistics(
    recording: xr.DataArray,
    *,
    quantile_low: float = 0.01,
    quantile_high: float = 0.99,
    excerpts: Excerpts | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Estimate the offset and the spread of each channel from excerpts. Computes.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    quantile_low, quantile_high
        Quantiles to estimate, as fractions.
    excerpts
        Excerpts of these same traces, from :func:`sample_traces`; drawn here if None.
    seed
        Seed for drawing them.

    Returns
    -------
    Dataset with dim ``channel`` and float32 variables in the recording's unit: ``median``, ``mad`` (the median absolute
    deviation over 0.6745, which estimates the standard deviation), ``mean``, ``std``, ``quantile_low`` and
    ``quantile_high``. All excerpts are pooled.

    Raises
    ------
    ParameterError
        If the quantiles are not ``0 <= low < high <= 1``.
    RecordingError
        If the traces hold NaN or infinite values.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> sorted(estimate_statistics(recording).data_vars)
    ['mad', 'mean', 'median', 'quantile_high', 'quantile_low', 'std']
    """
    if not 0 <= quantile_low < quantile_high <= 1:
        raise ParameterError(
            f"quantile_low is {quantile_low:g} and quantile_high {quantile_high:g}; they are fractions with "
            "0 <= quantile_low < quantile_high <= 1"
        )
    info = schema.validate_recording(recording)
    traces = np.concatenate(excerpts_of_these(recording, excerpts, seed=seed))
    columns = np.array_split(np.arange(info.n_channels), min(info.n_channels, 16))
    of_block = partial(_statistics, traces, (quantile_low, quantile_high))
    values = np.concatenate(map_in_threads(of_block, columns), axis=1)
    coords = {name: c for name, c in recording.coords.items() if c.dims == ("channel",)}
    return xr.Dataset(
        {name: ("channel", row, {"units": info.units}) for name, row in zip(STATISTICS, values, strict=True)},
        coords=coords,
        attrs={"units": info.units, "quantiles": [quantile_low, quantile_high]},
    )


@operation
def center(recording: xr.DataArray, *, statistics: xr.Dataset, operator: str = "median") -> xr.DataArray:
    """Subtract each channel's median or mean, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    statistics
        Statistics of these traces, from :func:`estimate_statistics`.
    operator
        ``"median"`` or ``"mean"``.

    Returns
    -------
    Traces, float32, same coordinates, chunks and unit, still lazy; one task per chunk.

    Raises
    ------
    ParameterError
        If the operator is unknown.
    RecordingError
        If the statistics belong to other channels or another unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> centered = center(recording, statistics=estimate_statistics(recording))
    >>> bool((abs(centered.median("time")) < 0.2 * recording.std("time")).all())
    True
    """
    check_choice("operator", operator, ("median", "mean"))
    known = _matching(recording, statistics)
    return scale(recording, offset=-known[operator].values.astype(np.float64))


@operation
def zscore(
    recording: xr.DataArray, *, statistics: xr.Dataset, method: str = "median+mad", target_std: float = 1.0
) -> xr.DataArray:
    """Express each channel in multiples of its spread around its level, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    statistics
        Statistics of these traces, from :func:`estimate_statistics`.
    method
        ``"median+mad"``, which is robust to spikes, or ``"mean+std"``.
    target_std
        Standard deviation of the result.

    Returns
    -------
    Traces, float32, unit ``"noise"``, same coordinates and chunks, still lazy; one task per chunk. A channel without
    any spread becomes 0.

    Raises
    ------
    ParameterError
        If the method is unknown or ``target_std`` not positive.
    RecordingError
        If the statistics belong to other channels or another unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> scores = zscore(recording, statistics=estimate_statistics(recording), method="mean+std")
    >>> bool((abs(scores.std("time") - 1) < 0.1).all())
    True
    """
    check_choice("method", method, ("median+mad", "mean+std"))
    if not np.isfinite(target_std) or target_std <= 0:
        raise ParameterError(f"target_std is {target_std!r}; it must be greater than 0")
    level, spread = method.split("+")
    known = _matching(recording, statistics)
    return _affine(recording, known[level].values, known[spread].values, target=target_std, level_out=0.0)


@operation
def normalize_by_quantile(
    recording: xr.DataArray,
    *,
    statistics: xr.Dataset,
    target_range: float = 1.0,
    target_median: float = 0.0,
    mode: str = "by_channel",
) -> xr.DataArray:
    """Scale traces so that the distance between two quantiles becomes the same, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``.
    statistics
        Statistics of these traces, from :func:`estimate_statistics`, where the quantiles were chosen.
    target_range
        Distance between the upper and the lower quantile in the result.
    target_median
        Median of the result.
    mode
        ``"by_channel"``: each channel by its own quantiles; ``"pool_channel"``: all channels by the mean quantiles.

    Returns
    -------
    Traces, float32, unit ``"noise"``, same coordinates and chunks, still lazy; one task per chunk. A channel without
    any spread becomes ``target_median``.

    Raises
    ------
    ParameterError
        If the mode is unknown or the range not positive.
    RecordingError
        If the statistics belong to other channels or another unit.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> scaled = normalize_by_quantile(recording, statistics=estimate_statistics(recording), target_range=2.0)
    >>> bool((abs(scaled.quantile(0.99, "time") - scaled.quantile(0.01, "time") - 2) < 0.2).all())
    True
    """
    check_choice("mode", mode, ("by_channel", "pool_channel"))
    if not np.isfinite(target_range) or target_range <= 0:
        raise ParameterError(f"target_range is {target_range!r}; it must be greater than 0")
    known = _matching(recording, statistics)
    spread = known["quantile_high"].values.astype(np.float64) - known["quantile_low"].values
    level = known["median"].values.astype(np.float64)
    if mode == "pool_channel":
        spread, level = np.full_like(spread, spread.mean()), np.full_like(level, level.mean())
    return _affine(recording, level, spread, target=target_range, level_out=target_median)


def _affine(
    recording: xr.DataArray, level: NDArray[Any], spread: NDArray[Any], *, target: float, level_out: float
) -> xr.DataArray:
    """Traces shifted and scaled so that ``level`` becomes ``level_out`` and ``spread`` becomes ``target``."""
    width = spread.astype(np.float64)
    gain = np.divide(target, width, out=np.zeros_like(width), where=width > 0)
    return scale(recording, gain=gain, offset=level_out - level * gain, units="noise")


def _matching(recording: xr.DataArray, statistics: xr.Dataset) -> xr.Dataset:
    """The statistics, after checking that they fit this recording's channels and unit."""
    info = schema.validate_recording(recording)
    statistics = of_these_channels(recording, statistics, what="statistics")
    missing = [name for name in STATISTICS if name not in statistics]
    if missing or statistics["median"].shape != (info.n_channels,):
        raise RecordingError(
            f"statistics hold {', '.join(map(str, statistics.data_vars)) or 'nothing'} of "
            f"{statistics.sizes.get('channel', 0)} channels, and the recording has {info.n_channels} channels; make "
            "them with estimate_statistics on this recording"
        )
    check_unit(recording, statistics.attrs.get("units"), what="the statistics", made_by="estimate_statistics")
    check_made_on(recording, statistics, what="the statistics", made_by="estimate_statistics")
    return statistics


def _statistics(excerpts: NDArray[Any], quantiles: tuple[float, float], columns: NDArray[Any]) -> NDArray[Any]:
    """The statistics of some channels, with rows as in ``STATISTICS``."""
    values = excerpts[:, columns].astype(np.float64)
    median = np.median(values, axis=0)
    spread = np.median(np.abs(values - median), axis=0) / MAD_OF_NORMAL
    low, high = np.quantile(values, quantiles, axis=0)
    return np.stack([median, spread, values.mean(axis=0), values.std(axis=0), low, high]).astype(np.float32)
