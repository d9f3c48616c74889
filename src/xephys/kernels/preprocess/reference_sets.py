"""Which channels serve as reference for which: the sets over which a median or mean is taken, as flat tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Share of a group's channels that contributes at least, even if fewer are quiet.
QUIET_SHARE_MIN = 0.25
#: What all channels share has one size, while spikes fall off with the distance. If few channels are quiet, the others
#: are left out only if the quartiles of their magnitudes are farther apart than this, in units of the median. In
#: simulations, artifacts of the whole probe reach 0.37, and two large units that fire together begin at 0.63.
SPREAD_MIN = 0.5


def stored_reference_sets(
    channels: int,
    groups: NDArray[np.integer] | None,
    reference_channels: NDArray[np.integer] | None,
    good: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """As `reference_sets`, remembered by the content of the arrays: all blocks of a recording have the same sets."""
    found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] = _sets_once(
        channels, *map(_content, (groups, reference_channels, good))
    )
    return found


def _content(array: NDArray[Any] | None) -> tuple[bytes, str, tuple[int, ...]] | None:
    if array is None:
        return None
    values = np.asarray(array)
    return values.tobytes(), values.dtype.str, values.shape


@lru_cache(maxsize=8)
def _sets_once(channels: int, *contents: tuple[bytes, str, tuple[int, ...]] | None) -> Any:
    """`reference_sets`, cached by content: they are the same for every block of a recording."""
    return reference_sets(channels, *(None if c is None else np.frombuffer(c[0], c[1]).reshape(c[2]) for c in contents))


def reference_sets(
    channels: int,
    groups: NDArray[np.integer] | None,
    reference_channels: NDArray[np.integer] | None,
    good: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Reference channels of all groups, the start of each group among them, and each channel's group number.

    Channels that are not referenced come last, as a group without members.
    """
    labels, left_alone = np.zeros(channels, np.int64), np.zeros(channels, np.bool_)
    if groups is not None:
        if np.shape(groups) != (channels,):
            raise ValueError(
                f"groups has shape {np.shape(groups)}, but needs one label for each of {channels} channels"
            )
        left_alone = np.asarray(groups) < 0
        behind = np.where(left_alone, np.iinfo(np.int64).max, groups)
        labels = np.unique(behind, return_inverse=True)[1].astype(np.int64)
    usable = ~left_alone
    if reference_channels is not None:
        wanted = np.asarray(reference_channels)
        if wanted.size == 0 or wanted.min() < 0 or wanted.max() >= channels:
            raise ValueError(f"reference_channels must be indices between 0 and {channels - 1}, at least one")
        usable &= np.isin(np.arange(channels), wanted)
    if good is not None:
        usable &= _checked_mask(good, channels)
    members = [np.flatnonzero(usable & (labels == label)) for label in range(labels.max(initial=0) + 1)]
    named = len(members) - left_alone.any()
    missing = [label for label, member in enumerate(members[:named]) if len(member) == 0]
    if missing and channels:
        name = "the recording" if groups is None else f"group {np.unique(groups[~left_alone])[missing[0]]}"
        raise ValueError(f"{name} has no good reference channel; name other reference channels or drop the group")
    offsets = np.concatenate([[0], np.cumsum([len(member) for member in members])])
    return np.concatenate(members).astype(np.int64), offsets.astype(np.int64), labels


def neighbor_sets(
    channels: int, neighbors: NDArray[np.integer], good: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Good neighbors of all channels, and the start of each channel's among them."""
    if neighbors.ndim != 2 or len(neighbors) != channels:
        raise ValueError(f"neighbors has shape {neighbors.shape}, but must be ({channels}, k)")
    if neighbors.size and (neighbors.min() < -1 or neighbors.max() >= channels):
        raise ValueError(f"neighbors must be channel indices below {channels}, or -1 for none")
    usable = neighbors >= 0
    if good is not None:
        usable &= _checked_mask(good, channels)[neighbors]
    counts = usable.sum(axis=1)
    if np.any(counts == 0):
        raise ValueError(f"channel {int(np.argmin(counts))} has no good neighbor; widen the outer radius")
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return np.ascontiguousarray(neighbors[usable], np.int64), offsets


def _checked_mask(good: NDArray[np.bool_], channels: int) -> NDArray[np.bool_]:
    mask = np.asarray(good)
    if mask.shape != (channels,) or mask.dtype != np.bool_:
        raise ValueError(f"good is {mask.dtype} of shape {mask.shape}, but must be a mask over {channels} channels")
    return mask
