"""Make a sorting by hand: from times and labels, from matched spikes, or from the steps of a custom sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from ..features.events import columns_of
from ..metrics.facts import UnitFacts
from ..metrics.table import METRICS, compute_columns
from ..per_channel import check_these_channels, of_these_channels
from ..recording.axes import SegmentAxes
from ..recording.segments import segments_of
from ..sorting import build_sorting
from ..templates.average import dense_templates, usual_channels
from .times import one_of, with_samples

#: Fields that identify matched spikes, whose ``amplitude`` is a multiple of the template.
_MATCHED = {"unit_index", "amplitude", "gain", "sample_offset"}
#: Columns of spikes that a sorting keeps.
_KEPT = ("amplitude", "scale", "x", "y", "z")


def make_sorting(
    spikes: Any = None,
    *,
    sample_index: Any = None,
    times_s: Any = None,
    labels: Any = None,
    segment_index: Any = None,
    recording: xr.DataArray | xr.DataTree | None = None,
    sampling_frequency: float | None = None,
    templates: xr.Dataset | None = None,
    noise_levels: xr.DataArray | None = None,
    units: Mapping[str, Any] | None = None,
    unit_ids: Sequence[Any] | None = None,
    ignore: Any = -1,
) -> xr.DataTree:
    """Make a sorting from spikes and their units, for every function that accepts one of :func:`xephys.sort`.

    Parameters
    ----------
    spikes
        Computed records (from :func:`xephys.match_templates`, or ``clustering.spikes(peaks)``), a DataFrame, a Dataset
        or a dict with the column ``sample_index``, and ``unit_index`` unless ``labels`` are given. The columns
        ``segment_index``, ``channel_index``, ``amplitude``, ``scale``, ``x`` and ``y`` are used if present. The
        amplitude of matched spikes is interpreted as a multiple of their template. Give either this or one of the next
        two.
    sample_index
        Sample of each spike, from the start of its segment.
    times_s
        Time of each spike in seconds, on the recording's clock; without a recording, from the start.
    labels
        Name of each spike's unit: integers or strings. Units are in sorted order.
    segment_index
        Segment of each spike; the first if None. Without a recording, there are as many segments as these numbers say.
    recording
        The recording that was sorted; its rate, length, clock and channels are used, and nothing but times is read.
    sampling_frequency
        In hertz; needed without a recording.
    templates
        From :func:`xephys.estimate_templates`, for the units in their order, in the unit of the recording (µV), not of
        white traces. They give units positions and amplitudes, and spikes the positions of their units if they have
        none.
    noise_levels
        From :func:`xephys.estimate_noise_levels` on the same traces, for the signal-to-noise ratio.
    units
        Further columns, one value per unit, such as ``{"label": ["good", "mua"]}``.
    unit_ids
        Names of all units in order, including those without spikes; by default, the units that occur.
    ignore
        Spikes with this label belong to no unit and are left out; None if every label is a unit.

    Returns
    -------
    A sorting with the metrics that can be computed from what is given.

    Raises
    ------
    ParameterError
        If times or labels are missing, their numbers differ, a spike lies outside the recording, or templates belong to
        other units.
    RecordingError
        If templates or noise levels are of other channels than the recording's.

    Examples
    --------
    >>> sorting = make_sorting(times_s=[0.5, 1.5, 2.5], labels=["a", "b", "a"], sampling_frequency=30_000.0)
    >>> sorting["units"]["num_spikes"].values.tolist(), sorting["spikes"]["sample_index"].values.tolist()
    ([2, 1], [15000, 45000, 75000])
    """
    columns = {} if spikes is None else dict(columns_of(spikes))
    axes = _axes(
        recording, sampling_frequency, columns.get("segment_index") if segment_index is None else segment_index
    )
    if recording is not None:
        first = segments_of(recording)[0]
        if templates is not None:
            check_these_channels(first, templates, what="templates")
        noise_levels = of_these_channels(first, noise_levels, what="noise_levels")
    one_of(spikes=spikes, sample_index=sample_index, times_s=times_s)
    columns = with_samples(columns, axes, sample_index=sample_index, times_s=times_s, segment_index=segment_index)
    names = columns.get("unit_index") if labels is None else of_one_kind(labels)
    ids, unit_index = _units(names, len(columns["sample_index"]), unit_ids, ignore, templates)
    kept = np.flatnonzero(unit_index >= 0)
    columns = {name: np.asarray(values)[kept] for name, values in columns.items()}
    columns["unit_index"] = unit_index[kept]
    table = {name: columns[name] for name in ("sample_index", "unit_index", "segment_index", *_KEPT) if name in columns}
    seen, waveforms, nbefore = _seen(templates, axes, len(ids))
    if waveforms is None and "channel_index" in columns:
        seen["channel_index"] = usual_channels(columns["channel_index"], columns["unit_index"], n_units=len(ids))
    table |= _sizes(columns, seen.get("amplitude"), matched=set(columns) >= _MATCHED)
    if "x" not in table and "x" in seen:
        table |= {name: seen[name][table["unit_index"]] for name in ("x", "y")}
    further = {name: np.asarray(values) for name, values in (units or {}).items()}
    for name, values in further.items():
        if values.shape[:1] != (len(ids),):
            raise ParameterError(f"units: {name} has shape {values.shape} for {len(ids)} units; give a value for each")
    metrics = _metrics(axes, table, seen, noise_levels, n_units=len(ids))
    return build_sorting(
        axes,
        spikes=table,
        units={"label": np.full(len(ids), "unsorted"), **seen, **metrics, **further},
        templates=waveforms,
        nbefore=nbefore,
        unit_ids=ids,
        preset="by hand",
    )


def _axes(recording: Any, sampling_frequency: float | None, segment_index: Any) -> SegmentAxes:
    if recording is not None:
        axes = SegmentAxes.of(recording)
        if sampling_frequency is not None and sampling_frequency != axes.sampling_frequency:
            raise ParameterError(
                f"sampling_frequency is {sampling_frequency:g} and the recording has {axes.sampling_frequency:g} Hz; "
                "leave it out"
            )
        return axes
    if sampling_frequency is None:
        raise ParameterError(
            "neither recording nor sampling_frequency is given; give the recording, or its rate in hertz"
        )
    check_positive(sampling_frequency=sampling_frequency)
    n_segments = 1 if segment_index is None else 1 + int(np.max(segment_index, initial=0))
    return SegmentAxes(
        sampling_frequency=float(sampling_frequency),
        first_sample=(0,) * n_segments,
        clock=("regular",) * n_segments,
    )


def _units(
    names: Any, n_spikes: int, unit_ids: Sequence[Any] | None, ignore: Any, templates: xr.Dataset | None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Names of the units, and the unit of each spike; -1 for spikes without a unit."""
    if names is None:
        raise ParameterError("the spikes have no unit_index, and no labels are given; give one label for each spike")
    names = of_one_kind(names)
    if names.shape != (n_spikes,):
        raise ParameterError(f"labels have shape {names.shape} for {n_spikes} spikes; give one for each spike")
    if not len(names):
        names = names.astype(np.int64)  # an empty list has no type of its own
    if names.dtype.kind not in "iuUSO":
        raise ParameterError(
            f"labels are {names.dtype}; give integers or texts, for example labels.astype(int) or labels.astype(str)"
        )
    none = np.zeros(n_spikes, bool) if ignore is None else names == ignore
    if unit_ids is None and templates is not None and names.dtype.kind in "iu":
        unit_ids = list(range(templates.sizes["unit"]))  # rows of the templates, including units without spikes
    ids = np.unique(names[~none]) if unit_ids is None else np.asarray(unit_ids)
    if len(ids) == 0:
        return np.empty(0, np.int64), np.full(n_spikes, -1, np.int64)
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], names).clip(max=len(ids) - 1)
    found = order[place]
    foreign = ~none & (ids[found] != names)
    if foreign.any():
        one = np.asarray(names[foreign][:1]).tolist()[0]
        raise ParameterError(f"label {one!r} is none of the {len(ids)} unit_ids; name all units, or leave unit_ids out")
    return ids, np.where(none, -1, found)


