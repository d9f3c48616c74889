"""Template matching on a device: scores, the pursuit, and the spikes in the tile's core."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.cuda import has_cuda_kernels
from xephys.kernels.lib.dispatch import as_index, resident
from xephys.kernels.lib.records_device import Columns
from xephys.kernels.match import pursuit_device
from xephys.kernels.match.limits import LimitOptions, Pairs, checked_limits, minimum_scores
from xephys.kernels.match.model import MatchModel
from xephys.kernels.match.scores_device import correlate_templates
from xephys.kernels.match.templates import left_to_pairs, pair_likeness


def match_templates(
    xp: Any,
    traces: Any,
    *,
    before: int,
    after: int,
    start: int,
    nbefore: int,
    model: MatchModel,
    score_step: int = 1,
    unexplained: NDArray[np.float64] | None = None,
    match_thresholds: NDArray[np.float64] | None = None,
    **options: Unpack[LimitOptions],
) -> Columns:
    """As `xephys.kernels.match.templates.match_templates`; the records stay on the device.

    The pursuit is one kernel if the arrays are CuPy's and Numba can compile for their device. Otherwise it runs round
    by round.
    """
    limits, energies = checked_limits(**options), model["energies"]
    scores = correlate_templates(
        xp, traces, temporal=model["temporal"], spatial=model["spatial"], channels=model["channels"],
        score_step=score_step,
    )  # fmt: skip
    pairs = Pairs(
        starts=model["pair_starts"],
        units=model["pair_units"],
        overlaps=model["pair_overlaps"],
        likeness=resident(xp, pair_likeness, model["pair_overlaps"], energies, model["pair_units"]),
        unexplained=resident(np, left_to_pairs, energies, unexplained),
    )
    minimum = resident(xp, minimum_scores, energies, match_thresholds, limits=limits)
    given = {"energies": energies, "minimum": minimum, "pairs": pairs, "limits": limits}
    core = {"offset": nbefore - before, "n_core": len(traces) - before - after, "start": start}
    sizes = {"n_channels": traces.shape[1], "n_shifts": model["shifted_temporal"].shape[1]}
    if has_cuda_kernels(xp):
        from xephys.kernels.match.cuda.pursuit import take_spikes
        from xephys.kernels.match.cuda.spikes import spikes_in_order

        taken = take_spikes(xp, scores, **given)
        return spikes_in_order(xp, taken, peak_channels=model["peak_channels"], **sizes, **core)
    spikes = pursuit_device.pursue(xp, scores, **given)
    return _spikes_in_order(xp, spikes, peak_channels=model["peak_channels"], **sizes, **core)


def _spikes_in_order(
    xp: Any,
    spikes: pursuit_device.Spikes,
    *,
    peak_channels: NDArray[np.integer[Any]],
    n_channels: int,
    n_shifts: int,
    offset: int,
    n_core: int,
    start: int,
) -> Columns:
    """As `xephys.kernels.match.cuda.spikes.spikes_in_order`."""
    row = spikes.sample + offset
    channel = resident(xp, as_index, peak_channels)[spikes.unit]
    inside = xp.nonzero((row >= 0) & (row < n_core))[0]
    key = (row * n_channels + channel) * max(len(peak_channels), 1) + spikes.unit
    order = inside[xp.argsort(key[inside], kind="stable")]
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
