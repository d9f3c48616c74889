"""Templates of the preset ``kilosort4``: means of the features of clusters, as waveforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cluster.settle import take_records
from ...graph.checkpoint import CheckpointedEvents
from ...per_channel import bad_channels_of, names_of_channels, positions_of
from ...recording.geometry import channel_groups, nearest_channels

#: Templates are duplicates if their cosine exceeds the first value and their norms differ by less than the second.
DUPLICATE_SIMILARITY, DUPLICATE_DIFFERENCE = 0.9, 0.2


def learned_templates(
    recording: xr.DataArray,
    peaks: NDArray[Any] | CheckpointedEvents,
    labels: NDArray[np.int32],
    *,
    shapes: xr.Dataset,
) -> xr.Dataset:
    """Templates of the first clusters: means of their features, converted to waveforms, aligned and deduplicated."""
    from ...kernels.templates import cleanup as kernel

    rows = np.flatnonzero(labels >= 0)
    chosen = take_records(peaks, ("channel_index", "projection"), rows)
    waveforms, channels, counts = mean_templates(recording, chosen, labels[rows], shapes)
    nbefore = int(shapes.attrs["nbefore"])
    delays = kernel.template_delays(
        waveforms, shapes["shape"].values, nbefore=nbefore, delay_samples_max=min(nbefore, shapes.sizes["sample"] // 4)
    )
    merged, slots, target = kernel.merge_duplicates(
        kernel.moved_templates(waveforms, delays),
        channels,
        counts,
        lag_samples_max=shapes.sizes["sample"] // 2,
        similarity_min=DUPLICATE_SIMILARITY,
        difference_max=DUPLICATE_DIFFERENCE,
    )
    counts = np.bincount(target, weights=counts, minlength=len(merged)).astype(np.int64)
    return template_set(recording, merged, slots, counts, nbefore=nbefore)


def mean_templates(
    recording: xr.DataArray, spikes: NDArray[Any], labels: NDArray[np.int32], shapes: xr.Dataset
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
    """Mean waveforms of clusters on the channels where they were measured, these channels, and numbers of spikes."""
    from ...kernels.cluster.shape import cluster_means
    from ...kernels.templates.cleanup import slots_of_means

    projection, channel = np.ascontiguousarray(spikes["projection"]), np.ascontiguousarray(spikes["channel_index"])
    means, measured = cluster_means(projection, channel, labels, feature_channels(recording, projection.shape[1]))
    measured &= ~bad_channels_of(recording)
    waveforms, channels = slots_of_means(means, measured, shapes["component"].values)
    return waveforms, channels, np.bincount(labels[labels >= 0], minlength=len(means)).astype(np.int64)


def template_set(
    recording: xr.DataArray,
    waveforms: NDArray[np.float32],
    channels: NDArray[np.int32],
    counts: NDArray[np.int64],
    *,
    nbefore: int,
) -> xr.Dataset:
    """Templates in the form of :func:`xephys.estimate_templates`, strongest channel first."""
    energy = np.where(channels >= 0, (waveforms.astype(np.float64) ** 2).sum(axis=1), -1.0)
    order = np.argsort(-energy, axis=1, kind="stable")
    return xr.Dataset(
        {
            "waveform": (("unit", "sample", "slot"), np.take_along_axis(waveforms, order[:, None], axis=2)),
            "channel_index": (("unit", "slot"), np.take_along_axis(channels, order, axis=1)),
            "num_averaged": ("unit", counts),
        },
        coords=names_of_channels(recording),
        attrs={
            "nbefore": nbefore,
            "sampling_frequency": float(recording.attrs["sampling_frequency"]),
            "n_channels": recording.sizes["channel"],
            "units": recording.attrs.get("units", "counts"),
        },
    )


def feature_channels(recording: xr.DataArray, n_slots: int) -> NDArray[np.int32]:
    """Channels on which a spike is projected, for each peak channel."""
    positions = positions_of(recording, why="features")
    return nearest_channels(positions, n_nearest=n_slots, groups=channel_groups(recording))
