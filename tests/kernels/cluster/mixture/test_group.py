"""Spikes of a few units, with all others as their background."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import dense_joint, draw, everywhere_possible, noise_covariance, rows_of, units
from xephys.kernels.cluster.mixture import group as kernel
from xephys.kernels.cluster.mixture.fit import expectation

WEIGHTS, NOISE = np.log([0.5, 0.3, 0.19]), float(np.log(0.01))


def fitted(n_spikes: int = 600):  # type: ignore[no-untyped-def]
    covariance, loadings = noise_covariance(), units()
    features, channels, _ = draw(loadings, covariance, n_spikes)
    rows, sets, order = rows_of(features, channels, covariance, np.arange(n_spikes) % 2 == 0)
    mixture = everywhere_possible(loadings, WEIGHTS, NOISE, sets)
    unknown, near = np.full((n_spikes, 3), -1, np.int32), np.full((3, 0), -1, np.int32)
    found = expectation(rows, sets, mixture, unknown, near, everywhere=True)
    joint = dense_joint(features, channels, loadings, covariance, WEIGHTS)[order]
    return rows, sets, mixture, found, joint


def group_of(rows, found, mixture, some):  # type: ignore[no-untyped-def]
    members = kernel.members_of(found, log_noise=mixture.log_noise, n_units=3)
    return kernel.spikes_of(rows, found, members, some, log_noise=mixture.log_noise)


def test_the_background_is_all_that_is_not_in_the_group() -> None:
    rows, _, mixture, found, joint = fitted()
    group = group_of(rows, found, mixture, [1])
    own = joint.argmax(axis=1) == 1
    expected = np.logaddexp(np.logaddexp(joint[own, 0], joint[own, 2]), NOISE)
    np.testing.assert_allclose(group.background, expected, rtol=1e-3, atol=1e-3)
    assert group.n_held_out == (own & rows.held_out).sum() and (group.labels == 1).all()


def test_a_large_group_is_thinned_and_stands_for_all(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(kernel, "N_SPIKES_MAX", 20)
    rows, _, mixture, found, joint = fitted()
    group = group_of(rows, found, mixture, [0, 2])
    assert len(group.labels) == 40 and group.rows.held_out.sum() == 20
    assert group.n_held_out == (np.isin(joint.argmax(axis=1), [0, 2]) & rows.held_out).sum()


def test_the_criterion_of_a_group_is_its_part_of_the_whole() -> None:
    rows, sets, mixture, found, _ = fitted()
    total = 0.0
    for unit in range(3):
        group = group_of(rows, found, mixture, [unit])
        total += kernel.evaluate(group, kernel.only(mixture, [unit]), sets, entropy_weight=0.0)[1]
    np.testing.assert_allclose(total, found.totals[1, 1], rtol=1e-4)


def test_parts_share_a_weight_by_their_spikes() -> None:
    rows, sets, mixture, found, _ = fitted()
    group = group_of(rows, found, mixture, [0])
    labels = (np.arange(len(group.labels)) % 4 == 0).astype(np.int32)
    parts = kernel.parts_of(group, labels, sets, kernel.only(mixture, [0]))
    counts = np.bincount(labels[~group.rows.held_out])
    np.testing.assert_allclose(np.exp(parts.log_weights), 0.5 * counts / counts.sum(), rtol=1e-3)
    fitted_parts, _ = kernel.evaluate(group, parts, sets, entropy_weight=0.0, n_iterations_max=3)
    np.testing.assert_allclose(np.exp(fitted_parts.log_weights).sum(), 0.5)
