"""Quality metrics beside SpikeInterface's metrics of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from xephys.analysis.quality import QUALITY_METRICS, metric_names, needs_of
from xephys.analysis.run import analyze
from xephys.curate.merge import merge_units
from xephys.curate.units import select_units
from xephys.errors import ParameterError

from .conftest import PARAMETERS

ALL = {**PARAMETERS, "quality_metrics": {"names": tuple(QUALITY_METRICS)}}
#: Tolerance of columns that follow from noise, which each side estimates from other excerpts.
DIFFERENT = {"snr": 0.05, "sd_ratio": 0.06}
#: Columns that are counts, or counts over a duration.
EQUAL = ("num_spikes", "firing_rate", "isi_violations_count", "rp_violations")


@pytest.fixture(scope="session")
def measured(analyzed: xr.DataTree, recording: xr.DataArray) -> xr.Dataset:
    found = analyze(analyzed, recording, ["quality_metrics"], n_spikes_max=None, parameters=ALL)
    return found["analysis/quality_metrics"].to_dataset(inherit=False)


def test_metrics_agree_with_spikeinterface(measured: xr.Dataset, analyzer: Any) -> None:
    names = [name for name, metric in QUALITY_METRICS.items() if "principal_components" not in metric.needs]
    names.remove("nn_advanced")
    analyzer.compute("quality_metrics", metric_names=names, progress_bar=False, verbose=False)
    expected = analyzer.get_extension("quality_metrics").get_data()
    for column in expected.columns:
        tolerance = DIFFERENT.get(column, 0.0 if column in EQUAL else 1e-5)
        np.testing.assert_allclose(
            measured[column].values.astype(float), expected[column].values.astype(float), rtol=tolerance,
            err_msg=column,
        )  # fmt: skip


def test_every_column_is_there_and_only_those_that_need_minutes_are_empty(measured: xr.Dataset) -> None:
    for name, metric in QUALITY_METRICS.items():
        for column in metric.columns:
            assert column in measured, name
    silent = {name for name in measured.data_vars if measured[name].dtype.kind == "f" and measured[name].isnull().all()}
    too_short = {"amplitude_cv_median", "amplitude_cv_range", "amplitude_cutoff", "presence_ratio"}
    assert silent == too_short | {f"drift_{name}" for name in ("ptp", "std", "mad")}


def test_isolation_is_a_share_and_d_prime_separates_the_units(measured: xr.Dataset) -> None:
    for name in ("nn_hit_rate", "nn_miss_rate", "nn_isolation", "nn_noise_overlap"):
        values = measured[name].values
        assert np.all((values >= 0) & (values <= 1)), name
    assert np.all(measured["d_prime"].values > 2)


def test_results_after_a_merge_equal_a_fresh_analysis(
    analyzed: xr.DataTree, sorting: xr.DataTree, recording: xr.DataArray
) -> None:
    names = ["quality_metrics", "template_metrics", "correlograms", "template_similarity"]
    whole = analyze(analyzed, recording, names, n_spikes_max=None, parameters=ALL)
    updated = analyze(merge_units(whole, [1, 3]), recording, names, n_spikes_max=None, parameters=ALL)
    fresh = analyze(merge_units(sorting, [1, 3]), recording, names, n_spikes_max=None, parameters=ALL)
    components = {column for m in QUALITY_METRICS.values() if "principal_components" in m.needs for column in m.columns}
    for name in ("templates", "spike_amplitudes", *names):
        for variable in fresh[f"analysis/{name}"].data_vars:
            if variable in components:  # they follow from models fitted before the merge, which are kept
                continue
            left, right = (tree[f"analysis/{name}"][variable].values for tree in (updated, fresh))
            np.testing.assert_array_equal(left, right, err_msg=f"{name}/{variable}")


def test_metrics_of_a_unit_among_all_change_when_others_are_removed(
    analyzed: xr.DataTree, sorting: xr.DataTree, recording: xr.DataArray
) -> None:
    parameters = {"quality_metrics": {"names": ["synchrony", "num_spikes"]}}
    whole = analyze(analyzed, recording, ["quality_metrics"], parameters=parameters)
    fewer = analyze(select_units(whole, [0, 1]), recording, ["quality_metrics"], parameters=parameters)
    fresh = analyze(select_units(sorting, [0, 1]), recording, ["quality_metrics"], parameters=parameters)
    xr.testing.assert_equal(
        fewer["analysis/quality_metrics"].to_dataset(), fresh["analysis/quality_metrics"].to_dataset()
    )


def test_metrics_are_named_by_metric_or_column() -> None:
    assert metric_names(["isi_violations_count", "isi_violation"]) == ["isi_violation"]
    assert "nn_advanced" not in metric_names(None)
    assert needs_of({"names": ["presence_ratio"]}) == ()
    with pytest.raises(ParameterError, match="did you mean 'snr'"):
        metric_names(["snrr"])
