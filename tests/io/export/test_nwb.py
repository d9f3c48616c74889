"""NWB files as pynwb and SpikeInterface read them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.errors import OutputError, ParameterError
from xephys.io.export.nwb import export_nwb

from .trains import times_by_unit

START = "2026-01-31T12:00:00+01:00"


def test_pynwb_reads_everything(tmp_path):
    import pynwb

    _, sorting = analyzed_sorting()
    path = tmp_path / "session.nwb"
    subject = {"subject_id": "m1", "species": "Mus musculus", "age": "P90D", "sex": "F"}
    export_nwb(sorting, path, session_start=START, subject=subject, metadata={"institution": "here"})
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        read = file.read()
        assert (read.subject.subject_id, read.institution) == ("m1", "here")
        assert read.session_start_time.isoformat() == START
        units = read.units
        for unit, times in enumerate(times_by_unit(sorting)):
            np.testing.assert_array_equal(units["spike_times"][unit], times)
            own = sorting["analysis/sparsity"]["channel_index"].values[unit]
            assert units.get_unit_spike_times(unit).tolist() == times.tolist()
            assert units["electrodes"][unit].index.tolist() == own[own >= 0].tolist()
            np.testing.assert_allclose(units["obs_intervals"][unit], [[0.0, 15.0]])
        np.testing.assert_allclose(units["waveform_mean"].data[:] * 1e6, sorting["templates"]["templates"], rtol=1e-5)
        np.testing.assert_array_equal(units["snr"].data[:], sorting["analysis/quality_metrics"]["snr"].values)
        assert "drift_ptp" not in units.colnames  # the recording is too short to measure drift
        np.testing.assert_allclose(read.electrodes["rel_y"].data[:], sorting["templates"]["y"].values)
        assert not pynwb.validate(io=file)
    with pytest.raises(OutputError, match="exists"):
        export_nwb(sorting, path, session_start=START)


def test_analyzed_templates_come_with_their_spread(tmp_path):
    import pynwb

    recording, sorting = analyzed_segments()
    path = tmp_path / "session.nwb"
    export_nwb(sorting, path, session_start=START, recording=recording)
    templates = sorting["analysis/templates"]
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        units = file.read().units
        for column, ours in (("waveform_mean", "average"), ("waveform_sd", "std")):
            volts, sparse = units[column].data[:], templates[ours].values
            for unit, listed in enumerate(templates["channel_index"].values):
                own = listed[listed >= 0]
                np.testing.assert_allclose(volts[unit][:, own] * 1e6, sparse[unit][:, : len(own)], rtol=1e-5)
                others = np.delete(volts[unit], own, axis=1)
                assert np.isnan(others).all() if column == "waveform_sd" else not others.any()


@pytest.mark.parametrize("made", [analyzed_sorting, analyzed_segments])
def test_spikeinterface_reads_the_spikes(made, tmp_path):
    from spikeinterface.extractors import read_nwb_sorting

    recording, sorting = made()
    path = tmp_path / "session.nwb"
    export_nwb(sorting, path, session_start=START, recording=recording)
    read = read_nwb_sorting(str(path))
    assert read.sampling_frequency == pytest.approx(30_000.0)
    for name, times in zip(read.unit_ids, times_by_unit(sorting), strict=True):
        assert read.get_unit_spike_train(name).tolist() == np.round(times * 30_000).astype(int).tolist()


def test_a_start_that_is_no_time_is_refused(tmp_path):
    _, sorting = analyzed_sorting()
    with pytest.raises(ParameterError, match="session_start is 'yesterday'"):
        export_nwb(sorting, tmp_path / "a.nwb", session_start="yesterday")
