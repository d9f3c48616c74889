"""The E-step against densities of SciPy, and its independence of how spikes are cut into tasks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from tests.support.mixtures import (
    dense_joint,
    dense_likelihood,
    draw,
    everywhere_possible,
    noise_covariance,
    rows_of,
    units,
)
from xephys.kernels.cluster.mixture import neighborhoods
from xephys.kernels.cluster.mixture.fit import expectation

WEIGHTS, NOISE = np.log([0.5, 0.3, 0.19]), float(np.log(0.01))
NOBODY = np.full((3, 0), -1, np.int32)


def expected(n_candidates: int = 3, **changed):  # type: ignore[no-untyped-def]
    covariance, loadings = noise_covariance(), units()
    features, channels, _ = draw(loadings, covariance, 300)
    held_out = np.arange(300) % 3 == 0
    rows, sets, order = rows_of(features, channels, covariance, held_out)
    mixture = everywhere_possible(loadings, WEIGHTS, NOISE, sets)
    given = {"everywhere": True, "near": NOBODY, "candidates": np.full((300, n_candidates), -1, np.int32)} | changed
    found = expectation(rows, sets, mixture, **given)
    return found, dense_joint(features, channels, loadings, covariance, WEIGHTS)[order], rows, sets


def test_likelihoods_are_those_of_the_densities() -> None:
    found, joint, rows, _ = expected()
    order = np.argsort(-joint, axis=1)
    np.testing.assert_array_equal(found.candidates, order)
    np.testing.assert_allclose(found.joint, np.take_along_axis(joint, order, axis=1), rtol=1e-4, atol=1e-3)
    each = dense_likelihood(joint, NOISE)
    for half, held in enumerate((~rows.held_out, rows.held_out)):
        np.testing.assert_allclose(found.totals[half, 1], each[held].sum(), rtol=1e-5)
        shares = softmax(np.concatenate([joint, np.full((len(joint), 1), NOISE)], axis=1)[held], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = -np.nansum(shares * np.log(shares))
        np.testing.assert_allclose(found.totals[half, 2], entropy, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found.totals[half, 3], shares[:, -1].sum(), rtol=1e-3, atol=1e-4)


def test_sums_are_those_of_fitted_spikes_with_their_posterior_factors() -> None:
    found, joint, rows, sets = expected()
    shares = softmax(np.concatenate([joint, np.full((len(joint), 1), NOISE)], axis=1), axis=1)
    loadings = units()
    for s in range(len(sets.channels)):
        own = (rows.neighborhood == s) & ~rows.held_out
        used = sets.entries[s] >= 0
        z = rows.whitened[own][:, used].astype(float)
        for unit in range(3):
            white = sets.whiten[s][np.ix_(used, used)] @ loadings[unit, sets.entries[s][used]]
            posterior = np.linalg.inv(np.eye(2) + white[:, 1:].T @ white[:, 1:])
            factors = (z - white[:, 0]) @ white[:, 1:] @ posterior
            full = np.concatenate([np.ones((len(z), 1)), factors], axis=1)
            share = shares[own, unit]
            np.testing.assert_allclose(
                found.products[3 * s + unit][:, used], (share[:, None] * full).T @ z, rtol=1e-3, atol=0.02
            )
            moments = np.einsum("s,sa,sb->ab", share, full, full)
            moments[1:, 1:] += share.sum() * posterior
            np.testing.assert_allclose(found.moments[3 * s + unit], moments, rtol=1e-3, atol=1e-3)


def test_fewer_candidates_are_the_best_ones() -> None:
    one, joint, *_ = expected(n_candidates=1)
    np.testing.assert_array_equal(one.candidates[:, 0], joint.argmax(axis=1))


def test_candidates_lead_to_units_near_them_and_never_lose_likelihood() -> None:
    near = np.array([[1], [2], [-1]], np.int32)
    start = np.zeros((300, 2), np.int32) - np.array([0, 1], np.int32)
    first, joint, *_ = expected(candidates=start, near=near, everywhere=False)
    assert set(np.unique(first.candidates)) == {0, 1}
    second, *_ = expected(candidates=first.candidates, near=near, everywhere=False)
    np.testing.assert_array_equal(second.candidates[:, 0], joint.argmax(axis=1))
    assert second.totals[0, 1] >= first.totals[0, 1]


@pytest.mark.parametrize("batch_rows", [1, 7, 100])
def test_tasks_of_any_size_give_the_same_bits(batch_rows: int) -> None:
    whole, *_ = expected()
    parts, *_ = expected(batch_rows=batch_rows)
    for name, values in whole._asdict().items():
        np.testing.assert_array_equal(values, getattr(parts, name), err_msg=name)


def test_cells_of_one_neighborhood_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, *_ = expected()
    monkeypatch.setattr(neighborhoods, "CELL_ROWS", 10)
    cells, *_ = expected()
    np.testing.assert_array_equal(whole.joint, cells.joint)
    np.testing.assert_allclose(whole.products, cells.products, atol=1e-9)
