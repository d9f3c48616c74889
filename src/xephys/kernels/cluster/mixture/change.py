"""Rounds of splits, merges and demolitions, each accepted only if all held-out spikes are explained better."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.cluster.mixture.demolish import removal_gains
from xephys.kernels.cluster.mixture.distance import distances_of, near_in
from xephys.kernels.cluster.mixture.expect import Expected
from xephys.kernels.cluster.mixture.fit import Mixture, Run, criterion, expectation, fit_mixture, in_turn
from xephys.kernels.cluster.mixture.group import Members, members_of, only
from xephys.kernels.cluster.mixture.merge import merge_pair, pairs_to_merge
from xephys.kernels.cluster.mixture.neighborhoods import Neighborhoods, Rows
from xephys.kernels.cluster.mixture.split import Change, split_unit

#: Units farther apart than this are not merged, and a unit is compared with this number of others.
DISTANCE_MAX, N_NEAR = 1.5, 3
#: Merges are tried again among merged units, at most this number of times.
N_MERGE_PASSES_MAX = 4

CHANGE = np.dtype(
    [
        ("round", np.int32),
        ("action", "U12"),
        ("first", np.int32),
        ("second", np.int32),
        ("num_parts", np.int32),
        ("gain", np.float64),
        ("num_units", np.int32),
        ("log_likelihood", np.float64),
        ("entropy", np.float64),
        ("criterion", np.float64),
    ]
)
"""An accepted change: the units, the number of parts that replace them, and the rise of the criterion over held-out
spikes when it was tried. The last four are the number of units, and means over held-out spikes after all changes that
were accepted together."""


class Settings(NamedTuple):
    """What every step needs to know.

    Attributes
    ----------
    n_candidates : int
        Units kept for each spike.
    n_spikes_min : int
        Minimum number of spikes of a unit.
    n_iterations_max : int
        Iterations of a fit of all units.
    gain_min : float
        A fit ends when a held-out spike gains less than this, in nats.
    entropy_weight : float
        See :func:`~xephys.kernels.cluster.mixture.fit.criterion`.
    batch_rows : int
        Spikes of a task.
    seed : int
    """

    n_candidates: int
    n_spikes_min: int
    n_iterations_max: int
    gain_min: float
    entropy_weight: float
    batch_rows: int
    seed: int


class State(NamedTuple):
    """A mixture, its last E-step, which units no split was tried on, and the changes so far."""

    mixture: Mixture
    expected: Expected
    untried: NDArray[np.bool_]
    changes: list[tuple[Any, ...]]


def change_structure(
    rows: Rows,
    neighborhoods: Neighborhoods,
    mixture: Mixture,
    settings: Settings,
    *,
    n_rounds: int,
    run: Run = in_turn,
) -> tuple[Mixture, NDArray[np.void]]:
    """Fit, then split, merge and demolish, with a fit after each, until a round changes nothing.

    Parameters
    ----------
    rows, neighborhoods, mixture
        Spikes and the model to begin with.
    settings : Settings
    n_rounds : int
        Largest number of rounds; with 0, the mixture is only fitted.
    run : callable
        Runs the tasks.

    Returns
    -------
    mixture : Mixture
    changes : records of ``CHANGE``
        In order. The held-out log likelihood, less ``entropy_weight`` times the entropy, rises with every change and
        never falls in a fit.
    """
    state = State(mixture, _nothing(), np.ones(len(mixture.loadings), np.bool_), [])
    state = _fit(rows, neighborhoods, state, settings, number=0, run=run)
    for number in range(1, n_rounds + 1):
        before = len(state.changes)
        for step in (_split, _merge, _demolish):
            after = step(rows, neighborhoods, state, settings, number, run)
            if len(after.changes) > len(state.changes):
                state = _fit(rows, neighborhoods, after, settings, number=number, run=run)
            else:
                state = after
        if not any(change[1] != "fit" for change in state.changes[before:]):
            break
    return state.mixture, np.array(state.changes, CHANGE)


def _nothing() -> Expected:
    return Expected(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32), *[np.zeros(0)] * 3)


def _fit(rows: Rows, neighborhoods: Neighborhoods, state: State, settings: Settings, *, number: int, run: Run) -> State:
    """Fit all units; units may appear where they have spikes."""
    mixture, expected = fit_mixture(
        rows,
        neighborhoods,
        state.mixture,
        near_in(state.mixture, neighborhoods),
        n_candidates=settings.n_candidates,
        n_iterations_max=settings.n_iterations_max,
        gain_min=settings.gain_min,
        entropy_weight=settings.entropy_weight,
        batch_rows=settings.batch_rows,
        run=run,
    )
    n_units = len(mixture.loadings)
    log = _entry(number, "fit", (-1, -1), n_units, 0.0, expected, n_units, settings.entropy_weight)
    return State(mixture, expected, state.untried, [*state.changes, log])


def _split(rows: Rows, neighborhoods: Neighborhoods, state: State, settings: Settings, number: int, run: Run) -> State:
    shared = (rows, neighborhoods, *_shared(state), settings.entropy_weight, settings.n_spikes_min, settings.seed)
    found = run(split_unit, [(int(unit),) for unit in np.flatnonzero(state.untried)], shared=shared)
    state = state._replace(untried=np.zeros_like(state.untried))
    changes = [change for change in found if change is not None]
    return _accept(rows, neighborhoods, state, settings, number, "split", changes, run)


def _merge(rows: Rows, neighborhoods: Neighborhoods, state: State, settings: Settings, number: int, run: Run) -> State:
    fresh = np.ones(len(state.mixture.loadings), np.bool_)
    for _ in range(N_MERGE_PASSES_MAX):
        distances = distances_of(state.mixture, neighborhoods)
        pairs = pairs_to_merge(distances, distance_max=DISTANCE_MAX, n_near=N_NEAR)
        pairs = pairs[fresh[pairs].any(axis=1)]
        shared = (rows, neighborhoods, *_shared(state), settings.entropy_weight)
        tried = run(merge_pair, [(int(first), int(second)) for first, second in pairs], shared=shared)
        after = _accept(rows, neighborhoods, state, settings, number, "merge", [c for c in tried if c is not None], run)
        n_merged = len(after.changes) - len(state.changes)
        state = after
        if not n_merged:
            break
        fresh = np.arange(len(state.mixture.loadings)) >= len(state.mixture.loadings) - n_merged
    return state


def _shared(state: State) -> tuple[Mixture, Expected, Members]:
    """What the tasks of a step share."""
    mixture = state.mixture
    members = members_of(state.expected, log_noise=mixture.log_noise, n_units=len(mixture.loadings))
    return mixture, state.expected, members


def _demolish(
    rows: Rows, neighborhoods: Neighborhoods, state: State, settings: Settings, number: int, run: Run
) -> State:
    """Units without which held-out spikes are explained better, and those with too few spikes."""
    mixture, expected = state.mixture, state.expected
    gains = removal_gains(expected.candidates, expected.joint, rows.held_out, mixture.log_weights, mixture.log_noise)
    nobody = only(mixture, [])
    changes = [Change((int(unit),), nobody, float(gains[unit])) for unit in np.flatnonzero(gains > 0)]
    return _accept(rows, neighborhoods, state, settings, number, "demolish", changes, run)


def _accept(
    rows: Rows,
    neighborhoods: Neighborhoods,
    state: State,
    settings: Settings,
    number: int,
    action: str,
    changes: list[Change],
    run: Run,
) -> State:
    """The state after those changes that together raise the criterion of all held-out spikes.

    A unit takes part in one change. If all together are no gain, the better half of them is tried, and so on.
    """
    taken: set[int] = set()
    chosen = []
    for change in sorted(changes, key=lambda change: (-change.gain, change.units)):
        if not taken & set(change.units):
            chosen.append(change)
            taken |= set(change.units)
    before = criterion(state.expected.totals, entropy_weight=settings.entropy_weight)
    while chosen:
        mixture, untried = _changed(state, chosen)
        if len(mixture.loadings):
            expected = expectation(
                rows,
                neighborhoods,
                mixture,
                np.full((len(rows.whitened), settings.n_candidates), -1, np.int32),
                np.full((len(mixture.loadings), 0), -1, np.int32),
                everywhere=True,
                batch_rows=settings.batch_rows,
                run=run,
            )
            if criterion(expected.totals, entropy_weight=settings.entropy_weight) > before:
                log = [
                    _entry(number, action, (*change.units, -1), len(change.parts.loadings), change.gain, expected,
                           len(mixture.loadings), settings.entropy_weight)
                    for change in chosen
                ]  # fmt: skip
                return State(mixture, expected, untried, [*state.changes, *log])
        chosen = chosen[: len(chosen) // 2]
    return state


def _changed(state: State, changes: list[Change]) -> tuple[Mixture, NDArray[np.bool_]]:
    """The mixture with the parts of the changes, at its end, in place of their units; and which units are untried."""
    gone = {unit for change in changes for unit in change.units}
    kept = [unit for unit in range(len(state.mixture.loadings)) if unit not in gone]
    parts = [only(state.mixture, kept), *[change.parts for change in changes]]
    places = [parts[0].places]
    for change in changes:
        own = change.parts.places
        # A part can appear where its unit could; where it was not tried, it is as frequent as on its rarest channels.
        where = state.mixture.possible[:, list(change.units)].any(axis=1, keepdims=True)
        share = own + change.parts.log_shares[:, None]
        rarest = np.where(np.isfinite(share), share, np.inf).min(axis=0, keepdims=True, initial=np.inf)
        places.append(np.where(where & ~np.isfinite(own), rarest - change.parts.log_shares[:, None], own))
    log_weights = np.concatenate([part.log_weights for part in parts])
    n_new = sum(len(change.parts.loadings) for change in changes)
    # The weight of demolished units goes to all others.
    total = np.exp(log_weights).sum() + np.exp(state.mixture.log_noise)
    mixture = Mixture(
        np.concatenate([part.loadings for part in parts]),
        log_weights - np.log(total),
        float(state.mixture.log_noise - np.log(total)),
        np.concatenate(places, axis=1),
        state.mixture.log_shares,
    )
    return mixture, np.concatenate([state.untried[kept], np.ones(n_new, np.bool_)])


def _entry(
    number: int,
    action: str,
    units: tuple[int, ...],
    n_parts: int,
    gain: float,
    expected: Expected,
    n_units: int,
    entropy_weight: float,
) -> tuple[Any, ...]:
    """A record of ``CHANGE``."""
    count, likelihood, entropy, _ = expected.totals[1].tolist()
    means = likelihood / max(count, 1.0), entropy / max(count, 1.0)
    value = criterion(expected.totals, entropy_weight=entropy_weight)
    return number, action, units[0], units[1], n_parts, gain, n_units, *means, value
