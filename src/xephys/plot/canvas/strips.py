"""Stack shanks on one axis of depth, so that spikes of two shanks never share a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Gap between two strips, as a fraction of the height of one.
GAP = 0.12


@dataclass(frozen=True)
class Strips:
    """One strip of the axis per shank.

    Attributes
    ----------
    names
        Names of the shanks, from the bottom strip upwards.
    low_um, high_um
        Range of depths that every strip covers.
    """

    names: tuple[str, ...]
    low_um: float
    high_um: float

    @classmethod
    def of(cls, depth_um: NDArray[np.float64], names: NDArray[np.str_]) -> Strips:
        """Strips that contain the given depths; at least 20 µm high."""
        known = depth_um[np.isfinite(depth_um)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        spare = max(0.0, 20.0 - (high - low)) / 2
        return cls(tuple(names.tolist()), low - spare, high + spare)

    def offset_um(self, shank: NDArray[np.int64]) -> NDArray[np.float64]:
        """Offset to add to depths, by the number of their shank."""
        return np.asarray(shank * (1 + GAP) * (self.high_um - self.low_um), np.float64)

    def mark(self, ax: Axes) -> None:
        """Draw ticks with the depth on each shank, lines between the strips, and names."""
        from matplotlib.ticker import MaxNLocator

        height = self.high_um - self.low_um
        levels = MaxNLocator(nbins=max(2, 8 // len(self.names))).tick_values(self.low_um, self.high_um)
        levels = levels[(levels >= self.low_um) & (levels <= self.high_um)]
        offsets = self.offset_um(np.arange(len(self.names)))
        ax.set_yticks(
            [float(level + offset) for offset in offsets for level in levels],
            [f"{level:g}" for _ in offsets for level in levels],
        )
        for name, offset in zip(self.names, offsets, strict=True):
            if offset:
                ax.axhline(self.low_um + offset - 0.5 * GAP * height, color=FAINT, lw=0.6)
            ax.annotate(
                f"shank {name}", (1.0, self.high_um + offset), (3, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="top", fontsize=6.5, color=INK, rotation=0,
            )  # fmt: skip
        ax.set_ylim(self.low_um - 0.5 * GAP * height, self.high_um + offsets[-1] + 0.5 * GAP * height)
        ax.set_ylabel("depth (µm), shank by shank")
