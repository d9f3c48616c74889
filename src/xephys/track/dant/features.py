"""What units are compared by: places, autocorrelograms and intervals, written to files by :func:`preprocess`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks import check_choice, check_positive
from ...errors import ParameterError
from .folder import read_folder, save
from .functions import computeAutoCorr
from .settings import ALGORITHMS, folders, read_settings

#: A unit lies at most this far from the center of mass of its amplitudes, in µm.
DISTANCE_MAX_UM = 100.0


def preprocess(user_settings: Mapping[str, Any] | str | Path) -> None:
    """Localize units and compute their autocorrelograms and intervals.

    Writes ``locations``, ``amplitude``, ``peak_channels``, ``unit_shanks``, ``auto_corr``, ``isi``, and, where they
    apply, ``peth`` and ``waveforms_centered`` to the output folder.

    Parameters
    ----------
    user_settings
        See :func:`xephys.track.dant.read_settings`.
    """
    settings = read_settings(user_settings)
    data, out = folders(settings)
    given = read_folder(data, spikes=bool({"AutoCorr", "ISI"} & {*settings["clustering"]["features"]}))
    out.mkdir(parents=True, exist_ok=True)
    waveforms = given.waveforms
    if settings["centering_waveforms"]:
        waveforms = centered(waveforms)
        save(out, waveforms_centered=waveforms)
    places = _places(waveforms, given.positions, **settings["spikeLocation"])
    peak = np.ptp(waveforms, axis=2).argmax(axis=1)
    correlograms, intervals = [], []
    for times in given.spike_times():
        correlograms.append(autocorrelogram(times, **settings["autoCorr"]))
        intervals.append(interval_histogram(times, **settings["ISI"]))
    save(
        out, locations=places[:, :3], amplitude=places[:, 3], peak_channels=peak, unit_shanks=given.shank[peak],
        auto_corr=np.array(correlograms), isi=np.array(intervals),
    )  # fmt: skip
    if given.peth is not None:
        save(out, peth=given.peth)


def spikeLocation(
    waveforms_mean: Any,
    channel_locations: Any,
    n_nearest_channels: int = 20,
    algorithm: str = "monopolar_triangulation",
) -> tuple[Any, Any, Any, Any]:
    """Place of a unit from its amplitudes on the channels nearest to its largest one.

    Parameters
    ----------
    waveforms_mean
        ``(channel, sample)``, or ``(unit, channel, sample)`` for many units.
    channel_locations
        ``(channel, 2)`` in µm.
    n_nearest_channels
        Number of channels that are used.
    algorithm
        ``"monopolar_triangulation"`` fits a point source, ``"center_of_mass"`` weights the channels by amplitude.

    Returns
    -------
    x, y, z, amplitude
        In µm, and the strength of the source; with the center of mass, ``z`` is 0 and the amplitude is peak-to-trough.

    Examples
    --------
    >>> contacts = np.column_stack([np.zeros(9), 20.0 * np.arange(9)])
    >>> sizes = 100 / np.hypot(15.0, contacts[:, 1] - 80)
    >>> x, y, z, amplitude = spikeLocation(np.outer(sizes, [0.0, -1.0, 0.0]), contacts)
    >>> round(float(y))
    80
    """
    check_choice("algorithm", algorithm, ALGORITHMS)
    check_positive(n_nearest_channels=n_nearest_channels)
    waveforms, positions = np.asarray(waveforms_mean, np.float64), np.asarray(channel_locations, np.float64)
    many = waveforms[None] if waveforms.ndim == 2 else waveforms
    if many.ndim != 3 or positions.shape != (many.shape[1], 2):
        raise ParameterError(
            f"waveforms of shape {waveforms.shape} and places of shape {positions.shape} do not go together; give "
            "(channel, sample) and (channel, 2)"
        )
    places = _places(many, positions, n_nearest_channels=n_nearest_channels, location_algorithm=algorithm)
    x, y, z, amplitude = places.T if waveforms.ndim == 3 else places[0]
    return x, y, z, amplitude


def nearest_channels(
    positions: NDArray[np.float64], n_channels: int, shank: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """The channels nearest to each one, of its shank if shanks are given, ``(channel, n_channels)``; padded with -1."""
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    if shank is not None:
        apart[shank[:, None] != shank[None]] = np.inf
    near = np.argsort(apart, axis=1, kind="stable")[:, : min(n_channels, len(positions))]
    return np.where(np.isfinite(np.take_along_axis(apart, near, axis=1)), near, -1)


def _places(
    waveforms: NDArray[np.floating],
    positions: NDArray[np.float64],
    *,
    n_nearest_channels: int,
    location_algorithm: str,
) -> NDArray[np.float64]:
    """x, y, z and amplitude of all units."""
    from ...kernels.localize.point_source import fit_sources

    sizes = np.ptp(np.asarray(waveforms), axis=2).astype(np.float64)
    peak = sizes.argmax(axis=1)
    near = nearest_channels(positions, int(n_nearest_channels))
    local = np.take_along_axis(sizes, near[peak], axis=1)
    total = np.maximum(local.sum(axis=1, keepdims=True), 1e-12)
    center = (local[:, :, None] * positions[near[peak]]).sum(axis=1) / total
    if location_algorithm == "center_of_mass":
        return np.column_stack([center, np.zeros(len(center)), sizes.max(axis=1)])
    return np.asarray(fit_sources(local, peak, near.astype(np.int32), positions, center, DISTANCE_MAX_UM))


def autocorrelogram(times: NDArray[np.float64], *, window: float, binwidth: float, gaussian_sigma: float) -> Any:
    """Smoothed autocorrelogram with a maximum of 1, each side by itself; 0 for a unit without pairs."""
    from scipy.ndimage import gaussian_filter1d

    counts, _ = computeAutoCorr(times, window, binwidth)
    half = len(counts) // 2
    side = gaussian_filter1d(counts[half + 1 :], gaussian_sigma)
    whole = np.concatenate([side[::-1], counts[half : half + 1], side])
    return whole / max(whole.max(), 1e-300) if whole.max() > 0 else whole


def interval_histogram(times: NDArray[np.float64], *, window: float, binwidth: float, gaussian_sigma: float) -> Any:
    """Smoothed shares of the intervals between spikes; 0 for a unit without intervals in the window."""
    from scipy.ndimage import gaussian_filter1d

    n_bins = round(window / binwidth)
    counts = np.histogram(np.diff(times), n_bins, (0.0, n_bins * binwidth))[0].astype(np.float64)
    return gaussian_filter1d(counts / max(counts.sum(), 1.0), gaussian_sigma)


def centered(waveforms: NDArray[np.floating]) -> NDArray[np.float64]:
    """Waveforms with the trough of the largest channel in the middle; the ends repeat the first and the last sample."""
    n_samples = waveforms.shape[2]
    peak = np.ptp(waveforms, axis=2).argmax(axis=1)
    trough = np.take_along_axis(waveforms, peak[:, None, None], axis=1)[:, 0].argmin(axis=1)
    sample = np.arange(n_samples)[None] + (trough - ((n_samples + 1) // 2 - 1))[:, None]
    at = np.clip(sample, 0, n_samples - 1)
    return np.asarray(np.take_along_axis(waveforms, at[:, None], axis=2), np.float64)
