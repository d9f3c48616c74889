"""Snippets, components and projections against slices of the traces."""

from __future__ import annotations

import numpy as np
import pytest

import xephys
from xephys import ParameterError, RecordingError
from xephys.errors import SilentRecordingError
from xephys.features.events import window_samples

from ..support.spiking import RATE, case, peaks


@pytest.fixture(scope="module")
def components():
    return xephys.learn_components(case().filtered, peaks(), n_components=4, ms_before=0.7, ms_after=1.3)


def test_snippets_are_slices_of_the_traces():
    table = xephys.extract_snippets(case().filtered, peaks(), ms_before=1.0, ms_after=2.0)
    records, traces = table.compute(), case().filtered.values
    assert records["waveform"].shape[1] == 90
    for record in records[:: max(1, len(records) // 50)]:
        first = record["sample_index"] - 30
        if first >= 0 and first + 90 <= len(traces):
            expected = traces[first : first + 90, record["channel_index"]]
            # Not to the bit: for events a tile is filtered with a longer lead.
            np.testing.assert_allclose(record["waveform"], expected, atol=2e-5)


def test_components_are_orthonormal_and_explain_the_spikes(components):
    assert components.dims == ("component", "sample")
    basis = components.values
    np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-5)
    snippets = xephys.extract_snippets(case().filtered, peaks(), ms_before=0.7, ms_after=1.3).compute()["waveform"]
    rest = snippets - snippets @ basis.T @ basis
    assert (rest**2).sum() < 0.1 * (snippets**2).sum()


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


def test_more_neighbours_than_channels(components):
    table = xephys.project_peaks(case().filtered, peaks(), components=components, n_nearest=100)
    assert table.dtype["projection"].shape == (24, 4)


def test_window_samples():
    assert window_samples(0.5, 1.0, RATE) == (15, 30)
    assert window_samples(0, 0.001, RATE) == (0, 1)
    with pytest.raises(ParameterError, match=r"ms_before is -0.1; it must be at least 0"):
        window_samples(-0.1, 1.0, RATE)
    with pytest.raises(ParameterError, match="ms_after is 0; it must be greater than 0"):
        window_samples(0.5, 0, RATE)


def test_refusals(components):
    with pytest.raises(SilentRecordingError, match=r"0 peaks were found in 8 s .* lower detect_threshold"):
        xephys.learn_components(case().filtered, peaks(detect_threshold=1000), n_components=4)
    with pytest.raises(SilentRecordingError, match="0 peaks were found in 8 s"):
        xephys.learn_components(case().filtered, peaks(detect_threshold=1000), n_components=4, n_tiles=None)
    with pytest.raises(ParameterError, match="n_nearest is 0; it must be at least 1"):
        xephys.project_peaks(case().filtered, peaks(), components=components, n_nearest=0)
    projected = xephys.project_peaks(case().filtered, peaks(), components=components)
    with pytest.raises(ParameterError, match="already have a field 'projection'"):
        xephys.project_peaks(case().filtered, projected, components=components)
    with pytest.raises(RecordingError, match="were detected on another recording"):
        xephys.extract_snippets(case().white, peaks())
