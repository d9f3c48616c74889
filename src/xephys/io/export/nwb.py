"""Write a file of Neurodata Without Borders: units with times, waveforms, metrics and electrodes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import ParameterError
from ...recording.geometry import shank_numbers
from ...sorting import unit_ids_of
from ...typing import PathLike
from ..store.atomic import ending_with, whole_or_absent
from .complete import by_unit, columns_by_unit, intervals_s, own_channels, times_on_one_axis, with_templates
from .optional import needed

#: Volts per microvolt; NWB stores waveforms in volts.
VOLTS = 1e-6


def export_nwb(
    sorting: xr.DataTree,
    path: PathLike,
    *,
    session_start: datetime | str,
    recording: xr.DataArray | xr.DataTree | None = None,
    session_description: str = "spike sorting",
    identifier: str | None = None,
    location: str = "unknown",
    subject: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sorting as an NWB file (HDF5) with the tables of units and electrodes.

    Times are in seconds on the recording's clock; segments that overlap there are placed one after the other. Waveforms
    are in volts on all electrodes, in the order of their table; their standard deviation comes along if the templates
    are those of an analysis. ``electrodes`` of a unit are its own channels. Metrics are columns.

    Parameters
    ----------
    sorting
        A sorting with templates, or with analyzed templates if a recording is given.
    path
        File to be written, ``.nwb``.
    session_start
        Start of the session, which NWB requires: a ``datetime``, or text such as ``"2026-11-27T10:30:00+01:00"``; UTC
        if it has no time zone.
    recording
        The recording that was sorted; needed only if the sorting has no templates of its own.
    session_description
        One sentence about the session.
    identifier
        Identifier of the session; a new random one if None.
    location
        Location of the electrodes in the brain.
    subject
        Arguments of ``pynwb.file.Subject``, such as ``{"subject_id": "m1", "species": "Mus musculus", "age": "P90D",
        "sex": "F"}``.
    metadata
        Further arguments of ``pynwb.NWBFile``, such as ``{"experimenter": ["Doe, Jane"], "institution": "..."}``.
    overwrite
        Replace what is at the path, once the new file is complete.

    Raises
    ------
    ImportError
        If pynwb is not installed.
    ParameterError
        If there are no templates, ``session_start`` is not a time, or pynwb refuses the subject or the metadata.
    OutputError
        If the file exists.

    Examples
    --------
    >>> import tempfile, xephys
    >>> from xephys.simulation.sorting import truth_sorting
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=4, n_channels=8, n_units=2, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = folder + "/session.nwb"
    ...     export_nwb(truth_sorting(recording, truth), path, session_start="2026-01-31T12:00:00Z")
    ...     xephys.from_spikeinterface(__import__("spikeinterface.extractors").extractors.read_nwb_sorting(path))[
    ...         "units"
    ...     ].sizes["unit"]
    2
    """
    pynwb = needed("pynwb", extra="nwb", what="export_nwb")
    tree, results = with_templates(sorting, recording, what="NWB")
    start = _time_of(session_start)
    try:
        file = pynwb.NWBFile(
            session_description=session_description,
            identifier=identifier or str(uuid4()),
            session_start_time=start,
            subject=None if subject is None else pynwb.file.Subject(**subject),
            **(metadata or {}),
        )
    except (TypeError, ValueError) as error:
        raise ParameterError(f"subject or metadata: {error}; correct it, or leave it out") from error
    _add_electrodes(file, tree["templates"].dataset, location)
    file.units = _units(pynwb, file, tree, results)
    n_bytes = 2 * tree["templates"]["templates"].nbytes + 16 * tree["spikes"].sizes["spike"]
    with (
        whole_or_absent(path, overwrite=overwrite, n_bytes=n_bytes) as hidden,
        ending_with(hidden, ".nwb") as named,
        pynwb.NWBHDF5IO(str(named), "w") as output,
    ):
        output.write(file)


