"""Contact layouts of common probes, for any number of channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from probeinterface import Probe

TETRODE_SPACING_UM = 250.0
SHANK_SPACING_UM = 250.0
MEA_PITCH_UM = 42.0
MULTIPLEXED = 13  # sampling slots of a Neuropixels 1.0 converter: 12 contacts and the slow band


class ProbeLayout(NamedTuple):
    """Contacts: ``xy`` (channel, 2) in µm, ``shank`` and ``group`` (channel,), ``inter_sample_shift`` (channel,)."""

    xy: NDArray[np.float64]
    shank: NDArray[np.int64]
    group: NDArray[np.int64]
    inter_sample_shift: NDArray[np.float64]

    @property
    def contact_ids(self) -> list[str]:
        return [f"e{c}" for c in range(len(self.xy))]


def make_layout(name: str, n_channels: int, *, inter_sample_shift: bool = False) -> ProbeLayout:
    """Positions of the contacts of a named probe.

    ``neuropixels-like`` has four staggered columns (16 µm apart) and rows of two every 20 µm. ``linear`` has one
    contact every 25 µm. ``tetrode`` has groups of four in a 20 µm square, 250 µm apart. ``multi-shank`` has up to four
    shanks of two columns (32 x 15 µm), 250 µm apart. ``neuropixels-1`` has the contacts of that probe in their order:
    rows of two every 20 µm, alternately at x = 43 and 11 µm and at 59 and 27 µm. ``neuropixels-2`` has those of one
    shank of that probe: rows of two every 15 µm at x = 27 and 59 µm. ``mea`` is a planar array of contacts 42 µm apart,
    as square as their number allows.
    """
    c = np.arange(n_channels)
    shank, group = np.zeros(n_channels, np.int64), np.zeros(n_channels, np.int64)
    if name == "neuropixels-like":
        row = c // 2
        x, y = np.where(c % 2 == 0, 16.0, 48.0) - 16.0 * (row % 2), 20.0 * row
    elif name == "linear":
        x, y = np.zeros(n_channels), 25.0 * c
    elif name == "tetrode":
        group = c // 4
        x, y = 20.0 * (c % 2), 20.0 * (c % 4 // 2) + TETRODE_SPACING_UM * group
    elif name == "neuropixels-1":
        x, y = np.array([43.0, 11.0, 59.0, 27.0])[c % 4], 20.0 * (c // 2)
    elif name == "neuropixels-2":
        x, y = np.where(c % 2 == 0, 27.0, 59.0), 15.0 * (c // 2)
    elif name == "mea":
        n_columns = max(1, math.ceil(math.sqrt(n_channels)))
        x, y = MEA_PITCH_UM * (c % n_columns), MEA_PITCH_UM * (c // n_columns)
    else:
        n_shanks = min(4, max(1, n_channels // 4))
        per_shank = -(-n_channels // n_shanks)
        shank = c // per_shank
        group = shank.copy()
        i = c % per_shank
        x, y = 32.0 * (i % 2) + SHANK_SPACING_UM * shank, 15.0 * (i // 2)
    shift = (c // 2 % (MULTIPLEXED - 1)) / MULTIPLEXED if inter_sample_shift else np.zeros(n_channels)
    return ProbeLayout(np.stack([x, y], axis=1).astype(np.float64), shank, group, shift.astype(np.float64))


def to_probeinterface(layout: ProbeLayout) -> Probe:
    """The layout as a ProbeInterface probe, wired in order."""
    from probeinterface import Probe

    probe = Probe(ndim=2, si_units="um")
    probe.set_contacts(positions=layout.xy, shapes="square", shape_params={"width": 12.0})
    probe.set_contact_ids(layout.contact_ids)
    probe.set_shank_ids([str(s) for s in layout.shank])
    probe.set_device_channel_indices(np.arange(len(layout.xy)))
    return probe
