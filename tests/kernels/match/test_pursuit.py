"""The sequential pursuit takes all spikes that do not overlap."""

from __future__ import annotations

import numpy as np

from tests.support.matching import make_model, make_templates, make_traces
from xephys.kernels.match import templates as matching
from xephys.kernels.match.limits import checked_limits, minimum_scores
from xephys.kernels.match.pursuit import pursue
from xephys.kernels.match.scores import correlate_templates


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
