"""Sums of two templates are recognized at every delay; other templates, and frequent ones, are not."""

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
def test_single_templates_are_not_sums(seed):
    templates = make_templates(8, seed=seed)
    counts = np.random.default_rng(seed).integers(20, 2000, 8)
    assert len(composites(templates, counts)) == 0


def test_a_sum_that_fires_as_often_as_its_parts_is_a_unit():
    templates = make_templates(3, seed=1)
    total = np.concatenate([templates, (templates[0] + templates[2])[None]])
    assert len(composites(total, [500, 500, 500, 400])) == 0
    assert len(composites(total, [500, 500, 500, 250])) == 1


def test_amplitudes_beyond_the_limits_are_not_a_sum():
    templates = make_templates(3, seed=1)
    total = np.concatenate([templates, (templates[0] + 0.4 * templates[2])[None]])
    assert len(composites(total, [500, 500, 500, 50], rest_max=0.01)) == 0


def test_averaged_noise_need_not_be_explained():
    templates = make_templates(3, seed=1)
    noise = np.random.default_rng(0).standard_normal(templates[0].shape)
    total = templates[0] + templates[2]
    noise *= np.sqrt(0.2 * (total**2).sum() / (noise**2).sum())
    every = np.concatenate([templates, (total + noise)[None]])
    assert len(composites(every, [500, 500, 500, 50], rest_max=0.05)) == 0
    energies = np.array([0, 0, 0, 0.2 * (total**2).sum()])
    assert composites(every, [500, 500, 500, 50], rest_max=0.1, noise_energies=energies)["unit"].tolist() == [3]


def test_a_sum_at_varying_delays_is_found():
    templates = make_templates(4, seed=1)
    total = templates[0] + np.mean([moved(templates[2], lag) for lag in (-6, -3, -1, 0, 2, 5)], axis=0)
    found = composites(np.concatenate([templates, total[None]]), [500, 500, 500, 500, 60])
    assert found["unit"].tolist() == [4]
    assert {int(found["first"][0]), int(found["second"][0])} == {0, 2}
    assert (found["by_chance"][0], found["rest"][0] < 0.05) == (False, True)


def test_both_parts_of_a_sum_are_aligned_to_it():
    templates = make_templates(5, seed=4)
    total = moved(templates[1], -4) + moved(templates[3], 3)
    found = composites(np.concatenate([templates, total[None]]), [500] * 5 + [60])[0]
    delays = {int(found["first"]): found["first_lag"], int(found["second"]): found["first_lag"] + found["lag"]}
    assert delays == {1: -4, 3: 3}


def blurred(templates):
    """The sum of two templates at varying delays, plus a part that is in neither."""
    total = templates[0] + np.mean([moved(templates[2], lag) for lag in (-6, -3, -1, 0, 2, 5)], axis=0)
    other = np.random.default_rng(0).standard_normal(total.shape)
    return total + other * np.sqrt(0.25 * (total**2).sum() / (other**2).sum())


def test_a_blurred_sum_explained_by_coincidences_is_dropped():
    """Coincidences at many lags explain it; the same template with more spikes than chance allows is a unit."""
    templates = make_templates(4, seed=1)
    total = blurred(templates)
    every = np.concatenate([templates, total[None]])
    counts = [60_000, 900, 60_000, 900, 40]
    chance = 15 / (1800 * 30_000)
    assert len(composites(every, counts)) == 0
    assert composites(every, counts, chance=chance)["unit"].tolist() == [4]
    assert len(composites(every, [60_000, 900, 60_000, 900, 1100], chance=chance)) == 0
    assert len(composites(every, [6000, 900, 6000, 900, 40], chance=chance)) == 0


def test_rare_templates_are_judged_by_their_trains():
    """Waveforms do not suffice: among templates of one time course, any may be the sum of its neighbors."""
    templates = make_templates(4, seed=1)
    rare = composites(
        np.concatenate([templates, blurred(templates)[None]]), [60_000, 900, 60_000, 900, 40], chance=1e-6
    )
    plain = composites(np.concatenate([templates, (templates[0] + templates[2])[None]]), [500, 500, 500, 500, 50])
    assert (rare["by_chance"].tolist(), plain["by_chance"].tolist()) == ([True], [False])
