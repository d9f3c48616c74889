"""The pursuit in rounds against the one after another: the same spikes, whatever overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.device_arrays import strict
from tests.support.matching import (
    LITTLE,
    N_BEFORE,
    N_CHANNELS,
    N_SAMPLES,
    make_model,
    make_templates,
    make_traces,
    random_spikes,
    with_one_between,
)
from xephys.kernels.lib.dispatch import to_host
from xephys.kernels.match import pursuit_device as match_pursuit
from xephys.kernels.match import scores_device as match_scores
from xephys.kernels.match import templates as cpu
from xephys.kernels.match import templates_device as device
from xephys.kernels.match.pursuit import minimum_scores, pursue
from xephys.kernels.match.scores import correlate_templates

HALO = dict(zip(("before", "after"), cpu.match_halo(N_SAMPLES, n_before=N_BEFORE), strict=True))


def both(xp, traces, model, *, start=5000, **parameters):
    """Spikes of a padded recording from either kernel."""
    padded = np.pad(traces, ((HALO["before"], HALO["after"]), (0, 0)))
    keywords = {**HALO, "start": start, "n_before": N_BEFORE, **model, **parameters}
    return (
        device.match_templates(xp, xp.asarray(padded), **keywords).get(),
        cpu.match_templates(padded, **keywords),
    )


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert len(found) == len(expected)
    for name in ("sample_index", "channel_index", "unit_index", "sample_offset", "segment_index"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["amplitude"], expected["amplitude"], rtol=1e-4)
    np.testing.assert_allclose(found["gain"], expected["gain"], rtol=1e-3)


@pytest.mark.parametrize("n_units", [1, 7])
@pytest.mark.parametrize("n_samples", [1500, 1501, N_SAMPLES, N_SAMPLES - 1])
def test_scores_from_every_second_sample(xp, n_units, n_samples):
    model = make_model(make_templates(n_units, seed=n_units))
    traces = make_traces(model, random_spikes(n_units, 1501, 10, seed=0), 1501, noise=1.0)[:n_samples]
    keywords = {name: model[name] for name in ("temporal", "spatial", "channels")} | {"score_step": 2}
    found = to_host(match_scores.correlate_templates(xp, xp.asarray(traces), **keywords))
    expected = correlate_templates(traces, **keywords)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max(initial=1.0))


@pytest.mark.parametrize("n_units", [1, 7, 40])
def test_scores(xp, n_units):
    model = make_model(make_templates(n_units, seed=n_units))
    traces = make_traces(model, random_spikes(n_units, 1500, 10, seed=0), 1500, noise=1.0)
    keywords = {name: model[name] for name in ("temporal", "spatial", "channels")}
    found = to_host(match_scores.correlate_templates(xp, xp.asarray(traces), **keywords))
    expected = correlate_templates(traces, **keywords)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
    for length in (N_SAMPLES - 1, N_SAMPLES, N_SAMPLES + 70):
        short = match_scores.correlate_templates(xp, xp.asarray(traces[:length]), **keywords)
        np.testing.assert_allclose(to_host(short), expected[:, : max(length - N_SAMPLES + 1, 0)], atol=1e-2)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n_units", "count"), [(3, 20), (8, 150), (25, 600)])
def test_same_spikes(xp, seed, n_units, count):
    """Up to a spike every ten samples on a line of 12 channels: most overlap others."""
    if xp is strict and (seed > 1 or count > 200):
        pytest.skip("the plain namespace looks at these")
    model = make_model(make_templates(n_units, seed=seed))
    traces = make_traces(model, random_spikes(n_units, 6000, count, seed=seed), 6000, noise=1.0, seed=seed)
    found, expected = both(xp, traces, model)
    assert len(expected) > 0.6 * count
    assert_same(found, expected)


@pytest.mark.parametrize("unexplained", [0.0, 0.02, np.inf])
@pytest.mark.parametrize(("seed", "n_units", "count"), [(0, 5, 60), (2, 30, 400)])
def test_same_spikes_where_pairs_are_weighed(xp, seed, n_units, count, unexplained):
    model = make_model(make_templates(n_units, seed=seed))
    traces = make_traces(model, random_spikes(n_units, 6000, count, seed=seed), 6000, noise=1.0, seed=seed)
    share = np.where(np.arange(n_units) % 3 == 0, 0.02, unexplained)
    assert_same(*both(xp, traces, model, unexplained=share))


@pytest.mark.parametrize("n_sweeps", [1, 2])
def test_two_spikes_at_once(xp, n_sweeps):
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
        {"mismatch": 0.3, "guard_samples": 40, "threshold": 6.0, "noise_gain": 2.5},
        {"refractory_samples": 0, "guard_samples": 0},
        {"refractory_samples": 90},
        {"threshold": 4.0, "thresholds": np.linspace(4.0, 9.0, 10)},
    ],
    ids=lambda limits: ",".join(limits),
)
def test_limits_mean_the_same(xp, limits):
    model = make_model(make_templates(10, seed=3))
    traces = make_traces(model, random_spikes(10, 6000, 200, seed=3), 6000, noise=1.0, seed=3)
    assert_same(*both(xp, traces, model, **limits))


def test_without_sub_sample_shifts():
    model = make_model(make_templates(6, seed=4), steps_per_sample=0)
    traces = make_traces(model, random_spikes(6, 3000, 80, seed=4), 3000, noise=1.0, seed=4)
    found, expected = both(np, traces, model)
    assert not found["sample_offset"].any()
    assert_same(found, expected)


def test_equal_gains_are_taken_in_the_same_order():
    """Two units of one template gain the same to the bit: the first is taken by both."""
    templates = make_templates(4, seed=5)
    model = make_model(np.concatenate([templates, templates]))
    traces = make_traces(model, random_spikes(4, 3000, 60, seed=5), 3000, noise=0.5, seed=5)
    scores = correlate_templates(traces, **{name: model[name] for name in ("temporal", "spatial", "channels")})
    scores[4:] = scores[:4]
    limits = cpu.checked_limits()
    names = ("threshold", "noise_gain", "amplitude_precision", "amplitude_min", "amplitude_max")
    minimum = minimum_scores(model["energies"], **{name: getattr(limits, name) for name in names})
    pairs = {name: model[name] for name in ("pair_starts", "pair_units", "pair_overlaps")}
    likeness = cpu.pair_likeness(pairs["pair_overlaps"], model["energies"], pairs["pair_units"])
    left = cpu.left_to_pairs(model["energies"], None)
    given = {"energies": model["energies"], "minimum": minimum, **pairs, "likeness": likeness, "unexplained": left}
    found = match_pursuit.pursue(np, scores, **given, limits=limits)
    expected, values = pursue(scores.copy(), model["energies"], minimum, *pairs.values(), likeness, left, limits)
    order, own = np.argsort(expected[:, 1] * 8 + expected[:, 0]), np.argsort(found.sample * 8 + found.unit)
    np.testing.assert_array_equal(found.unit[own], expected[order, 0])
    np.testing.assert_array_equal(found.sample[own], expected[order, 1])
    np.testing.assert_array_equal(found.shift[own], expected[order, 2])
    np.testing.assert_allclose(found.gain[own], values[order, 1], rtol=1e-5)
    assert (found.unit < 4).all()


def test_parts_of_a_tile_make_no_difference(monkeypatch):
    monkeypatch.setattr(match_pursuit, "CELLS", 700)
    monkeypatch.setattr(match_pursuit, "GATHERED", 90)
    model = make_model(make_templates(10, seed=2))
    traces = make_traces(model, random_spikes(10, 3000, 100, seed=2), 3000, noise=1.0, seed=2)
    assert_same(*both(np, traces, model))


def test_spikes_on_parts_of_a_long_probe(xp):
    """Units that do not see each other are taken in the same round, with what lies between them or not."""
    templates = make_templates(30, seed=6)
    templates[:, :, :] *= np.exp(-((np.arange(N_CHANNELS) - np.linspace(0, 11, 30)[:, None]) ** 2))[:, None, :]
    templates *= 60 / np.linalg.norm(templates, axis=(1, 2))[:, None, None]
    model = make_model(templates)
    assert (np.diff(model["pair_starts"]) < 30).all()
    traces = make_traces(model, random_spikes(30, 9000, 500, seed=6), 9000, noise=1.0, seed=6)
    found, expected = both(xp, traces, model)
    assert len(expected) > 300
    assert_same(found, expected)


def test_nothing_to_find(xp):
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
    """Scores end where a template no longer fits; spikes of the halo belong to other tiles."""
    model = make_model(make_templates(3, seed=9))
    spikes = [(0, 60, 1.0), (1, 66, 1.1), (2, 300, 0.9), (0, 560, 1.0), (1, 575, 1.2)]
    traces = make_traces(model, spikes, 600, noise=0.5)
    keywords = {"before": 64, "after": 30, "start": 7, "n_before": N_BEFORE, **model}
    found = device.match_templates(xp, xp.asarray(traces), **keywords).get()
    assert_same(found, cpu.match_templates(traces, **keywords))
    assert len(found) == 3


def test_wrong_limits_are_refused_alike(xp):
    model = make_model(make_templates(2))
    with pytest.raises(ValueError, match="amplitude_min is 2"):
        device.match_templates(xp, xp.zeros((600, N_CHANNELS)), **HALO, start=0, n_before=12, **model, amplitude_min=2)