def of_one_kind(labels: Any) -> NDArray[Any]:
    """Names of units as an array: integers or texts. NumPy alone would make texts of both.

    Raises
    ------
    ParameterError
        If there are both, or something else among them.

    Examples
    --------
    >>> of_one_kind([3, 7]).dtype.kind, of_one_kind(["a", "bc"]).dtype.kind
    ('i', 'U')
    """
    import pandas as pd

    values = np.asarray(labels) if hasattr(labels, "dtype") else np.array(labels, dtype=object)
    if values.dtype != object or not values.size:
        return np.asarray(labels)
    kind = pd.api.types.infer_dtype(values, skipna=False)
    if kind in ("string", "integer"):
        return values.astype(str if kind == "string" else np.int64)
    if not kind.startswith("mixed") or kind == "mixed-integer-float":
        return np.asarray(labels)
    types = pd.Series(values.ravel(), dtype=object).map(type)
    other = (types != types.iloc[0]).to_numpy()
    odd = values.ravel()[int(other.argmax())]
    raise ParameterError(f"labels hold {odd!r}, a {type(odd).__name__}; give all as integers, or all as texts")


def _seen(
    templates: xr.Dataset | None, axes: SegmentAxes, n_units: int
) -> tuple[dict[str, Any], NDArray[np.float32] | None, int]:
    """Peak channel, amplitude and position of each unit from its template; the template on all channels."""
    if templates is None:
        return {}, None, 0
    from ..kernels.templates.average import template_peak_channels, template_positions

    if templates.sizes["unit"] != n_units:
        raise ParameterError(
            f"there are {templates.sizes['unit']} templates and {n_units} units; estimate templates of these units, "
            "in their order"
        )
    if templates.attrs.get("units") == "noise":
        raise ParameterError(
            "these templates are of white traces, in units of the noise; estimate them on the filtered traces, whose "
            "amplitudes mean something"
        )
    waveform, channels = templates["waveform"].values, templates["channel_index"].values
    dense = dense_templates(templates).values
    peaks = template_peak_channels(waveform, channels=channels.astype(np.int32))
    seen: dict[str, Any] = {
        "channel_index": np.where(peaks < 0, channels[:, 0].clip(min=0), peaks),  # a unit without spikes is flat
        "amplitude": np.abs(dense).max(axis=(1, 2), initial=0.0),
    }
    if "x" in axes.channels and "y" in axes.channels:
        places = np.stack([axes.channels["x"], axes.channels["y"]], axis=1)
        positions = template_positions(waveform, channels=channels.astype(np.int32), positions_um=places)
        seen |= {"x": positions[:, 0], "y": positions[:, 1]}
    return seen, dense, int(templates.attrs["nbefore"])


