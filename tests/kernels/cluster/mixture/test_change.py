"""Rounds of changes: each raises the held-out criterion, and the truth is reached from labels that are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.mixtures import two_of_one
from xephys.kernels.cluster.mixture import change as kernel
from xephys.kernels.cluster.mixture.change import Settings, change_structure
from xephys.kernels.cluster.mixture.start import start_mixture

SETTINGS = Settings(
    n_candidates=5,
    n_spikes_min=20,
    n_iterations_max=20,
    gain_min=0.005,
    entropy_weight=1.0,
    batch_rows=300,
    seed=0,
)


def changed(labels, apart: float = 8.0, n_rounds: int = 3, **settings):  # type: ignore[no-untyped-def]
    rows, sets, truth = two_of_one(apart)
    start = labels(truth) if callable(labels) else labels
    mixture = start_mixture(rows, start.astype(np.int32), sets, rank=2)
    return change_structure(rows, sets, mixture, SETTINGS._replace(**settings), n_rounds=n_rounds)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(lambda truth: 0 * truth, id="merged"),
        pytest.param(lambda truth: 2 * truth + np.arange(len(truth)) % 2, id="cut at random"),
        pytest.param(lambda truth: np.arange(len(truth)) % 3, id="mixed"),
    ],
)
def test_two_units_are_found_from_wrong_labels(labels) -> None:  # type: ignore[no-untyped-def]
    mixture, _ = changed(labels)
    assert len(mixture.loadings) == 2
    np.testing.assert_allclose(np.sort(mixture.loadings[:, 4, 0]), [6.0, 14.0], atol=0.5)


@pytest.mark.parametrize("entropy_weight", [0.0, 1.0])
def test_every_change_raises_the_criterion(entropy_weight: float) -> None:
    start = {0.0: lambda truth: 0 * truth, 1.0: lambda truth: 2 * truth + np.arange(len(truth)) % 2}[entropy_weight]
    _, changes = changed(start, n_rounds=2, entropy_weight=entropy_weight)
    assert {"fit", "merge" if entropy_weight else "split"} <= set(changes["action"])
    value = changes["criterion"]
    np.testing.assert_allclose(value, changes["log_likelihood"] - entropy_weight * changes["entropy"])
    for k in range(1, len(changes)):
        assert value[k] >= value[k - 1] - 1e-9, changes[k - 1 : k + 1]
    assert (changes["gain"][changes["action"] != "fit"] > 0).all()


def test_without_rounds_units_are_only_fitted() -> None:
    _, changes = changed(lambda truth: 0 * truth, n_rounds=0)
    assert changes["action"].tolist() == ["fit"]


def test_changes_that_are_no_gain_together_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    real = kernel._changed

    def changed_mixture(state, changes):  # type: ignore[no-untyped-def]
        tried.append(len(changes))
        return real(state, changes)

    monkeypatch.setattr(kernel, "_changed", changed_mixture)
    rows, sets, truth = two_of_one(8.0)
    mixture = start_mixture(rows, truth, sets, rank=2)
    state = kernel.State(mixture, kernel._nothing(), np.ones(2, bool), [])
    state = kernel._fit(rows, sets, state, SETTINGS, number=0, run=kernel.in_turn)
    # Demolishing both units is claimed to be a gain and is none.
    claims = [kernel.Change((unit,), kernel.only(state.mixture, []), 1.0) for unit in range(2)]
    after = kernel._accept(rows, sets, state, SETTINGS, 1, "demolish", claims, kernel.in_turn)
    assert after is state and tried == [2, 1]
