"""Valid periods beside those of SpikeInterface."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xephys.analysis.run import analyze

from .conftest import PARAMETERS


def test_error_rates_and_valid_periods_agree(analyzed: xr.DataTree, recording: xr.DataArray, analyzer: Any) -> None:
    """Ten seconds in windows of 2 s: most windows have too few spikes to be judged by either side."""
    parameters = {**PARAMETERS, "valid_unit_periods": {"window_s": 2.0, "duration_s_min": 2.0, "fn_max": 0.6}}
    found = analyze(analyzed, recording, ["valid_unit_periods"], n_spikes_max=None, parameters=parameters)
    node = found["analysis/valid_unit_periods"]
    analyzer.compute(
        "valid_unit_periods", period_duration_s_absolute=2.0, minimum_valid_period_duration=2.0, fn_threshold=0.6,
        n_jobs=1, progress_bar=False, verbose=False,
    )  # fmt: skip
    extension = analyzer.get_extension("valid_unit_periods")
    windows = extension.data["all_periods"]
    unit, window = windows["unit_index"], windows["start_sample_index"] // 60_000
    np.testing.assert_allclose(node["false_positives"].values[unit, window], extension.data["fps"])
    np.testing.assert_allclose(node["false_negatives"].values[unit, window], extension.data["fns"], atol=1e-6)
    lengths = (node["stop"] - node["start"]).values
    periods = extension.get_data(outputs="numpy")
    expected = [
        int((p["end_sample_index"] - p["start_sample_index"])[p["unit_index"] == k].sum())
        for k, p in ((k, periods) for k in range(5))
    ]
    assert (node["valid"].values * lengths).sum(axis=1).tolist() == expected
