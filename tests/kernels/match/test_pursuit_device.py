"""The pursuit in rounds takes equal gains in the order of the sequential pursuit, for any partition of a tile."""

from __future__ import annotations

import numpy as np

from tests.support.both_matchers import assert_same, both
from tests.support.matching import make_model, make_templates, make_traces, random_spikes
from xephys.kernels.match import pursuit_device as match_pursuit
from xephys.kernels.match import templates as cpu
from xephys.kernels.match.limits import checked_limits, minimum_scores
from xephys.kernels.match.pursuit import pursue
from xephys.kernels.match.scores import correlate_templates


def test_equal_gains_are_taken_in_the_same_order():
    """Two units of one template have equal gains to the bit, and both take the first unit."""
    templates = make_templates(4, seed=5)
    model = make_model(np.concatenate([templates, templates]))
    traces = make_traces(model, random_spikes(4, 3000, 60, seed=5), 3000, noise=0.5, seed=5)
    scores = correlate_templates(traces, **{name: model[name] for name in ("temporal", "spatial", "channels")})
    scores[4:] = scores[:4]
    limits = checked_limits()
    minimum, pairs = minimum_scores(model["energies"], limits=limits), cpu.pairs_of_model(model, None)
    found = match_pursuit.pursue(np, scores, energies=model["energies"], minimum=minimum, pairs=pairs, limits=limits)
    expected, values = pursue(scores.copy(), model["energies"], minimum, pairs, limits)
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
