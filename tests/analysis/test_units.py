"""Locations and similarities of units beside those of SpikeInterface's analyzer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from xephys.analysis.run import analyze
from xephys.analysis.units import METHODS
from xephys.errors import ParameterError


@pytest.mark.parametrize("method", sorted(METHODS))
def test_locations_agree(analyzed: xr.DataTree, recording: xr.DataArray, analyzer: Any, method: str) -> None:
    from spikeinterface.postprocessing.localization_tools import _unit_location_methods

    found = analyze(
        analyzed,
        recording,
        ["unit_locations"],
        n_spikes_max=None,
        parameters={"unit_locations": {"method": method}, "templates": {"operators": ("average", "std", "median")}},
    )
    expected = _unit_location_methods[method](analyzer)
    columns = METHODS[method].columns[: expected.shape[1]]
    places = np.stack([found["analysis/unit_locations"][name].values for name in columns], axis=1)
    np.testing.assert_allclose(places, expected, atol=2e-3)


@pytest.mark.parametrize("method", ["cosine", "l1", "l2"])
@pytest.mark.parametrize("support", ["union", "intersection", "dense"])
@pytest.mark.parametrize("lag_ms", [0.0, 0.2])
def test_similarity_is_symmetric_and_never_below_theirs(
    analyzed: xr.DataTree, recording: xr.DataArray, analyzer: Any, method: str, support: str, lag_ms: float
) -> None:
    """SpikeInterface tries lags of one sign only for each pair, so its best may be worse than ours, never better."""
    from spikeinterface.core.template_tools import get_dense_templates_array
    from spikeinterface.postprocessing.template_similarity import compute_similarity_with_templates_array

    found = analyze(
        analyzed,
        recording,
        ["template_similarity"],
        n_spikes_max=None,
        parameters={
            "template_similarity": {"method": method, "support": support, "lag_ms": lag_ms},
            "templates": {"operators": ("average", "std", "median")},
        },
    )
    dense = get_dense_templates_array(analyzer, return_in_uV=True)
    expected, _ = compute_similarity_with_templates_array(
        dense, dense, method=method, support=support, num_shifts=round(30 * lag_ms), sparsity=analyzer.sparsity,
        other_sparsity=analyzer.sparsity,
    )  # fmt: skip
    node = found["analysis/template_similarity"]
    similarity, lags = node["similarity"].values, node["lag"].values
    assert np.all(similarity >= expected - 1e-5)
    one_sided = lags <= 0  # lags that SpikeInterface tries for a pair in order
    upper = np.triu(one_sided, 1)
    np.testing.assert_allclose(similarity[upper], expected[upper], atol=1e-5)
    assert upper.any()
    np.testing.assert_array_equal(lags, -lags.T)
    np.testing.assert_array_equal(similarity, similarity.T)


def test_a_lag_beyond_the_template_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="less than half of them"):
        analyze(sorting, recording, ["template_similarity"], parameters={"template_similarity": {"lag_ms": 2.0}})
