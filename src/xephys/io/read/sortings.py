"""``open_sorting``: open a sorting in whatever form it was stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from ...checks import check_exists
from ...errors import RecordingError
from ...recording.axes import SegmentAxes
from ...sorting import build_sorting, validate_sorting
from ...typing import PathLike
from .phy import is_phy, read_phy
from .trust import check_zarr

#: Names of stores in the folders of ``xephys sort`` and ``xephys simulate``, and of Kilosort's results in others.
_STORES = ("sorting.zarr", "truth.zarr")
_KILOSORT_FOLDERS = ("sorter_output", "kilosort4", "phy")


class SortingFormat(NamedTuple):
    """A row: a description of the format, how to recognize it, and how to open it."""

    what: str
    recognize: Callable[[Path], bool]
    read: Callable[[Path], xr.DataTree]


def open_sorting(path: PathLike, *, trust: bool = False) -> xr.DataTree:
    """Open a sorting, in memory.

    Parameters
    ----------
    path
        A store of :func:`xephys.save_sorting`, or the folder of ``xephys sort``; a folder of phy or Kilosort, curated
        or not; a folder, Zarr store or JSON file in which SpikeInterface saved a sorting or an analyzer; an ``.npz``
        file with the arrays ``sample``, ``unit`` and ``sampling_frequency``.
    trust
        Load SpikeInterface's files even if that runs code: pickles are programs of whoever wrote them. No other format
        can run code.

    Returns
    -------
    A sorting with what the files contain. From a phy folder, templates, positions and labels are read, and the log
    records that it was opened. Clusters that were merged or split in phy get new names, the mean of the templates that
    found their spikes, and metrics that are recomputed or unknown. Templates of Kilosort are unwhitened.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    RecordingError
        If it is not a sorting, or loading it would run code and it is not trusted.

    Examples
    --------
    >>> import tempfile
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> sorting = xephys.make_sorting(truth.spikes[["sample_index", "unit_index"]], recording=recording)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     xephys.save_sorting(sorting, folder + "/sorting.zarr")
    ...     open_sorting(folder)["units"].sizes["unit"]
    2
    """
    place = Path(path)
    check_exists(place)
    if place.name == "params.py":  # by which phy itself is called
        place = place.parent
    for row in FORMATS:
        if row.recognize(place):
            return validate_sorting(row.read(place))
    from .si_results import read_si_results

    if place.is_file() and place.suffix.lower() not in (".json", ".pkl", ".pickle"):
        known = "; ".join(row.what for row in FORMATS)
        raise RecordingError(
            f"{place} is not a sorting of a known kind: {known}; read other files with SpikeInterface and use "
            "from_spikeinterface, or give their spikes to make_sorting"
        )
    try:
        return validate_sorting(read_si_results(place, trust=trust))
    except RecordingError as error:
        if "can be read" not in str(error):
            raise
        known = "; ".join(row.what for row in FORMATS)
        raise RecordingError(
            f"{place} is not a sorting of a known kind: {known}; what SpikeInterface saved of a sorting or an analyzer"
        ) from error


def read_store(path: Path) -> xr.DataTree:
    """Open a Zarr store written by :func:`xephys.save_sorting`."""
    check_zarr(path)
    with xr.open_datatree(path, engine="zarr", consolidated=False) as tree:
        return tree.load()


def _is_store(path: Path) -> bool:
    return any((path / name).is_file() for name in (".zgroup", "zarr.json")) and all(
        (path / name).is_dir() for name in ("spikes", "units")
    )


def _first(path: Path, names: tuple[str, ...], recognize: Callable[[Path], bool]) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir() and recognize(path / name)), None)


def _read_first(names: tuple[str, ...], row: SortingFormat) -> SortingFormat:
    """The same format, found inside a folder under one of these names."""

    def read(path: Path) -> xr.DataTree:
        inside = _first(path, names, row.recognize)
        assert inside is not None, "recognized before"
        return row.read(inside)

    what = f"a folder with {' or '.join(names)}"
    return SortingFormat(what, lambda path: _first(path, names, row.recognize) is not None, read)


def _read_arrays(path: Path) -> xr.DataTree:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, EOFError, OSError, AttributeError) as error:
        raise RecordingError(f"{path} is not an .npz file of arrays ({error})") from error
    missing = {"sample", "unit", "sampling_frequency"} - set(arrays)
    if missing:
        raise RecordingError(
            f"{path} has no array {', '.join(sorted(missing))}; it needs sample, unit, sampling_frequency"
        )
    names = arrays["unit"] if arrays["unit"].dtype.kind in "US" else arrays["unit"].astype(np.int64)
    ids = arrays.get("unit_id", np.unique(names))
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], names)
    if len(names) and not np.array_equal(ids[order][np.minimum(place, len(ids) - 1)], names):
        raise RecordingError(f"{path} has spikes of units that are not in its array unit_id")
    spikes = {"sample_index": arrays["sample"].astype(np.int64), "unit_index": order[place]}
    spikes |= {name: arrays[name] for name in ("amplitude", "scale", "x", "y") if name in arrays}
    spikes |= {"segment_index": arrays["segment"]} if "segment" in arrays else {}
    n_samples = arrays.get("n_samples")
    return build_sorting(
        SegmentAxes(
            sampling_frequency=float(arrays["sampling_frequency"].ravel()[0]),
            n_samples=None if n_samples is None else tuple(n_samples.tolist()),
            first_sample=tuple(arrays.get("first_sample", np.zeros(1, np.int64)).tolist()),
        ),
        spikes=spikes,
        units={"label": arrays.get("unit_label", np.full(len(ids), "unsorted"))},
        unit_ids=ids,
    )


_STORE = SortingFormat("a Zarr store of save_sorting", _is_store, read_store)
_PHY = SortingFormat("a folder of phy or Kilosort (spike_times.npy)", is_phy, read_phy)
#: Formats opened here, one row each; SpikeInterface is tried for anything else.
FORMATS = (
    _STORE,
    _read_first(_STORES, _STORE),
    _PHY,
    _read_first(_KILOSORT_FOLDERS, _PHY),
    SortingFormat("an .npz of sample, unit, sampling_frequency", lambda path: path.suffix == ".npz", _read_arrays),
)
