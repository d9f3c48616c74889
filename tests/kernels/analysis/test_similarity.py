"""Similarity of templates beside a readable reference."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.analysis.similarity import METHODS, SUPPORTS, similarities


def reference(a: np.ndarray, b: np.ndarray, method: str) -> float:
    a, b = a.astype(float).ravel(), b.astype(float).ravel()
    if method == "cosine":
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    order = 1 if method == "l1" else 2
    return float(1 - np.linalg.norm(a - b, order) / (np.linalg.norm(a, order) + np.linalg.norm(b, order)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("support", SUPPORTS)
def test_every_pair_at_its_best_lag(method: str, support: str) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((5, 6)) < 0.4
    mask[4] = ~mask[0]  # no channel in common
    templates = np.where(mask[:, None], rng.normal(size=(5, 30, 6)), 0).astype(np.float32)
    templates[2] = np.roll(templates[1], 3, axis=0)
    mask[2] = mask[1]
    found, lags = similarities(templates, mask, np.ones(5, bool), 4, METHODS[method], SUPPORTS[support])
    for i in range(5):
        for j in range(i, 5):
            common = mask[i] & mask[j]
            used = {"union": mask[i] | mask[j], "intersection": common, "dense": np.ones(6, bool)}[support]
            if support != "dense" and not common.any():
                assert found[i, j] == 0
                continue
            values = [
                reference(templates[i, 4:26][:, used], templates[j, 4 + lag : 26 + lag][:, used], method)
                for lag in range(-4, 5)
            ]
            assert found[i, j] == pytest.approx(max(values), abs=1e-5)
            assert lags[i, j] == np.argmax(values) - 4
    assert lags[1, 2] == 3


def test_pairs_of_unchanged_units_are_left_out() -> None:
    templates = np.ones((3, 4, 2), np.float32)
    wanted = np.array([False, True, False])
    found, _ = similarities(templates, np.ones((3, 2), bool), wanted, 0, 2, 0)
    assert found[0, 2] == 0
    assert found[0, 1] == pytest.approx(1)


def test_an_empty_template_resembles_none() -> None:
    templates = np.zeros((2, 4, 2), np.float32)
    assert not similarities(templates, np.ones((2, 2), bool), np.ones(2, bool), 0, 2, 0)[0].any()
