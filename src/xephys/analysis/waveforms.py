"""Waveforms of the chosen spikes, their templates, and the noise around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .results import KEY, Analysis, padded_to
from .spikes import Rows


def keep_waveforms(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``waveforms``: ``waveform (waveform, sample, slot)`` on the channels of the unit.

    ``waveform_key``, ``segment`` and ``sample_index`` identify the spike of each waveform, whatever becomes of other
    units and spikes; ``spike`` is its position along the sorting's spikes.
    """
    subject = analysis.subject
    channels = analysis.nodes["sparsity"]["channel_index"].values
    spikes = rows.get("waveform_spike", np.zeros(0, np.int64))
    nbefore, nafter = analysis.window
    values = rows.get("waveform", np.zeros((0, nbefore + nafter, channels.shape[1]), np.float32))
    old = analysis.nodes.get("waveforms")
    if old is not None:
        kept_units = ~analysis.changed["waveforms"]
        kept = np.isin(old["waveform_key"].values, subject.unit_keys[kept_units])
        where = spike_positions(
            analysis, *(old[name].values[kept] for name in ("waveform_key", "segment", "sample_index"))
        )
        width = max(old.sizes["slot"], values.shape[2])
        earlier = padded_to(old["waveform"].values[kept], width, 0)
        fresh = analysis.changed["waveforms"][subject.unit_index[spikes]]
        spikes = np.concatenate([where, spikes[fresh]])
        values = np.concatenate([earlier, padded_to(values[fresh], width, 0)])
        order = np.argsort(spikes, kind="stable")
        spikes, values = spikes[order], values[order]
        channels = padded_to(channels, width, -1)
    return xr.Dataset(
        {
            "waveform": (("waveform", "sample", "slot"), values),
            "waveform_spike": ("waveform", spikes),
            "waveform_key": ("waveform", subject.unit_keys[subject.unit_index[spikes]]),
            "segment": ("waveform", subject.segment_index[spikes]),
            "sample_index": ("waveform", subject.sample_index[spikes]),
            "channel_index": (("unit", "slot"), channels),
        },
        attrs={"nbefore": nbefore, "units": str(subject.recording.attrs.get("units", "counts"))},
    )


def are_aligned(analysis: Analysis) -> bool:
    """Whether known waveforms still belong to their spikes, none of which has been removed."""
    node, subject = analysis.nodes["waveforms"], analysis.subject
    spikes = node["waveform_spike"].values
    if len(spikes) and spikes.max() >= subject.n_spikes:
        return False
    same_sample = np.array_equal(subject.sample_index[spikes], node["sample_index"].values)
    return same_sample and np.array_equal(subject.unit_keys[subject.unit_index[spikes]], node["waveform_key"].values)


def spike_positions(analysis: Analysis, keys: Any, segments: Any, samples: Any) -> Any:
    """Positions along the sorting's spikes of spikes given by unit, segment and sample."""
    subject = analysis.subject
    unit = np.argsort(subject.unit_keys, kind="stable")
    owner = unit[np.searchsorted(subject.unit_keys[unit], keys)]
    # Two spikes of a unit on one sample have the same waveform, so the first one stands for both.
    order = np.lexsort((subject.sample_index, subject.segment_index, subject.unit_index))
    key = np.rec.fromarrays([subject.unit_index[order], subject.segment_index[order], subject.sample_index[order]])
    wanted = np.rec.fromarrays([owner.astype(np.int64), segments.astype(np.int64), samples.astype(np.int64)])
    return order[np.searchsorted(key, wanted)]


def average(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``templates``: ``average`` and ``std (unit, sample, slot)``, and ``median`` if asked for.

    Sums and sums of squares are added in float64 along the tree of tiles. For medians, the chosen waveforms are kept in
    memory.
    """
    from ..kernels.analysis.medians import unit_medians

    subject, name = analysis.subject, "templates"
    channels = analysis.nodes["sparsity"]["channel_index"].values
    nbefore, nafter = analysis.window
    shape = (subject.n_units, nbefore + nafter, channels.shape[1])
    counts = rows.get("counts", np.zeros(subject.n_units, np.int64))
    n = np.maximum(counts, 1)[:, None, None]
    mean = rows.get("sums", np.zeros(shape)) / n
    spread = np.sqrt(np.maximum(rows.get("squares", np.zeros(shape)) / n - mean**2, 0.0))
    variables = {"average": mean.astype(np.float32), "std": spread.astype(np.float32)}
    if "median" in parameters["operators"]:
        waveforms = rows.get("waveform", np.zeros((0, *shape[1:]), np.float32))
        owners = subject.unit_index[rows.get("waveform_spike", np.zeros(0, np.int64))]
        variables["median"] = unit_medians(waveforms, owners, n_units=subject.n_units)
    return xr.Dataset(
        {
            **{
                key: (("unit", "sample", "slot"), analysis.by_unit(name, key, values))
                for key, values in variables.items()
            },
            "num_averaged": ("unit", analysis.by_unit(name, "num_averaged", counts)),
            "channel_index": (("unit", "slot"), analysis.by_unit(name, "channel_index", channels, fill=-1)),
        },
        attrs={"nbefore": nbefore, "units": str(subject.recording.attrs.get("units", "counts"))},
    )


def noise(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``noise_levels``: means over tiles of the median absolute deviation and of the standard deviation."""
    known = analysis.nodes.get("noise_levels")
    if "noise_level" not in rows and known is not None:
        return known.drop_vars(KEY)
    coords = {"channel": analysis.subject.recording.coords["channel"].values}
    units = {"units": str(analysis.subject.recording.attrs.get("units", "counts"))}
    return xr.Dataset(
        {
            "noise_level": ("channel", rows["noise_level"].mean(axis=0), units),
            "noise_std": ("channel", rows["noise_std"].mean(axis=0), units),
        },
        coords=coords,
    )


def noise_starts(analysis: Analysis, n_stretches: int) -> tuple[Any, ...]:
    """First samples of excerpts of a waveform's length, drawn in each segment in proportion to its length."""
    subject, length = analysis.subject, sum(analysis.window)
    rng = np.random.default_rng(analysis.settings.seed)
    room = np.maximum(subject.n_samples - length, 0)
    numbers = np.floor(n_stretches * subject.n_samples / subject.n_samples.sum()).astype(np.int64)
    return tuple(
        first + rng.integers(0, n + 1, number)
        for first, n, number in zip(subject.first_samples, room, numbers, strict=True)
    )


def noise_waveforms(analysis: Analysis, rows: Rows, parameters: dict[str, Any]) -> xr.Dataset:
    """The node ``noise_waveforms``: ``waveform (stretch, sample, channel)`` at random places of the recording."""
    known = analysis.nodes.get("noise_waveforms")
    if "noise_waveform" not in rows and known is not None:
        return known.drop_vars(KEY)
    dims = ("stretch", "sample", "channel")
    units = {"units": str(analysis.subject.recording.attrs.get("units", "counts"))}
    coords = {"channel": analysis.subject.recording.coords["channel"].values}
    return xr.Dataset({"waveform": (dims, rows["noise_waveform"], units)}, coords=coords)
