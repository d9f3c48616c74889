"""Low-rank templates on the channels that carry them: the form used for matching."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..graph.local import blocks_of, map_in_threads


def low_rank(
    templates: xr.Dataset, *, rank: int, n_channels_max: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Time courses, patterns and channels of templates, without those that carry no energy."""
    from ..kernels.templates.low_rank import low_rank_templates, select_channels, without_weak_ranks

    counts = templates["num_averaged"].values
    waveforms, slots = select_channels(
        templates["waveform"].values,
        channels=templates["channel_index"].values.astype(np.int32),
        n_channels_max=n_channels_max,
        counts=counts,
    )
    blocks = [waveforms[block] for block in blocks_of(len(waveforms))] or [waveforms]
    parts = map_in_threads(partial(low_rank_templates, rank=rank), blocks)
    temporal, spatial = (np.concatenate(found) for found in zip(*parts, strict=True))
    return *without_weak_ranks(temporal, spatial, counts=counts), slots
