"""A few units of a mixture and their spikes, apart from the others: where splits and merges are tried."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.expect import Expected
from xephys.kernels.cluster.mixture.fit import Mixture, criterion, fit_mixture
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows, cells_of
from xephys.kernels.cluster.mixture.pairs import log_places
from xephys.kernels.cluster.mixture.start import count_on_neighborhoods, start_units
from xephys.kernels.cluster.parts import spread_rows

#: Largest number of spikes of a group on which a change is tried, of each half.
N_SPIKES_MAX = 4000
#: Iterations of a fit of parts, and the gain in nats per spike below which it ends.
N_ITERATIONS_MAX, GAIN_MIN = 12, 0.002


class Group(NamedTuple):
    """The spikes of some units.

    Attributes
    ----------
    rows : Rows
        Spikes whose most likely unit is in the group, at most ``N_SPIKES_MAX`` of each half.
    labels : (n_rows,) int32
        Their unit.
    background : (n_rows,) float32
        Log likelihood of all other units and noise, with weights.
    n_held_out : int
        Number of held-out spikes that those here stand for.
    """

    rows: Rows
    labels: NDArray[np.int32]
    background: NDArray[np.float32]
    n_held_out: int


class Members(NamedTuple):
    """The spikes of every unit: ``rows[starts[unit] : starts[unit + 1]]``, ascending."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]


def members_of(expected: Expected, *, log_noise: float, n_units: int) -> Members:
    """The spikes whose most likely unit each is; those that are noise belong to none."""
    most = np.where(expected.joint[:, 0] > log_noise, expected.candidates[:, 0], -1)
    order = np.argsort(most, kind="stable")
    return Members(order, np.searchsorted(most[order], np.arange(n_units + 1)))


def spikes_of(rows: Rows, expected: Expected, members: Members, units: list[int], *, log_noise: float) -> Group:
    """The spikes of some units, and how well all others explain them."""
    own = np.sort(np.concatenate([members.rows[members.starts[u] : members.starts[u + 1]] for u in units]))
    held = rows.held_out[own]
    used = np.sort(np.concatenate([spread_rows(own[~held], N_SPIKES_MAX), spread_rows(own[held], N_SPIKES_MAX)]))
    where = rows.neighborhood[used]
    some = Rows(rows.whitened[used], where, rows.held_out[used], cells_of(where))
    others = np.where(np.isin(expected.candidates[used], units), -np.inf, expected.joint[used].astype(np.float64))
    background = np.logaddexp(np.logaddexp.reduce(others, axis=1), log_noise).astype(np.float32)
    return Group(some, expected.candidates[used, 0], background, int(held.sum()))


def evaluate(
    group: Group, mixture: Mixture, neighborhoods: Neighborhoods, *, entropy_weight: float, n_iterations_max: int = 0
) -> tuple[Mixture, float]:
    """A mixture of parts, fitted for some iterations, and its criterion: a sum over held-out spikes.

    The parts keep the weight that they have together.
    """
    total = float(np.exp(mixture.log_weights).sum())
    nobody = np.full((len(mixture.loadings), 0), -1, np.int32)
    fitted, expected = fit_mixture(
        group.rows,
        neighborhoods,
        mixture,
        nobody,
        n_candidates=len(mixture.loadings),
        n_iterations_max=n_iterations_max,
        gain_min=GAIN_MIN,
        entropy_weight=entropy_weight,
        background=group.background,
        total=total,
    )
    return fitted, group.n_held_out * criterion(expected.totals, entropy_weight=entropy_weight)


def parts_of(group: Group, labels: NDArray[np.int32], neighborhoods: Neighborhoods, whole: Mixture) -> Mixture:
    """Start values of parts from labels of the group's spikes: 0 to n - 1, or -1.

    By their numbers of spikes, the parts share the weight of the units that they replace, ``whole``.
    """
    n_parts = int(labels.max()) + 1
    n_sets = len(neighborhoods.channels)
    counts = count_on_neighborhoods(group.rows, labels, n_neighborhoods=n_sets, n_units=n_parts)
    sizes = counts.sum(axis=0) + 1e-3
    loadings = start_units(group.rows, labels, neighborhoods, whole.loadings.shape[2] - 1, np.arange(n_parts))
    possible = np.zeros((n_sets, n_parts), np.bool_)
    possible[group.rows.neighborhood] = True
    places = log_places(counts, possible, whole.log_shares)
    log_weights = np.logaddexp.reduce(whole.log_weights) + np.log(sizes / sizes.sum())
    return Mixture(loadings, log_weights, -np.inf, places, whole.log_shares)


def only(mixture: Mixture, units: list[int]) -> Mixture:
    """Some units of a mixture."""
    return mixture._replace(
        loadings=mixture.loadings[units], log_weights=mixture.log_weights[units], places=mixture.places[:, units]
    )
