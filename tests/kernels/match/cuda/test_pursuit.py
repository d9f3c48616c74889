"""The pursuit in one CUDA kernel, in Numba's simulator or on a GPU, equals the sequential one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import LITTLE, make_model, make_templates, make_traces, random_spikes, with_one_between
from xephys.kernels.lib.dispatch import namespace_of_device, to_host
from xephys.kernels.match import templates as cpu
from xephys.kernels.match.cuda.pursuit import take_spikes
from xephys.kernels.match.cuda.rounds import AMPLITUDE, GAIN, SAMPLE, SHIFT, UNIT
from xephys.kernels.match.limits import checked_limits, minimum_scores
from xephys.kernels.match.pursuit import pursue
from xephys.kernels.match.scores import correlate_templates


def tables(model, *, unexplained=None, **parameters):
    """The arguments of both kernels, except for the scores."""
    limits = checked_limits(**parameters)
    return {
        "energies": model["energies"],
        "minimum": minimum_scores(model["energies"], limits=limits),
        "pairs": cpu.pairs_of_model(model, unexplained),
        "limits": limits,
    }


def scores_of(model, traces):
    return correlate_templates(traces, **{name: model[name] for name in ("temporal", "spatial", "channels")})


def on_device(xp, scores, given, **options):
    pairs = given["pairs"]._replace(likeness=xp.asarray(given["pairs"].likeness))
    moved = {**given, "minimum": xp.asarray(given["minimum"]), "pairs": pairs}
    whole, real, n_spikes = take_spikes(xp, xp.asarray(scores.copy()), **moved, **options)
    rows = {"unit": whole[UNIT], "sample": whole[SAMPLE], "shift": whole[SHIFT]}
    rows |= {"amplitude": real[AMPLITUDE], "gain": real[GAIN]}
    found = {name: to_host(row[:n_spikes]) for name, row in rows.items()}
    order = np.lexsort((found["unit"], found["sample"]))
    return {name: values[order] for name, values in found.items()}


def assert_same(found, scores, given):
    spikes, values = pursue(scores.copy(), *given.values())
    order = np.lexsort((spikes[:, 0], spikes[:, 1]))
    for column, name in enumerate(("unit", "sample", "shift")):
        np.testing.assert_array_equal(found[name], spikes[order, column])
    np.testing.assert_allclose(found["amplitude"], values[order, 0], rtol=1e-4)
    np.testing.assert_allclose(found["gain"], values[order, 1], rtol=1e-3)
    return len(spikes)


@pytest.mark.parametrize(("seed", "n_units", "count"), [(0, 3, 8), (1, 8, 27), (2, 12, 40)])
def test_spikes_equal_those_of_the_cpu(cuda_xp, seed, n_units, count):
    """Up to a spike every ten samples on a line of 12 channels: most overlap others."""
    model = make_model(make_templates(n_units, seed=seed))
    scores = scores_of(model, make_traces(model, random_spikes(n_units, 400, count, seed=seed), 400, noise=1.0))
    assert assert_same(on_device(cuda_xp, scores, tables(model), n_threads=4), scores, tables(model)) > 0.6 * count


@pytest.mark.parametrize(
    "limits",
    [
        {"n_sweeps": 0},
        {"n_sweeps": 2},
        {"mismatch": 0.3, "guard_samples": 40, "match_threshold": 6.0, "noise_gain": 2.5},
        {"refractory_samples": 0, "guard_samples": 0},
        {"refractory_samples": 90, "amplitude_std": np.inf, "amplitude_min": 0.3, "amplitude_max": 3.0},
    ],
    ids=lambda limits: ",".join(limits),
)
def test_limits_have_the_same_effect(cuda_xp, limits):
    model = make_model(make_templates(6, seed=3))
    scores = scores_of(model, make_traces(model, random_spikes(6, 400, 20, seed=3), 400, noise=1.0, seed=3))
    given = tables(model, **limits)
    assert assert_same(on_device(cuda_xp, scores, given, n_threads=4), scores, given) > 10


def test_spikes_that_collide_are_decided_together(cuda_xp):
    """Where pairs are weighed, each spike is put back with the one beside it."""
    model = make_model(make_templates(3, seed=1))
    planted = [(0, 40, 1.0), (1, 46, 1.1), (2, 90, 0.9), (0, 97, 1.0)]
    scores = scores_of(model, make_traces(model, planted, 140, noise=1.0))
    given = tables(model, unexplained=np.full(3, 0.005))
    assert assert_same(on_device(cuda_xp, scores, given, n_threads=4), scores, given) == 4


def test_two_overlapping_spikes_are_found(cuda_xp):
    """Pairs are considered, and taken in place of the unit that resembles their sum."""
    model, planted = with_one_between(2)
    scores = scores_of(model, make_traces(model, planted[:4], 320, noise=1.0, seed=1))
    given = tables(model, unexplained=LITTLE)
    found = on_device(cuda_xp, scores, given, n_threads=4)
    assert_same(found, scores, given)
    assert sorted(found["unit"]) == [0, 0, 1, 1]


def test_without_sub_sample_shifts(cuda_xp):
    model = make_model(make_templates(3, seed=4), steps_per_sample=0)
    scores = scores_of(model, make_traces(model, random_spikes(3, 320, 8, seed=1), 320, noise=1.0))
    given = tables(model, unexplained=LITTLE)
    assert_same(on_device(cuda_xp, scores, given, n_threads=4), scores, given)


def test_the_number_of_threads_changes_no_bit(cuda_xp):
    model = make_model(make_templates(4, seed=7))
    scores = scores_of(model, make_traces(model, random_spikes(4, 300, 8, seed=7), 300, noise=1.0))
    given = tables(model)
    first, *others = (on_device(cuda_xp, scores, given, n_threads=n) for n in (1, 2, 8))
    assert len(first["unit"]) > 4
    for other in others:
        for name, values in first.items():
            assert values.tobytes() == other[name].tobytes()


def test_equal_gains_are_taken_in_the_same_order(cuda_xp):
    """Two units of one template have equal gains to the bit, and both take the first unit."""
    templates = make_templates(3, seed=5)
    model = make_model(np.concatenate([templates, templates]))
    scores = scores_of(model, make_traces(model, random_spikes(3, 500, 12, seed=5), 500, noise=0.5))
    scores[3:] = scores[:3]
    found = on_device(cuda_xp, scores, tables(model), n_threads=2)
    assert_same(found, scores, tables(model))
    assert (found["unit"] < 3).all()


def test_empty_traces_have_no_spikes(cuda_xp):
    model = make_model(make_templates(3))
    for scores in (np.zeros((3, 100), np.float32), np.zeros((3, 0), np.float32), np.zeros((3, 1), np.float32)):
        found = on_device(cuda_xp, scores, tables(model), n_threads=2)
        assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 0)


@pytest.mark.gpu
@pytest.mark.parametrize(("seed", "n_units", "count"), [(0, 40, 3000), (1, 150, 6000)])
def test_many_spikes_have_the_same_bits_in_every_run(seed, n_units, count):
    """All blocks of threads of a GPU are busy, which the simulator cannot show."""
    xp = namespace_of_device("cuda")
    model = make_model(make_templates(n_units, seed=seed))
    scores = scores_of(model, make_traces(model, random_spikes(n_units, 90_000, count, seed=seed), 90_000, noise=1.0))
    given = tables(model, unexplained=np.where(np.arange(n_units) % 3, 0.005, np.inf))
    first = on_device(xp, scores, given)
    for _ in range(5):
        again = on_device(xp, scores, given)
        assert all(values.tobytes() == again[name].tobytes() for name, values in first.items())
    spikes, _ = pursue(scores.copy(), *given.values())
    keys = [first["sample"] * n_units + first["unit"], spikes[:, 1] * n_units + spikes[:, 0]]
    assert len(np.intersect1d(*keys)) >= 0.999 * max(map(len, keys))
