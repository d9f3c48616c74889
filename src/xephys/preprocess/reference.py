"""Common and local references."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import schema
from ..calls import operation
from ..checks import check_choice, check_positive
from ..errors import ParameterError, RecordingError, warn_user
from ..graph.plan import Stage
from ..per_channel import bad_channels_of, noise_levels_of, of_these_channels, positions_of
from ..recording.geometry import channel_groups
from ..recording.stages import extend_recording


@operation
def common_reference(
    recording: xr.DataArray,
    *,
    reference: str = "global",
    operator: str = "median",
    groups: Any = None,
    reference_channel_ids: Any = None,
    inner_radius_um: float = 30.0,
    outer_radius_um: float = 55.0,
    n_neighbors_min: int = 5,
    n_channels_min: int = 1,
    noise_levels: xr.DataArray | None = None,
    quiet_threshold: float = 3.0,
) -> xr.DataArray:
    """Subtract from every sample what the channels share, lazily.

    Parameters
    ----------
    recording
        Traces with dims ``(time, channel)``. Channels marked ``bad`` do not contribute, but are referenced too.
    reference
        ``"global"``: over all channels, or those of the same group; ``"local"``: over the channels in a ring around
        each.
    operator
        ``"median"`` or ``"average"``.
    groups
        Name of a channel coordinate, or one value per channel; each group gets its own reference.
    reference_channel_ids
        Channels that form a global reference; all if None. A single channel serves as a single reference.
    inner_radius_um, outer_radius_um
        The ring of a local reference: distances in ``(inner, outer]``.
    n_neighbors_min
        If the ring holds fewer channels, the nearest ones beyond its inner radius are used up to this number.
    n_channels_min
        Minimum number of good channels for a global reference; smaller groups are not referenced. The median of a few
        channels contains their spikes.
    noise_levels
        From :func:`estimate_noise_levels` on these traces. If given, channels that deviate from 0 by more than
        ``quiet_threshold`` of their noise levels do not contribute to a global reference: two large units that fire
        together move half the channels of a short probe, and with them the median. If more than three quarters of a
        group deviate, the quietest quarter contributes where their sizes differ as those of spikes do, and all
        contribute where they are about the same, as those of artifacts are.
    quiet_threshold
        In noise levels.

    Returns
    -------
    Referenced traces, float32, same coordinates, chunks and unit, still lazy.

    Raises
    ------
    ParameterError
        If a name is unknown, a reference channel does not exist, the radii are in the wrong order, or
        ``n_channels_min`` is below 1, or ``quiet_threshold`` is not positive.
    RecordingError
        If the noise levels do not fit these traces, a local reference is requested without positions, every channel is
        bad, or a group has good channels but no reference channel.

    Examples
    --------
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=0)
    >>> referenced = common_reference(recording, operator="average")
    >>> bool(abs(referenced.isel(time=slice(0, 9)).mean("channel")).max() < 1e-3)
    True
    """
    schema.validate_recording(recording)
    check_choice("reference", reference, ("global", "local"))
    check_choice("operator", operator, ("median", "average"))
    good = ~bad_channels_of(recording)
    if not good.any():
        raise RecordingError(
            "every channel is marked bad, so there is nothing to reference to; check the coordinate bad"
        )
    if reference == "local":
        return _local(recording, operator, good, inner_radius_um, outer_radius_um, n_neighbors_min)
    from ..kernels.preprocess import reference as kernel

    check_positive(quiet_threshold=quiet_threshold)
    if n_channels_min < 1:
        raise ParameterError(f"n_channels_min is {n_channels_min}; a reference needs at least 1 channel")
    usable = good
    if reference_channel_ids is not None:
        usable = _channel_mask(recording, reference_channel_ids) & good
        if not usable.any():
            raise RecordingError("every reference channel is marked bad; choose others")
    numbers = np.zeros(good.size, np.int64) if groups is None else _group_numbers(recording, groups)
    n_groups = int(numbers.max(initial=0)) + 1
    n_usable = np.bincount(numbers[usable], minlength=n_groups)
    if ((n_usable == 0) & (np.bincount(numbers[good], minlength=n_groups) > 0)).any():
        raise RecordingError("a group has good channels and none of the reference channels; name one of each group")
    few = n_usable < n_channels_min
    if reference_channel_ids is None and (~few & (n_usable == 1)).any():
        alone = int((~few & (n_usable == 1)).sum())
        warn_user(
            f"{alone} good channel{' is' if alone == 1 else 's are'} alone and so subtracted from "
            f"{'itself' if alone == 1 else 'themselves'}, which leaves zeros; n_channels_min=2 leaves such channels as "
            "they are"
        )
    arrays: dict[str, Any] = {}
    if groups is not None or few.any():
        arrays["groups"] = np.where(few[numbers], -1, numbers)
    if not usable.all():
        arrays["good"] = usable
    if noise_levels is not None:
        arrays["quiet_limits"] = (quiet_threshold * noise_levels_of(recording, noise_levels)).astype(np.float32)
    stage = Stage(kernel.common_reference, dtype=np.dtype("f4"), parameters={"operator": operator}, arrays=arrays)
    return extend_recording(recording, stage)


def _local(
    recording: xr.DataArray, operator: str, good: Any, inner_radius_um: float, outer_radius_um: float, n_min: int
) -> xr.DataArray:
    from ..kernels.preprocess import reference as kernel
    from ..kernels.preprocess.spatial.ring import ring_neighbors

    if not 0 <= inner_radius_um < outer_radius_um:
        raise ParameterError(
            f"inner_radius_um ({inner_radius_um:g}) must be at least 0 and below outer_radius_um ({outer_radius_um:g})"
        )
    positions = positions_of(recording, why="a local reference")
    neighbors = ring_neighbors(
        positions,
        good,
        inner_radius_um=inner_radius_um,
        outer_radius_um=outer_radius_um,
        n_neighbors_min=n_min,
        groups=channel_groups(recording),
    )
    if not (neighbors >= 0).any(axis=1).all():
        raise RecordingError(
            f"some channels have no other beyond {inner_radius_um:g} um to be referenced to; "
            "use a smaller inner_radius_um or a global reference"
        )
    stage = Stage(
        kernel.local_reference,
        dtype=np.dtype("f4"),
        parameters={"operator": operator},
        arrays={"neighbors": neighbors},
    )
    return extend_recording(recording, stage)


def _group_numbers(recording: xr.DataArray, groups: Any) -> Any:
    if isinstance(groups, str):
        if groups not in recording.coords:
            known = [str(name) for name, c in recording.coords.items() if c.dims == ("channel",)]
            raise ParameterError(
                f"groups is {groups!r}, not a coordinate of the channels; they have {', '.join(known)}"
            )
        groups = recording.coords[groups].values
    values = np.asarray(of_these_channels(recording, groups, what="groups"))
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ParameterError("groups holds NaN; give each channel a group")
    if values.shape != (recording.sizes["channel"],):
        raise ParameterError(
            f"groups has shape {values.shape}; give one value for each of {recording.sizes['channel']} channels"
        )
    return np.unique(values.astype(str), return_inverse=True)[1].astype(np.int64)


def _channel_mask(recording: xr.DataArray, ids: Any) -> Any:
    wanted = np.atleast_1d(np.asarray(ids))
    if wanted.dtype.kind == "b":
        raise ParameterError(
            "reference_channel_ids is a mask; give names of channels, such as recording.channel.values[mask]"
        )
    known = recording.channel.values
    missing = [str(w) for w in wanted if w not in known]
    if missing:
        raise ParameterError(
            f"reference channels {', '.join(missing)} do not exist; the channels are {known[0]} to {known[-1]}"
        )
    return np.isin(known, wanted)
