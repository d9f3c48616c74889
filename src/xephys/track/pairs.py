"""Collect the units of all sessions in one table, and find pairs of nearby units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ParameterError

if TYPE_CHECKING:
    from ..kernels.track.pairs import Units

#: Smallest cosine between the footprints of a pair to be compared.
COSINE_MIN = 0.4
#: Units with a larger share of their amplitude far from their largest contact are artifacts. They all look alike.
FAR_SHARE_MAX = 0.6
#: Pairs that stand out less than this among those of their units say nothing about motion.
SHARE_MIN = 0.05


class Pairs(NamedTuple):
    """Pairs of units, given by their rows in the table of all units."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    features: NDArray[np.float32]


def gather(tables: Iterable[xr.Dataset]) -> xr.Dataset:
    """Units of all sessions in one table, with footprints that depend neither on the channel map nor on the motion."""
    from ..kernels.track.footprints import surprises, unit_footprints
    from ..kernels.track.noise import noise_energies

    rows, attributes = [], {}
    for number, table in enumerate(tables):
        attributes = {key: table.attrs[key] for key in ("sampling_frequency", "nbefore")}
        templates = np.asarray(table["templates"].values)
        shank = np.asarray(table["shank"]) if "shank" in table.coords else np.zeros(table.sizes["channel"], np.int64)
        positions = np.column_stack([np.asarray(table["x"], np.float64), np.asarray(table["y"], np.float64)])
        place, own = np.asarray(table["place"], np.float64), np.asarray(table["unit_shank"])
        at_rest = place.copy()
        at_rest[:, 1] -= np.asarray(table["displacement_um"]) if "displacement_um" in table else 0.0
        for name in np.unique(own):
            rows_here, channels = own == name, shank == name
            seen = templates[rows_here][:, :, channels], positions[channels], place[rows_here, :2]
            footprints, valid = unit_footprints(*seen)
            rows.append(
                xr.Dataset(
                    {
                        "footprint": (("unit", "grid", "sample"), footprints),
                        "valid": (("unit", "grid"), valid),
                        "surprise": ("unit", surprises(*seen)),
                        "noise": (("unit", "grid"), noise_energies(*seen)),
                        "autocorrelogram": (("unit", "lag"), np.asarray(table["autocorrelogram"])[rows_here]),
                        "place": (("unit", "axis"), at_rest[rows_here]),
                        "amplitude": ("unit", np.asarray(table["amplitude"])[rows_here]),
                        "n_spikes": ("unit", np.asarray(table["n_spikes"])[rows_here]),
                        "far_share": ("unit", np.asarray(table["far_share"])[rows_here]),
                        "session": ("unit", np.full(rows_here.sum(), number)),
                        "shank": ("unit", np.full(int(rows_here.sum()), str(name))),
                        "unit_id": (
                            "unit",
                            np.asarray(table["unit_id"])[rows_here].astype(str),
                        ),
                        "row": ("unit", np.flatnonzero(rows_here)),
                    }
                    | ({"peth": (("unit", "bin"), np.asarray(table["peth"])[rows_here])} if "peth" in table else {})
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
    return with_responses(rows).assign_attrs(attributes)


def with_responses(tables: list[xr.Dataset]) -> xr.Dataset:
    """Units of several tables in one; those of tables without responses have unknown ones if any table has them."""
    sizes = sorted({int(table.sizes["bin"]) for table in tables if "peth" in table})
    if len(sizes) > 1:
        raise ParameterError(f"responses (peth) have {sizes} bins; give the same bins in all sessions")
    if sizes:
        unknown = [(("unit", "bin"), np.full((table.sizes["unit"], sizes[0]), np.nan, np.float32)) for table in tables]
        tables = [
            table if "peth" in table else table.assign(peth=nothing)
            for table, nothing in zip(tables, unknown, strict=True)
        ]
    return xr.concat(tables, "unit")


def session_blocks(
    units: xr.Dataset, depth: NDArray[np.float64], x: NDArray[np.float64], *, registered: bool = False
) -> list[dict[int, Units]]:
    """What the units of each session are compared by, shank by shank; artifacts are left out.

    Parameters
    ----------
    units
        From :func:`gather`.
    depth, x
        Location of each unit along and across its shank, registered or not.
    registered
        Whether footprints are compared at the same depths of the tissue; otherwise around each unit.
    """
    from ..kernels.track.lattice import on_lattice
    from ..kernels.track.pairs import make_units

    session, shank = np.asarray(units["session"]), np.asarray(units["shank"]).astype(str)
    compared = np.asarray(units["far_share"]) <= FAR_SHARE_MAX
    footprint, valid, rhythm, surprise, noise = (
        np.asarray(units[name]) for name in ("footprint", "valid", "autocorrelogram", "surprise", "noise")
    )
    peth = np.asarray(units["peth"]) if "peth" in units else np.empty((units.sizes["unit"], 0), np.float32)
    place = np.asarray(units["place"]).copy()
    place[:, 0], place[:, 1] = x, depth
    blocks = []
    for name in np.unique(shank):
        of_shank: dict[int, Units] = {}
        for number in np.unique(session[compared & (shank == name)]).tolist():
            index = np.flatnonzero(compared & (shank == name) & (session == number))
            seen = footprint[index], valid[index], noise[index], None
            if registered:
                seen = on_lattice(*seen[:3], depth[index])
            of_shank[number] = make_units(
                seen[0], seen[1], rhythm[index], peth[index], surprise[index], seen[2], place[index], index, seen[3]
            )
        blocks.append(of_shank)
    return blocks


def session_pairs(
    blocks: list[dict[int, Units]],
    *,
    distance_max_um: float,
    first: int = 0,
    between: tuple[int, int] | None = None,
    displaced_um: float = 0.0,
    odds: NDArray[np.float64] | None = None,
    scale_um: tuple[float, float, float] | None = None,
) -> Pairs:
    """Pairs of nearby units: each session with itself, and with every session from ``first`` on.

    Parameters
    ----------
    blocks
        From :func:`session_blocks`.
    distance_max_um
    first
        First session of which the second unit of a pair may be.
    between
        Only pairs of these two sessions, the earlier one first; pairs of all sessions if None.
    displaced_um
        Displacement that is added to the depth of the second unit of each pair; a multiple of the lattice's step.
    odds
        Weights and constant of the log odds; only pairs that are not all but impossible are kept.
    scale_um
        How exact locations are in depth, x and z; None if it is not known yet.
    """
    from ..kernels.track.identity import PROBABILITY_MIN, probability_of
    from ..kernels.track.pairs import SCALE_UM, moved_units, near_pairs

    found: list[Pairs] = []
    for a, b, block, other in _sessions_of_shanks(blocks, first):
        if between is not None and (a, b) != between:
            continue
        far = moved_units(other, displaced_um) if displaced_um else other
        i, j, features = near_pairs(
            block, far, distance_max_um=distance_max_um, cosine_min=COSINE_MIN, scale_um=scale_um or SCALE_UM
        )
        if odds is not None:
            kept = probability_of(features.astype(np.float64), odds) > PROBABILITY_MIN
            i, j, features = i[kept], j[kept], features[kept]
        found.append(Pairs(block.row[i], other.row[j], features))
    return joined(found)


def _sessions_of_shanks(blocks: list[dict[int, Units]], first: int) -> Iterator[tuple[int, int, Units, Units]]:
    """Two sessions and their units on one shank, the later one from ``first`` on; they may be the same."""
    for of_shank in blocks:
        for b, other in of_shank.items():
            if b >= first:
                yield from ((a, b, block, other) for a, block in of_shank.items() if a <= b)


def session_matches(
    blocks: list[dict[int, Units]], *, distance_max_um: float, first: int = 0
) -> tuple[Pairs, NDArray[np.float64]]:
    """Pairs of different sessions that stand out among all pairs of both units, and how much they do.

    Parameters
    ----------
    blocks
        From :func:`session_blocks`.
    distance_max_um
    first
        First session of which the second unit of a pair may be.

    Returns
    -------
    pairs
    share : (pair,)
        See :func:`xephys.kernels.track.pairs.mutual_shares`; at least :data:`SHARE_MIN`.
    """
    from ..kernels.track.pairs import mutual_shares, near_pairs

    found, shares = [], []
    for a, b, block, other in _sessions_of_shanks(blocks, first):
        if a == b:
            continue
        i, j, features = near_pairs(block, other, distance_max_um=distance_max_um, cosine_min=COSINE_MIN)
        share = mutual_shares(i, j, features)
        kept = share >= SHARE_MIN
        found.append(Pairs(block.row[i[kept]], other.row[j[kept]], features[kept]))
        shares.append(share[kept])
    return joined(found), np.concatenate([np.empty(0), *shares])


def joined(found: list[Pairs]) -> Pairs:
    """Several lots of pairs as one."""
    from ..kernels.track.pairs import FEATURES

    if not found:
        none = np.empty(0, np.int64)
        return Pairs(none, none, np.empty((0, len(FEATURES)), np.float32))
    return Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
