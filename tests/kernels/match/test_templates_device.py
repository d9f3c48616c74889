"""The pursuit in rounds equals the sequential one: the same spikes, whatever overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.both_matchers import HALO, assert_same, both
from tests.support.matching import (
    LITTLE,
    N_BEFORE,
    N_CHANNELS,
    make_model,
    make_templates,
    make_traces,
    random_spikes,
    with_one_between,
)
from xephys.kernels.match import templates as cpu
from xephys.kernels.match import templates_device as device

#: Every size with NumPy's functions and on a GPU, and the smaller ones with strict arrays, which take longer.
SIZES = [
    pytest.param(name, *size, seed, marks=[pytest.mark.gpu] * (name == "cuda"))
    for name in ("numpy", "cuda", "strict")
    for size in ((3, 20), (8, 150), (25, 600))
    for seed in range(6)
    if name != "strict" or (seed < 2 and size != (25, 600))
]


@pytest.mark.parametrize(("xp", "n_units", "count", "seed"), SIZES, indirect=["xp"])
def test_spikes_equal_those_of_the_cpu(xp, n_units, count, seed):
    """Up to a spike every ten samples on a line of 12 channels: most overlap others."""
    model = make_model(make_templates(n_units, seed=seed))
    traces = make_traces(model, random_spikes(n_units, 6000, count, seed=seed), 6000, noise=1.0, seed=seed)
    found, expected = both(xp, traces, model)
    assert len(expected) > 0.6 * count
    assert_same(found, expected)


@pytest.mark.parametrize("unexplained", [0.0, 0.02, np.inf])
@pytest.mark.parametrize(("seed", "n_units", "count"), [(0, 5, 60), (2, 30, 400)])
def test_spikes_are_equal_where_pairs_are_considered(xp, seed, n_units, count, unexplained):
    model = make_model(make_templates(n_units, seed=seed))
    traces = make_traces(model, random_spikes(n_units, 6000, count, seed=seed), 6000, noise=1.0, seed=seed)
    share = np.where(np.arange(n_units) % 3 == 0, 0.02, unexplained)
    assert_same(*both(xp, traces, model, unexplained=share))


@pytest.mark.parametrize("n_sweeps", [1, 2])
def test_two_overlapping_spikes_are_found(xp, n_sweeps):
    model, planted = with_one_between(2)
    traces = make_traces(model, planted, 1000, noise=1.0, seed=1)
    found, expected = both(xp, traces, model, n_sweeps=n_sweeps, unexplained=LITTLE)
    assert sorted(expected["unit_index"]) == 8 * [0] + 8 * [1]
    assert_same(found, expected)


@pytest.mark.parametrize(
    "limits",
    [
        {"n_sweeps": 0},
        {"n_sweeps": 2},
        {"mismatch": 0.0, "amplitude_std": np.inf, "amplitude_min": 0.3, "amplitude_max": 3.0},
        {"mismatch": 0.3, "guard_samples": 40, "match_threshold": 6.0, "noise_gain": 2.5},
        {"refractory_samples": 0, "guard_samples": 0},
        {"refractory_samples": 90},
        {"match_threshold": 4.0, "match_thresholds": np.linspace(4.0, 9.0, 10)},
    ],
    ids=lambda limits: ",".join(limits),
)
def test_limits_have_the_same_effect(xp, limits):
    model = make_model(make_templates(10, seed=3))
    traces = make_traces(model, random_spikes(10, 6000, 200, seed=3), 6000, noise=1.0, seed=3)
    assert_same(*both(xp, traces, model, **limits))


def test_without_sub_sample_shifts():
    model = make_model(make_templates(6, seed=4), steps_per_sample=0)
    traces = make_traces(model, random_spikes(6, 3000, 80, seed=4), 3000, noise=1.0, seed=4)
    found, expected = both(np, traces, model)
    assert not found["sample_offset"].any()
    assert_same(found, expected)


def test_spikes_on_parts_of_a_long_probe(xp):
    """Units without common channels are taken in the same round, with or without spikes between them."""
    templates = make_templates(30, seed=6)
    templates[:, :, :] *= np.exp(-((np.arange(N_CHANNELS) - np.linspace(0, 11, 30)[:, None]) ** 2))[:, None, :]
    templates *= 60 / np.linalg.norm(templates, axis=(1, 2))[:, None, None]
    model = make_model(templates)
    assert (np.diff(model["pair_starts"]) < 30).all()
    traces = make_traces(model, random_spikes(30, 9000, 500, seed=6), 9000, noise=1.0, seed=6)
    found, expected = both(xp, traces, model)
    assert len(expected) > 300
    assert_same(found, expected)


def test_empty_traces_have_no_spikes(xp):
    model = make_model(make_templates(3))
    found, expected = both(xp, np.zeros((500, N_CHANNELS), np.float32), model)
    assert len(found) == 0
    assert found.dtype == expected.dtype


def test_empty_templates_match_nothing(xp):
    templates = make_templates(4, seed=8)
    templates[2] = 0
    model = make_model(templates)
    traces = make_traces(make_model(make_templates(4, seed=8)), random_spikes(4, 2000, 20, seed=8), 2000, noise=1.0)
    found, expected = both(xp, traces, model, amplitude_std=np.inf)
    assert (found["unit_index"] != 2).all()
    assert_same(found, expected)


def test_spikes_at_the_edges_of_a_tile(xp):
    """Scores end where a template no longer fits; spikes in the halo belong to other tiles."""
    model = make_model(make_templates(3, seed=9))
    spikes = [(0, 60, 1.0), (1, 66, 1.1), (2, 300, 0.9), (0, 560, 1.0), (1, 575, 1.2)]
    traces = make_traces(model, spikes, 600, noise=0.5)
    keywords = {"before": 64, "after": 30, "start": 7, "nbefore": N_BEFORE, "model": model}
    found = device.match_templates(xp, xp.asarray(traces), **keywords).get()
    assert_same(found, cpu.match_templates(traces, **keywords))
    assert len(found) == 3


def test_wrong_limits_are_refused_alike(xp):
    model = make_model(make_templates(2))
    with pytest.raises(ValueError, match="amplitude_min is 2"):
        device.match_templates(
            xp, xp.zeros((600, N_CHANNELS)), **HALO, start=0, nbefore=12, model=model, amplitude_min=2
        )
