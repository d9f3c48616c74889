"""Find the nearest neighbors of rows, comparing all with all in tiles; only the smallest distances are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.arrays import empty, zeros
from xephys.kernels.lib.inner import helper, inner, kernel
from xephys.kernels.lib.lanes import LANES, add, fma, lanes_less, load_f32, lowest_lane, splat_f32, store

#: Rows and columns of a tile of distances: four times four vectors of sums, which are in registers until it is done.
_ROWS, _COLUMNS = 4, 4 * LANES
#: Maximum number of groups of features: the bits of a positive integer.
_GROUPS_MAX = 62


def nearest_rows(rows: NDArray[np.float32], *, n_neighbors: int, width: int = 1) -> NDArray[np.int64]:
    """The nearest other rows of each row, nearest first.

    Parameters
    ----------
    rows : (n, feature) float32
        Around 0, so that distances are not lost in the rounding of the norms.
    n_neighbors : int
        At most n - 1.
    width : int
        Features come in groups of this many that are 0 together, as those of one channel are for spikes elsewhere.
        Groups that are 0 in all rows of a tile, or in all of its columns, are not multiplied.

    Returns
    -------
    (n, n_neighbors) int64
        Ties go to the row with the smaller number.

    Examples
    --------
    >>> nearest_rows(np.float32([[0], [1], [3]]), n_neighbors=1).ravel().tolist()
    [1, 0, 1]
    """
    n, n_features = rows.shape
    width *= -(-n_features // (width * _GROUPS_MAX))
    size, n_groups = -(-n // _COLUMNS) * _COLUMNS, -(-n_features // width)
    values = np.zeros((size, n_groups * width), np.float32)
    values[:n, :n_features] = rows
    norms = np.full(size, np.inf, np.float32)  # nothing is near a row of the padding
    norms[:n] = np.einsum("nf,nf->n", rows, rows)
    panels = np.ascontiguousarray(values.reshape(-1, _COLUMNS, n_groups * width).transpose(0, 2, 1))
    best, found = np.full((size, n_neighbors), np.inf, np.float32), np.empty((size, n_neighbors), np.int64)
    _compare(-2 * values, panels, norms, best, found, width)
    return found[:n]


@kernel
def _compare(
    rows: NDArray[np.float32],
    panels: NDArray[np.float32],
    norms: NDArray[np.float32],
    best: NDArray[np.float32],
    found: NDArray[np.int64],
    width: int,
) -> None:
    """Keep the smallest distances, less the norm of a row itself, and the rows to which they belong.

    Each tile serves its rows and its columns. A row meets the others in ascending order, first as a column of the tiles
    above the diagonal, so ties go to the first. ``limits`` holds the largest kept distance of each row, contiguously,
    so that many can be compared at a time; the padding accepts nothing.
    """
    n_panels = panels.shape[0]
    limits = np.where(norms < np.inf, np.float32(np.inf), np.float32(-np.inf))
    distances = empty((_ROWS, _COLUMNS), np.float32)
    filled = _filled_groups(rows, width)
    for number in range(n_panels):
        second = number * _COLUMNS
        panel = panels[number].reshape(-1)
        of_panel = np.int64(0)
        for first in range(second // _ROWS, (second + _COLUMNS) // _ROWS):
            of_panel |= filled[first]
        for first in range(0, second + _COLUMNS, _ROWS):
            _multiply(rows[first : first + _ROWS], panel, of_panel & filled[first // _ROWS], width, distances)
            for i in range(_ROWS):
                _keep(distances[i], first + i, second, first < second, norms, best, found, limits)


@helper
def _filled_groups(rows: NDArray[np.float32], width: int) -> NDArray[np.int64]:
    """For every four rows, the groups of features that are not 0 in all of them, as bits."""
    n, n_features = rows.shape
    filled = zeros(n // _ROWS, np.int64)
    for row in range(n):
        for group in range(n_features // width):
            for k in range(group * width, (group + 1) * width):
                if rows[row, k] != 0:
                    filled[row // _ROWS] |= np.int64(1) << group
    return filled


@inner
def _multiply(
    rows: NDArray[np.float32], panel: NDArray[np.float32], groups: int, width: int, products: NDArray[np.float32]
) -> None:
    """Products of four rows with 64 columns, summed in the order of the features of the given groups."""
    a, b, c, d = rows[0], rows[1], rows[2], rows[3]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = splat_f32(np.float32(0))
    while groups:
        first = lowest_lane(groups) * width
        groups &= groups - 1
        for k in range(first, first + width):
            at = k * _COLUMNS
            p, q = load_f32(panel, at), load_f32(panel, at + LANES)
            r, s = load_f32(panel, at + 2 * LANES), load_f32(panel, at + 3 * LANES)
            x = splat_f32(a[k])
            a0, a1, a2, a3 = fma(x, p, a0), fma(x, q, a1), fma(x, r, a2), fma(x, s, a3)
            x = splat_f32(b[k])
            b0, b1, b2, b3 = fma(x, p, b0), fma(x, q, b1), fma(x, r, b2), fma(x, s, b3)
            x = splat_f32(c[k])
            c0, c1, c2, c3 = fma(x, p, c0), fma(x, q, c1), fma(x, r, c2), fma(x, s, c3)
            x = splat_f32(d[k])
            d0, d1, d2, d3 = fma(x, p, d0), fma(x, q, d1), fma(x, r, d2), fma(x, s, d3)
    _store_row(products[0], a0, a1, a2, a3)
    _store_row(products[1], b0, b1, b2, b3)
    _store_row(products[2], c0, c1, c2, c3)
    _store_row(products[3], d0, d1, d2, d3)


@inner
def _store_row(out, first, second, third, fourth):  # type: ignore[no-untyped-def]
    store(out, 0, first)
    store(out, LANES, second)
    store(out, 2 * LANES, third)
    store(out, 3 * LANES, fourth)


@inner
def _keep(
    products: NDArray[np.float32],
    row: int,
    second: int,
    both: bool,
    norms: NDArray[np.float32],
    best: NDArray[np.float32],
    found: NDArray[np.int64],
    limits: NDArray[np.float32],
) -> None:
    """Offer the columns of a tile to one of its rows and, if ``both``, the row to them."""
    norm = splat_f32(norms[row])
    for start in range(0, _COLUMNS, LANES):
        product = load_f32(products, start)
        closer = lanes_less(add(load_f32(norms, second + start), product), splat_f32(limits[row]))
        while closer:
            j = start + lowest_lane(closer)
            closer &= closer - 1
            value = norms[second + j] + products[j]
            if value < limits[row] and second + j != row:
                _insert(best[row], found[row], value, second + j)
                limits[row] = best[row, -1]
        if not both:
            continue
        closer = lanes_less(add(norm, product), load_f32(limits, second + start))
        while closer:
            j = start + lowest_lane(closer)
            closer &= closer - 1
            _insert(best[second + j], found[second + j], norms[row] + products[j], row)
            limits[second + j] = best[second + j, -1]


@inner
def _insert(best: NDArray[np.float32], found: NDArray[np.int64], value: float, number: int) -> None:
    """Insert a distance into the sorted ones, after equal ones, and drop the largest."""
    k = len(best) - 1
    while k > 0 and best[k - 1] > value:
        best[k] = best[k - 1]
        found[k] = found[k - 1]
        k -= 1
    best[k] = value
    found[k] = number
