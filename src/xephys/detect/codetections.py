"""Detect spikes by a network and group what one spike leaves on neighboring channels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..calls import operation
from ..checks import check_positive
from ..errors import ParameterError
from ..graph.events import SpikeTable
from ..graph.plan import Stage
from ..per_channel import positions_of
from ..recording.geometry import channel_groups, padded
from ..recording.stages import recording_plan
from ..typing import PeakSign
from .network import network_settings


@operation
def detect_codetections(
    recording: xr.DataArray,
    *,
    noise_levels: xr.DataArray,
    network: xr.Dataset | None = None,
    stringent_thresh: float | None = None,
    loose_thresh: float | None = None,
    candidate_threshold: float | None = None,
    peak_sign: PeakSign = "neg",
    exclude_sweep_ms: float = 0.2,
    window_ms: float = 0.5,
    overlap_ms: float = 0.2,
    inner_radius_um: float = 50.0,
    outer_radius_um: float = 100.0,
    n_channels_max: int = 16,
    n_channels_noise: int | None = None,
) -> SpikeTable:
    """Detect spikes by a network and list, for each, what the channels around it detected, lazily.

    A detection is a root if none on a channel within ``inner_radius_um`` and ``overlap_ms`` is stronger in units of the
    noise. Roots are what sequences are learned from and assigned to.

    Parameters
    ----------
    recording
        Filtered traces with dims ``(time, channel)``; channels need positions. Channels marked ``bad`` give nothing.
    noise_levels, network, candidate_threshold, peak_sign, exclude_sweep_ms
        As for :func:`xephys.detect_by_network`.
    stringent_thresh, loose_thresh
        Minimum probability of a root, and of a detection on a channel around it; those of the network if None.
    window_ms
        Maximum time between a root and another detection of the same spike.
    overlap_ms
        Minimum time between two roots within ``inner_radius_um``; at most ``window_ms``.
    inner_radius_um, outer_radius_um
        Range of competition between roots, and of the channels that are listed.
    n_channels_max
        Maximum number of listed channels, the nearest ones; the root is the first.
    n_channels_noise
        A root in whose window at least this many channels detect something is an artifact and is left out;
        by default a tenth of the channels, and at least 100.

    Returns
    -------
    Lazy table with the fields of :func:`xephys.detect_by_network` and ``isolated`` (whether no listed channel has a
    stronger detection within the window), ``n_inner`` and ``n_loose`` (number of inner and of all listed channels with
    a detection) and, per listed channel, ``latencies`` (samples after the root), ``amplitudes`` (units of the noise)
    and ``probabilities``, all float16. Where a channel detected nothing, the probability is 0.

    Raises
    ------
    ParameterError
        If a number is outside its limits, or the network does not suit the sampling rate.
    RecordingError
        If positions are missing, the noise levels do not fit, or every channel is silent or bad.

    References
    ----------
    Codetections are those of RT-Sort (van der Molen, Lim et al. 2024, PLOS ONE 19:e0312438).

    Examples
    --------
    >>> import xephys
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> filtered = xephys.bandpass_filter(recording)
    >>> roots = detect_codetections(filtered, noise_levels=xephys.estimate_noise_levels(filtered))
    >>> roots.dtype["latencies"].shape
    (8,)
    """
    from ..kernels.detect import codetections as kernel

    check_positive(
        window_ms=window_ms,
        overlap_ms=overlap_ms,
        inner_radius_um=inner_radius_um,
        outer_radius_um=outer_radius_um,
        n_channels_max=n_channels_max,
    )
    if overlap_ms > window_ms or inner_radius_um > outer_radius_um:
        raise ParameterError(
            f"overlap_ms is {overlap_ms:g} with window_ms {window_ms:g}, and inner_radius_um {inner_radius_um:g} with "
            f"outer_radius_um {outer_radius_um:g}; the first of each pair may not be larger"
        )
    usual = thresholds_of(recording, network)
    parameters, arrays = network_settings(
        recording,
        noise_levels=noise_levels,
        network=network,
        probability_min=usual[0] if stringent_thresh is None else stringent_thresh,
        candidate_threshold=candidate_threshold,
        peak_sign=peak_sign,
        exclude_sweep_ms=exclude_sweep_ms,
    )
    stringent = parameters["probability_min"]
    loose = usual[1] if loose_thresh is None else loose_thresh
    if not 0 <= loose <= stringent:
        raise ParameterError(f"loose_thresh is {loose:g}; give at least 0 and at most stringent_thresh, {stringent:g}")
    positions = positions_of(recording, why="codetections")
    neighbors, n_inner = channels_around(
        positions,
        groups=channel_groups(recording),
        inner_radius_um=inner_radius_um,
        outer_radius_um=outer_radius_um,
        n_channels_max=n_channels_max,
    )
    rate = float(recording.attrs["sampling_frequency"])
    window, overlap = (max(1, round(ms * 1e-3 * rate)) for ms in (window_ms, overlap_ms))
    noise_at = max(100, recording.sizes["channel"] // 10) if n_channels_noise is None else n_channels_noise
    before, after = kernel.codetection_halo(
        arrays["network.shape"],
        nbefore=parameters["nbefore"],
        exclude_sweep_samples=parameters["exclude_sweep_samples"],
        window_samples=window,
    )
    stage = Stage(
        kernel.detect_codetections,
        dtype=kernel.codetection_dtype(neighbors.shape[1]),
        parameters={
            **parameters,
            "probability_min": float(loose),
            "stringent_thresh": stringent,
            "window_samples": window,
            "overlap_samples": overlap,
            "n_channels_noise": int(noise_at),
        },
        arrays={**arrays, "neighbors": neighbors, "n_inner": n_inner},
        before=before,
        after=after,
        emits="events",
    )
    return SpikeTable.of_plan(recording_plan(recording).then(stage))


def thresholds_of(recording: xr.DataArray, network: xr.Dataset | None) -> tuple[float, float]:
    """The network's own probabilities of a root and of another detection."""
    from .weights import nearest_network, read_network

    rate = float(recording.attrs["sampling_frequency"])
    own = read_network(nearest_network(rate)) if network is None else network
    return float(own.attrs["stringent_thresh"]), float(own.attrs["loose_thresh"])


