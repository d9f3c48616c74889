"""Snippets, components and projections against slices of the traces."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from tests.support.spiking import case, peaks
from xephys import ParameterError, RecordingError
from xephys.errors import SilentRecordingError


def test_snippets_are_slices_of_the_traces():
    table = xephys.extract_snippets(case().filtered, peaks(), ms_before=1.0, ms_after=2.0)
    records, traces = table.compute(), case().filtered.values
    assert records["waveform"].shape[1] == 90
    for record in records[:: max(1, len(records) // 50)]:
        first = record["sample_index"] - 30
        if first >= 0 and first + 90 <= len(traces):
            expected = traces[first : first + 90, record["channel_index"]]
            # Not to the bit: for events, filtering starts further before a tile.
            np.testing.assert_allclose(record["waveform"], expected, atol=2e-5)


def test_projections_are_scalar_products(components):
    table = xephys.project_peaks(case().filtered, peaks(), components=components, n_nearest=6)
    records, traces = table.compute(), case().filtered.values
    positions = np.stack([case().filtered.x, case().filtered.y], axis=1)
    before, length = components.attrs["nbefore"], components.sizes["sample"]
    for record in records[5 : -5 : max(1, len(records) // 50)]:
        distance = np.linalg.norm(positions - positions[record["channel_index"]], axis=1).round(3)
        nearest = np.sort(np.argsort(distance, kind="stable")[:6])
        first = record["sample_index"] - before
        expected = traces[first : first + length, nearest].T.astype("f8") @ components.values.T.astype("f8")
        np.testing.assert_allclose(record["projection"], expected, rtol=1e-4, atol=1e-2)


def test_there_may_be_more_neighbors_than_channels(components):
    table = xephys.project_peaks(case().filtered, peaks(), components=components, n_nearest=100)
    assert table.dtype["projection"].shape == (24, 4)


def test_bad_input_is_refused(components):
    with pytest.raises(SilentRecordingError, match=r"0 peaks were found in 8 s .* lower detect_threshold"):
        xephys.learn_components(case().filtered, peaks(detect_threshold=1000), n_components=4)
    with pytest.raises(SilentRecordingError, match="0 peaks were found in 8 s"):
        xephys.learn_components(case().filtered, peaks(detect_threshold=1000), n_components=4, n_tiles=None)
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be greater than 0"):
        xephys.project_peaks(case().filtered, peaks(), components=components, n_nearest=0)
    projected = xephys.project_peaks(case().filtered, peaks(), components=components)
    with pytest.raises(ParameterError, match="already have a field 'projection'"):
        xephys.project_peaks(case().filtered, projected, components=components)
    with pytest.raises(RecordingError, match="were detected on another recording"):
        xephys.extract_snippets(case().white, peaks())


def test_traces_in_memory_are_those_of_their_peaks():
    filtered = case().filtered.isel(time=slice(0, 30_000))
    for traces in (filtered.copy(data=filtered.values), filtered.copy(data=filtered.values).chunk(time=20_000)):
        found = xephys.detect_peaks(traces, noise_levels=xephys.estimate_noise_levels(traces))
        assert "waveform" in xephys.extract_snippets(traces, found).fields
        with pytest.raises(RecordingError, match="were detected on another recording"):
            xephys.extract_snippets(traces + 1, found)
