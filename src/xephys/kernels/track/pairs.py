"""Find pairs of nearby units and measure their similarity; distant pairs are never compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .footprints import ROWS_UM
from .lattice import STEP_UM, spread

#: Cosines and correlations are limited to this before the Fisher transform.
COSINE_MAX = 0.998
CORRELATION_MAX = 0.999
#: Number of units of the first session that are compared with a stretch of the second at once; fewer on a lattice,
#: where the footprints of a block are as long as its part of the shank.
BLOCK, BLOCK_ON_LATTICE = 256, 64
#: Differences in depth, x and z count on a logarithmic scale beyond these values in µm, before it is learned how exact
#: locations are.
SCALE_UM = (3.0, 3.0, 3.0)
#: The learned scale is this quantile of the differences between units of one neuron, and no smaller than this: strong
#: units are exact to less than it, and some weak ones are not.
SCALE_QUANTILE, SCALE_MIN_UM = 0.9, 0.3
#: Axes of the locations in the order of the features, and the columns of these.
AXES, PLACED = [1, 0, 2], [2, 3, 4]
#: How much more a unit's amplitude and location may differ if its template is all news, and how much of a template
#: usually is; see :func:`xephys.kernels.track.footprints.surprises`.
SURPRISE_FACTOR, SURPRISE_USUAL = 10.0, 0.05
#: Share of the expected energy of the noise that does not count as a footprint's own. Noise makes footprints of one
#: neuron differ; what is left of it covers that it varies.
NOISE_REMOVED = 0.75
#: Larger log ratios of amplitudes carry no further information.
RATIO_MAX = 1.5
#: Names of the compared features, in the order of the columns, and their weights before anything is learned: for
#: footprints around each unit, and for those on a lattice, which tell by themselves where a neuron is (about those that
#: two sorted recordings gave with hardly any confidence in the prior).
FEATURES = ("footprint", "amplitude", "depth", "x", "z", "autocorrelogram", "peth")
WEIGHTS = np.array([2.5, -3.0, -1.5, -1.5, -0.7, 1.0, 1.0])
WEIGHTS_ON_LATTICE = np.array([4.0, -3.6, -1.15, -1.2, -0.8, 1.0, 1.0])
#: Features that do not depend on the location.
UNPLACED = (0, 1, 5, 6)
#: Bins in which both units of a pair need a known response, so that their responses are compared.
N_BINS_MIN = 3
#: How much a better pair of a unit counts, in powers of e per unit of similarity, and the quantile of the similarities
#: of two sessions above which a pair stands out; one that is more similar than the last number always does.
SHARPNESS, CHANCE_QUANTILE, SIMILAR = 4.0, 0.9, 4.0
#: Largest logarithm of odds.
ODDS_MAX = 200.0


class Units(NamedTuple):
    """Units of one session on one shank, in order of registered depth."""

    footprints: NDArray[np.float32]
    """(unit, place * sample)"""
    energy: NDArray[np.float32]
    """(unit, place): sum of squares without most of what is noise"""
    valid: NDArray[np.float32]
    """(unit, place)"""
    autocorrelogram: NDArray[np.float32]
    """(unit, lag): mean subtracted, scaled to length one"""
    peth: NDArray[np.float32]
    """(unit, bin): response to an event, NaN in bins where it is not known"""
    doubt: NDArray[np.float64]
    """(unit,): factor on the differences of amplitude and location that the places of the contacts explain"""
    places: NDArray[np.float64]
    """(unit, 3): x, registered depth, z in µm"""
    row: NDArray[np.int64]
    """Row of each unit in the table of all units."""
    first_row: NDArray[np.int64] | None
    """(unit,): number of the lattice depth of each footprint's first row; None for footprints around their own unit"""


