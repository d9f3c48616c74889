"""What distinguishes the units of a session, in one dataset: templates, locations and autocorrelograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError
from ..sorting import samples_per_segment, unit_ids_of, validate_sorting
from .rest import template_displacements
from .tables import LAGS_MS, check_table, completed

#: Width of the smoothing of autocorrelograms, in bins of one millisecond.
SMOOTHING_MS = 5.0
#: Number of nearest contacts used to localize a unit.
N_CONTACTS = 20
#: Largest distance of a unit from the center of mass of its sizes on the channels.
DISTANCE_MAX_UM = 100.0


def session_units(session: xr.DataTree | xr.Dataset) -> xr.Dataset:
    """Templates, locations and autocorrelograms of the units of one session.

    Parameters
    ----------
    session
        A sorting with templates, or a table of mean waveforms. The table is a dataset with ``templates`` (dims
        ``unit``, ``sample``, ``channel``; µV, not whitened), coordinates ``x`` and ``y`` in µm along ``channel``, and
        attributes ``sampling_frequency`` and ``nbefore``. Optional are ``shank`` along ``channel``, ``unit_id`` along
        ``unit``, and ``autocorrelogram`` (dims ``unit``, ``lag``) as this function returns it. Responses to an event,
        ``peth`` (dims ``unit``, ``bin``; NaN where unknown), are compared if a table, or ``/units`` of a sorting, has
        them.

    Returns
    -------
    xarray.Dataset
        ``templates`` (µV), ``autocorrelogram`` (1 ms bins up to 300 ms, with a maximum of 1), ``n_spikes``,
        ``amplitude`` (peak-to-trough on the largest channel, µV), ``place`` (dims ``unit``, ``axis``: x, y, z in µm,
        localized as a point source; Boussard et al. 2021, NeurIPS 34:22130), ``unit_shank``, and ``far_share`` (share
        of the amplitude that is left 50 to 150 µm from the largest channel: near 1 for an artifact). Units of a sorting
        have ``displacement_um``, which :func:`xephys.track_units` takes from their depth: how far the tissue was from
        where it rests, on average, when they fired, if the sorting has a ``/motion`` and templates that do not follow
        it.

    Raises
    ------
    ParameterError
        If templates or positions are missing, do not fit together, are in other units, or are not finite.
    TypeError
        If the session is neither a sorting nor a dataset.

    Examples
    --------
    >>> from xephys.testing import simulate_sessions
    >>> sessions, _ = simulate_sessions(n_sessions=2, n_neurons=8, n_channels=32, seed=0)
    >>> units = session_units(sessions[0])
    >>> units["place"].dims, units.sizes["lag"]
    (('unit', 'axis'), 300)
    """
    table = _of_sorting(session) if isinstance(session, xr.DataTree) else completed(session).compute()
    check_table(table)
    if "peth" in table:
        table["peth"] = (("unit", "bin"), np.asarray(table["peth"], np.float32))
    table = table.assign(_placed(table))
    if isinstance(session, xr.DataTree):
        moved = template_displacements(
            session, depth_um=np.asarray(table["place"])[:, 1], shank=np.asarray(table["unit_shank"])
        )
        table["displacement_um"] = ("unit", moved, {"units": "um"})
    return table


def _of_sorting(session: xr.DataTree) -> xr.Dataset:
    tree = validate_sorting(session)
    if "templates" not in tree.children:
        raise ParameterError("the sorting has no templates; sort with this package, or add them by estimate_templates")
    templates = tree["templates"].to_dataset()
    if not {"x", "y"} <= set(templates.coords):
        raise ParameterError("the channels of the sorting have no x and y; sort a recording that has a probe")
    rate = float(tree.attrs["sampling_frequency"])
    table = xr.Dataset(
        {"templates": (("unit", "sample", "channel"), np.asarray(templates["templates"].values, np.float32))},
        coords={
            name: ("channel", np.asarray(templates[name].values))
            for name in ("x", "y", "shank")
            if name in templates.coords
        },
        attrs={"sampling_frequency": rate, "nbefore": int(templates["templates"].attrs["nbefore"])},
    ).assign_coords(unit_id=("unit", np.asarray(unit_ids_of(tree))))
    spikes = tree["spikes"].to_dataset()
    segment = (
        np.asarray(spikes["segment_index"].values) if "segment_index" in spikes else np.zeros(spikes.sizes["spike"])
    )
    # Segments are placed so far apart that no lag spans two of them.
    lengths = np.asarray(samples_per_segment(tree), np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths + int(rate))])[segment.astype(np.int64)]
    samples = np.asarray(spikes["sample_index"].values, np.int64) + starts
    counts, histograms = _rhythms(samples, np.asarray(spikes["unit_index"].values), table.sizes["unit"], rate)
    if "peth" in tree["units"]:
        table["peth"] = (("unit", "bin"), np.asarray(tree["units"]["peth"].values))
    return table.assign(n_spikes=("unit", counts), autocorrelogram=(("unit", "lag"), histograms))


def _rhythms(
    samples: NDArray[np.int64], unit: NDArray[np.integer], n_units: int, rate: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers of spikes, and autocorrelograms scaled so that the largest bin is 1."""
    from scipy.ndimage import gaussian_filter1d

    from ..kernels.metrics.correlograms import add_own_pairs

    order = np.lexsort((samples, unit))
    counts = np.bincount(unit, minlength=n_units)
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    pairs = np.zeros((n_units, 2 * LAGS_MS), np.int64)
    add_own_pairs(pairs, np.ascontiguousarray(samples[order]), bounds, max(round(rate * 1e-3), 1), LAGS_MS)
    smooth = gaussian_filter1d(pairs[:, LAGS_MS:].astype(np.float64), SMOOTHING_MS, axis=1)
    largest = smooth.max(axis=1, keepdims=True)
    return counts, np.divide(smooth, largest, out=np.zeros_like(smooth), where=largest > 0).astype(np.float32)


