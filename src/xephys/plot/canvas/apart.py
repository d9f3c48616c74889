"""Draw shanks side by side if their contacts lie on top of one another, as those of tetrodes often do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...recording.geometry import channel_groups, group_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Apart:
    """Where the groups of channels are drawn along x.

    Attributes
    ----------
    names
        Names of the groups.
    group
        Group of each channel.
    offset_um
        Offset of each group along x; all 0 if no two groups overlap.
    middle_um
        Where the middle of each group is drawn.
    """

    names: tuple[str, ...]
    group: NDArray[np.int64]
    offset_um: NDArray[np.float64]
    middle_um: NDArray[np.float64]

    @classmethod
    def of(cls, channels: Any, contacts: NDArray[np.float64]) -> Apart:
        """Places for the groups of a recording or of templates with these ``contacts (channel, 2)`` in µm."""
        group = channel_groups(channels)
        if group is None:
            return cls(("",), np.zeros(len(contacts), np.int64), np.zeros(1), np.zeros(1))
        names = tuple(np.unique(group_labels(channels)).tolist())
        own = [contacts[group == number] for number in range(len(names))]
        low, high = np.array([one.min(axis=0) for one in own]), np.array([one.max(axis=0) for one in own])
        spacing = float(np.median([nearest_distance(one) for one in own]))
        meet = ((low[:, None] < high[None] + spacing / 2) & (low[None] < high[:, None] + spacing / 2)).all(axis=2)
        width = high[:, 0] - low[:, 0]
        offset = np.zeros(len(names))
        if meet.sum() > len(names):  # every group meets itself
            offset = np.cumsum([0.0, *(width[:-1] + 3 * spacing)]) - (low[:, 0] - low[0, 0])
        return cls(names, group, offset, low[:, 0] + width / 2 + offset)

    @property
    def moved(self) -> bool:
        """Whether any group is drawn elsewhere than it is."""
        return bool(self.offset_um.any())

    def place(self, points: NDArray[np.float64], channel: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Where points ``(point, 2)`` near the given channels are drawn; by default they are the contacts."""
        group = self.group if channel is None else self.group[channel]
        return points + np.stack([self.offset_um[group], np.zeros(len(group))], axis=1)

    def label(self, ax: Axes) -> None:
        """Label both axes; if groups were moved, with their names in place of x."""
        ax.set_ylabel("y (µm)")
        if self.moved:
            ax.set_xticks(self.middle_um, self.names)
            ax.set_xlabel("shanks or groups, side by side")
        else:
            ax.set_xlabel("x (µm)")


def nearest_distance(contacts: NDArray[np.float64]) -> float:
    """Median distance of a contact to its nearest neighbor, in µm."""
    if len(contacts) < 2:
        return 20.0
    from scipy.spatial import cKDTree

    distances = cKDTree(contacts).query(contacts, k=2)[0][:, 1]
    return float(np.median(distances[distances > 0])) if (distances > 0).any() else 20.0


def probe_size(contacts: NDArray[np.float64]) -> tuple[float, float]:
    """Width and height in inches of a figure that holds the contacts at one scale."""
    pitch = nearest_distance(contacts)
    across, along = np.ptp(contacts, axis=0) + 4 * pitch
    height = float(np.clip(along / 400, 5.0, 9.0))  # long probes are drawn longer
    if across * height <= 6.0 * along:
        return float(np.clip(height * across / along, 1.8, 6.0)), height
    return 6.5, float(np.clip(0.8 + 6.0 * along / across, 1.6, 5.0))
