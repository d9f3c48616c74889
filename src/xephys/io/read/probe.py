"""Convert probes from ProbeInterface to coordinates on ``channel`` and back.

The complete description travels as the attribute ``probegroup``. The coordinate ``contact_index`` maps each channel to
its contact, so that the mapping stays right when channels are sliced or reordered. If the coordinates ``x`` and ``y``
have been changed, they override the description.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...attributes import as_text, from_text
from ...errors import RecordingError, XephysWarning
from ...recording.geometry import channel_groups
from .literals import read_literals
from .probe_description import ProbeDescription

_MICROMETRES = {"um": 1.0, "µm": 1.0, "mm": 1e3, "m": 1e6}

#: Probes for channels with unknown positions: how many consecutive channels see the same neurons; None for all.
LAYOUTS: Mapping[str, int | None] = {"together": None, "tetrodes": 4, "apart": 1}
#: Distance between neighboring contacts of a layout, about that of twisted wires.
LAYOUT_PITCH_UM = 20.0

#: Coordinates that a probe sets.
PROBE_COORDINATES = ("x", "y", "z", "probe", "shank", "contact_id", "contact_index")


def probe_coordinates(probegroup: Any, *, by_wiring: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Coordinates on ``channel`` and the attribute made from a probe group.

    The contacts are in the order of the channels, or are brought into it by their wiring (``device_channel_indices``).
    Where the channels of two probes alternate, the contacts of each probe still stay together.
    """
    contacts = probegroup.to_numpy(complete=True)
    order = np.argsort(contacts["device_channel_indices"]) if by_wiring else np.arange(len(contacts))
    contacts = contacts[order]
    fields = contacts.dtype.names
    scale = np.array([_MICROMETRES.get(unit, 1.0) for unit in contacts["si_units"]])
    coordinates: dict[str, Any] = {axis: contacts[axis] * scale for axis in ("x", "y", "z") if axis in fields}
    if np.ptp(contacts["probe_index"]):
        coordinates["probe"] = contacts["probe_index"].astype(np.int64)
    if "shank_ids" in fields and np.any(contacts["shank_ids"] != ""):
        coordinates["shank"] = _unpadded(contacts["shank_ids"])
    if "contact_ids" in fields and np.any(contacts["contact_ids"] != ""):
        coordinates["contact_id"] = _unpadded(contacts["contact_ids"])
    coordinates["contact_index"] = order
    return coordinates, {"probegroup": ProbeDescription(as_text(probegroup.to_dict(array_as_list=True)))}


def probegroup_of(recording: xr.DataArray) -> Any | None:
    """The probe group of a recording, with contacts in the order of the channels; None without positions.

    Examples
    --------
    >>> from xephys.schema import make_recording
    >>> rec = make_recording(np.zeros((9, 2)), sampling_frequency=1e4, coordinates={"x": [0.0, 0.0], "y": [0.0, 20.0]})
    >>> probegroup_of(rec).get_contact_count()
    2
    """
    from probeinterface import ProbeGroup

    stored = from_text(recording.attrs.get("probegroup"), None)
    if isinstance(stored, Mapping) and "contact_index" in recording.coords:
        whole = ProbeGroup.from_dict(dict(stored))
        chosen = np.asarray(recording.coords["contact_index"].values, np.int64)
        if len(np.unique(chosen)) == len(chosen) and chosen.max(initial=-1) < whole.get_contact_count():
            same = len(chosen) == whole.get_contact_count() and np.array_equal(chosen, np.arange(len(chosen)))
            group = whole if same else whole.get_slice(chosen)
            if not same:
                group.set_global_device_channel_indices(np.arange(len(chosen)))
            if _positions_agree(group, recording):
                return group
    if "x" in recording.coords and "y" in recording.coords:
        return _group_of_positions(recording)
    return None


