"""Thresholds for silencing all channels: how large, and on how many channels at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ... import schema
from ...checks import check_share


class Agreement(NamedTuple):
    """Threshold per channel (float32, infinite for bad channels), and how many channels must exceed theirs."""

    thresholds: NDArray[np.float32]
    n_channels_min: int


def agreement(
    recording: xr.DataArray, *, noise_levels: xr.DataArray, factor: float, channel_fraction: float
) -> Agreement:
    """Thresholds at ``factor`` noise levels, and the channel count that corresponds to ``channel_fraction`` of the good
    ones.

    Raises
    ------
    ParameterError
        If the fraction is not in (0, 1], or there is not one noise level per channel.
    """
    check_share(channel_fraction=channel_fraction)
    levels = schema.noise_levels_of(recording, noise_levels).astype(np.float32)
    good = ~schema.bad_channels_of(recording)
    thresholds = np.where(good, factor * levels, np.inf).astype(np.float32)
    return Agreement(thresholds, max(1, int(np.ceil(channel_fraction * good.sum()))))
