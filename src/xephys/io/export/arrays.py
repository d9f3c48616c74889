"""Write a sorting as plain arrays by name: a NumPy archive, or a MATLAB file."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ...sorting import first_samples, samples_in_part, samples_per_segment, unit_ids_of
from ...typing import PathLike
from ..store.atomic import whole_or_absent
from .complete import columns_by_unit, completed, segment_index_of, times_on_one_axis

#: Values of single spikes besides their samples and units.
_SPIKE_VALUES = ("amplitude", "scale", "x", "y")


def export_npz(
    sorting: xr.DataTree,
    path: PathLike,
    *,
    recording: xr.DataArray | xr.DataTree | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sorting as one ``.npz`` file of arrays without pickles, which SpikeInterface reads too.

    ``sample``, ``segment``, ``unit`` (its name), ``time_s`` and other values of each spike; ``unit_id``, ``unit_label``
    and a ``unit_NAME`` for each column of the units; ``templates (unit, sample, channel)`` in µV with ``channel_x`` and
    ``channel_y``; ``sampling_frequency``. The arrays of SpikeInterface's archive are included under their names.

    Parameters
    ----------
    sorting
        Any sorting.
    path
        File to be written, ``.npz``.
    recording
        The recording that was sorted, for the templates of an analysis if the sorting has no others.
    overwrite
        Replace what is at the path, once the new file is complete.

    Raises
    ------
    OutputError
        If the file exists.

    Examples
    --------
    >>> import tempfile, xephys
    >>> sorting = xephys.make_sorting(times_s=[0.5, 1.5, 2.5], labels=[3, 8, 3], sampling_frequency=30_000.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_npz(sorting, folder + "/sorting.npz")
    ...     xephys.open_sorting(folder + "/sorting.npz")["units"]["unit_id"].values.tolist()
    [3, 8]
    """
    arrays = {**arrays_of(sorting, recording), **_of_spikeinterface(sorting)}
    n_bytes = 32 * len(arrays["sample"])
    with whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes) as hidden, hidden.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def export_mat(
    sorting: xr.DataTree,
    path: PathLike,
    *,
    recording: xr.DataArray | xr.DataTree | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sorting as one MATLAB file (version 5) of arrays, by the names of :func:`export_npz`.

    Samples, segments and units keep their numbers: sample 0 is the first one.

    Parameters
    ----------
    sorting
        Any sorting.
    path
        File to be written, ``.mat``.
    recording
        The recording that was sorted, for the templates of an analysis if the sorting has no others.
    overwrite
        Replace what is at the path, once the new file is complete.

    Raises
    ------
    OutputError
        If the file exists.

    Examples
    --------
    >>> import tempfile, xephys
    >>> from scipy.io import loadmat
    >>> sorting = xephys.make_sorting(times_s=[0.5, 1.5, 2.5], labels=[3, 8, 3], sampling_frequency=30_000.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_mat(sorting, folder + "/sorting.mat")
    ...     loadmat(folder + "/sorting.mat", squeeze_me=True)["time_s"].tolist()
    [0.5, 1.5, 2.5]
    """
    from scipy.io import savemat

    arrays = arrays_of(sorting, recording)
    n_bytes = 32 * len(arrays["sample"])
    with whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes) as hidden, hidden.open("wb") as file:
        savemat(file, arrays, long_field_names=True, oned_as="column", do_compression=True)


def arrays_of(sorting: xr.DataTree, recording: xr.DataArray | xr.DataTree | None = None) -> dict[str, Any]:
    """All arrays of numbers or text in a sorting.

    Examples
    --------
    >>> import xephys
    >>> sorting = xephys.make_sorting(times_s=[0.5, 1.5], labels=[3, 8], sampling_frequency=1000.0)
    >>> arrays_of(sorting)["sample"].tolist()
    [500, 1500]
    """
    tree, _ = completed(sorting, recording)
    spikes, units = tree["spikes"].dataset, tree["units"].dataset
    ids = np.asarray(unit_ids_of(tree))
    arrays: dict[str, Any] = {
        "sample": np.asarray(spikes["sample_index"].values, np.int64),
        "segment": segment_index_of(tree),
        "unit": ids[np.asarray(spikes["unit_index"].values, np.int64)],
        "time_s": times_on_one_axis(tree),
        "sampling_frequency": float(tree.attrs["sampling_frequency"]),
        "n_samples": np.asarray(samples_per_segment(tree), np.int64),
        "first_sample": np.asarray(first_samples(tree), np.int64),
        "unit_id": ids,
    }
    arrays.update({name: np.asarray(spikes[name].values) for name in _SPIKE_VALUES if name in spikes})
    arrays.update({f"unit_{name}": np.asarray(column.values) for name, column in columns_by_unit(units).items()})
    if "templates" in tree.children:
        node = tree["templates"].dataset
        arrays["templates"] = np.asarray(node["templates"].values, np.float32)
        arrays["nbefore"] = int(node["templates"].attrs.get("nbefore", 0))
        arrays.update({f"channel_{name}": node[name].values for name in ("x", "y") if name in node.coords})
    return arrays


def _of_spikeinterface(sorting: xr.DataTree) -> dict[str, Any]:
    """The arrays of SpikeInterface's archive of a sorting."""
    samples, segments = samples_in_part(sorting), segment_index_of(sorting)
    units = np.asarray(sorting["spikes"]["unit_index"].values, np.int64)
    ids = np.asarray(unit_ids_of(sorting))
    n_segments = len(samples_per_segment(sorting))
    arrays: dict[str, Any] = {
        "unit_ids": ids,
        "num_segment": np.array([n_segments], np.int64),
        "sampling_frequency": np.array([float(sorting.attrs["sampling_frequency"])]),
    }
    for k in range(n_segments):
        here = segments == k
        arrays[f"spike_indexes_seg{k}"] = samples[here]
        arrays[f"spike_labels_seg{k}"] = ids[units[here]]
    return arrays
