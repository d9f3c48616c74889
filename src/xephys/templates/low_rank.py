"""Low-rank templates on the channels that carry them: the form used for matching."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def low_rank(
    templates: xr.Dataset, *, rank: int, n_channels_max: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Time courses, patterns and channels of templates, without those that carry no energy."""
    from ..kernels.templates.average import low_rank_templates, select_channels, without_weak_ranks

    counts = templates["num_averaged"].values
    waveforms, slots = select_channels(
        templates["waveform"].values,
        channels=templates["channel_index"].values.astype(np.int32),
        n_channels_max=n_channels_max,
        counts=counts,
    )
    temporal, spatial = low_rank_templates(waveforms, rank=rank)
    return *without_weak_ranks(temporal, spatial, counts=counts), slots