def make_units(
    footprints: NDArray[np.float32],
    valid: NDArray[np.bool_],
    autocorrelograms: NDArray[np.float32],
    peths: NDArray[np.float32],
    surprise: NDArray[np.float64],
    noise: NDArray[np.float32],
    places: NDArray[np.float64],
    row: NDArray[np.int64],
    first_row: NDArray[np.int64] | None = None,
) -> Units:
    """Collect what pairs are compared by, in order of depth.

    Parameters
    ----------
    footprints : (unit, place, sample)
    valid : (unit, place)
    autocorrelograms : (unit, lag)
    peths : (unit, bin)
        Responses to an event; NaN where they are not known. There may be no bin.
    surprise : (unit,)
        See :func:`xephys.kernels.track.footprints.surprises`.
    noise : (unit, place)
        See :func:`xephys.kernels.track.noise.noise_energies`.
    places : (unit, 3)
        x, registered depth and z in µm.
    row : (unit,)
        Row of each unit in the table of all units.
    first_row : (unit,)
        See :func:`xephys.kernels.track.lattice.on_lattice`; None for footprints around their own unit.
    """
    order = np.argsort(places[:, 1], kind="stable")
    energy = (footprints[order] ** 2).sum(axis=2)
    centered = autocorrelograms - autocorrelograms.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    normed = np.divide(centered, length, out=np.zeros_like(centered), where=length > 0)
    return Units(
        footprints=np.ascontiguousarray(
            footprints[order].reshape(len(order), footprints.shape[1] * footprints.shape[2])
        ),
        energy=np.maximum(energy - NOISE_REMOVED * noise[order], (1 - NOISE_REMOVED) * energy),
        valid=valid[order].astype(np.float32),
        autocorrelogram=normed[order],
        peth=peths[order],
        doubt=1.0 + SURPRISE_FACTOR * np.maximum(surprise[order] - SURPRISE_USUAL, 0.0),
        places=places[order],
        row=row[order],
        first_row=None if first_row is None else first_row[order],
    )


def moved_units(units: Units, displaced_um: float) -> Units:
    """The units with all depths larger by a multiple of the lattice's step."""
    places = units.places + np.array([0.0, displaced_um, 0.0])
    first_row = None if units.first_row is None else units.first_row + round(displaced_um / STEP_UM)
    return units._replace(places=places, first_row=first_row)


