"""Expectation maximization raises the likelihood, and ends where held-out spikes gain nothing."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import draw, everywhere_possible, noise_covariance, rows_of, units
from xephys.kernels.cluster.mixture import maximize
from xephys.kernels.cluster.mixture.fit import criterion, expectation, fit_mixture, in_turn, maximization

NOISE = float(np.log(0.01))


def start(seed: int = 0):  # type: ignore[no-untyped-def]
    """Spikes of three units, and a mixture whose means are off and whose loadings are small."""
    covariance, loadings = noise_covariance(), units()
    features, channels, _ = draw(loadings, covariance, 1200, seed=seed)
    rows, sets, _ = rows_of(features, channels, covariance, np.arange(1200) % 2 == 0)
    rng = np.random.default_rng(seed)
    off = loadings + rng.normal(size=loadings.shape) * np.array([2.0, 0.1, 0.1])
    off[:, :, 1:] *= 0.3
    return rows, sets, everywhere_possible(off, np.log(np.full(3, 0.33)), NOISE, sets)


def test_each_iteration_raises_the_likelihood_of_fitted_spikes(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    for name in ("PRIOR_OF_MEAN", "PRIOR_OF_LOADINGS"):
        assert getattr(maximize, name) > 0
    rows, sets, mixture = start()
    near, candidates = np.full((3, 0), -1, np.int32), np.full((1200, 3), -1, np.int32)
    values = []
    for _ in range(8):
        found = expectation(rows, sets, mixture, candidates, near, everywhere=True)
        # The prior is part of what an iteration raises.
        energy = mixture.loadings**2 / sets.variance[None, :, None]
        prior = energy[..., 0].sum() * maximize.PRIOR_OF_MEAN + energy[..., 1:].sum() * maximize.PRIOR_OF_LOADINGS
        values.append(found.totals[0, 1] - prior / 2)
        mixture = maximization(mixture, found, sets)
    assert (np.diff(values) > -1e-3).all() and values[-1] > values[0] + 1000


def test_the_fit_reaches_the_likelihood_of_the_truth() -> None:
    rows, sets, mixture = start()
    near = np.full((3, 0), -1, np.int32)
    truth = everywhere_possible(units(), np.log(np.full(3, 0.33)), NOISE, sets)
    unknown = np.full((1200, 3), -1, np.int32)
    best = criterion(expectation(rows, sets, truth, unknown, near, everywhere=True).totals, entropy_weight=0.0)
    _, found = fit_mixture(rows, sets, mixture, near, n_candidates=3, n_iterations_max=60, gain_min=1e-4)
    assert abs(criterion(found.totals, entropy_weight=0.0) - best) < 0.25


def test_the_iteration_that_explains_held_out_spikes_best_is_returned() -> None:
    rows, sets, mixture = start()
    near = np.full((3, 0), -1, np.int32)
    values = []
    for n_iterations in (0, 1, 5, 60):
        _, found = fit_mixture(rows, sets, mixture, near, n_candidates=3, n_iterations_max=n_iterations, gain_min=-1.0)
        values.append(criterion(found.totals, entropy_weight=0.0))
    assert values == sorted(values)


def test_parts_share_the_weight_they_are_given_and_noise_keeps_its_own() -> None:
    rows, sets, mixture = start()
    unknown, near = np.full((1200, 3), -1, np.int32), np.full((3, 0), -1, np.int32)
    found = expectation(rows, sets, mixture, unknown, near, everywhere=True)
    parts = maximization(mixture, found, sets, total=0.2)
    assert abs(np.exp(parts.log_weights).sum() - 0.2) < 1e-6 and parts.log_noise == NOISE
    everything = maximization(mixture, found, sets)
    assert abs(np.exp(everything.log_weights).sum() + np.exp(everything.log_noise) - 1) < 1e-6


def test_jobs_in_turn_get_what_they_share() -> None:
    assert in_turn(lambda a, b: a - b, [(1,), (2,)], shared=(5,)) == [4, 3]