def read_probe(probe: Any, *, n_channels: int) -> tuple[Any, NDArray[np.int64]]:
    """A probe group (from a file, a ProbeInterface object or positions), and the channels to which it is wired.

    Parameters
    ----------
    probe
        Path of a ProbeInterface JSON (or ``.prb``) file, a ``Probe``, a ``ProbeGroup``, positions ``(channel, 2)`` or
        ``(channel, 3)`` in µm, or a name from :data:`LAYOUTS` where the positions are not known.
    n_channels
        Number of channels of the recording.

    Returns
    -------
    The connected contacts, wired to 0, 1, 2, …, and the channels of the recording to which they belong, ascending: all
    channels, or fewer if the wiring shows that some, such as a sync channel, have no contact.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    RecordingError
        If the number of channels does not suit the layout, no contact is connected, two contacts are wired to one
        channel, one is wired to a missing channel, or a probe without wiring does not have as many contacts as there
        are channels.
    """
    from probeinterface import Probe, ProbeGroup

    group = probe
    if isinstance(probe, (str, Path)) and str(probe) in LAYOUTS:
        group = _group_of_layout(str(probe), n_channels)
    elif isinstance(probe, (str, Path)):
        group = _probe_file(Path(probe))
    elif not isinstance(probe, (Probe, ProbeGroup)):
        group = _probe_of_positions(np.asarray(probe, np.float64))
    if isinstance(group, Probe):
        single, group = group, ProbeGroup()
        group.add_probe(single)
    wired = not isinstance(probe, (np.ndarray, list, tuple))
    if any(one.device_channel_indices is None for one in group.probes):
        group.set_global_device_channel_indices(np.arange(group.get_contact_count()))
        wired = False
    wiring = np.asarray(group.to_numpy(complete=True)["device_channel_indices"], np.int64)
    connected = np.flatnonzero(wiring >= 0)
    if not len(connected):
        raise RecordingError(
            f"none of the {len(wiring)} contacts of the probe is connected (their device_channel_indices are -1); set "
            f"those of the contacts that were recorded to 0 to {n_channels - 1}"
        )
    if len(connected) > n_channels or (len(connected) < n_channels and not wired):
        raise RecordingError(
            f"the probe has {len(connected)} connected contacts and the recording {n_channels} channels; "
            "give the probe of this recording, or set its device_channel_indices to the channels of the file"
        )
    channels = wiring[connected]
    if channels.max() >= n_channels or len(np.unique(channels)) < len(channels):
        raise RecordingError(
            f"the probe's device_channel_indices run from {channels.min()} to {channels.max()}; they must lie in 0 to "
            f"{n_channels - 1}, each at most once"
        )
    if len(connected) < len(wiring):
        group = group.get_slice(connected)
    group.set_global_device_channel_indices(np.argsort(np.argsort(channels)))
    return group, np.sort(channels)


def _group_of_layout(name: str, n_channels: int) -> Any:
    """Squares of contacts: one probe for each group of consecutive channels that see the same neurons."""
    from probeinterface import ProbeGroup

    size = LAYOUTS[name] or n_channels
    if n_channels % size:
        raise RecordingError(
            f"probe is {name!r}, {size} channels each, and the recording has {n_channels} channels; choose a multiple "
            f"of {size} of them, or give positions"
        )
    row = int(np.ceil(np.sqrt(size)))
    places = LAYOUT_PITCH_UM * np.stack(np.divmod(np.arange(size), row)[::-1], axis=1)
    group = ProbeGroup()
    for first in range(0, n_channels, size):
        probe = _probe_of_positions(places)
        probe.set_device_channel_indices(np.arange(first, first + size))
        group.add_probe(probe)
    return group


def warn_left_out(channel_ids: Any, channels: NDArray[np.int64]) -> None:
    """Warn about channels that are not opened because the probe has no contact on them."""
    out = np.delete(np.asarray(channel_ids), channels)
    if len(out):
        names = ", ".join(map(str, out[:12])) + (" …" if len(out) > 12 else "")
        warnings.warn(
            f"the probe has contacts on {len(channels)} of {len(channel_ids)} channels; without one are {names}: left "
            "out (open without the probe to see them)",
            XephysWarning,
            stacklevel=4,
        )


