"""Waveforms of a sorting as lazy arrays."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.errors import ParameterError
from xephys.testing import forbid_compute, rechunked


def test_nothing_is_read_before_it_is_computed(
    sorting: xr.DataTree, recording: xr.DataArray, analyzed: xr.DataTree
) -> None:
    with forbid_compute():
        table, channels = xephys.extract_waveforms(sorting, recording, n_spikes_max=None)
    assert table.n_chunks == recording.data.numblocks[0]
    records = table.compute()
    node = analyzed["analysis/waveforms"]
    np.testing.assert_array_equal(records["spike"], node["waveform_spike"].values)
    np.testing.assert_array_equal(records["waveform"], node["waveform"].values)
    np.testing.assert_array_equal(channels, node["channel_index"].values)


def test_waveforms_do_not_depend_on_chunks(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    one, _ = xephys.extract_waveforms(sorting, recording, n_spikes_max=40, radius_um=30.0)
    other, _ = xephys.extract_waveforms(sorting, rechunked(recording, 12_345), n_spikes_max=40, radius_um=30.0)
    np.testing.assert_array_equal(one.compute(), other.compute())
    assert np.bincount(one.compute()["unit_index"]).max() == 40


def test_a_missing_segment_is_refused(sorting: xr.DataTree, recording: xr.DataArray) -> None:
    with pytest.raises(ParameterError, match="segment_index is 1 and there are 1 segments"):
        xephys.extract_waveforms(sorting, recording, segment_index=1)
