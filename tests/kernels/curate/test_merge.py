"""Template similarity equals NumPy's correlation; decisions on trains of known origin."""

import numpy as np
import pytest

from xephys.kernels.curate.merge import CANDIDATE, decide_merges, merge_candidates
from xephys.kernels.templates.similarity import energy_of_noise

DURATION = 30_000 * 600
RULES = {"duration_samples": DURATION, "refractory_samples": 60, "dead_samples": 9}


def dense(waveforms, channels, n_channels):
    out = np.zeros((len(waveforms), waveforms.shape[1], n_channels))
    for unit, row in enumerate(channels):
        out[unit][:, row[row >= 0]] = waveforms[unit][:, row >= 0]
    return out


def test_similarity_equals_dense_correlation():
    rng = np.random.default_rng(1)
    channels = np.array([[0, 1, 2], [2, 1, -1], [3, 2, 1], [5, 6, 7]], np.int32)
    waveforms = rng.standard_normal((4, 20, 3)).astype("float32")
    waveforms[channels[:, None, :].repeat(20, 1) < 0] = 0
    found = merge_candidates(waveforms, channels, lag_samples_max=6, similarity_min=-1.0)
    full = dense(waveforms, channels, 8)
    assert {(int(c["first"]), int(c["second"])) for c in found} == {(0, 1), (0, 2), (1, 2)}
    for c in found:
        a, b = full[c["first"]], full[c["second"]]
        scores = {}
        for lag in range(-6, 7):
            moved = np.zeros_like(b)
            rows = np.arange(20)
            inside = (rows + lag >= 0) & (rows + lag < 20)
            moved[inside] = b[rows[inside] + lag]
            scores[lag] = (a * moved).sum() / np.sqrt((a**2).sum() * (b**2).sum())
        assert c["lag"] == max(scores, key=scores.get)
        assert c["similarity"] == pytest.approx(scores[int(c["lag"])], rel=1e-4)
        assert c["scale"] == pytest.approx(np.sqrt((b**2).sum() / (a**2).sum()), rel=1e-5)


def test_no_units_and_wrong_shapes():
    assert len(merge_candidates(np.zeros((0, 5, 2), np.float32), np.zeros((0, 2), np.int32))) == 0
    assert len(merge_candidates(np.zeros((2, 5, 1), np.float32), np.zeros((2, 1), np.int32))) == 0
    with pytest.raises(ValueError, match="units, samples, slots"):
        merge_candidates(np.zeros((2, 5, 1), np.float32), np.zeros((3, 1), np.int32))


def means_of(rng, shapes, counts):
    """Means of so many spikes of each shape, in noise of one unit."""
    return np.stack([s + rng.standard_normal(s.shape) / np.sqrt(n) for s, n in zip(shapes, counts, strict=True)])


def shapes_at(rng, cosine, norm):
    """Two waveforms ``(sample, channel)`` of this norm and this cosine, on 8 of 32 channels."""
    first, other = np.zeros((2, 60, 32))
    first[:, :8], other[:, :8] = rng.standard_normal((2, 60, 8))
    first /= np.linalg.norm(first)
    other -= (other * first).sum() * first
    other /= np.linalg.norm(other)
    return norm * first, norm * (cosine * first + np.sqrt(1 - cosine**2) * other)


@pytest.mark.parametrize("norm", [12.0, 30.0])
@pytest.mark.parametrize("cosine", [0.85, 0.92, 1.0])
def test_the_cosine_of_means_of_few_spikes_is_that_of_the_neurons(norm, cosine):
    """Twenty spikes beside many: the plain cosine is too low, and the corrected one is not too high."""
    channels, counts = np.tile(np.arange(32, dtype=np.int32), (2, 1)), np.array([20, 400])
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        waveforms = means_of(rng, shapes_at(rng, cosine, norm), counts).astype(np.float32)
        noise = energy_of_noise(channels, counts, n_samples=60)
        plain, clean = (
            merge_candidates(waveforms, channels, lag_samples_max=2, similarity_min=0.3, noise_energy=energy)[0]
            for energy in (None, noise)
        )
        found.append((plain["similarity"], clean["similarity"], clean["scale"]))
        energies = (waveforms.astype(float) ** 2).sum(axis=(1, 2)) - noise
        inner = (waveforms[0].astype(float) * waveforms[1]).sum()
        assert clean["similarity"] == pytest.approx(min(inner / np.sqrt(energies.prod()), 1.0), rel=1e-4)
    plain, clean, scale = np.mean(found, axis=0)
    assert plain < cosine / np.sqrt(1 + 0.9 * 1920 / 20 / norm**2)
    assert 0.92 * cosine < clean < cosine + 0.005
    assert (np.array(found)[:, 1] >= 0.97).mean() < 0.03 or cosine == 1.0
    assert scale == pytest.approx(1.0, abs=0.08)


