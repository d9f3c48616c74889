"""Correlograms and interval histograms, equal to those of SpikeInterface's analyzer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr


@pytest.mark.parametrize("name", ["correlograms", "auto_correlograms", "isi_histograms"])
def test_counts_and_bins_are_equal(analyzed: xr.DataTree, analyzer: Any, name: str) -> None:
    counts, edges = analyzer.get_extension(name).get_data()
    np.testing.assert_array_equal(analyzed[f"analysis/{name}"]["counts"].values, counts)
    np.testing.assert_allclose(analyzed[f"analysis/{name}"]["bin"].values, edges[:-1])


def test_correlograms_as_rates(analyzed: xr.DataTree, analyzer: Any) -> None:
    probability, rates, _ = analyzer.get_extension("acgs_3d").get_data()
    node = analyzed["analysis/acgs_3d"]
    np.testing.assert_allclose(node["probability"].values, probability, atol=1e-12)
    np.testing.assert_allclose(node["rate"].values, rates)