def _probe_file(path: Path) -> Any:
    import probeinterface

    if not path.exists():
        raise FileNotFoundError(
            f"probe file {path} does not exist; check the path, or give {', '.join(LAYOUTS)} if no positions are known"
        )
    if path.suffix.lower() == ".prb":
        return _group_of_prb(path)
    try:
        return probeinterface.read_probeinterface(path)
    except (KeyError, ValueError, AssertionError, TypeError, AttributeError) as error:
        raise RecordingError(
            f"{path} is not a ProbeInterface file ({error}); write one with write_probeinterface"
        ) from error


def _group_of_prb(path: Path) -> Any:
    """The channel groups of a ``.prb`` file as probes. The file is Python; it is read as literals instead of run."""
    from probeinterface import Probe, ProbeGroup

    variables = {name.lower(): value for name, value in read_literals(path).items()}
    groups = variables.get("channel_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise RecordingError(f"{path} defines no channel_groups, so it is not a probe; see the documentation of .prb")
    found = ProbeGroup()
    for number, group in groups.items():
        try:
            channels = np.array(group["channels"], np.int64)
            positions = np.array([group["geometry"][int(channel)] for channel in channels], np.float64)
            probe = Probe(ndim=2, si_units="um")
            probe.set_contacts(positions=positions, shapes="circle", shape_params={"radius": 5})
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RecordingError(
                f"{path}: group {number!r} has no position (x, y) in geometry for each of its channels ({error})"
            ) from error
        probe.create_auto_shape(probe_type="tip")
        probe.set_device_channel_indices(channels)
        found.add_probe(probe)
    return found


def _probe_of_positions(positions: Any) -> Any:
    from probeinterface import Probe

    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise RecordingError(f"positions have shape {positions.shape}; give (channel, 2) or (channel, 3), in um")
    probe = Probe(ndim=positions.shape[1], si_units="um")
    axes = None
    if positions.shape[1] == 3:
        axes = np.zeros((len(positions), 2, 3))
        axes[:, 0, 0] = axes[:, 1, 1] = 1.0
    probe.set_contacts(positions=positions, shapes="circle", shape_params={"radius": 5.0}, plane_axes=axes)
    probe.set_device_channel_indices(np.arange(len(positions)))
    return probe


def _group_of_positions(recording: xr.DataArray) -> Any:
    """One probe for each probe of the recording, or for each channel group if contacts share a place."""
    from probeinterface import ProbeGroup

    axes = [axis for axis in ("x", "y", "z") if axis in recording.coords]
    positions = np.stack([np.asarray(recording.coords[axis].values, np.float64) for axis in axes], axis=1)
    numbers = np.zeros(len(positions), np.int64)
    if "probe" in recording.coords:
        numbers = np.unique(recording.probe.values.astype(str), return_inverse=True)[1]
    groups = channel_groups(recording)
    if len(np.unique(np.column_stack([numbers, positions]), axis=0)) < len(positions) and groups is not None:
        numbers = groups
    group = ProbeGroup()
    for number in np.unique(numbers):
        own = np.flatnonzero(numbers == number)
        probe = _probe_of_positions(positions[own])
        if "shank" in recording.coords:
            probe.set_shank_ids(recording.coords["shank"].values[own].astype(str))
        if "contact_id" in recording.coords:
            probe.set_contact_ids(recording.coords["contact_id"].values[own].astype(str))
        probe.set_device_channel_indices(own)
        group.add_probe(probe)
    order = np.concatenate([np.flatnonzero(numbers == number) for number in np.unique(numbers)])
    if not np.array_equal(order, np.arange(len(order))):
        group = group.get_slice(np.argsort(order))
    group.set_global_device_channel_indices(np.arange(len(order)))
    return group


def _positions_agree(group: Any, recording: xr.DataArray) -> bool:
    coordinates, _ = probe_coordinates(group)
    names = [name for name in ("x", "y", "probe", "contact_id") if name in coordinates]
    return all(
        name in recording.coords and np.array_equal(coordinates[name], recording.coords[name].values) for name in names
    )


def _unpadded(strings: Any) -> Any:
    """Strings without their padding to a fixed width of 64."""
    return np.array(strings.tolist())
