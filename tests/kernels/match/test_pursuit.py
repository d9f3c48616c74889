"""The sequential pursuit takes all spikes that do not overlap, and finds the best explanation of two that do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import N_BEFORE, N_SAMPLES, make_model, make_templates, make_traces, match
from xephys.kernels.match import templates as matching
from xephys.kernels.match.limits import checked_limits, minimum_scores
from xephys.kernels.match.model import MatchModel
from xephys.kernels.match.pursuit import pursue
from xephys.kernels.match.scores import correlate_templates

N_UNITS, EVERY = 5, 150
STD, THRESHOLD, UNEXPLAINED = 0.1, 4.0, 0.005


def test_spikes_far_apart_are_all_taken():
    model = make_model(make_templates(3, seed=0))
    planted = [(0, 100, 1.0), (1, 300, 1.1), (2, 500, 0.9), (0, 700, 1.0)]
    traces = make_traces(model, planted, 1000, noise=0.5)
    scores = correlate_templates(traces, **{name: model[name] for name in ("temporal", "spatial", "channels")})
    limits = checked_limits()
    minimum = minimum_scores(model["energies"], limits=limits)
    pairs = matching.pairs_of_model(model, None)
    found, values = pursue(scores, model["energies"], minimum, pairs, limits)
    order = np.argsort(found[:, 1])
    assert found[order, 0].tolist() == [unit for unit, _, _ in planted]
    np.testing.assert_allclose(values[order, 0], [size for _, _, size in planted], atol=0.05)


def gain_of(traces: np.ndarray, model: MatchModel, spikes: list[tuple[int, int, int]]) -> float:
    """Drop of the squared residual, with the prior, by spikes (unit, sample, shift) with the best amplitudes."""
    waves = np.zeros((len(spikes), *traces.shape))
    for wave, (unit, sample, shift) in zip(waves, spikes, strict=True):
        course, own = model["shifted_temporal"][unit, shift].astype(float), model["channels"][unit] >= 0
        waveform = np.einsum("rt,rk->tk", course, model["spatial"][unit].astype(float))
        wave[sample - N_BEFORE : sample - N_BEFORE + N_SAMPLES, model["channels"][unit][own]] = waveform[:, own]
    flat, prior = waves.reshape(len(spikes), -1), STD**-2
    score = flat @ traces.ravel() + prior
    gram = flat @ flat.T + prior * np.eye(len(spikes))
    return float(score @ np.linalg.solve(gram, score) - prior * len(spikes))


def likeness_of(model: MatchModel) -> float:
    """Largest cosine between two templates at any lag."""
    first = np.repeat(np.arange(N_UNITS), np.diff(model["pair_starts"]))
    norms, others = np.sqrt(model["energies"]), first != model["pair_units"]
    most = np.abs(model["pair_overlaps"]).max(axis=(1, 2)) / (norms[first] * norms[model["pair_units"]])
    return float(most[others].max())


@pytest.mark.parametrize("seed", [11, 15, 22, 23, 39, 44])
def test_no_two_true_spikes_explain_more_than_those_found(seed: int) -> None:
    """150 pairs of spikes up to 12 samples apart: a further spike has its price, and nothing else is lost."""
    rng = np.random.default_rng(seed)
    model = make_model(make_templates(N_UNITS, seed=seed, size=10.0))
    assert likeness_of(model) <= 0.9
    planted: list[tuple[int, int, float]] = []
    for start in range(100, 100 + 150 * EVERY, EVERY):
        units, lag = rng.choice(N_UNITS, 2, replace=False).tolist(), int(rng.integers(0, 13))
        planted += [
            (unit, start + late, float(rng.normal(1, 0.05))) for unit, late in zip(units, (0, lag), strict=True)
        ]
    traces = make_traces(model, planted, 300 + 150 * EVERY, noise=1.0, seed=seed)
    found = match(traces, model, unexplained=np.full(N_UNITS, UNEXPLAINED), match_threshold=THRESHOLD)
    shifts = np.rint(4 * found["sample_offset"]).astype(int) + 2
    for first in range(0, len(planted), 2):
        true = [(unit, sample, 2) for unit, sample, _ in planted[first : first + 2]]
        start = true[0][1] - 60
        here = np.flatnonzero((found["sample_index"] >= start) & (found["sample_index"] < start + EVERY))
        ours = [(int(found["unit_index"][k]), int(found["sample_index"][k]), int(shifts[k])) for k in here]
        part = traces[start : start + EVERY]
        better = gain_of(part, model, [(u, s - start, k) for u, s, k in true])
        better -= gain_of(part, model, [(u, s - start, k) for u, s, k in ours])
        spared = 2 * UNEXPLAINED * max(model["energies"][unit] for unit, _, _ in ours)
        assert better <= max(len(true) - len(ours), 1) * THRESHOLD**2 + spared, (true, ours)
