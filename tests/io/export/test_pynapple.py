"""pynapple's TsGroup, in memory and stored."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.io.export.pynapple import export_pynapple, to_pynapple

from .trains import times_by_unit


@pytest.mark.parametrize("made", [analyzed_sorting, analyzed_segments])
def test_a_group_has_every_spike_and_metric(made, tmp_path):
    import pynapple

    _, sorting = made()
    group = to_pynapple(sorting)
    export_pynapple(sorting, tmp_path / "group.npz")
    stored = pynapple.load_file(str(tmp_path / "group.npz"))
    for one in (group, stored):
        for name, times in zip(one.keys(), times_by_unit(sorting), strict=True):
            np.testing.assert_array_equal(one[name].times(), times)
    if "quality_metrics" in sorting["analysis"].children:
        np.testing.assert_array_equal(group["snr"].to_numpy(), sorting["analysis/quality_metrics"]["snr"].values)
        np.testing.assert_array_equal(stored["snr"].to_numpy(), group["snr"].to_numpy())
    lengths = np.asarray(sorting.attrs["n_samples"]).sum() / 30_000
    assert group.time_support.tot_length() == pytest.approx(lengths)


def test_text_names_become_metadata():
    sorting = xephys.make_sorting(times_s=[0.1, 0.2, 0.3], labels=["b", "a", "b"], sampling_frequency=1000.0)
    group = to_pynapple(sorting)
    assert list(group.keys()) == [0, 1]
    assert [group["unit_name"][k] for k in group] == sorting["units"]["unit_id"].values.tolist()
