"""Two stages with limits of their own, each unit with its reasons."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xephys.pipeline import EmptyWaveformMetricsError
from xephys.pipeline.batch.curation import curate_stage, first_rules, second_rules
from xephys.pipeline.config.groups import CurationConfig


def table() -> xr.Dataset:
    columns = {
        "num_spikes": [20, 40, 400, 400], "firing_rate": [1.0, 1.0, 1.0, 0.01], "snr": [9.0, 9.0, 4.0, 9.0],
        "isi_violations": [0.0, 0.0, 0.0, 0.02], "std_norm": [0.1, 0.1, 0.1, 0.1],
    }  # fmt: skip
    return xr.Dataset({k: ("unit", np.array(v)) for k, v in columns.items()}, {"unit_id": ("unit", [5, 6, 7, 8])})


def test_stages_have_limits_of_their_own() -> None:
    config, units = CurationConfig(), table()
    first = curate_stage(units, np.ones(4, bool), first_rules(config), name="first")
    second = curate_stage(units, first.kept, second_rules(config), name="second")
    assert first.history["curated_final"] == [6, 7, 8] and second.history["curated_final"] == []
    assert first.history["failed"] == {"5": ["num_spikes >= 30: num_spikes is 20"]}
    assert second.history["initial"] == [6, 7, 8]
    assert set(second.history["failed"]) == {"6", "7", "8"}
    assert second.history["failed"]["8"] == [
        "firing_rate >= 0.05: firing_rate is 0.01", "isi_violations <= 0.01: isi_violations is 0.02",
    ]  # fmt: skip


def test_stages_and_rules_can_be_switched_off() -> None:
    off = CurationConfig(curate_first=False, spikes_min_second=None, fr_min=None, isi_viol_max=None, snr_min=None)
    assert first_rules(off) == [] and second_rules(off) == ["std_norm <= 1.0"]
    assert first_rules(CurationConfig(spikes_min_first=None)) == []
    assert second_rules(CurationConfig(curate_second=False)) == []


def test_a_metric_without_waveforms_is_named() -> None:
    units = table().drop_vars(["snr", "std_norm"])
    curate_stage(units, np.ones(4, bool), first_rules(CurationConfig()), name="first")
    with pytest.raises(EmptyWaveformMetricsError, match="set the limit to None") as raised:
        curate_stage(units, np.ones(4, bool), second_rules(CurationConfig()), name="second")
    assert raised.value.metric_name == "snr"
