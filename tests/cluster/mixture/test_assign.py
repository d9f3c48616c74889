"""A fitted model labels further spikes, and refuses those that do not fit it."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.mixtures import NEIGHBORS, draw, noise_covariance, units
from xephys.errors import ParameterError
from xephys.graph.keep.archive import read_archive, write_archive


def fitted():  # type: ignore[no-untyped-def]
    features, channels, truth = draw(units(), noise_covariance(), 600)
    found = xephys.cluster_by_mixture(
        features, channels, truth, neighbors=NEIGHBORS, noise=noise_covariance(), signal_rank=2, n_rounds=None
    )
    return found, features, channels


def test_the_spikes_of_the_fit_get_the_labels_of_the_fit_for_any_size_of_tasks() -> None:
    found, features, channels = fitted()
    for batch_rows in (37, 10_000):
        again = xephys.assign_by_mixture(features, channels, found.model, batch_rows=batch_rows)
        np.testing.assert_array_equal(again.labels, found.labels)
        np.testing.assert_array_equal(again.log_likelihoods, found.log_likelihoods)


def test_a_spike_far_from_every_unit_is_noise_and_so_is_one_where_no_unit_can_appear() -> None:
    found, features, channels = fitted()
    silent = xephys.assign_by_mixture(np.zeros((4, 3, 2)), np.zeros(4, int), found.model)
    assert (silent.labels == -1).all()
    nowhere = found.model.assign(log_place=found.model["log_place"] - np.inf)
    lost = xephys.assign_by_mixture(features, channels, nowhere)
    assert (lost.labels == -1).all() and (lost.candidates == -1).all()
    np.testing.assert_array_equal(lost.responsibilities[:, -1], 1)


def test_results_can_be_stored(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found, *_ = fitted()
    with (tmp_path / "kept.npz").open("wb") as file:
        write_archive(file, found)
    with (tmp_path / "kept.npz").open("rb") as file:
        again = read_archive(file)
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.model.identical(found.model)


def test_what_does_not_fit_the_model() -> None:
    found, features, channels = fitted()
    with pytest.raises(ParameterError, match=r"features have the shape \(600, 3, 1\); the model needs \(spike, 3, 2\)"):
        xephys.assign_by_mixture(features[:, :, :1], channels, found.model)
    with pytest.raises(ParameterError, match="the model has no noise; give the model of cluster_by_mixture"):
        xephys.assign_by_mixture(features, channels, found.model.drop_vars("noise"))
    with pytest.raises(ParameterError, match="channels are 0 to 5; neighbors have rows 0 to 4"):
        xephys.assign_by_mixture(features, np.where(channels == 4, 5, channels), found.model)
