"""Collect the units of all sessions in one table, and find pairs of nearby units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError

if TYPE_CHECKING:
    from ..kernels.track.pairs import Units

#: Smallest cosine between the footprints of a pair to be compared.
COSINE_MIN = 0.4


class Pairs(NamedTuple):
    """Pairs of units, given by their rows in the table of all units."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    features: NDArray[np.float32]


def gather(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    """Units of all sessions in one table, with footprints that depend neither on the channel map nor on the motion."""
    from ..kernels.track.footprints import unit_footprints

    rows = []
    for number, table in enumerate(tables):
        templates = np.asarray(table["templates"].values)
        shank = np.asarray(table["shank"]) if "shank" in table.coords else np.zeros(table.sizes["channel"], np.int64)
        positions = np.column_stack([np.asarray(table["x"], np.float64), np.asarray(table["y"], np.float64)])
        place, own = np.asarray(table["place"], np.float64), np.asarray(table["unit_shank"])
        for name in np.unique(own):
            rows_here, channels = own == name, shank == name
            footprints, valid = unit_footprints(
                templates[rows_here][:, :, channels], positions[channels], place[rows_here, :2]
            )
            rows.append(
                xr.Dataset(
                    {
                        "footprint": (("unit", "grid", "sample"), footprints),
                        "valid": (("unit", "grid"), valid),
                        "autocorrelogram": (("unit", "lag"), np.asarray(table["autocorrelogram"])[rows_here]),
                        "place": (("unit", "axis"), place[rows_here]),
                        "amplitude": ("unit", np.asarray(table["amplitude"])[rows_here]),
                        "n_spikes": ("unit", np.asarray(table["n_spikes"])[rows_here]),
                        "session": ("unit", np.full(rows_here.sum(), number)),
                        "shank": ("unit", np.full(int(rows_here.sum()), str(name))),
                        "unit_id": (
                            "unit",
                            np.asarray(table["unit_id"])[rows_here].astype(str),
                        ),
                        "row": ("unit", np.flatnonzero(rows_here)),
                    }
                )
            )
    if not rows:
        raise ParameterError("no session has a unit; there is nothing to track")
    grids = {row.sizes["grid"] for row in rows}
    if len(grids) > 1:
        raise ParameterError(
            f"shanks of {sorted(grids)} grid places are mixed: some are wide and some narrow, or have one column and "
            "several; track sessions of the same kind of probe together"
        )
    return xr.concat(rows, "unit").assign_attrs(
        sampling_frequency=float(tables[0].attrs["sampling_frequency"]), nbefore=int(tables[0].attrs["nbefore"])
    )


def session_pairs(
    units: xr.Dataset, depth: NDArray[np.float64], *, distance_max_um: float, first: int, mutual: bool
) -> Pairs:
    """Pairs of nearby units: each session with itself, and with every session from ``first`` on."""
    from ..kernels.track.pairs import make_units, near_pairs

    session, shank = np.asarray(units["session"]), np.asarray(units["shank"]).astype(str)
    place = np.asarray(units["place"]).copy()
    place[:, 1] = depth
    found: list[Pairs] = []
    for name in np.unique(shank):
        blocks: dict[int, Units] = {}
        for number in np.unique(session[shank == name]).tolist():
            index = np.flatnonzero((shank == name) & (session == number))
            blocks[number] = make_units(
                np.asarray(units["footprint"][index]), np.asarray(units["valid"][index]),
                np.asarray(units["autocorrelogram"][index]), np.asarray(units["amplitude"][index]), place[index], index,
            )  # fmt: skip
        for b, other in blocks.items():
            if b < first:
                continue
            for a, block in blocks.items():
                if a > b or (mutual and a == b):
                    continue
                i, j, features = near_pairs(
                    block, other, distance_max_um=distance_max_um, cosine_min=COSINE_MIN, mutual=mutual
                )
                found.append(Pairs(block.row[i], other.row[j], features))
    if not found:
        none = np.empty(0, np.int64)
        return Pairs(none, none, np.empty((0, 6), np.float32))
    return Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