def _time_of(given: datetime | str) -> datetime:
    try:
        time = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    except ValueError as error:
        raise ParameterError(f"session_start is {given!r}; give a time such as '2026-11-27T10:30:00+01:00'") from error
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _add_electrodes(file: Any, channels: xr.Dataset, location: str) -> None:
    """The table of electrodes, with one group per shank."""
    device = file.create_device(name="probe", description="the probe that was recorded from")
    shanks = np.asarray(shank_numbers(channels))
    groups = {
        int(shank): file.create_electrode_group(
            name=f"shank{shank}", description=f"contacts of shank {shank}", location=location, device=device
        )
        for shank in np.unique(shanks)
    }
    ids = channels["channel"].values if "channel" in channels.coords else np.arange(channels.sizes["channel"])
    file.add_electrode_column("channel_name", "identifier of the channel")
    x, y = (channels[name].values if name in channels.coords else np.full(len(ids), np.nan) for name in ("x", "y"))
    for k, (name, shank) in enumerate(zip(ids.tolist(), shanks.tolist(), strict=True)):
        file.add_electrode(
            group=groups[int(shank)], location=location, rel_x=float(x[k]), rel_y=float(y[k]), channel_name=str(name)
        )


def _spread(results: Mapping[str, xr.Dataset], shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Standard deviations from the analysis, if they are of the same samples as the templates."""
    node = results.get("templates")
    if node is None or "std" not in node or node.sizes["sample"] != shape[1]:
        return None
    out = np.full((*shape[:2], shape[2] + 1), np.nan, np.float32)
    channels = np.where(node["channel_index"].values >= 0, node["channel_index"].values, shape[2])
    std = np.asarray(node["std"].values, np.float32) * np.float32(VOLTS)
    np.put_along_axis(out, np.broadcast_to(channels[:, None, :], std.shape), std, axis=2)
    return out[:, :, : shape[2]]


def _units(pynwb: Any, file: Any, tree: xr.DataTree, results: Mapping[str, xr.Dataset]) -> Any:
    from hdmf.common import DynamicTableRegion, VectorData, VectorIndex

    ids = np.asarray(unit_ids_of(tree))
    times = times_on_one_axis(tree)
    order, ends = by_unit(tree, times)
    columns: list[Any] = []

    def add(name: str, description: str, values: Any, ends_of: NDArray[np.int64] | None = None) -> None:
        data = VectorData(name=name, description=description, data=values)
        columns.append(data)
        if ends_of is not None:
            columns.append(VectorIndex(name=f"{name}_index", data=ends_of.astype(np.uint64), target=data))

    add("spike_times", "times of the spikes in seconds", times[order], ends)
    spans = intervals_s(tree)
    n_spans = len(spans) * np.arange(1, len(ids) + 1)
    add("obs_intervals", "when the unit was looked for, in seconds", np.tile(spans, (len(ids), 1)), n_spans)
    templates = np.asarray(tree["templates"]["templates"].values, np.float32) * np.float32(VOLTS)
    add("waveform_mean", "mean waveform on all electrodes, in volts", templates)
    spread = _spread(results, templates.shape)
    if spread is not None:
        add("waveform_sd", "standard deviation of the waveform on the unit's electrodes, in volts, else NaN", spread)
    add("unit_name", "identifier of the unit in the sorting", [str(name) for name in ids.tolist()])
    if "amplitude" in tree["spikes"]:
        amplitudes = np.asarray(tree["spikes"]["amplitude"].values, np.float64)[order]
        add("spike_amplitudes", "amplitude of each spike in microvolts", amplitudes, ends)
    for name, column in columns_by_unit(tree["units"].dataset).items():
        if column.dtype.kind == "f" and len(column) and np.isnan(column.values).all():
            continue  # a metric that is unknown for every unit
        unit = str(column.attrs.get("units", ""))
        values = column.values.astype(str).tolist() if column.dtype.kind == "U" else column.values
        add(name, f"{name.replace('_', ' ')}{f' in {unit}' if unit else ''}", values)
    channels = own_channels(tree, results)
    member = channels >= 0
    region = DynamicTableRegion(
        name="electrodes",
        description="channels of the unit",
        data=channels[member].astype(np.int64),
        table=file.electrodes,
    )
    ends_of_channels = np.cumsum(member.sum(axis=1)).astype(np.uint64)
    columns += [region, VectorIndex(name="electrodes_index", data=ends_of_channels, target=region)]
    numbers = ids if ids.dtype.kind in "iu" and len(ids) and ids.min() >= 0 else np.arange(len(ids))
    rate = float(tree.attrs["sampling_frequency"])
    return pynwb.misc.Units(
        name="units",
        description=f"units of {tree.attrs.get('preset') or 'a spike sorter'}",
        id=numbers.astype(np.int64),
        columns=columns,
        waveform_rate=rate,
        resolution=1.0 / rate,
        electrode_table=file.electrodes,
    )
