"""Template matching on a device: scores, the pursuit, and the spikes that lie in the tile's core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.match import pursuit_device
from xephys.kernels.match.pursuit import minimum_scores
from xephys.kernels.match.scores_device import correlate_templates
from xephys.kernels.match.templates import checked_limits, left_to_pairs, pair_likeness


def match_templates(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    temporal: NDArray[np.float32],
    spatial: NDArray[np.float32],
    channels: NDArray[np.int32],
    peak_channels: NDArray[np.int64],
    energies: NDArray[np.float64],
    pair_starts: NDArray[np.int64],
    pair_units: NDArray[np.int32],
    pair_overlaps: NDArray[np.float32],
    shifted_temporal: NDArray[np.float32],
    threshold: float = 4.0,
    noise_gain: float = 1.0,
    amplitude_min: float = 0.5,
    amplitude_max: float = 1.5,
    amplitude_std: float = 0.1,
    refractory_samples: int = 15,
    mismatch: float = 0.02,
    guard_samples: int = 10,
    n_sweeps: int = 1,
    score_step: int = 1,
    unexplained: NDArray[np.float64] | None = None,
    thresholds: NDArray[np.float64] | None = None,
) -> Columns:
    """As `xephys.kernels.match.templates.match_templates`; the records stay on the device."""
    chosen = checked_limits(
        threshold=threshold, noise_gain=noise_gain, amplitude_min=amplitude_min, amplitude_max=amplitude_max,
        amplitude_std=amplitude_std, refractory_samples=refractory_samples, mismatch=mismatch,
        guard_samples=guard_samples, n_sweeps=n_sweeps,
    )  # fmt: skip
    scores = correlate_templates(
        xp, traces, temporal=temporal, spatial=spatial, channels=channels, score_step=score_step
    )
    minimum = resident(
        xp,
        minimum_scores,
        energies,
        thresholds,
        threshold=chosen.threshold,
        noise_gain=chosen.noise_gain,
        amplitude_precision=chosen.amplitude_precision,
        amplitude_min=chosen.amplitude_min,
        amplitude_max=chosen.amplitude_max,
    )
    spikes = _pursuit(xp)(
        xp,
        scores,
        energies=energies,
        minimum=minimum,
        pair_starts=pair_starts,
        pair_units=pair_units,
        pair_overlaps=pair_overlaps,
        likeness=resident(xp, pair_likeness, pair_overlaps, energies, pair_units),
        unexplained=resident(np, left_to_pairs, energies, unexplained),
        limits=chosen,
    )
    n_core = len(traces) - before - after
    row = spikes.sample + (nbefore - before)
    channel = resident(xp, as_index, peak_channels)[spikes.unit]
    inside = xp.nonzero((row >= 0) & (row < n_core))[0]
    n_units = max(len(energies), 1)
    key = (row * traces.shape[1] + channel) * n_units + spikes.unit
    order = inside[xp.argsort(key[inside], kind="stable")]
    n_shifts = shifted_temporal.shape[1]
    return Columns(
        {
            "sample_index": row[order] + start,
            "channel_index": channel[order],
            "amplitude": spikes.amplitude[order],
            "segment_index": xp.zeros(len(order), dtype=np.int64),
            "unit_index": spikes.unit[order],
            "sample_offset": (spikes.shift[order] - n_shifts // 2) / float(max(n_shifts - 1, 1)),
            "gain": spikes.gain[order],
        }
    )


def _pursuit(xp: Any) -> Callable[..., pursuit_device.Spikes]:
    """In one kernel where the arrays are CuPy's and Numba can compile for their device, else round by round."""
    if has_cuda_kernels(xp):
        from xephys.kernels.match.pursuit_cuda import pursue

        return pursue
    return pursuit_device.pursue
