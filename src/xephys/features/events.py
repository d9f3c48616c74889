"""Events as a lazy table over a recording, ready for a feature stage, and the window around each event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import schema
from ..checks import check_positive
from ..errors import ParameterError, RecordingError
from ..graph.events import SpikeTable, given_events_stage
from ..recording.stages import recording_plan, same_traces


def event_table(recording: xr.DataArray, peaks: SpikeTable | NDArray[Any]) -> SpikeTable:
    """Peaks as a lazy table over ``recording``, ready for a feature stage.

    A table that was detected on this same recording is extended in the same pass; computed records are passed to the
    tiles that contain them.

    Raises
    ------
    RecordingError
        If a lazy table belongs to another recording, or peaks lie on channels that this one does not have.
    """
    if isinstance(peaks, SpikeTable):
        if not same_traces(recording, peaks.plan):
            raise RecordingError(
                "these peaks are lazy and were detected on another recording (or on other transforms of it); "
                "compute them first: peaks.compute()"
            )
        return peaks
    schema.validate_recording(recording)
    records = np.asarray(peaks)
    if records.dtype.names is None:
        raise ParameterError(
            f"peaks are an array of shape {records.shape} without columns; give records with sample_index and "
            "channel_index, such as detect_peaks(...).compute()"
        )
    check_channels_exist(recording, records["channel_index"] if "channel_index" in records.dtype.names else ())
    stage = given_events_stage(records)
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def check_channels_exist(recording: xr.DataArray, channel_index: Any) -> None:
    """Check that channels, given by their positions, are channels of the recording; negative ones stand for none.

    Raises
    ------
    RecordingError
        If the recording has fewer channels.
    """
    n, last = recording.sizes["channel"], int(np.max(channel_index, initial=-1))
    if last >= n:
        raise RecordingError(
            f"channel_index goes up to {last}, and the recording has {n} channels, counted from 0: the peaks are of "
            "another recording; detect them on this one"
        )


def columns_of(spikes: Any) -> dict[str, NDArray[Any]]:
    """Columns of peaks or spikes by name, from any container: records, a DataFrame, a Dataset, a dict, a sorting.

    Raises
    ------
    ParameterError
        If they are not computed, or columns differ in length.
    TypeError
        If it is none of these.

    Examples
    --------
    >>> columns_of(np.zeros(2, [("sample_index", "i8")]))["sample_index"].tolist()
    [0, 0]
    """
    if isinstance(spikes, SpikeTable) or hasattr(spikes, "iter_chunks"):
        raise ParameterError("these peaks are not computed; call .compute() on the table first")
    if isinstance(spikes, xr.DataTree):
        spikes = spikes["spikes"].to_dataset() if "spikes" in spikes.children else spikes.to_dataset()
    if isinstance(spikes, np.ndarray) and spikes.dtype.names:
        columns = {name: spikes[name] for name in spikes.dtype.names}
    elif isinstance(spikes, xr.Dataset):
        columns = {str(name): np.asarray(values) for name, values in spikes.data_vars.items()}
    elif isinstance(spikes, Mapping):
        columns = {str(name): np.asarray(values) for name, values in spikes.items()}
    elif hasattr(spikes, "columns") and hasattr(spikes, "to_numpy"):
        columns = {str(name): spikes[name].to_numpy() for name in spikes.columns}
    else:
        raise TypeError(
            f"expected spikes (records, a DataFrame, a Dataset or a dict of columns), got {type(spikes).__name__}"
        )
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ParameterError(f"the columns have different lengths: {lengths}; give one value per spike")
    return columns


def spike_records(spikes: Any, *, labels: Any = None) -> NDArray[Any]:
    """Records with ``sample_index``, ``unit_index`` and, if known, ``channel_index``, in order of sample.

    Parameters
    ----------
    spikes
        Anything that :func:`columns_of` accepts.
    labels
        Unit of each spike, negative for none; the column ``unit_index`` if None.

    Raises
    ------
    ParameterError
        If a column is missing, or there is not one label per spike.
    """
    columns = columns_of(spikes)
    units = columns.get("unit_index") if labels is None else np.asarray(labels)
    if "sample_index" not in columns or units is None:
        missing = "sample_index" if "sample_index" not in columns else "unit_index"
        raise ParameterError(
            f"the spikes have no {missing}, they have {', '.join(columns)}; of clustered peaks give "
            "clustering.spikes(peaks)"
        )
    if units.shape != columns["sample_index"].shape or units.dtype.kind not in "iu":
        raise ParameterError(
            f"labels are {units.dtype} of shape {units.shape} for {len(columns['sample_index'])} spikes; give one "
            "integer for each"
        )
    known = {"sample_index": columns["sample_index"], "unit_index": units}
    if "channel_index" in columns:
        known["channel_index"] = columns["channel_index"]
    records = np.zeros(len(units), [(name, "<i8") for name in known])
    for name, values in known.items():
        records[name] = values
    samples = records["sample_index"]
    return records if np.all(samples[1:] >= samples[:-1]) else records[np.argsort(samples, kind="stable")]


def window_samples(ms_before: float, ms_after: float, sampling_frequency: float) -> tuple[int, int]:
    """Samples before the peak, and from the peak on, of a window given in milliseconds."""
    check_positive(ms_after=ms_after)
    if ms_before < 0:
        raise ParameterError(f"ms_before is {ms_before:g}; it must be at least 0")
    nbefore = round(ms_before * 1e-3 * sampling_frequency)
    return nbefore, max(1, round(ms_after * 1e-3 * sampling_frequency))