def _placed(table: xr.Dataset) -> dict[str, tuple[Any, NDArray[Any], dict[str, str]]]:
    """Location, amplitude and shank of each unit."""
    from ..kernels.localize.point_source import MIN_Z_UM, fit_sources
    from ..kernels.track.footprints import far_shares, unit_sizes

    templates = np.asarray(table["templates"].values, np.float32)
    positions = np.column_stack([np.asarray(table["x"], np.float64), np.asarray(table["y"], np.float64)])
    shank = np.asarray(table["shank"]) if "shank" in table.coords else np.zeros(len(positions), np.int64)
    sizes, peak, amplitude = unit_sizes(templates)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    distances[shank[:, None] != shank[None]] = np.inf
    from_peak = np.where(np.abs(templates).max(axis=1) > 0, distances[peak], np.inf)
    near = np.argsort(from_peak, axis=1, kind="stable")[:, : min(N_CONTACTS, len(positions))].astype(np.int32)
    near[~np.isfinite(np.take_along_axis(from_peak, near.astype(np.int64), axis=1))] = -1
    local = np.where(near >= 0, np.take_along_axis(sizes, np.maximum(near, 0).astype(np.int64), axis=1), 0.0)
    total = np.maximum(local.sum(axis=1, keepdims=True), 1e-12)
    center = (local[:, :, None] * positions[np.maximum(near, 0)]).sum(axis=1) / total
    source = np.column_stack([positions[peak], np.full((len(peak), 2), [MIN_Z_UM, 0.0])])
    seen = amplitude > 0
    rows = np.arange(int(seen.sum()))
    source[seen] = fit_sources(local[seen], rows, near[seen], positions, center[seen], DISTANCE_MAX_UM)
    return {
        "place": (("unit", "axis"), source[:, :3], {"units": "um"}),
        "amplitude": ("unit", amplitude, {"units": "uV"}),
        "unit_shank": ("unit", shank[peak], {}),
        "far_share": ("unit", far_shares(templates, sizes, peak, distances), {}),
    }


def on_axis_of(table: xr.Dataset, attributes: Mapping[str, Any], n_samples: int) -> xr.Dataset:
    """Units with templates resampled to a given sampling rate and aligned to their extrema at sample ``nbefore``."""
    from ..kernels.track.footprints import aligned, unit_sizes

    rate, nbefore = float(attributes["sampling_frequency"]), int(attributes["nbefore"])
    values = np.asarray(table["templates"].values, np.float32)
    own = (np.arange(values.shape[1]) - int(table.attrs["nbefore"])) / float(table.attrs["sampling_frequency"])
    time = (np.arange(n_samples) - nbefore) / rate
    if len(own) != len(time) or not np.allclose(own, time, rtol=0, atol=1e-9):
        values = _resampled(values, own, time)
    out = table.drop_vars("templates")
    out["templates"] = (("unit", "sample", "channel"), aligned(values, unit_sizes(values)[1], nbefore=nbefore))
    return out.assign_attrs(sampling_frequency=rate, nbefore=nbefore)


def _resampled(values: NDArray[np.float32], own: NDArray[np.float64], time: NDArray[np.float64]) -> NDArray[np.float32]:
    from scipy.interpolate import CubicSpline

    inside = np.clip(time, own[0], own[-1])
    return np.asarray(CubicSpline(own, values, axis=1)(inside), np.float32)
