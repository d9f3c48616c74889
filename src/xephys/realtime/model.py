"""Sequences as a dataset: everything that detection and assignment need, for any recording of the same channels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..detect.codetections import channels_around, detect_codetections
from ..detect.weights import network_at_rate, read_network
from ..errors import ParameterError
from ..graph.events import SpikeTable
from ..per_channel import bad_channels_of, names_of_channels, positions_of
from ..recording.geometry import channel_groups, neighbors_within
from ..sorter.rt_sort.parameters import RTSortParameters

if TYPE_CHECKING:
    from ..kernels.realtime.assign import Limits
    from ..kernels.realtime.patterns import Around, Patterns, Roots

#: Variables of the network among those of the sequences.
NETWORK = ("weights", "biases", "shape")
ROOT_FIELDS = (
    "sample_index", "channel_index", "offset", "amplitudes", "latencies", "probabilities", "isolated", "n_inner",
)  # fmt: skip

#: What a sorted spike has.
SPIKE_DTYPE = np.dtype([("sample_index", "<i8"), ("unit_index", "<i8"), ("amplitude", "<f4"), ("channel_index", "<i8")])


def network_for(p: RTSortParameters, sampling_frequency: float) -> xr.Dataset:
    """The network of these parameters at a sampling rate."""
    return network_at_rate(read_network(p.model_path or p.network_name(sampling_frequency)), sampling_frequency)


def codetections_of(
    filtered: xr.DataArray, p: RTSortParameters, *, noise_levels: xr.DataArray, network: xr.Dataset
) -> SpikeTable:
    """Roots of a filtered recording under these parameters, lazily."""
    return detect_codetections(
        filtered,
        noise_levels=noise_levels,
        network=network,
        stringent_thresh=p.stringent_thresh,
        loose_thresh=p.loose_thresh,
        candidate_threshold=p.candidate_threshold,
        window_ms=max(p.ms_before, p.ms_after),
        overlap_ms=p.repeated_detection_overlap_time,
        inner_radius_um=p.inner_radius,
        outer_radius_um=p.outer_radius,
        n_channels_max=p.n_channels_max,
        n_channels_noise=p.min_elecs_for_array_noise,
    )


def roots_of(records: NDArray[Any], p: RTSortParameters, stringent_thresh: float, around: Around) -> Roots:
    """Records of roots as arrays; clear are those that are alone, with a likely detection on another inner channel."""
    from ..kernels.realtime.patterns import Roots

    channels = np.ascontiguousarray(records["channel_index"])
    probabilities = records["probabilities"].astype(np.float32)
    inner = np.arange(probabilities.shape[1]) < around.n_inner[channels][:, None]
    partner = ((probabilities >= stringent_thresh) & inner).sum(axis=1) >= 2
    return Roots(
        np.ascontiguousarray(records["sample_index"]),
        channels,
        np.ascontiguousarray(records["offset"]),
        records["amplitudes"].astype(np.float32),
        records["latencies"].astype(np.float32),
        probabilities,
        np.ascontiguousarray(records["isolated"] & partner),
    )


def around_channels(recording: xr.DataArray, p: RTSortParameters) -> Around:
    """Channels around each channel of a recording."""
    from ..kernels.realtime.patterns import Around

    positions, groups = positions_of(recording, why="sequences"), channel_groups(recording)
    neighbors, n_inner = channels_around(
        positions,
        groups=groups,
        inner_radius_um=p.inner_radius,
        outer_radius_um=p.outer_radius,
        n_channels_max=p.n_channels_max,
    )
    return Around(neighbors, n_inner, neighbors_within(positions, radius_um=p.inner_radius, groups=groups))


def limits_of(p: RTSortParameters, sampling_frequency: float, *, of: str = "spikes") -> Limits:
    """Limits between a spike and a sequence, or between two ``sequences``."""
    from ..kernels.realtime.assign import Limits

    return Limits(
        max_latency_diff=p.limit(f"max_latency_diff_{of}", sampling_frequency),
        max_amp_diff=p.limit(f"max_amp_median_diff_{of}", sampling_frequency),
        max_root_z=p.limit(f"max_root_amp_median_std_{of}", sampling_frequency),
        min_loose_prob=p.min_loose_elec_prob,
        min_inner_loose=p.min_inner_loose_detections,
        min_loose=p.min_loose_detections_n,
        min_loose_share=float(getattr(p, f"min_loose_detections_r_{of}")),
        overlap_samples=p.repeated_detection_overlap_time * 1e-3 * sampling_frequency,
        follow=p.follow if of == "spikes" else 0.0,
    )


def dataset_of(
    patterns: Patterns,
    around: Around,
    recording: xr.DataArray,
    p: RTSortParameters,
    *,
    noise_levels: xr.DataArray,
    network: xr.Dataset,
    log: list[dict[str, Any]],
) -> xr.Dataset:
    """Sequences as one dataset."""
    positions = positions_of(recording, why="sequences")
    good = ~bad_channels_of(recording)
    return xr.Dataset(
        {
            "root": ("sequence", patterns.root),
            "num_spikes": ("sequence", patterns.num_spikes),
            "root_std": ("sequence", patterns.root_std),
            **{
                name: (("sequence", "slot"), getattr(patterns, name))
                for name in ("amplitudes", "latencies", "probabilities")
            },
            "neighbors": (("channel", "slot"), around.neighbors),
            "n_inner": ("channel", around.n_inner),
            "inner": (("channel", "inner_slot"), around.inner),
            "noise_levels": ("channel", np.asarray(noise_levels.values, np.float64)),
            "good": ("channel", good),
            "x": ("channel", positions[:, 0]),
            "y": ("channel", positions[:, 1]),
            **{name: (network[name].dims, network[name].values) for name in NETWORK},
        },
        coords=names_of_channels(recording),
        attrs={
            "sampling_frequency": float(recording.attrs["sampling_frequency"]),
            "parameters": json.dumps(p.model_dump()),
            "network": json.dumps(dict(network.attrs)),
            "log": json.dumps(log),
        },
    )


def network_of(sequences: xr.Dataset) -> xr.Dataset:
    """The network with which the sequences were detected."""
    return sequences[list(NETWORK)].assign_attrs(json.loads(sequences.attrs["network"]))


def parameters_of(sequences: xr.Dataset) -> RTSortParameters:
    """The parameters with which the sequences were learned.

    Raises
    ------
    ParameterError
        If this dataset does not hold sequences.
    """
    missing = [name for name in ("root", "amplitudes", "neighbors", *NETWORK) if name not in sequences]
    if missing or "parameters" not in sequences.attrs:
        raise ParameterError(
            f"this dataset has no {', '.join(missing) or 'parameters'}; give sequences from detect_sequences or "
            "open_sequences"
        )
    return RTSortParameters(**json.loads(sequences.attrs["parameters"]))


def unpacked(sequences: xr.Dataset) -> tuple[Patterns, Around]:
    """Patterns and neighborhoods of a dataset."""
    from ..kernels.realtime.patterns import Around, Patterns

    patterns = Patterns(*(np.ascontiguousarray(sequences[name].values) for name in Patterns._fields))
    around = Around(*(np.ascontiguousarray(sequences[name].values) for name in Around._fields))
    return patterns, around
