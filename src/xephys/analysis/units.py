"""Results from templates: positions of units, and their similarity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_choice
from ..errors import ParameterError
from ..features.prototype import trough_prototype
from ..localize.center_of_mass import FEATURES
from .reading import channel_mask
from .results import Analysis
from .spikes import Rows
from .trains import of_pairs


class Placing(NamedTuple):
    """A method: computes positions of units from their templates; with the columns it returns."""

    places: Callable[[Analysis, xr.Dataset, dict[str, Any]], NDArray[np.float64]]
    columns: tuple[str, ...]


def locations(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``unit_locations``: ``x``, ``y``, ``z`` in µm, and ``alpha`` of a point source."""
    method = parameters["method"]
    check_choice("method", method, METHODS)
    check_choice("feature", parameters["feature"], FEATURES)
    templates = analysis.nodes["templates"]
    places = METHODS[method].places(analysis, templates, parameters)
    return xr.Dataset(
        {
            name: ("unit", analysis.by_unit("unit_locations", name, places[:, k]), {"units": "" if k == 3 else "um"})
            for k, name in enumerate(METHODS[method].columns)
        }
    )


def _sized(analysis: Analysis, templates: xr.Dataset, parameters: dict[str, Any]) -> NDArray[np.float64]:
    from ..kernels.analysis.unit_places import template_sizes

    nbefore = int(templates.attrs["nbefore"])
    return template_sizes(templates["average"].values, parameters["feature"], nbefore=nbefore)


def _mass(analysis: Analysis, templates: xr.Dataset, parameters: dict[str, Any]) -> NDArray[np.float64]:
    from ..kernels.analysis.unit_places import mass_places

    sizes = _sized(analysis, templates, parameters)
    return mass_places(sizes, templates["channel_index"].values, analysis.subject.positions)


def _source(analysis: Analysis, templates: xr.Dataset, parameters: dict[str, Any]) -> NDArray[np.float64]:
    from ..kernels.analysis.unit_places import source_places

    sizes = _sized(analysis, templates, parameters)
    return source_places(
        sizes,
        templates["channel_index"].values,
        analysis.subject.positions,
        distance_max_um=parameters["distance_max_um"],
    )


def _grid(analysis: Analysis, templates: xr.Dataset, parameters: dict[str, Any]) -> NDArray[np.float64]:
    from ..kernels.analysis.unit_places import grid_places

    subject = analysis.subject
    average = templates["average"].values
    nbefore = int(templates.attrs["nbefore"])
    prototype = trough_prototype(average.shape[1], nbefore=nbefore, sampling_frequency=subject.sampling_frequency)
    peak = analysis.nodes["sparsity"]["peak_channel"].values
    return grid_places(average, templates["channel_index"].values, subject.positions, peak, prototype)


def _peak(analysis: Analysis, templates: xr.Dataset, parameters: dict[str, Any]) -> NDArray[np.float64]:
    return analysis.subject.positions[analysis.nodes["sparsity"]["peak_channel"].values]


#: One row per method.
METHODS = {
    "center_of_mass": Placing(_mass, ("x", "y")),
    "grid_convolution": Placing(_grid, ("x", "y", "z")),
    "monopolar_triangulation": Placing(_source, ("x", "y", "z", "alpha")),
    "max_channel": Placing(_peak, ("x", "y")),
}


def dense_averages(analysis: Analysis) -> NDArray[np.float32]:
    """Templates on all channels, zero on channels that are not the unit's."""
    from ..kernels.templates.combine import dense_waveforms

    node = analysis.nodes["templates"]
    return dense_waveforms(node["average"].values, node["channel_index"].values, n_channels=analysis.subject.n_channels)


def similarity(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``template_similarity``: ``similarity (unit, other)`` at the best ``lag``."""
    from ..kernels.analysis import similarity as kernel

    check_choice("method", parameters["method"], kernel.METHODS)
    check_choice("support", parameters["support"], kernel.SUPPORTS)
    subject = analysis.subject
    dense = dense_averages(analysis)
    lag = int(parameters["lag_ms"] * 1e-3 * subject.sampling_frequency)
    if not 0 <= 2 * lag < dense.shape[1]:
        raise ParameterError(
            f"lag_ms is {parameters['lag_ms']:g}, {lag} samples, for templates of {dense.shape[1]}; it must be at "
            "least 0 and less than half of them"
        )
    mask = channel_mask(analysis.nodes["templates"]["channel_index"].values, subject.n_channels)
    values, lags = kernel.similarities(
        np.ascontiguousarray(dense), mask, analysis.changed["template_similarity"], lag,
        kernel.METHODS[parameters["method"]], kernel.SUPPORTS[parameters["support"]],
    )  # fmt: skip
    name = "template_similarity"
    return xr.Dataset(
        {
            "similarity": (("unit", "other"), of_pairs(analysis, name, "similarity", values)),
            "lag": (("unit", "other"), of_pairs(analysis, name, "lag", lags), {"units": "samples"}),
        }
    )