def near_pairs(
    first: Units,
    second: Units,
    *,
    distance_max_um: float,
    cosine_min: float,
    scale_um: tuple[float, float, float] = SCALE_UM,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Find pairs within a distance along the shank, and across it if it is wide, whose footprints are similar enough.

    Parameters
    ----------
    first, second
        Two sessions, or the same one twice; then every pair is found once.
    distance_max_um
    cosine_min
        Smallest cosine between the footprints.
    scale_um
        Differences in depth, x and z count on a logarithmic scale beyond these; see :func:`location_scale`.

    Returns
    -------
    i, j : (pair,)
        Rows of ``first`` and of ``second``.
    features : (pair, feature) float32
        Named in :data:`FEATURES`.
    """
    found = [_block(first, second, rows, distance_max_um, cosine_min, scale_um) for rows in _row_blocks(first)]
    i, j, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if first is second:
        keep = i < j
        i, j, features = i[keep], j[keep], features[keep]
    return i, j, features


def mutual_shares(i: NDArray[np.int64], j: NDArray[np.int64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much better each pair is than all others of its two units, judged by features that do not depend on location.

    Parameters
    ----------
    i, j : (pair,)
        Units of two sessions.
    features : (pair, feature)
        Named in :data:`FEATURES`.

    Returns
    -------
    (pair,)
        Near 1 for a pair that stands out for both units. It is small for one that does not stand out from the pairs of
        the two sessions.

    Examples
    --------
    >>> features = np.zeros((3, 7), np.float32); features[:, 0] = [3.0, 1.0, 1.0]
    >>> mutual_shares(np.array([0, 0, 1]), np.array([0, 1, 1]), features).round(2).tolist()
    [1.0, 0.0, 0.0]
    """
    if not len(i):
        return np.empty(0)
    chosen = list(UNPLACED)
    score = features[:, chosen].astype(np.float64) @ WEIGHTS[chosen]
    by_chance = min(float(np.quantile(score, CHANCE_QUANTILE)), SIMILAR)
    odds = np.exp(np.minimum(SHARPNESS * (score - by_chance), ODDS_MAX))
    of_first, of_second = np.bincount(i, odds), np.bincount(j, odds)
    return np.asarray((odds / (1.0 + of_first[i])) * (odds / (1.0 + of_second[j])))


def location_scale(features: NDArray[np.float64], probability: NDArray[np.float64]) -> tuple[float, float, float]:
    """How far units of one neuron are apart in depth, x and z, as a scale for :func:`near_pairs`.

    A neuron whose location is known to a fraction of a micrometer is not the one 5 µm away, however similar they are.
    Where locations are no better than a few µm, the scale stays as it was.

    Parameters
    ----------
    features : (pair, feature)
        With the scale :data:`SCALE_UM`.
    probability : (pair,)
        That the pair is one neuron; the weight of the pair.

    Examples
    --------
    >>> features = np.zeros((5, 7)); features[:, 2:5] = np.log1p(np.array([0.6, 1.2, 20.0]) / 3.0)
    >>> tuple(round(scale, 6) for scale in location_scale(features, np.ones(5)))
    (0.6, 1.2, 3.0)
    """
    apart = np.expm1(features[:, PLACED]) * SCALE_UM
    out = []
    for differences, largest in zip(apart.T, SCALE_UM, strict=True):
        order = np.argsort(differences, kind="stable")
        total = np.cumsum(probability[order])
        some = len(order) > 0 and total[-1] > 0
        most = differences[order][np.searchsorted(total, SCALE_QUANTILE * total[-1])] if some else largest
        out.append(float(np.clip(most, SCALE_MIN_UM, largest)))
    return out[0], out[1], out[2]


def rescaled(features: NDArray[np.float64], scale_um: tuple[float, float, float]) -> NDArray[np.float64]:
    """Features as :func:`near_pairs` finds them with another scale than :data:`SCALE_UM`.

    Examples
    --------
    >>> features = np.zeros((1, 7)); features[0, 2] = np.log1p(6.0 / 3.0)
    >>> bool(np.isclose(rescaled(features, (0.5, 3.0, 3.0))[0, 2], np.log1p(6.0 / 0.5)))
    True
    """
    out = np.array(features)
    out[:, PLACED] = np.log1p(np.expm1(out[:, PLACED]) * (np.asarray(SCALE_UM) / scale_um))
    return out


def count_near(depth_um: NDArray[np.float64], *, distance_max_um: float, displaced_um: float = 0.0) -> int:
    """Number of ordered pairs of different units whose depths, one of them displaced, are within a distance.

    Examples
    --------
    >>> depth = np.array([0.0, 50.0, 300.0])
    >>> count_near(depth, distance_max_um=60.0), count_near(depth, distance_max_um=60.0, displaced_um=100.0)
    (2, 1)
    """
    y = np.sort(depth_um)
    low, high = (np.searchsorted(y, y - displaced_um + sign * distance_max_um) for sign in (-1.0, 1.0))
    return int((high - low).sum()) - (len(y) if abs(displaced_um) < distance_max_um else 0)


def correlations(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlation of each row with the same row of another array, over the columns that are known in both.

    It is 0 with fewer than :data:`N_BINS_MIN` such columns, and for rows that do not vary over them.

    Examples
    --------
    >>> first, second = np.float32([[1, 2, 3, np.nan], [1, 1, 1, 1]]), np.float32([[2, 4, 6, 0], [1, 2, 3, 4]])
    >>> correlations(first, second).round(6).tolist()
    [1.0, 0.0]
    """
    both = np.isfinite(first) & np.isfinite(second)
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    x, y = (np.where(both, values, 0).astype(np.float64) for values in (first, second))
    x, y = (np.where(both, v - v.sum(axis=1, keepdims=True) / count, 0.0) for v in (x, y))
    length = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    known = (both.sum(axis=1) >= N_BINS_MIN) & (length > 0)
    return np.asarray(np.divide((x * y).sum(axis=1), length, out=np.zeros(len(x)), where=known))


def _row_blocks(units: Units) -> list[slice]:
    size = BLOCK if units.first_row is None else BLOCK_ON_LATTICE
    return [slice(start, start + size) for start in range(0, max(len(units.row), 1), size)]


class _Seen(NamedTuple):
    """Footprints, energies and valid places of some units, one row each, so that columns are the same places."""

    footprints: NDArray[np.float32]
    energy: NDArray[np.float32]
    valid: NDArray[np.float32]


def _at_same_places(first: Units, rows: slice, second: Units, stretch: slice) -> tuple[_Seen, _Seen]:
    """Some units of two sessions, on the whole part of the lattice that any of them reaches."""
    parts = (first, rows), (second, stretch)
    some = [(of.footprints[at], of.energy[at], of.valid[at]) for of, at in parts]
    if first.first_row is None or second.first_row is None:
        return _Seen(*some[0]), _Seen(*some[1])
    starts = first.first_row[rows], second.first_row[stretch]
    lowest = min(int(start.min()) for start in starts)
    n_rows = max(int(start.max()) for start in starts) - lowest + len(ROWS_UM)
    a, b = (
        _Seen(*(spread(values, energy.shape[1], start - lowest, n_rows) for values in (footprints, energy, valid)))
        for (footprints, energy, valid), start in zip(some, starts, strict=True)
    )
    return a, b


def _block(
    first: Units,
    second: Units,
    rows: slice,
    distance_max_um: float,
    cosine_min: float,
    scale_um: tuple[float, float, float],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    here = first.places[rows]
    if not len(here) or not len(second.row):
        none = np.empty(0, np.int64)
        return none, none, np.empty((0, len(FEATURES)), np.float32)
    low, high = here[0, 1] - distance_max_um, here[-1, 1] + distance_max_um
    stretch = slice(*np.searchsorted(second.places[:, 1], [low, high]))
    there = second.places[stretch]
    if not len(there):
        none = np.empty(0, np.int64)
        return none, none, np.empty((0, len(FEATURES)), np.float32)
    seen, other = _at_same_places(first, rows, second, stretch)
    product = seen.footprints @ other.footprints.T
    # Energies of both over the places that are known in both; their ratio hardly depends on where the contacts are.
    of_first = np.maximum(seen.energy @ other.valid.T, 1e-6)
    of_second = np.maximum(seen.valid @ other.energy.T, 1e-6)
    cosines = product / np.sqrt(of_first * of_second)
    near = (np.abs(there[None, :, 1] - here[:, None, 1]) <= distance_max_um) & (cosines >= cosine_min)
    near &= np.abs(there[None, :, 0] - here[:, None, 0]) <= distance_max_um
    i, j = np.nonzero(near)
    doubt = np.maximum(first.doubt[rows][i], second.doubt[stretch][j])
    moved = np.abs(there[j] - here[i])[:, AXES] / doubt[:, None]
    correlation = np.einsum("pl,pl->p", first.autocorrelogram[rows][i], second.autocorrelogram[stretch][j])
    ratio = np.abs(np.log(of_first[i, j] / of_second[i, j])) / (2 * doubt)
    features = np.column_stack(
        [
            np.arctanh(np.minimum(cosines[i, j], COSINE_MAX)),
            np.minimum(ratio, RATIO_MAX),
            *np.log1p(moved / np.asarray(scale_um)).T,
            *(
                np.arctanh(np.clip(found, -CORRELATION_MAX, CORRELATION_MAX))
                for found in (correlation, correlations(first.peth[rows][i], second.peth[stretch][j]))
            ),
        ]
    )
    return i + rows.start, j + stretch.start, features.astype(np.float32)
