"""Start values of units from labels: means, and loadings from the largest axes of what the means leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.fit import UNITS_PER_TASK, Mixture, Run, in_turn
from xephys.kernels.cluster.mixture.maximize import maximize_unit
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows
from xephys.kernels.cluster.mixture.pairs import log_places, possible_pairs
from xephys.kernels.lib.arrays import zeros
from xephys.kernels.lib.inner import kernel
from xephys.kernels.lib.splitmix import splitmix

#: Variance that a loading starts with at least, in units of the noise's; and the spikes from which axes are computed.
VARIANCE_MIN, N_SPIKES_MAX = 0.05, 2000
#: Share of the spikes that the noise component starts with.
NOISE_SHARE = 0.01


def start_mixture(
    rows: Rows, labels: NDArray[np.int32], neighborhoods: Neighborhoods, *, rank: int, run: Run = in_turn
) -> Mixture:
    """The mixture of the units that have a label.

    Parameters
    ----------
    rows : Rows
    labels : (n_rows,) int32
        0 to n - 1 without gaps, or -1.
    neighborhoods : Neighborhoods
    rank : int
    run : callable
        Runs the tasks.
    """
    n_units = int(labels.max(initial=-1)) + 1
    units = np.arange(n_units)
    jobs = [(units[first : first + UNITS_PER_TASK],) for first in range(0, n_units, UNITS_PER_TASK)]
    loadings = np.concatenate(run(start_units, jobs, shared=(rows, labels, neighborhoods, rank)))
    counts = count_on_neighborhoods(rows, labels, n_neighborhoods=len(neighborhoods.channels), n_units=n_units)
    share = (1 - NOISE_SHARE) * counts.sum(axis=0) / max(counts.sum(), 1.0)
    possible = possible_pairs(loadings, counts, neighborhoods)
    everywhere = np.bincount(rows.neighborhood[~rows.held_out], minlength=len(counts)) + 0.5
    log_shares = np.log(everywhere / everywhere.sum())
    places = log_places(counts, possible, log_shares)
    return Mixture(loadings, np.log(np.maximum(share, 1e-7)), float(np.log(NOISE_SHARE)), places, log_shares)


def count_on_neighborhoods(
    rows: Rows, labels: NDArray[np.int32], *, n_neighborhoods: int, n_units: int
) -> NDArray[np.float64]:
    """Number of fitted spikes of each unit on each neighborhood, ``(n_neighborhoods, n_units)``."""
    used = (labels >= 0) & ~rows.held_out
    flat = rows.neighborhood[used].astype(np.int64) * n_units + labels[used]
    return np.bincount(flat, minlength=n_neighborhoods * n_units).astype(np.float64).reshape(n_neighborhoods, n_units)


def start_units(
    rows: Rows, labels: NDArray[np.int32], neighborhoods: Neighborhoods, rank: int, units: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Means and loadings of some units from the fitted spikes with their label.

    Parameters
    ----------
    rows : Rows
    labels : (n_rows,) int32
    neighborhoods : Neighborhoods
    rank : int
        Number of loadings.
    units : (n,) int64

    Returns
    -------
    loadings : (n, n_features, 1 + rank) float64

    Examples
    --------
    >>> from xephys.kernels.cluster.mixture.neighborhoods import cells_of, find_neighborhoods
    >>> near, _ = find_neighborhoods(np.array([[0]], np.int32), 1.0, n_components=1)
    >>> z, where = np.full((99, 1), 3.0, np.float32), np.zeros(99, np.int32)
    >>> rows = Rows(z, where, np.zeros(99, bool), cells_of(where))
    >>> start_units(rows, where, near, 1, np.array([0]))[0, 0, 0].round(2)
    np.float64(2.98)
    """
    fitted = np.flatnonzero((labels >= 0) & ~rows.held_out)
    order = fitted[np.argsort(labels[fitted], kind="stable")]
    ends = np.searchsorted(labels[order], np.stack([units, units + 1]))
    loadings = np.zeros((len(units), len(neighborhoods.variance), 1 + rank))
    for k in range(len(units)):
        own = order[ends[0, k] : ends[1, k]]
        if len(own):
            loadings[k] = _start_unit(rows.whitened[own], rows.neighborhood[own], neighborhoods, rank)
    return loadings


def _start_unit(
    whitened: NDArray[np.float32], neighborhood: NDArray[np.int32], neighborhoods: Neighborhoods, rank: int
) -> NDArray[np.float64]:
    """Mean and loadings of one unit from its spikes, sorted by neighborhood."""
    where, starts, counts = np.unique(neighborhood, return_index=True, return_counts=True)
    products = np.zeros((len(where), 1 + rank, whitened.shape[1]))
    moments = np.zeros((len(where), 1 + rank, 1 + rank))
    products[:, 0] = np.add.reduceat(whitened, starts, axis=0, dtype=np.float64)
    moments[:, 0, 0] = counts
    start = np.zeros((len(neighborhoods.variance), 1 + rank))
    found: NDArray[np.float64] = maximize_unit(
        start, where, products, moments, neighborhoods.entries, neighborhoods.whiten, neighborhoods.variance
    )
    most = int(counts.argmax())
    entries, whiten = neighborhoods.entries[where[most]], neighborhoods.whiten[where[most]]
    used = np.flatnonzero(entries >= 0)
    n_axes = min(rank, len(used))
    if not n_axes:
        return found
    own = whitened[starts[most] : starts[most] + counts[most]][:, used]
    own = own[:: max(1, len(own) // N_SPIKES_MAX)].astype(np.float64)
    matrix = whiten[np.ix_(used, used)]
    residual = own - matrix @ found[entries[used], 0]
    variances, axes = np.linalg.eigh(residual.T @ residual / len(own))
    # The largest axis of noise alone has this variance in so few spikes.
    noise = (1 + np.sqrt(len(used) / len(own))) ** 2
    variances = np.maximum(variances[::-1][:n_axes] - noise, VARIANCE_MIN)
    axes = axes[:, ::-1][:, :n_axes]
    # Signs of axes are arbitrary; the largest entry of each is made positive.
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(n_axes)] < 0, -1.0, 1.0)
    found[entries[used], 1 : 1 + n_axes] = np.linalg.solve(matrix, axes * np.sqrt(variances))
    return found


@kernel
def hold_out(labels: NDArray[np.int32], seed: int) -> NDArray[np.bool_]:
    """A half of the spikes of each label, spread over time: of two spikes that follow each other, one at random.

    Parameters
    ----------
    labels : (n_spikes,) int32
        -1 counts as a label.
    seed : int

    Returns
    -------
    held_out : (n_spikes,) bool

    Examples
    --------
    >>> chosen = hold_out(np.array([0, 0, 1, 1, 1, 1, -1, -1], np.int32), 0)
    >>> int(chosen[:2].sum()), int(chosen[2:6].sum()), int(chosen[6:].sum())
    (1, 2, 1)
    """
    n_labels = labels.max() + 2 if len(labels) else 1
    ranks = zeros(n_labels, np.int64)
    first = zeros(n_labels, np.bool_)
    held_out = zeros(len(labels), np.bool_)
    for i in range(len(labels)):
        label = labels[i] + 1
        if ranks[label] % 2 == 0:
            key = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(i + 1)
            first[label] = splitmix(key) & np.uint64(1) == np.uint64(1)
            held_out[i] = first[label]
        else:
            held_out[i] = not first[label]
        ranks[label] += 1
    return held_out
