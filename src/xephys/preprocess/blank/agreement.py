"""All channels silenced where enough of them agree: the mechanism; each operation adds its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...checks import check_share
from ...graph.plan import Stage
from ...per_channel import bad_channels_of, noise_levels_of
from ...recording.stages import extend_recording


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
    levels = noise_levels_of(recording, noise_levels).astype(np.float32)
    good = ~bad_channels_of(recording)
    thresholds = np.where(good, factor * levels, np.inf).astype(np.float32)
    return Agreement(thresholds, max(1, int(np.ceil(channel_fraction * good.sum()))))


def blank_where_agreed(
    recording: xr.DataArray,
    kernel: Callable[..., Any],
    *,
    limits: Agreement,
    guard_samples: int,
    halo_samples: int,
    **rule: Any,
) -> xr.DataArray:
    """Set all channels to 0 where a kernel finds that enough of them agree, and around that, lazily.

    Parameters
    ----------
    kernel
        Gets the limits, ``guard_samples`` and the rule.
    limits
        From :func:`agreement`.
    guard_samples
        How many more samples are silenced on either side.
    halo_samples
        How far from a sample, on either side, another may lie that silences it.
    **rule
        Further numbers that the kernel needs.
    """
    stage = Stage(
        kernel,
        dtype=np.dtype("f4"),
        parameters={"n_channels_min": limits.n_channels_min, "guard_samples": guard_samples, **rule},
        arrays={"thresholds": limits.thresholds},
        before=halo_samples,
        after=halo_samples,
    )
    return extend_recording(recording, stage)
