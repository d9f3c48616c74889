"""Convert a sorting with its analysis to a SpikeInterface analyzer, without computing anything again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...analysis.results import current_results
from ...analysis.subject import Subject
from ...checks import check_choice
from ...errors import ParameterError
from ...sorting import unit_ids_of
from ...typing import PathLike
from ..store.atomic import ending_with, whole_or_absent
from .extensions import EXTENSIONS
from .side import Given, Side

FORMATS = ("memory", "binary_folder", "zarr")


def to_spikeinterface_analyzer(
    sorting: xr.DataTree,
    recording: xr.DataArray | xr.DataTree,
    *,
    format: str = "memory",
    folder: PathLike | None = None,
    overwrite: bool = False,
) -> Any:
    """Convert an analyzed sorting to a ``SortingAnalyzer`` with the same results.

    Widgets, exporters, curation and the graphical interface of SpikeInterface find every extension computed. The
    channels of the units become its sparsity, so nothing of the recording is read. Noise waveforms have
    no equivalent there. Models of principal components are left out, because SpikeInterface would store them as
    pickles.

    Parameters
    ----------
    sorting
        A sorting with results of :func:`xephys.analyze`, including ``templates``.
    recording
        The recording that was analyzed.
    format
        ``"memory"``, ``"binary_folder"`` or ``"zarr"``.
    folder
        Folder to be written, unless the format is ``"memory"``; the name of a Zarr store must end in ``.zarr``.
    overwrite
        Replace an existing folder, once the new one is complete.

    Returns
    -------
    ``spikeinterface.SortingAnalyzer``.

    Raises
    ------
    ParameterError
        If the sorting has no analysis, the analysis is of other spikes, or a folder is missing or wrongly named.
    OutputError
        If the folder exists.

    Examples
    --------
    >>> import xephys
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> analyzed = xephys.analyze(truth_sorting(recording, truth), recording, ["unit_locations"])
    >>> to_spikeinterface_analyzer(analyzed, recording).get_extension("unit_locations").get_data().shape
    (2, 3)
    """
    check_choice("format", format, FORMATS)
    if (folder is None) != (format == "memory"):
        raise ParameterError(f"format is {format!r} and folder {folder!r}; a folder goes with all formats but 'memory'")
    if format == "zarr" and Path(str(folder)).suffix != ".zarr":
        raise ParameterError(f"folder is {str(folder)!r}; SpikeInterface knows a Zarr store by its ending .zarr")
    results = current_results(sorting)
    if "templates" not in results or "sparsity" not in results:
        raise ParameterError(
            "this sorting has no analyzed templates; call xephys.analyze(sorting, recording, ['templates', ...]) first"
        )
    analyzer = _bare(sorting, recording, results)
    side = side_of(sorting, results["sparsity"]["channel_index"].values, analyzer.get_num_channels())
    for name, row in EXTENSIONS.items():
        if name in results and _fits(results, name):
            _add(analyzer, name, row.give(results[name], side))
    if folder is None:
        return analyzer
    place = Path(folder)
    with whole_or_absent(place, overwrite=overwrite) as hidden:
        if format == "zarr":  # SpikeInterface appends this ending to names without it
            with ending_with(hidden, ".zarr") as named:
                analyzer.save_as(format=format, folder=named)
        else:
            analyzer.save_as(format=format, folder=hidden)
    import spikeinterface.core as si

    stored = si.load_sorting_analyzer(place)
    if not stored.has_recording():  # recordings in memory are not stored
        stored.set_temporary_recording(analyzer.recording)
    return stored


def side_of(sorting: xr.DataTree, channels: NDArray[np.int32], n_channels: int) -> Side:
    """What the arrays of a tree refer to; its spikes are already in order."""
    order = np.arange(sorting["spikes"].sizes.get("spike", 0))
    return Side(
        float(sorting.attrs["sampling_frequency"]), np.asarray(unit_ids_of(sorting)), channels, n_channels, order
    )


def _fits(results: Mapping[str, xr.Dataset], name: str) -> bool:
    """Check that waveforms are those of all chosen spikes, in order, since no others can be converted."""
    if name not in ("waveforms", "principal_components"):
        return True
    if "waveforms" not in results or "random_spikes" not in results:
        return False
    chosen = np.flatnonzero(results["random_spikes"]["chosen"].values)
    return np.array_equal(chosen, results["waveforms"]["waveform_spike"].values)


def _bare(sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree, results: Mapping[str, xr.Dataset]) -> Any:
    """An analyzer in memory with the sparsity of the analysis and no extensions."""
    import spikeinterface.core as si

    from ...analysis.reading import channel_mask
    from .spikeinterface import to_spikeinterface

    subject = Subject.of(sorting, recording)
    theirs = to_spikeinterface(recording)
    sparsity = results["sparsity"]
    in_uv = results["templates"].attrs.get("units") == "uV"
    mask = channel_mask(sparsity["channel_index"].values, subject.n_channels)
    train = to_spikeinterface(sorting)
    return si.create_sorting_analyzer(
        train,
        theirs,
        format="memory",
        sparsity=si.ChannelSparsity(mask, train.unit_ids, theirs.channel_ids),
        main_channel_indices=sparsity["peak_channel"].values,
        return_in_uV=in_uv,
    )


def _add(analyzer: Any, name: str, given: Given) -> None:
    """Add an extension to an analyzer as if it had been computed there."""
    from spikeinterface.core.sortinganalyzer import get_extension_class

    kind = get_extension_class(name)
    extension = kind(analyzer)
    parameters = dict(given.parameters)
    if "metrics" in given.data:
        columns = set(given.data["metrics"].columns)
        parameters["metric_names"] = [m.metric_name for m in kind.metric_list if set(m.metric_columns) <= columns]
        if name == "template_metrics":
            parameters["include_multi_channel_metrics"] = "spread" in columns
    extension.set_params(save=False, **parameters)
    for key, values in given.data.items():
        extension.set_data(key, values)
    if getattr(kind, "tmp_data_to_save", None):
        # SpikeInterface selects, merges and splits units only if these by-products of its metrics are there.
        found = extension._prepare_data(sorting_analyzer=analyzer, unit_ids=analyzer.unit_ids)
        for key in kind.tmp_data_to_save:
            extension.set_data(key, found[key])
    extension.run_info = {"run_completed": True, "runtime_s": 0.0}
    analyzer.extensions[name] = extension
