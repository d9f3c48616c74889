"""The public function: known units are recovered, by any tasks, and what cannot be used is refused."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pytest

import xephys
from tests.support.mixtures import N_CHANNELS, NEIGHBORS, draw, noise_covariance, units
from xephys.errors import ParameterError


def spikes(n_spikes: int = 1500) -> tuple[Any, Any, Any, Any]:
    loadings = units(n_units=3)
    loadings[:, :, 1:] *= 0.5
    covariance = noise_covariance()
    return *draw(loadings, covariance, n_spikes), covariance


def cluster(labels: Any = None, **changed: Any) -> Any:
    features, channels, truth, covariance = spikes()
    given = {"neighbors": NEIGHBORS, "noise": covariance, "signal_rank": 2, "n_rounds": 1} | changed
    return xephys.cluster_by_mixture(features, channels, truth if labels is None else labels, **given)


def test_wrong_labels_become_those_of_the_units() -> None:
    _features, _channels, truth, _ = spikes()
    start = np.where(np.arange(len(truth)) % 5 == 0, (truth + 1) % 3, truth)
    start[::7] = -1
    found = cluster(start)
    assert found.n_clusters == 3 and (found.labels == truth).mean() > 0.97
    assert found.labels.dtype == np.int32 and found.candidates.shape == (1500, 5)
    np.testing.assert_allclose(found.responsibilities.sum(axis=1), 1, rtol=1e-5)
    assert abs(found.held_out.mean() - 0.5) < 0.01
    assert dict(found.model["mean"].sizes) == {"unit": 3, "channel": N_CHANNELS, "component": 2}


def test_results_are_the_same_bits_however_they_are_computed() -> None:
    start = np.arange(1500) % 4
    reference = cluster(start)
    for options in ({"batch_rows": 50}, {"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 3}):
        batch = {"batch_rows": options.pop("batch_rows")} if "batch_rows" in options else {}
        with dask.config.set(options):
            again = cluster(start, **batch)
        np.testing.assert_array_equal(again.labels, reference.labels)
        np.testing.assert_array_equal(again.log_likelihoods, reference.log_likelihoods)
        np.testing.assert_array_equal(again.decisions, reference.decisions)
        assert again.model.identical(reference.model)


def test_spikes_beyond_those_fitted_get_labels_too() -> None:
    _, _, truth, _ = spikes()
    found = cluster(n_spikes_max=600)
    assert found.held_out.sum() == 300 and (found.labels == truth).mean() > 0.97


def test_labels_may_be_any_numbers_and_rare_ones_are_dropped() -> None:
    _, _, truth, _ = spikes()
    plain = cluster()
    named = np.where(np.arange(1500) < 5, 99, 10 * truth + 7)
    found = cluster(named)
    assert found.n_clusters == 3 and (found.labels == plain.labels).mean() > 0.99


def test_positions_give_the_nearest_channels() -> None:
    features, channels, truth, _ = spikes()
    positions = np.stack([np.zeros(N_CHANNELS), 20.0 * np.arange(N_CHANNELS)], axis=1)
    usable = channels < 4
    found = xephys.cluster_by_mixture(
        features[usable], channels[usable], truth[usable], positions=positions, noise=1.2, signal_rank=1, n_rounds=None
    )
    np.testing.assert_array_equal(found.model["neighbors"].values[2], [1, 2, 3])


def test_one_unit_on_one_channel() -> None:
    features = np.random.default_rng(0).normal(8.0, 1.0, (60, 1, 1))
    none = np.zeros(60, int)
    found = xephys.cluster_by_mixture(features, none, none, neighbors=np.array([[0]]), signal_rank=3)
    assert found.n_clusters == 1 and (found.labels == 0).all()


def test_a_label_whose_spikes_are_too_few_to_hold_any_out_is_refused() -> None:
    _features, _channels, _truth, _ = spikes()
    with pytest.raises(ParameterError, match="n_spikes_min is 1; half of the spikes are held out, so give at least 2"):
        cluster(n_spikes_min=1)
    with pytest.raises(ParameterError, match="no label has 20 spikes"):
        cluster(np.full(1500, -1))


@pytest.mark.parametrize("name", ["signal_rank", "n_candidates", "n_iterations_max", "n_spikes_max", "batch_rows"])
def test_numbers_outside_their_limits(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name} is 0; it must be greater than 0"):
        cluster(**{name: 0})


def test_a_negative_weight_of_the_entropy_is_refused() -> None:
    with pytest.raises(ParameterError, match="entropy_weight is -1; it must be at least 0"):
        cluster(entropy_weight=-1.0)


def test_a_covariance_that_is_not_positive_definite() -> None:
    _, _, _, covariance = spikes()
    with pytest.raises(ParameterError, match="not positive definite; estimate it from more noise"):
        cluster(noise=covariance * -1.0)
