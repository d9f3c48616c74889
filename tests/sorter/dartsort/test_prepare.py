"""The four strategies of preprocessing, and recordings that need none."""

from __future__ import annotations

import pytest

from xephys.sorter.dartsort.parameters import DARTsortParameters
from xephys.sorter.dartsort.prepare import STRATEGIES, prepare_dartsort, strategy_for
from xephys.sorter.steps.passes import Run


@pytest.mark.parametrize("preprocessing", STRATEGIES)
def test_every_strategy_gives_white_traces(opened, preprocessing, tmp_path):
    prepared = prepare_dartsort(opened(2.0), DARTsortParameters(preprocessing=preprocessing), Run(tmp_path))
    assert prepared.whitened.attrs["units"] == "noise"
    assert 0.7 < float(prepared.white_noise_levels.median()) < 1.2
    history = str(prepared.filtered.attrs)
    assert ("highpass_filter" in history) == (preprocessing in ("ibllike", "ibllikecmr"))
    assert ("highpass_spatial_filter" in history) == (preprocessing == "ibllike")
    assert ("common_reference" in history) == (preprocessing == "ibllikecmr")


def test_traces_that_were_prepared_elsewhere_stay_as_they_are(opened):
    floats = opened(2.0).astype("f4")
    assert strategy_for(floats, DARTsortParameters(already_preprocessed="yes")) is STRATEGIES["none"]
    assert strategy_for(floats, DARTsortParameters()) is STRATEGIES["ibllikecmr"]
    assert strategy_for(opened(2.0), DARTsortParameters(already_preprocessed="yes")) is STRATEGIES["ibllikecmr"]
