"""Similarity of templates equals the cosine at the best lag."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.templates.low_rank import low_rank_templates
from xephys.kernels.templates.similarity import template_similarity


def test_similarity_equals_direct_cosine_at_the_best_lag() -> None:
    rng = np.random.default_rng(5)
    templates = np.zeros((4, 30, 16))
    for unit, first in enumerate((0, 1, 2, 12)):
        templates[unit, 8:22, first : first + 4] = rng.standard_normal((14, 4))
    templates[1, :, 0:4] += 2 * np.roll(templates[0, :, 0:4], 2, axis=0)
    channels = np.where(np.abs(templates).max(axis=1) > 0, np.arange(16), -1).astype(np.int32)
    temporal, spatial = low_rank_templates(templates, rank=5)
    dense = np.einsum("urt,urk->utk", temporal.astype(float), spatial.astype(float))
    pairs = template_similarity(temporal=temporal, spatial=spatial, channels=channels, n_channels=16, lag_samples_max=5)
    assert list(zip(pairs["unit_a"].tolist(), pairs["unit_b"].tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]
    for pair in pairs:
        a, b = dense[pair["unit_a"]], dense[pair["unit_b"]]
        wide = np.pad(a, ((5, 5), (0, 0)))
        cosines = [(wide[5 + lag : 35 + lag] * b).sum() / np.linalg.norm(a) / np.linalg.norm(b) for lag in range(-5, 6)]
        assert pair["lag"] == int(np.argmax(cosines)) - 5
        np.testing.assert_allclose(pair["similarity"], max(cosines), rtol=1e-5)
    alike = template_similarity(
        temporal=temporal, spatial=spatial, channels=channels, n_channels=16, lag_samples_max=5, similarity_min=0.5
    )
    assert alike["unit_b"].tolist() == [1] and alike["lag"].tolist() == [-2]


def test_lags_must_fit_in_the_template() -> None:
    with pytest.raises(ValueError, match="lag_samples_max is 4"):
        template_similarity(
            temporal=np.ones((1, 1, 4)),
            spatial=np.ones((1, 1, 1)),
            channels=np.zeros((1, 1), int),
            n_channels=1,
            lag_samples_max=4,
        )
