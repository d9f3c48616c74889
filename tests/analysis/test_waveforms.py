"""Waveforms, templates and noise levels beside those of SpikeInterface's analyzer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import xephys
from tests.support.analyzed import analyzed_segments
from xephys.recording.segments import segments_of


@pytest.mark.parametrize(("operator", "tolerance"), [("average", 1e-4), ("std", 1e-4), ("median", 0.0)])
def test_templates_agree(analyzed: xr.DataTree, analyzer: Any, operator: str, tolerance: float) -> None:
    node = analyzed["analysis/templates"]
    channels = node["channel_index"].values
    dense = analyzer.get_extension("templates").get_data(operator=operator)
    sparse = np.take_along_axis(dense, np.maximum(channels, 0)[:, None, :], axis=2) * (channels >= 0)[:, None]
    np.testing.assert_allclose(node[operator].values, sparse, atol=tolerance)


def test_waveforms_agree(analyzed: xr.DataTree, analyzer: Any) -> None:
    node = analyzed["analysis/waveforms"]
    np.testing.assert_allclose(
        node["waveform"].values, analyzer.get_extension("waveforms").data["waveforms"], atol=1e-4
    )


def test_noise_levels_from_other_excerpts_are_close(analyzed: xr.DataTree, analyzer: Any) -> None:
    expected = analyzer.get_extension("noise_levels").get_data()
    np.testing.assert_allclose(analyzed["analysis/noise_levels"]["noise_level"].values, expected, rtol=0.05)


def test_templates_of_one_segment_are_those_of_the_segment_alone():
    recording, sorting = analyzed_segments()
    kept = sorting["analysis/waveforms"]
    owner = sorting["spikes"]["unit_index"].values[kept["waveform_spike"].values]
    for segment, part in enumerate(segments_of(recording)):
        alone = xephys.analyze(xephys.select_segments(sorting, segment), part, ["templates"])
        for unit in range(3):
            own = kept["waveform"].values[(owner == unit) & (kept["segment"].values == segment)]
            expected = own.astype(np.float64).mean(axis=0)
            np.testing.assert_allclose(alone["analysis/templates"]["average"][unit], expected, rtol=1e-5, atol=1e-3)
