"""Read what SpikeInterface has saved of a sorting, with or without an analyzer, as a tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...analysis.results import NODE
from ...curate.regroup import nodes_of
from ...errors import RecordingError
from ...recording.axes import SegmentAxes
from ...recording.geometry import padded
from ...sorting import build_sorting
from .trust import load_spikeinterface


def read_si_results(path: Path, *, trust: bool = False) -> xr.DataTree:
    """Read a sorting or an analyzer saved by SpikeInterface: folders of every kind, Zarr, JSON.

    From an analyzer, templates, positions of units and spikes, amplitudes and metrics are read if they were computed.
    Each extension becomes a node ``/analysis/NAME``, like those of :func:`xephys.analyze`, which nevertheless computes
    its own.

    Raises
    ------
    RecordingError
        If it holds something else, or loading it would run code and it is not trusted.
    """
    from spikeinterface import BaseSorting
    from spikeinterface.core import SortingAnalyzer

    from ..bridge.si_sorting import sorting_tree_of

    found = load_spikeinterface(path, trust=trust, what="sorting")
    if isinstance(found, SortingAnalyzer):
        return analyzer_tree(found)
    if not isinstance(found, BaseSorting):
        raise RecordingError(f"{path} holds a {type(found).__name__}, not a sorting")
    return sorting_tree_of(found)


def analyzer_tree(analyzer: Any) -> xr.DataTree:
    """The sorting of an analyzer, with whatever was computed for it."""
    from ..bridge.si_sorting import sorting_tree_of

    plain = sorting_tree_of(analyzer.sorting)
    units = {str(name): column.values for name, column in plain["units"].data_vars.items()}
    spikes = {str(name): column.values for name, column in plain["spikes"].data_vars.items()}
    order = np.lexsort((spikes["sample_index"], spikes["segment_index"]))
    templates, nbefore = _templates(analyzer)
    if templates is not None:
        units |= _largest(templates)
    places = _data(analyzer, "unit_locations")
    if places is not None:
        units |= {"x": np.asarray(places)[:, 0], "y": np.asarray(places)[:, 1]}
    for extension in ("quality_metrics", "template_metrics"):
        units |= _columns(analyzer, extension, known=set(units))
    amplitudes = _data(analyzer, "spike_amplitudes")
    if amplitudes is not None:
        spikes["amplitude"] = np.asarray(amplitudes, np.float32)[order]
    located = _data(analyzer, "spike_locations")
    if located is not None:
        spikes |= {name: np.asarray(located[name], np.float32)[order] for name in ("x", "y")}
    tree = build_sorting(
        _axes(analyzer),
        spikes=spikes,
        units=units,
        templates=templates,
        nbefore=nbefore,
        unit_ids=np.asarray(analyzer.unit_ids),
        log=[{"step": "open", "format": "analyzer of SpikeInterface"}],
    )
    nodes = nodes_of(tree)
    for name, column in plain["units"].data_vars.items():  # record which SpikeInterface property a column is
        nodes["units"][name].attrs |= column.attrs
    nodes |= {f"{NODE}/{name}": node for name, node in _analysis(analyzer, order).items()}
    made = xr.DataTree.from_dict(nodes)
    made.attrs = {**plain.attrs, **tree.attrs}
    return made


def _analysis(analyzer: Any, order: Any) -> dict[str, xr.Dataset]:
    """An analyzer's extensions as nodes of an analysis, with the sparsity they share."""
    from ..bridge.extensions import EXTENSIONS
    from ..bridge.side import Side

    n_units, n_channels = len(analyzer.unit_ids), int(analyzer.get_num_channels())
    mask = np.ones((n_units, n_channels), bool) if analyzer.sparsity is None else np.asarray(analyzer.sparsity.mask)
    channels = padded([np.flatnonzero(row) for row in mask]) if n_units else np.zeros((0, 1), np.int32)
    side = Side(float(analyzer.sampling_frequency), np.asarray(analyzer.unit_ids), channels, n_channels, order)
    nodes = {
        "sparsity": xr.Dataset(
            {
                "peak_channel": ("unit", np.asarray(analyzer.get_main_channels(outputs="index"), np.int64)),
                "channel_index": (("unit", "slot"), channels),
            }
        )
    }
    for name, row in EXTENSIONS.items():
        extension = analyzer.get_extension(name)
        node = None if extension is None else row.take(extension, side)
        if node is not None:
            nodes[name] = node
    return nodes


def _axes(analyzer: Any) -> SegmentAxes:
    n_segments = analyzer.get_num_segments()
    starts = None
    if analyzer.has_recording():
        starts = tuple(float(analyzer.recording.get_start_time(segment_index=k)) for k in range(n_segments))
    channels: dict[str, Any] = {"channel": np.asarray(analyzer.channel_ids)}
    try:
        places = np.asarray(analyzer.get_channel_locations(), np.float64)
    except (AttributeError, ValueError, KeyError, AssertionError):  # there is no probe
        places = np.empty((0, 2))
    if len(places) == len(channels["channel"]):
        channels |= {"x": places[:, 0], "y": places[:, 1]}
    return SegmentAxes(
        sampling_frequency=float(analyzer.sampling_frequency),
        n_samples=tuple(int(analyzer.get_num_samples(segment_index=k)) for k in range(n_segments)),
        first_sample=(0,) * n_segments,
        start_s=starts,
        clock=("regular",) * n_segments,
        channels=channels,
    )


def _templates(analyzer: Any) -> tuple[Any, int]:
    """Mean waveforms on all channels (None if not computed), and the number of samples before the spike."""
    extension = analyzer.get_extension("templates")
    if extension is None or "average" not in extension.data:
        return None, 0
    return np.asarray(extension.data["average"], np.float32), int(extension.nbefore)


def _data(analyzer: Any, name: str) -> Any:
    extension = analyzer.get_extension(name)
    return None if extension is None else extension.get_data()


def _largest(templates: Any) -> dict[str, Any]:
    size = np.abs(templates).max(axis=1)
    return {"channel_index": size.argmax(axis=1), "amplitude": size.max(axis=1)}


def _columns(analyzer: Any, name: str, *, known: set[str]) -> dict[str, Any]:
    """Metrics as numeric columns; those that the sorting already has are not replaced."""
    table = _data(analyzer, name)
    if table is None:
        return {}
    table = table.loc[list(analyzer.unit_ids)]
    return {
        str(column): table[column].to_numpy(float)
        for column in table.columns
        if str(column).isidentifier() and str(column) not in known
    }
