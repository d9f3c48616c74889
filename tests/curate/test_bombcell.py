"""Bombcell's labels equal those that SpikeInterface gives."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from spikeinterface.curation import bombcell_label_units
from spikeinterface.curation.bombcell_curation import bombcell_get_default_thresholds

import xephys
from xephys.curate.bombcell import BOMBCELL, label_like_bombcell
from xephys.curate.expression import parse_condition
from xephys.curate.rules import curation_log
from xephys.errors import ParameterError, XephysWarning

N_UNITS = 400
#: Ranges of random metrics for which most units pass each threshold.
RANGES = {
    "num_positive_peaks": (0, 3), "num_negative_peaks": (0, 2), "peak_to_trough_duration": (8e-5, 1.2e-3),
    "waveform_baseline_flatness": (0, 0.52), "peak_after_to_trough_ratio": (0, 0.83), "exp_decay": (0.008, 0.103),
    "amplitude_median": (-200, -25), "snr": (4.5, 20), "amplitude_cutoff": (0, 0.22), "num_spikes": (200, 3000),
    "sliding_rp_violation": (0, 0.11), "presence_ratio": (0.65, 1), "drift_ptp": (0, 105),
    "isolation_distance": (18, 90), "l_ratio": (0, 0.32),
    "peak_before_to_trough_ratio": (0, 6), "peak_before_width": (0, 3e-4), "trough_width": (0, 4e-4),
    "peak_before_to_peak_after_ratio": (0, 6), "main_peak_to_trough_ratio": (0, 0.9),
}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(*limits, N_UNITS) for name, limits in RANGES.items()}
    for name in ("num_positive_peaks", "num_negative_peaks", "num_spikes"):
        columns[name] = np.round(columns[name])
    for name in ("snr", "exp_decay", "sliding_rp_violation", "isolation_distance", "drift_ptp"):
        columns[name][rng.random(N_UNITS) < 0.05] = np.nan
    no_peak_before = rng.random(N_UNITS) < 0.2
    for name in ("peak_before_width", "peak_before_to_trough_ratio", "peak_before_to_peak_after_ratio"):
        columns[name][no_peak_before] = np.nan
    return pd.DataFrame(columns, index=np.arange(1, N_UNITS + 1))


def sorting() -> xr.DataTree:
    return xephys.make_sorting(
        sample_index=np.arange(N_UNITS) * 10, labels=np.arange(1, N_UNITS + 1), sampling_frequency=1000.0
    )


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("form", ["default", "theirs", "file"])
def test_labels_equal_spikeinterfaces(table: pd.DataFrame, split: bool, form: str, tmp_path: Path) -> None:
    thresholds: Any = None if form == "default" else bombcell_get_default_thresholds()
    if form == "file":
        (tmp_path / "thresholds.json").write_text(json.dumps(thresholds))
        thresholds = tmp_path / "thresholds.json"
    labelled = label_like_bombcell(sorting(), metrics=table, thresholds=thresholds, split_non_somatic=split)
    theirs = bombcell_label_units(external_metrics=table, split_non_somatic=split)["bombcell_label"]
    ours = labelled["units"]["label"].values
    assert ours.tolist() == theirs.tolist()
    assert pd.Series(ours).value_counts().min() > 5 and len(set(ours)) == (5 if split else 4)
    reasons = curation_log(labelled)[-1]["reasons"]
    assert set(reasons) == {str(unit) for unit, label in zip(table.index, ours, strict=True) if label != "good"}
    assert all(reasons.values())


@pytest.mark.parametrize("section", ["noise", "mua", "non-somatic"])
def test_changed_thresholds(table: pd.DataFrame, section: str) -> None:
    thresholds = bombcell_get_default_thresholds()
    thresholds[section] = {"snr": {"greater": 12, "less": None}, "l_ratio": {"greater": None, "less": 0.1}}
    ours = label_like_bombcell(sorting(), metrics=table, thresholds=thresholds)["units"]["label"].values
    theirs = bombcell_label_units(external_metrics=table, thresholds=thresholds)["bombcell_label"]
    if section == "non-somatic":  # one unmet limit is enough here, while SpikeInterface asks that all are unmet
        odd = (table["snr"] < 12) | (table["l_ratio"] > 0.1)
        assert ((ours == "non_soma") == (odd & (ours != "noise")).to_numpy()).all()
    else:
        assert ours.tolist() == theirs.tolist()


def test_missing_metrics_are_named(table: pd.DataFrame) -> None:
    less = table.drop(columns=["isolation_distance", "l_ratio"])
    with pytest.warns(XephysWarning, match="2 conditions .* isolation_distance >= 20; l_ratio <= 0.3"):
        labelled = label_like_bombcell(sorting(), metrics=less)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = bombcell_label_units(external_metrics=less)["bombcell_label"]
    assert labelled["units"]["label"].values.tolist() == theirs.tolist()
    assert curation_log(labelled)[-1]["left_out"] == ["isolation_distance >= 20", "l_ratio <= 0.3"]


def test_xephys_computes_every_metric_needed() -> None:
    from xephys.analysis.quality import QUALITY_METRICS

    known = {column for metric in QUALITY_METRICS.values() for column in metric.columns} | set(
        xephys.template_metric_names()
    )
    asked = {name for texts in BOMBCELL.values() for text in texts for name in parse_condition(text).names}
    assert asked <= known


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="a section 'nois'"):
        label_like_bombcell(sorting(), thresholds={"nois": []})
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ParameterError, match="not whole JSON"):
        label_like_bombcell(sorting(), thresholds=tmp_path / "x.json")


def test_reasons_name_the_deciding_conditions() -> None:
    few = xephys.make_sorting(sample_index=[10, 20, 30], labels=[1, 2, 2], sampling_frequency=1000.0)
    thresholds = {"mua": ["num_spikes >= 2"], "non_somatic": ["num_spikes > 1"]}
    entry = curation_log(label_like_bombcell(few, thresholds=thresholds))[-1]
    assert entry["reasons"] == {"1": ["num_spikes >= 2: num_spikes is 1"], "2": ["num_spikes > 1: num_spikes is 2"]}
