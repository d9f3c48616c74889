"""Values of single spikes beside those of SpikeInterface's analyzer."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xephys.analysis.run import analyze
from xephys.analysis.spikes import sparse_of
from xephys.sorting import build_sorting


def data(analyzer: Any, name: str) -> Any:
    return analyzer.get_extension(name).get_data()


def test_amplitudes_agree(analyzed: xr.DataTree, analyzer: Any) -> None:
    found = analyzed["analysis/spike_amplitudes"]["amplitude"].values
    np.testing.assert_allclose(found, data(analyzer, "spike_amplitudes"), rtol=1e-6)


def test_locations_agree(analyzed: xr.DataTree, analyzer: Any) -> None:
    expected = data(analyzer, "spike_locations")
    for name in ("x", "y"):
        np.testing.assert_allclose(analyzed["analysis/spike_locations"][name].values, expected[name], atol=1e-4)


def test_scalings_agree_where_spikes_overlap(analyzed: xr.DataTree, analyzer: Any) -> None:
    node = analyzed["analysis/amplitude_scalings"]
    np.testing.assert_allclose(node["scale"].values, data(analyzer, "amplitude_scalings"), atol=1e-5)
    assert node["collides"].values.any()
    assert not node["collides"].values.all()


def test_amplitudes_are_read_at_the_peak_of_the_template(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    """The spikes of one unit are five samples early; their amplitudes are still those of the peak."""
    spikes = {name: sorting["spikes"][name].values.copy() for name in ("sample_index", "unit_index")}
    early = spikes["unit_index"] == 1
    spikes["sample_index"][early] -= 5
    units = {name: sorting["units"][name].values for name in ("label", "channel_index")}
    found = analyze(build_sorting(recording, spikes=spikes, units=units), recording, ["spike_amplitudes"])
    straight = analyze(sorting, recording, ["spike_amplitudes"])
    node = found["analysis/spike_amplitudes"]
    assert node["peak_shift"].values[1] == straight["analysis/spike_amplitudes"]["peak_shift"].values[1] + 5
    one, other = found["spikes"]["unit_index"].values == 1, straight["spikes"]["unit_index"].values == 1
    np.testing.assert_array_equal(
        node["amplitude"].values[one], straight["analysis/spike_amplitudes"]["amplitude"].values[other]
    )


def test_slots_without_a_channel_are_zero() -> None:
    dense = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    assert sparse_of(dense, np.array([[1, -1]], np.int32)).tolist() == [[[1.0, 0.0], [4.0, 0.0]]]