def channels_around(
    positions: NDArray[np.float64],
    *,
    groups: NDArray[np.integer] | None,
    inner_radius_um: float,
    outer_radius_um: float,
    n_channels_max: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Channels around each channel, nearest first, and how many of them are within the inner radius.

    Parameters
    ----------
    positions
        ``(channel, 2)`` in µm.
    groups
        Group of each channel; channels of different groups are never neighbors.
    inner_radius_um, outer_radius_um
        Inclusive.
    n_channels_max
        Maximum number of channels listed, the channel itself included.

    Returns
    -------
    int32 ``(channel, slot)`` padded with -1, and int32 ``(channel,)``.

    Examples
    --------
    >>> channels_around(np.array([[0.0, 0], [0, 40], [0, 90]]), groups=None, inner_radius_um=50, outer_radius_um=100,
    ...                 n_channels_max=8)[0].tolist()
    [[0, 1, 2], [1, 0, 2], [2, 1, 0]]
    """
    distances = np.round(np.linalg.norm(positions[:, None] - positions[None], axis=2), 3)
    if groups is not None:
        distances[groups[:, None] != groups[None]] = np.inf
    np.fill_diagonal(distances, -1.0)  # a channel comes before others at its place
    order = np.argsort(distances, axis=1, kind="stable")[:, :n_channels_max]
    near = np.take_along_axis(distances, order, axis=1)
    rows = [row[distance <= outer_radius_um] for row, distance in zip(order, near, strict=True)]
    return padded(rows), (near <= inner_radius_um).sum(axis=1).astype(np.int32)
