"""What a recording says of each channel, checked: where it is, whether it is bad, how strong its noise is."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .errors import RecordingError
from .unit_mark import check_made_on

__all__ = [
    "bad_channels_of",
    "check_order",
    "check_these_channels",
    "check_unit",
    "names_of_channels",
    "noise_levels_of",
    "of_these_channels",
    "place_single_channel",
    "positions_of",
]


def place_single_channel(recording: xr.DataArray) -> xr.DataArray:
    """The recording as it is; if its only channel has no position, with that channel at (0, 0)."""
    if recording.sizes["channel"] > 1 or {"x", "y"} <= set(recording.coords):
        return recording
    return recording.assign_coords(x=("channel", [0.0]), y=("channel", [0.0]))


def positions_of(recording: xr.DataArray, *, why: str) -> NDArray[np.float64]:
    """Positions ``(channel, 2)`` of the channels in µm; a single channel without a position lies at (0, 0).

    Raises
    ------
    RecordingError
        If several channels have no positions; ``why`` names the operation that needs them.
    """
    recording = place_single_channel(recording)
    missing = [name for name in ("x", "y") if name not in recording.coords]
    if missing:
        raise RecordingError(
            f"{why} needs the positions of the channels, and the recording has no {' or '.join(missing)}; "
            "give a probe file to open_recording (probe=FILE; --probe FILE), or instead 'together', 'tetrodes' (4 "
            "channels each) or 'apart' if they are not known; or assign coordinates x and y on channel, in um"
        )
    positions = np.stack([recording.coords[name].values for name in ("x", "y")], axis=1).astype(np.float64)
    if not np.isfinite(positions).all():
        raise RecordingError("some channel positions are not finite; correct the coordinates x and y, in um")
    return positions


def of_these_channels(recording: xr.DataArray, estimate: Any, *, what: str) -> Any:
    """An estimate with one value per channel, in the order of the recording's channels; as it is if it names none.

    A labelled array names channels by its coordinate ``channel``, a pandas Series by its index. A Series whose index
    only counts its rows names none.

    Raises
    ------
    RecordingError
        If it has no value for a channel; ``what`` names the estimate.

    Examples
    --------
    >>> traces = xr.DataArray(np.zeros((9, 2)), dims=("time", "channel"), coords={"channel": ["b", "a"]})
    >>> levels = xr.DataArray([1.0, 2.0, 3.0], dims="channel", coords={"channel": ["a", "b", "c"]})
    >>> of_these_channels(traces, levels, what="noise_levels").values.tolist()
    [2.0, 1.0]
    """
    given = _names_of(estimate)
    if given is None or "channel" not in recording.coords:
        return estimate
    own = recording.coords["channel"].to_index()
    if own.equals(given):
        return estimate
    places = given.get_indexer(own) if given.is_unique else np.full(len(own), -1)
    if (places < 0).any():
        missing = own[places < 0].tolist()
        raise RecordingError(
            f"{what}: {len(missing)} of the {len(own)} channels have no value, such as {missing[0]!r}; estimate on "
            "this recording"
        )
    return estimate.isel(channel=places) if hasattr(estimate, "isel") else estimate.iloc[places]


def _names_of(estimate: Any) -> Any:
    """The index of the channels that an estimate names; None if it names none."""
    if "channel" in getattr(estimate, "coords", ()):
        return estimate.coords["channel"].to_index()
    index = getattr(estimate, "index", None)
    named = hasattr(estimate, "iloc") and type(index).__name__ != "RangeIndex"
    return index if named else None


def names_of_channels(recording: xr.DataArray) -> dict[str, Any]:
    """The coordinate by which an estimate that refers to channels by position says which these are."""
    return {"channel": ("channel", recording.coords["channel"].values)} if "channel" in recording.coords else {}


def check_these_channels(recording: xr.DataArray, estimate: Any, *, what: str) -> None:
    """Check that an estimate that relates channels to each other is of these channels, in this order.

    Nothing is checked if it names no channels.

    Raises
    ------
    RecordingError
        If it names others, or in another order.
    """
    if not {"channel"} <= set(recording.coords) & set(estimate.coords):
        return
    check_order(recording, estimate, what=what)
    own, given = recording.coords["channel"].to_index(), estimate.coords["channel"].to_index()
    if not own.equals(given):
        raise RecordingError(
            f"{what}: made on other channels ({given[0]} to {given[-1]}) than the recording's ({own[0]} to {own[-1]}); "
            "estimate on this recording"
        )


def check_order(recording: xr.DataArray, estimate: Any, *, what: str) -> None:
    """Check that a recording does not have the channels of an estimate in another order.

    Nothing is checked if the estimate names no channels, or others: their places decide then.

    Raises
    ------
    RecordingError
        If it has.

    Examples
    --------
    >>> traces = xr.DataArray(np.zeros((9, 2)), dims=("time", "channel"), coords={"channel": ["b", "a"]})
    >>> check_order(traces, traces.isel(time=0), what="templates")
    """
    if not {"channel"} <= set(recording.coords) & set(getattr(estimate, "coords", ())):
        return
    own, given = recording.coords["channel"].to_index(), estimate.coords["channel"].to_index()
    if len(own) == len(given) and not own.equals(given) and set(own) == set(given):
        raise RecordingError(
            f"{what}: made on these channels in another order ({given[0]} first; here it is {own[0]}); put the "
            "recording into that order, recording.sel(channel=names), or estimate on this recording"
        )


def noise_levels_of(recording: xr.DataArray, noise_levels: Any) -> NDArray[np.floating[Any]]:
    """Noise levels, one per channel and in the unit of the recording, checked and in the order of its channels.

    Raises
    ------
    RecordingError
        If their number is not that of the channels, or their unit is not that of the traces.
    ParameterError
        If they are of traces before or after another filter or the like.
    """
    noise_levels = of_these_channels(recording, noise_levels, what="noise_levels")
    levels = np.asarray(noise_levels)
    if levels.shape != (recording.sizes["channel"],):
        raise RecordingError(
            f"noise_levels has shape {levels.shape} for {recording.sizes['channel']} channels; estimate them on this "
            "recording"
        )
    wrong = levels[np.isinf(levels) | (levels < 0)] if levels.dtype.kind in "iuf" else levels
    if len(wrong):
        raise RecordingError(f"noise_levels hold {wrong[0]}; they are finite and at least 0: see estimate_noise_levels")
    units = getattr(noise_levels, "attrs", {}).get("units")
    check_unit(recording, units, what="the noise levels", made_by="estimate_noise_levels")
    check_made_on(recording, noise_levels, what="the noise levels", made_by="estimate_noise_levels")
    return levels


def check_unit(recording: xr.DataArray, units: Any, *, what: str, made_by: str) -> None:
    """Check that an estimate is in the unit of the traces, as far as both say it.

    Raises
    ------
    RecordingError
        If it is not.

    Examples
    --------
    >>> traces = xr.DataArray(np.zeros((9, 2)), dims=("time", "channel"), attrs={"units": "uV"})
    >>> check_unit(traces, "uV", what="the templates", made_by="estimate_templates")
    """
    own = recording.attrs.get("units")
    if units is not None and own is not None and units != own:
        raise RecordingError(
            f"{what} are in {units} and the traces in {own}; estimate them on these traces ({made_by})"
        )


def bad_channels_of(recording: xr.DataArray) -> NDArray[np.bool_]:
    """Mask of the channels marked bad; all False if none is."""
    if "bad" not in recording.coords:
        return np.zeros(recording.sizes["channel"], bool)
    return np.asarray(recording.coords["bad"].values, bool)