def _sizes(columns: Mapping[str, Any], amplitude: Any, *, matched: bool) -> dict[str, Any]:
    """Sizes of spikes in µV and as a multiple of the template, if they are known."""
    if not matched:
        return {}
    scale = np.asarray(columns["amplitude"], np.float64)
    if amplitude is None:  # of templates that are not given
        return {"scale": scale, "amplitude": np.full(len(scale), np.nan)}
    return {"scale": scale, "amplitude": scale * np.asarray(amplitude)[columns["unit_index"]]}


def _metrics(
    axes: SegmentAxes,
    table: Mapping[str, Any],
    seen: Mapping[str, Any],
    noise_levels: Any,
    *,
    n_units: int,
) -> dict[str, Any]:
    """The metrics that can be computed from what is given."""
    lengths = np.asarray(axes.n_samples or (int(np.max(table["sample_index"], initial=0)) + 1,), np.int64)
    moved = np.concatenate([[0], np.cumsum(lengths)[:-1]]) - np.asarray(axes.first_sample)
    segment = np.asarray(table.get("segment_index", np.zeros(len(table["sample_index"]))), np.int64)
    samples = np.asarray(table["sample_index"], np.int64) + moved[segment.clip(0, len(moved) - 1)]
    order = np.argsort(samples, kind="stable")
    noise = np.full(n_units, np.nan)
    if noise_levels is not None and "channel_index" in seen:
        levels = np.asarray(noise_levels, np.float64)
        if len(levels) != len(axes.channels.get("channel", levels)):
            raise ParameterError(
                f"there are {len(levels)} noise_levels and {len(axes.channels['channel'])} channels; estimate them on "
                "this recording"
            )
        noise = np.maximum(levels, 1e-9)[seen["channel_index"]]
    facts = UnitFacts(
        sample_index=samples[order],
        unit_index=np.asarray(table["unit_index"])[order],
        n_units=n_units,
        n_samples=max(int(lengths.sum()), 1),
        sampling_frequency=axes.sampling_frequency,
        amplitude=np.asarray(seen.get("amplitude", np.full(n_units, np.nan))),
        noise=noise,
    )
    missing = {"amplitude": "amplitude" not in seen, "noise": not np.isfinite(noise).all() or not n_units}
    known = {"sample_index", "unit_index", "n_samples"} | {name for name, lacks in missing.items() if not lacks}
    return compute_columns(facts, [name for name, metric in METRICS.items() if set(metric.needs) <= known])
