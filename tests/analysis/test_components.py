"""Principal components: the space of SpikeInterface's incremental models, from exact covariances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from xephys.analysis.components import MODES
from xephys.analysis.run import analyze
from xephys.errors import ParameterError


def test_the_first_components_span_the_space_of_the_incremental_models(analyzed: xr.DataTree, analyzer: Any) -> None:
    """An incremental fit keeps five components after each unit, so only the strong components have to agree."""
    ours = analyzed["analysis/principal_components"]["loading"].values
    models = analyzer.get_extension("principal_components").get_pca_model()
    overlaps = [
        np.linalg.svd(ours[channel][:2] @ model.components_.T, compute_uv=False).min()
        for channel, model in enumerate(models)
    ]
    assert np.median(overlaps) > 0.95


@pytest.mark.parametrize("mode", MODES)
def test_scores_have_unit_covariance(analyzed: xr.DataTree, recording: xr.DataArray, mode: str) -> None:
    found = analyze(
        analyzed, recording, ["principal_components"], n_spikes_max=None,
        parameters={"principal_components": {"mode": mode, "n_components": 3}},
    )  # fmt: skip
    node, waveforms = found["analysis/principal_components"], found["analysis/waveforms"]
    scores = node["projection"].values
    if mode == "concatenated":
        np.testing.assert_allclose(scores.std(axis=0, ddof=1), 1.0, rtol=1e-3)
        return
    owners = found["spikes"]["unit_index"].values[waveforms["waveform_spike"].values]
    channels = waveforms["channel_index"].values[owners]
    used = channels >= 0 if mode == "by_channel_global" else channels == 8
    values = np.moveaxis(scores, 1, 2)[used]
    np.testing.assert_allclose(np.cov(values.T), np.eye(3), atol=1e-3)


def test_an_unknown_mode_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="mode is 'local'"):
        analyze(sorting, recording, ["principal_components"], parameters={"principal_components": {"mode": "local"}})
