"""CellExplorer's files, read by SpikeInterface and as MATLAB structures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat

from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.io.export.cell_explorer import export_cell_explorer

from .trains import times_by_unit


@pytest.mark.parametrize("made", [analyzed_sorting, analyzed_segments])
def test_spikeinterface_reads_the_spikes(made, tmp_path):
    from spikeinterface.extractors import read_cellexplorer

    recording, sorting = made()
    export_cell_explorer(sorting, tmp_path / "mouse1", recording=recording)
    read = read_cellexplorer(tmp_path / "mouse1" / "mouse1.spikes.cellinfo.mat")
    assert read.sampling_frequency == 30_000.0
    for name, times in zip(read.unit_ids, times_by_unit(sorting), strict=True):
        assert read.get_unit_spike_train(name).tolist() == np.round(times * 30_000).astype(int).tolist()


def test_cells_have_their_waveforms_and_the_session_its_channels(tmp_path):
    _, sorting = analyzed_sorting()
    export_cell_explorer(sorting, tmp_path / "mouse1")
    spikes = loadmat(tmp_path / "mouse1" / "mouse1.spikes.cellinfo.mat", simplify_cells=True)["spikes"]
    peaks = sorting["analysis/sparsity"]["peak_channel"].values
    templates = sorting["templates"]["templates"].values
    assert spikes["maxWaveformCh1"].tolist() == (peaks + 1).tolist()
    for unit in range(4):
        np.testing.assert_allclose(spikes["filtWaveform"][unit], templates[unit][:, peaks[unit]])
        assert spikes["filtWaveform_all"][unit].shape == templates[unit].T.shape
        assert len(spikes["times"][unit]) == spikes["total"][unit] == len(spikes["amplitudes"][unit])
        at_spike = spikes["timeWaveform"][unit] == 0
        assert np.flatnonzero(at_spike).tolist() == [sorting["templates"]["templates"].attrs["nbefore"]]
    np.testing.assert_array_equal(spikes["snr"], sorting["analysis/quality_metrics"]["snr"].values)
    session = loadmat(tmp_path / "mouse1" / "mouse1.session.mat", simplify_cells=True)["session"]
    assert session["extracellular"]["nChannels"] == 12
    np.testing.assert_array_equal(session["extracellular"]["chanCoords"]["y"], sorting["templates"]["y"].values)
