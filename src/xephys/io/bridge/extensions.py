"""Convert results of an analysis to extensions of SpikeInterface's analyzer and back: one row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .side import Given, Side, parameters_of, renamed
from .unit_periods import give_periods, take_periods


class Row(NamedTuple):
    """How a node becomes an extension of the same name (``give``), and an extension a node (``take``; None if
    it does not fit).
    """

    give: Callable[[xr.Dataset, Side], Given]
    take: Callable[[Any, Side], xr.Dataset | None]


def dense_of(sparse: NDArray[Any], channels: NDArray[np.int32], n_channels: int) -> NDArray[Any]:
    """Templates on all channels ``(unit, sample, channel)``, 0 on channels that a unit does not have.

    Examples
    --------
    >>> dense_of(np.ones((1, 2, 2)), np.array([[2, -1]], np.int32), 3)[0].tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    dense = np.zeros((*sparse.shape[:2], n_channels + 1), sparse.dtype)
    np.put_along_axis(dense, np.broadcast_to(channels[:, None, :].astype(np.int64), sparse.shape), sparse, axis=2)
    return dense[:, :, :n_channels]  # padded slots went to the last column


def sparse_of(dense: NDArray[Any], channels: NDArray[np.int32]) -> NDArray[Any]:
    """The inverse of :func:`dense_of`."""
    taken = np.take_along_axis(dense, np.maximum(channels, 0)[:, None, :].astype(np.int64), axis=2)
    return np.where((channels >= 0)[:, None, :], taken, dense.dtype.type(0))


def _window(node: xr.Dataset, side: Side) -> dict[str, float]:
    before = int(node.attrs["nbefore"])
    return {"ms_before": before * 1e3 / side.rate, "ms_after": (node.sizes["sample"] - before) * 1e3 / side.rate}


def _units(extension: Any) -> dict[str, str]:
    return {"units": "uV" if extension.sorting_analyzer.return_in_uV else "counts"}


def _give_chosen(node: xr.Dataset, side: Side) -> Given:
    settings = parameters_of(node).get("settings", {})
    most = settings.get("n_spikes_max")
    parameters = {"method": "uniform" if most else "all", "max_spikes_per_unit": most, "seed": settings.get("seed")}
    return Given(parameters, {"random_spikes_indices": np.flatnonzero(node["chosen"].values)})


def _take_chosen(extension: Any, side: Side) -> xr.Dataset:
    there = np.zeros(len(side.order), bool)
    there[np.asarray(extension.data["random_spikes_indices"])] = True
    return xr.Dataset({"chosen": ("spike", there[side.order])})


def _give_noise(node: xr.Dataset, side: Side) -> Given:
    levels = node["noise_level"].values
    return Given({"method": "mad", "random_slices_kwargs": {"seed": 0}}, {"noise_levels": levels})


def _take_noise(extension: Any, side: Side) -> xr.Dataset:
    units = _units(extension)
    return xr.Dataset({"noise_level": ("channel", np.asarray(extension.data["noise_levels"], np.float64), units)})


def _give_waveforms(node: xr.Dataset, side: Side) -> Given:
    widest = int((side.channels >= 0).sum(axis=1).max(initial=0))
    return Given(_window(node, side), {"waveforms": np.ascontiguousarray(node["waveform"].values[:, :, :widest])})


def _take_waveforms(extension: Any, side: Side) -> xr.Dataset:
    spikes, order = _chosen_of(extension, side)
    waveforms = np.asarray(extension.data["waveforms"])[order]
    attributes = {"nbefore": int(extension.nbefore), **_units(extension)}
    return xr.Dataset(
        {
            "waveform": (("waveform", "sample", "slot"), waveforms),
            "waveform_spike": ("waveform", spikes),
            "channel_index": (("unit", "slot"), side.channels[:, : waveforms.shape[2]]),
        },
        attrs=attributes,
    )


def _chosen_of(extension: Any, side: Side) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the chosen spikes along the tree's spikes, ascending, and the order that sorts them."""
    chosen = extension.sorting_analyzer.get_extension("random_spikes").data["random_spikes_indices"]
    place = np.empty(len(side.order), np.int64)
    place[side.order] = np.arange(len(side.order))
    spikes = place[np.asarray(chosen)]
    order = np.argsort(spikes, kind="stable")
    return spikes[order], order