def train(rng, rate, refractory=90):
    gaps = refractory + rng.exponential(30_000 / rate - refractory, int(rate * 700))
    times = np.cumsum(gaps).astype(np.int64)
    return times[times < DURATION]


def pair(similarity, lag=0, scale=1.0):
    return np.array([(0, 1, similarity, lag, scale)], CANDIDATE)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_halves_of_one_unit_are_merged_and_aligned(rng):
    whole = train(rng, 10)
    half = rng.random(len(whole)) < 0.6
    target, shift, why = decide_merges(pair(0.88, lag=-3), [whole[half], whole[~half] + 3], **RULES)
    assert target.tolist() == [0, 0]
    assert shift.tolist() == [0, -3]
    assert why["action"].tolist() == ["merge"]


@pytest.mark.parametrize("late", [-7, 0, 12])
@pytest.mark.parametrize("copies", [False, True])
def test_the_lag_of_two_templates_aligns_their_trains(rng, late, copies):
    """In windows around times that are too late, the spike of the same neuron comes earlier."""
    course = np.zeros(90, np.float32)
    course[35:55] = np.hanning(20) * np.cos(np.arange(20) / 4)
    waveforms = np.stack([course[20:70], course[20 + late : 70 + late]])[:, :, None]
    candidates = merge_candidates(waveforms, np.zeros((2, 1), np.int32), similarity_min=0.9)
    whole = train(rng, 10)
    half = rng.random(len(whole)) < 0.6
    second = whole[half] if copies else whole[~half]
    target, shift, _ = decide_merges(candidates, [whole[half], second + late], **RULES)
    assert target.tolist() == ([0, -1] if copies else [0, 0])
    assert shift.tolist() == ([0, 0] if copies else [0, -late])


@pytest.mark.parametrize("similarity", [0.88, 0.96, 0.99])
def test_two_neurons_are_not_merged(rng, similarity):
    target, _, why = decide_merges(pair(similarity), [train(rng, 12), train(rng, 12)], **RULES)
    assert target.tolist() == [0, 1]
    assert why["action"].tolist() == ["keep"]


def test_rare_units_are_merged_only_if_their_shapes_are_the_same(rng):
    trains = [train(rng, 0.5), train(rng, 0.5)]
    assert decide_merges(pair(0.9), trains, **RULES)[0].tolist() == [0, 1]
    assert decide_merges(pair(0.98), trains, **RULES)[0].tolist() == [0, 0]


@pytest.mark.parametrize(("similarity", "merged"), [(0.86, False), (0.96, True)])
def test_the_more_similar_two_units_are_the_less_evidence_is_needed(rng, similarity, merged):
    """The halves of a slow neuron have no coincidences, but with so few spikes that may be chance."""
    whole = train(rng, 5)
    n = int(np.sqrt(7 * RULES["duration_samples"] / 90))  # seven coincidences are expected by chance
    apart = [whole[: 2 * n : 2], whole[1 : 2 * n : 2]]
    target, _, why = decide_merges(pair(similarity), apart, **RULES)
    assert (why["observed"][0], target.tolist()) == (0, [0, 0] if merged else [0, 1])
    assert 5.5 < why["expected"][0] < 8.5


def test_units_of_very_different_size_are_not_merged(rng):
    whole = train(rng, 10)
    assert decide_merges(pair(0.99, scale=0.3), [whole[::2], whole[1::2]], **RULES)[0].tolist() == [0, 1]


def test_copies_at_a_lag_are_dropped(rng):
    whole = train(rng, 10)
    target, _, why = decide_merges(pair(0.72, lag=-20, scale=0.4), [whole, whole[::3] + 21], **RULES)
    assert target.tolist() == [0, -1]
    assert why["reason"].tolist() == ["repeats the spikes of the other"]


def test_chain_of_three_parts_is_one_unit_with_consistent_shifts(rng):
    whole = train(rng, 15)
    parts = [whole[0::3], whole[1::3] + 2, whole[2::3] + 5]
    candidates = np.array([(1, 2, 0.99, -3, 1.0), (0, 1, 0.98, -2, 1.0), (0, 2, 0.97, -5, 1.0)], CANDIDATE)
    target, shift, why = decide_merges(candidates, parts, **RULES)
    assert target.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(np.sort(np.concatenate([p + s for p, s in zip(parts, shift, strict=True)])), whole)
    assert why["reason"].tolist()[-1] == "already one"
