"""Units start from labels, and half of the spikes of each label are held out."""

from __future__ import annotations

import numpy as np

from tests.support.mixtures import draw, noise_covariance, rows_of, units
from xephys.kernels.cluster.mixture.start import count_on_neighborhoods, hold_out, start_mixture, start_units


def labelled(n_spikes: int = 4000):  # type: ignore[no-untyped-def]
    covariance, loadings = noise_covariance(), units()
    features, channels, truth = draw(loadings, covariance, n_spikes)
    rows, sets, order = rows_of(features, channels, covariance, np.arange(n_spikes) % 2 == 0)
    return rows, sets, truth[order].astype(np.int32), loadings


def test_means_are_those_of_the_units() -> None:
    rows, sets, labels, loadings = labelled()
    found = start_units(rows, labels, sets, 2, np.arange(3))
    np.testing.assert_allclose(found[:, :, 0], loadings[:, :, 0], atol=0.5)
    # Loadings explain variance on the neighborhood with most spikes; elsewhere they begin at 0.
    assert (np.abs(found[:, :, 1:]).sum(axis=(1, 2)) > 1).all()


def test_a_mixture_starts_with_the_shares_of_its_labels() -> None:
    rows, sets, labels, _ = labelled()
    mixture = start_mixture(rows, labels, sets, rank=2)
    shares = np.bincount(labels[~rows.held_out]) / (~rows.held_out).sum()
    np.testing.assert_allclose(np.exp(mixture.log_weights), 0.99 * shares)
    counts = count_on_neighborhoods(rows, labels, n_neighborhoods=4, n_units=3)
    assert counts.sum() == (~rows.held_out).sum() and mixture.possible[counts > 0].all()


def test_half_of_each_label_is_held_out_by_seed() -> None:
    labels = np.random.default_rng(0).integers(-1, 4, 1001).astype(np.int32)
    first, again, other = hold_out(labels, 0), hold_out(labels, 0), hold_out(labels, 1)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    for label in range(-1, 4):
        own = first[labels == label]
        assert abs(own.sum() - len(own) / 2) <= 1
        assert np.abs(np.cumsum(own) - np.arange(1, len(own) + 1) / 2).max() <= 1


def test_no_spikes_are_no_units() -> None:
    assert not hold_out(np.zeros(0, np.int32), 0).size
