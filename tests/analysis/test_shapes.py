"""Template metrics beside those of SpikeInterface."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xephys.analysis.run import analyze

from .conftest import PARAMETERS


def test_metrics_agree_with_spikeinterface(analyzed: xr.DataTree, recording: xr.DataArray, analyzer: Any) -> None:
    found = analyze(analyzed, recording, ["template_metrics"], n_spikes_max=None, parameters={
        "templates": PARAMETERS["templates"]
    })["analysis/template_metrics"]  # fmt: skip
    analyzer.compute("template_metrics", include_multi_channel_metrics=True, verbose=False)
    expected = analyzer.get_extension("template_metrics").get_data()
    for column in expected.columns:
        values = expected[column].values.astype(float)
        np.testing.assert_allclose(found[column].values, values, rtol=1e-4, atol=1e-9, err_msg=column)
