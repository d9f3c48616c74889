"""Sums of two templates are recognised at every delay; other templates, and frequent ones, are not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import N_SAMPLES, make_model, make_templates
from xephys.kernels.templates.composites import find_composites


def composites(templates, counts, **limits):
    model = make_model(templates, rank=6)
    names = ("energies", "pair_starts", "pair_units", "pair_overlaps")
    return find_composites(
        counts=np.asarray(counts), noise_energies=limits.pop("noise_energies", np.zeros(len(templates))),
        **{name: model[name] for name in names}, **limits,
    )  # fmt: skip


def moved(template, lag):
    out = np.zeros_like(template)
    out[max(lag, 0) : N_SAMPLES + min(lag, 0)] = template[max(-lag, 0) : N_SAMPLES - max(lag, 0)]
    return out


@pytest.mark.parametrize("lag", [-5, -3, 0, 2, 7])
@pytest.mark.parametrize(("first", "second"), [(1.0, 1.0), (0.85, 1.15)])
def test_sums_are_found(lag, first, second):
    templates = make_templates(5, seed=4)
    total = first * templates[1] + second * moved(templates[3], lag)
    found = composites(np.concatenate([templates, total[None]]), [500] * 5 + [60])
    assert found["unit"].tolist() == [5]
    assert {int(found["first"][0]), int(found["second"][0])} == {1, 3}
    expected = lag if found["first"][0] == 1 else -lag
    assert int(found["lag"][0]) == expected
    assert found["rest"][0] < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_single_templates_are_none(seed):
    templates = make_templates(8, seed=seed)
    counts = np.random.default_rng(seed).integers(20, 2000, 8)
    assert len(composites(templates, counts)) == 0


def test_a_sum_that_fires_as_often_as_its_parts_is_a_unit():
    templates = make_templates(3, seed=1)
    total = np.concatenate([templates, (templates[0] + templates[2])[None]])
    assert len(composites(total, [500, 500, 500, 400])) == 0
    assert len(composites(total, [500, 500, 500, 250])) == 1


def test_amplitudes_beyond_the_limits_are_no_sum():
    templates = make_templates(3, seed=1)
    total = np.concatenate([templates, (templates[0] + 0.4 * templates[2])[None]])
    assert len(composites(total, [500, 500, 500, 50], max_rest=0.01)) == 0


def test_the_noise_of_an_average_need_not_be_explained():
    templates = make_templates(3, seed=1)
    noise = np.random.default_rng(0).standard_normal(templates[0].shape)
    total = templates[0] + templates[2]
    noise *= np.sqrt(0.2 * (total**2).sum() / (noise**2).sum())
    every = np.concatenate([templates, (total + noise)[None]])
    assert len(composites(every, [500, 500, 500, 50], max_rest=0.05)) == 0
    energies = np.array([0, 0, 0, 0.2 * (total**2).sum()])
    assert composites(every, [500, 500, 500, 50], max_rest=0.1, noise_energies=energies)["unit"].tolist() == [3]