def _give_templates(node: xr.Dataset, side: Side) -> Given:
    known = [name for name in ("average", "std", "median") if name in node]
    channels = node["channel_index"].values
    data = {name: dense_of(node[name].values, channels, side.n_channels) for name in known}
    return Given({**_window(node, side), "operators": known}, data)


def _take_templates(extension: Any, side: Side) -> xr.Dataset:
    known = [name for name in ("average", "std", "median") if name in extension.data]
    values = {name: sparse_of(np.asarray(extension.data[name], np.float32), side.channels) for name in known}
    return xr.Dataset(
        {
            **{name: (("unit", "sample", "slot"), array) for name, array in values.items()},
            "channel_index": (("unit", "slot"), side.channels),
        },
        attrs={"nbefore": int(extension.nbefore), **_units(extension)},
    )


def _give_amplitudes(node: xr.Dataset, side: Side) -> Given:
    return Given({}, {"amplitudes": node["amplitude"].values})


def _take_amplitudes(extension: Any, side: Side) -> xr.Dataset:
    values = np.asarray(extension.data["amplitudes"])[side.order]
    return xr.Dataset({"amplitude": ("spike", values, _units(extension))})


def _give_places(node: xr.Dataset, side: Side) -> Given:
    fields = [name for name in ("x", "y", "z", "alpha") if name in node]
    table = np.zeros(node.sizes["spike"], [(name, "f8") for name in fields])
    for name in fields:
        table[name] = node[name].values
    names = {name: name for name in ("method", "ms_before", "ms_after")}
    return Given(renamed(parameters_of(node), names), {"spike_locations": table})


def _take_places(extension: Any, side: Side) -> xr.Dataset:
    table = np.asarray(extension.data["spike_locations"])[side.order]
    return xr.Dataset(
        {
            name: ("spike", table[name].astype(np.float64), {"units": "" if name == "alpha" else "um"})
            for name in table.dtype.names or ()
        }
    )


def _give_scalings(node: xr.Dataset, side: Side) -> Given:
    names = {"collisions": "handle_collisions", "lag_ms": "delta_collision_ms"}
    data = {"amplitude_scalings": node["scale"].values, "collision_mask": node["collides"].values}
    return Given(renamed(parameters_of(node), names), data)


def _take_scalings(extension: Any, side: Side) -> xr.Dataset:
    names = {"amplitude_scalings": "scale", "collision_mask": "collides"}
    return xr.Dataset(
        {
            ours: ("spike", np.asarray(extension.data[theirs])[side.order])
            for theirs, ours in names.items()
            if theirs in extension.data
        }
    )


def _give_unit_places(node: xr.Dataset, side: Side) -> Given:
    places = np.stack([node[name].values for name in ("x", "y", "z", "alpha") if name in node], axis=1)
    names = {"method": "method", "feature": "feature", "distance_max_um": "max_distance_um"}
    return Given(renamed(parameters_of(node), names), {"unit_locations": places[:, :3]})


def _take_unit_places(extension: Any, side: Side) -> xr.Dataset:
    places = np.asarray(extension.data["unit_locations"], np.float64)
    return xr.Dataset({name: ("unit", column, {"units": "um"}) for name, column in zip("xyz", places.T, strict=False)})


def _give_similarity(node: xr.Dataset, side: Side) -> Given:
    names = {"method": "method", "lag_ms": "max_lag_ms", "support": "support"}
    return Given(renamed(parameters_of(node), names), {"similarity": node["similarity"].values})


def _take_similarity(extension: Any, side: Side) -> xr.Dataset:
    return xr.Dataset({"similarity": (("unit", "other"), np.asarray(extension.data["similarity"], np.float32))})


