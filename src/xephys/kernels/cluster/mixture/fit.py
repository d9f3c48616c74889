"""Expectation maximization until the held-out spikes are explained no better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.expect import Expected, expect
from xephys.kernels.cluster.mixture.maximize import maximize
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows
from xephys.kernels.cluster.mixture.pairs import Projected, log_places, pairs_of, project_units

#: Calls a function once for each tuple of arguments, with shared arguments first, and returns the results in order.
Run: TypeAlias = Callable[..., list[Any]]

#: Every tenth E-step tries all units that can appear on a neighborhood.
EVERYWHERE_EVERY = 10
#: Smallest weight of a unit, and of noise: a model fitted to spikes alone can still call others noise.
WEIGHT_MIN, NOISE_WEIGHT_MIN = 1e-7, 1e-4
#: Units of one task of the M-step.
UNITS_PER_TASK = 16


class Mixture(NamedTuple):
    """Parameters of a mixture.

    Attributes
    ----------
    loadings : (n_units, n_features, 1 + rank) float64
        Mean and factor loadings on all features of the probe.
    log_weights : (n_units,) float64
    log_noise : float
        Log weight of the noise component.
    places : (n_neighborhoods, n_units) float64
        Log probability of a neighborhood for the spikes of a unit, relative to that for all spikes; minus infinity
        where the unit cannot appear. Without it, two units that are never observed on the same channels would be one
        unit as well as two.
    log_shares : (n_neighborhoods,) float64
        Log share of all spikes.
    """

    loadings: NDArray[np.float64]
    log_weights: NDArray[np.float64]
    log_noise: float
    places: NDArray[np.float64]
    log_shares: NDArray[np.float64]

    @property
    def possible(self) -> NDArray[np.bool_]:
        """On which neighborhoods a unit can appear."""
        return np.isfinite(self.places)


def in_turn(func: Callable[..., Any], jobs: list[tuple[Any, ...]], *, shared: tuple[Any, ...] = ()) -> list[Any]:
    """Run jobs one after another.

    Examples
    --------
    >>> in_turn(max, [(1,), (3,)], shared=(2,))
    [2, 3]
    """
    return [func(*shared, *job) for job in jobs]


def criterion(totals: NDArray[np.float64], *, entropy_weight: float) -> float:
    """Mean log likelihood of the held-out spikes minus ``entropy_weight`` times their mean entropy.

    With a weight of 1, it is the expected log likelihood of spikes and their units together.

    Examples
    --------
    >>> criterion(np.array([[0.0] * 4, [2.0, 10.0, 1.0, 0.0]]), entropy_weight=1.0)
    4.5
    """
    count, likelihood, entropy, _ = totals[1]
    return float((likelihood - entropy_weight * entropy) / max(count, 1.0))


def expectation(
    rows: Rows,
    neighborhoods: Neighborhoods,
    mixture: Mixture,
    candidates: NDArray[np.int32],
    near: NDArray[np.int32],
    *,
    everywhere: bool,
    background: NDArray[np.float32] | None = None,
    batch_rows: int = 65_536,
    run: Run = in_turn,
) -> Expected:
    """The E-step of all spikes.

    Parameters
    ----------
    rows, neighborhoods, mixture
        The spikes and the model.
    candidates, near, everywhere
        As for :func:`~xephys.kernels.cluster.mixture.expect.expect`.
    background : (n_rows,) float32, optional
        In place of the weight of the noise component.
    batch_rows : int
        A task has at least this number of spikes. Results do not depend on it.
    run : callable
        Runs the tasks.

    Returns
    -------
    expected : Expected
        Sums are over all cells, in their order.
    """
    pairs = pairs_of(mixture.possible)
    seen = Projected(
        *project_units(mixture.loadings, pairs.starts, pairs.units, neighborhoods.entries, neighborhoods.whiten)
    )
    if background is None:
        background = np.full(len(candidates), mixture.log_noise, np.float32)
    cells = rows.cells
    task = np.cumsum(cells[:, 2] - cells[:, 1]) // batch_rows
    batches = [(some,) for some in np.split(cells, np.flatnonzero(np.diff(task)) + 1) if len(some)]
    shared = (rows, pairs, seen, mixture.log_weights + mixture.places, background, candidates, near, everywhere)
    parts = [part for batch in run(expect, batches, shared=shared) for part in batch]
    n_entries, n_columns = neighborhoods.entries.shape[1], mixture.loadings.shape[2]
    best = np.full(candidates.shape, -1, np.int32)
    joint = np.full(candidates.shape, -np.inf, np.float32)
    products = np.zeros((len(pairs.units), n_columns, n_entries))
    moments = np.zeros((len(pairs.units), n_columns, n_columns))
    totals = np.zeros((2, 4))
    for (s, start, stop), part in zip(cells.tolist(), parts, strict=True):
        own = slice(int(pairs.starts[s]), int(pairs.starts[s + 1]))
        best[start:stop], joint[start:stop] = part.candidates, part.joint
        products[own] += part.products
        moments[own] += part.moments
        totals += part.totals
    return Expected(best, joint, products, moments, totals)


def maximization(
    mixture: Mixture,
    expected: Expected,
    neighborhoods: Neighborhoods,
    *,
    total: float | None = None,
    run: Run = in_turn,
) -> Mixture:
    """The M-step of all units and weights.

    Parameters
    ----------
    mixture, expected, neighborhoods
        Model, and what the E-step found.
    total : float, optional
        Weight that the units share; by default, they share 1 with noise.
    run : callable
        Runs the tasks.
    """
    pairs = pairs_of(mixture.possible)
    of_pair = np.repeat(np.arange(len(mixture.possible), dtype=np.int32), np.diff(pairs.starts))
    n_units = len(mixture.loadings)
    units = np.arange(n_units)
    shared = (mixture.loadings,)
    after = (pairs.units, of_pair, expected.products, expected.moments, neighborhoods.entries, neighborhoods.whiten,
             neighborhoods.variance)  # fmt: skip
    jobs = [(units[first : first + UNITS_PER_TASK], *after) for first in range(0, n_units, UNITS_PER_TASK)]
    loadings = np.concatenate(run(maximize, jobs, shared=shared))
    counts = np.bincount(pairs.units, weights=expected.moments[:, 0, 0], minlength=n_units)
    if total is None:
        noise = max(float(expected.totals[0, 3]), NOISE_WEIGHT_MIN * counts.sum())
        everything = counts.sum() + noise
        log_noise = float(np.log(noise / everything))
        weights = counts / everything
    else:
        log_noise, weights = mixture.log_noise, total * counts / max(counts.sum(), 1e-9)
    on_neighborhoods = np.zeros(mixture.places.shape)
    on_neighborhoods[mixture.possible] = expected.moments[:, 0, 0]
    places = log_places(on_neighborhoods, mixture.possible, mixture.log_shares)
    return Mixture(loadings, np.log(np.maximum(weights, WEIGHT_MIN)), log_noise, places, mixture.log_shares)


def fit_mixture(
    rows: Rows,
    neighborhoods: Neighborhoods,
    mixture: Mixture,
    near: NDArray[np.int32],
    *,
    n_candidates: int,
    n_iterations_max: int,
    gain_min: float,
    entropy_weight: float = 0.0,
    background: NDArray[np.float32] | None = None,
    total: float | None = None,
    batch_rows: int = 65_536,
    run: Run = in_turn,
) -> tuple[Mixture, Expected]:
    """Expectation maximization from a given mixture; of all iterations, the one that explains held-out spikes best.

    Parameters
    ----------
    rows, neighborhoods, mixture, near
        The spikes, the model to begin with, and the units near each.
    n_candidates : int
        Number of units kept for each spike.
    n_iterations_max : int
        Largest number of M-steps.
    gain_min : float
        The fit ends when the criterion of the held-out spikes rises by less than this, in nats per spike.
    entropy_weight : float
        See `criterion`.
    background, total, batch_rows, run
        As for `expectation` and `maximization`.

    Returns
    -------
    mixture : Mixture
    expected : Expected
        The E-step with this mixture.
    """
    candidates = np.full((len(rows.whitened), n_candidates), -1, np.int32)
    best: tuple[Mixture, Expected] | None = None
    reached = -np.inf
    for iteration in range(n_iterations_max + 1):
        expected = expectation(
            rows,
            neighborhoods,
            mixture,
            candidates,
            near,
            everywhere=iteration % EVERYWHERE_EVERY == 0,
            background=background,
            batch_rows=batch_rows,
            run=run,
        )
        value = criterion(expected.totals, entropy_weight=entropy_weight)
        gain = value - reached
        if best is None or gain > 0:
            best, reached = (mixture, expected), value
        if gain < gain_min or iteration == n_iterations_max:
            break
        candidates = expected.candidates
        mixture = maximization(mixture, expected, neighborhoods, total=total, run=run)
    assert best is not None
    return best