def _counts(theirs: str, dims: tuple[str, ...]) -> Row:
    """Histograms: with the lower edge of each bin here, with all edges there."""

    def give(node: xr.Dataset, side: Side) -> Given:
        left = node["bin"].values
        bin_ms = float(left[1] - left[0]) if len(left) > 1 else 1.0
        data = {theirs: node["counts"].values, "bins": np.append(left, left[-1] + bin_ms)}
        return Given(renamed(parameters_of(node), {"window_ms": "window_ms", "bin_ms": "bin_ms"}), data)

    def take(extension: Any, side: Side) -> xr.Dataset:
        left = np.asarray(extension.data["bins"], np.float64)[:-1]
        counts = np.asarray(extension.data[theirs], np.int64)
        return xr.Dataset({"counts": ((*dims, "bin"), counts)}, coords={"bin": ("bin", left, {"units": "ms"})})

    return Row(give, take)


def _give_by_rate(node: xr.Dataset, side: Side) -> Given:
    names = {
        "window_ms": "window_ms",
        "bin_ms": "bin_ms",
        "n_quantiles": "num_firing_rate_quantiles",
        "smooth_ms": "smoothing_factor",
    }
    data = {
        "acgs_3d": node["probability"].values,
        "firing_quantiles": node["rate"].values,
        "bins": node["lag"].values.astype(np.float64),
    }
    return Given(renamed(parameters_of(node), names), data)


def _take_by_rate(extension: Any, side: Side) -> xr.Dataset:
    values = np.asarray(extension.data["acgs_3d"], np.float64)
    half = values.shape[2] // 2
    lags = np.arange(-half, values.shape[2] - half) * float(extension.params["bin_ms"])
    return xr.Dataset(
        {
            "probability": (("unit", "quantile", "lag"), values),
            "rate": (("unit", "quantile"), np.asarray(extension.data["firing_quantiles"]), {"units": "Hz"}),
        },
        coords={"lag": ("lag", lags, {"units": "ms"})},
    )


def _give_components(node: xr.Dataset, side: Side) -> Given:
    values = node["projection"].values
    if values.ndim == 3:
        values = values[:, :, : int((side.channels >= 0).sum(axis=1).max(initial=0))]
    names = {"n_components": "n_components", "mode": "mode", "whiten": "whiten"}
    return Given(renamed(parameters_of(node), names), {"pca_projection": np.ascontiguousarray(values)})


def _take_components(extension: Any, side: Side) -> xr.Dataset:
    _, order = _chosen_of(extension, side)
    values = np.asarray(extension.data["pca_projection"])[order]
    dims = ("waveform", "component", "slot")[: values.ndim]
    return xr.Dataset({"projection": (dims, values)})


def _give_metrics(node: xr.Dataset, side: Side) -> Given:
    from ...analysis.results import columns_of

    table = columns_of(node).to_dataframe()
    table.index = side.unit_ids
    return Given({}, {"metrics": table})


def _take_metrics(extension: Any, side: Side) -> xr.Dataset:
    table = extension.data["metrics"].loc[list(side.unit_ids)]
    return xr.Dataset(
        {str(name): ("unit", table[name].to_numpy(float)) for name in table.columns if str(name).isidentifier()}
    )


#: Every extension that both sides have, ordered so that each comes after what it needs.
EXTENSIONS: dict[str, Row] = {
    "random_spikes": Row(_give_chosen, _take_chosen),
    "noise_levels": Row(_give_noise, _take_noise),
    "waveforms": Row(_give_waveforms, _take_waveforms),
    "templates": Row(_give_templates, _take_templates),
    "spike_amplitudes": Row(_give_amplitudes, _take_amplitudes),
    "spike_locations": Row(_give_places, _take_places),
    "amplitude_scalings": Row(_give_scalings, _take_scalings),
    "unit_locations": Row(_give_unit_places, _take_unit_places),
    "template_similarity": Row(_give_similarity, _take_similarity),
    "correlograms": _counts("ccgs", ("unit", "other")),
    "auto_correlograms": _counts("acgs", ("unit",)),
    "isi_histograms": _counts("isi_histograms", ("unit",)),
    "acgs_3d": Row(_give_by_rate, _take_by_rate),
    "principal_components": Row(_give_components, _take_components),
    "valid_unit_periods": Row(give_periods, take_periods),
    "template_metrics": Row(_give_metrics, _take_metrics),
    "quality_metrics": Row(_give_metrics, _take_metrics),
}
