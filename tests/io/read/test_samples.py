"""Every real file with raw traces opens, and its values equal those that SpikeInterface reads."""

from __future__ import annotations

import gzip
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from xephys.errors import RecordingError, XephysWarning
from xephys.graph.build import plan_of
from xephys.graph.source import BinarySource, PickledSource, chunked_array
from xephys.io.read.open import open_recording
from xephys.io.read.sortings import open_sorting
from xephys.recording.segments import segments_of
from xephys.schema import make_recording

PROBE_B = "Record Node 101#Neuropix-PXI-100.ProbeB"
PROBE_C = "Record Node 101#Neuropix-PXI-100.ProbeC"
NIDAQ = "Record Node 101#NI-DAQmx-103.PXIe-6341"
WHITEMATTER = "whitematter_64ch/HSW_2024_12_12__10_28_23__70min_17sec__hsamp_64ch_25000sps_stub.bin"
# path, how it is opened here, SpikeInterface's reader and its arguments, source expected, segments
SAMPLES = [
    ("spikeglx/np_ultra", {}, "spikeglx", {"stream_id": "imec0.ap"}, BinarySource, 1),
    ("spikeglx/np1", {}, "spikeglx", {"stream_id": "imec0.ap"}, BinarySource, 1),
    ("spikeglx/np1", {"stream_id": "imec0.ap-SYNC"}, "spikeglx", {"stream_id": "imec0.ap-SYNC"}, BinarySource, 1),
    ("spikeglx/np2_4shank", {}, "spikeglx", {"stream_id": "imec0.ap"}, BinarySource, 1),
    ("spikeglx/np2_4shank", {"stream_id": "nidq"}, "spikeglx", {"stream_id": "nidq"}, BinarySource, 1),
    ("openephys_cortex16/binary", {}, "openephysbinary", {}, BinarySource, 1),
    ("openephys_cortex16/legacy", {}, "openephyslegacy", {}, PickledSource, 1),
    *(
        (
            "openephys_np_multistream",
            {"experiment_name": experiment, "stream_id": stream},
            "openephysbinary",
            {"experiment_name": experiment, "stream_name": stream},
            BinarySource,
            1,
        )
        for experiment in ("experiment1", "experiment3", "experiment6")
        for stream in (PROBE_B, PROBE_C, NIDAQ)
    ),
    ("intan/sampledata_v1_5_32ch.rhd", {}, "intan", {"stream_id": "0"}, PickledSource, 1),
    ("intan/one_file_per_channel", {}, "intan", {"stream_id": "0"}, PickledSource, 1),
    ("blackrock/l101210-001.ns2", {}, "blackrock", {}, PickledSource, 1),
    ("blackrock/pause_correct.ns2", {}, "blackrock", {}, PickledSource, 2),
    ("neuralynx_5ch", {}, "neuralynx", {}, PickledSource, 2),
    ("mea/biocam_hw3.0_fw1.6.brw", {}, "biocam", {}, PickledSource, 1),
    ("mea/mcs_8ch_rawdata_spikes.h5", {}, "mcsh5", {}, PickledSource, 1),
    (WHITEMATTER, {}, "whitematter", {"sampling_frequency": 25000.0, "num_channels": 64}, BinarySource, 1),
]


@pytest.mark.parametrize(("path", "ours", "reader", "theirs", "source", "n_segments"), SAMPLES)
def test_values_equal_spikeinterfaces(
    data: Path, path: str, ours: dict, reader: str, theirs: dict, source: type, n_segments: int
) -> None:
    from spikeinterface.extractors import extractor_classes

    place = data / path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Short chunks: many tasks share one reader on threads, and chunk borders fall anywhere.
        opened = open_recording(place, chunk_duration_s=0.0137 if source is BinarySource else 0.73, **ours)
        folder = {"intan/one_file_per_channel": place / "info.rhd"}.get(path, place)
        folder = place / "Record Node 101" if "legacy" in path else folder
        expected = extractor_classes.recording_extractor_full_dict[reader](folder, **theirs)
    segments = segments_of(opened)
    assert len(segments) == n_segments == expected.get_num_segments()
    for index, segment in enumerate(segments):
        plan = plan_of(segment.data)
        assert plan is not None
        assert type(plan.source) is source
        traces = expected.get_traces(segment_index=index)
        assert segment.dtype == traces.dtype
        np.testing.assert_array_equal(segment.values, traces)
        assert segment.attrs["sampling_frequency"] == expected.get_sampling_frequency()
        assert float(segment.time[0]) == expected.get_start_time(segment_index=index)
        np.testing.assert_array_equal(segment.channel.values, expected.get_channel_ids())
        np.testing.assert_array_equal(segment["gain_to_uv"].values, expected.get_property("gain_to_uV"))
        if expected.has_probe():
            locations = expected.get_channel_locations()
            np.testing.assert_array_equal(np.stack([segment.x, segment.y], axis=1), locations)


def test_raw_binary_with_positions(data: Path) -> None:
    folder = data / "neuropixels_10ch_yass"
    positions = np.load(folder / "neuropixel_channels.npy")
    recording = open_recording(folder / "neuropixel.bin", sampling_frequency=30_000.0, n_channels=10, probe=positions)
    np.testing.assert_array_equal(recording.values, np.fromfile(folder / "neuropixel.bin", "int16").reshape(-1, 10))
    np.testing.assert_array_equal(recording.y.values, positions[:, 1])


def test_arrays_of_other_file_types_are_opened(data: Path) -> None:
    packed = sorted((data / "locust_tetrode").glob("*.gz"))
    locust = np.stack([np.frombuffer(gzip.decompress(file.read_bytes()), "<f8") for file in packed], axis=1)
    recording = make_recording(chunked_array(locust, chunk_samples=30_000), sampling_frequency=15_000.0, units="uV")
    assert recording.shape == (300_000, 4)
    np.testing.assert_array_equal(recording[1000:1100].values, locust[1000:1100])
    hc1 = np.load(data / "hc1_tetrode_gt" / "raw_5s.npz")["data"]
    tetrode = make_recording(chunked_array(hc1, chunk_samples=20_000), sampling_frequency=10_000.0)
    np.testing.assert_array_equal(tetrode.values, hc1)


def test_a_meta_file_that_disagrees_causes_a_warning_and_the_samples_count(data: Path) -> None:
    with pytest.warns(XephysWarning, match="770000 bytes, its .meta says 186155200; using the 1000 samples"):
        recording = open_recording(data / "spikeglx/np2_4shank")
    assert recording.sizes["time"] == 1000


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("openephys_np_multistream", {}, r"2 streams that could be meant; give stream_id as one of .*ProbeB"),
        ("openephys_np_multistream", {"stream_id": PROBE_B}, "experiment_name"),
        ("spikeglx/np1", {"stream_id": "imec7.ap"}, "no stream 'imec7.ap'; give stream_id as one of imec0.ap"),
        ("nwb/A8604-211122.nwb", {}, "no ElectricalSeries"),
        ("nwb/ecephys_tutorial_v2.5.0.nwb", {}, "several ElectricalSeries; give stream_id"),
        (
            "nwb/ecephys_tutorial_v2.5.0.nwb",
            {"stream_id": "acquisition/ElectricalSeries"},
            "names 12 channels and its samples are of 4: the file contradicts itself",
        ),
        ("spikeglx/nhp_long_meta_only/snippet_g0", {}, r"the \.bin of the same name.* if it is missing, so are"),
        ("phy_10chan_yass", {}, r"holds a sorting\n.*\nuse open_sorting"),
        (
            "locust_tetrode/Locust_1.dat.gz",
            {"n_channels": 1, "sampling_frequency": 15_000.0, "dtype": "int16"},
            "would be read as raw samples, and a .gz is compressed",
        ),
        ("mea/maxtwo_activity_scan.raw.h5", {"rec_name": "rec0000", "stream_id": "well000"}, "closed HDF5 filter"),
        ("neuralynx_tetrode_spikes", {}, "in no format that is known"),
        ("neuralynx_5ch", {"segment": 2}, "segment 2 does not exist"),
        ("spikeglx/np1", {"probe": np.arange(6).reshape(3, 2)}, "3 connected contacts and the recording 384 channels"),
    ],
)
def test_unreadable_files_are_refused_with_the_reason(data: Path, path: str, options: dict, message: str) -> None:
    with pytest.raises(RecordingError, match=message), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        open_recording(data / path, **options)


@pytest.mark.parametrize(
    "path",
    [
        "nwb/A8604-211122.nwb",
        "neuralynx_tetrode_spikes/TT1.ntt",
        "blackrock/l101210-001.nev",
        "neuropixels_10ch_yass/spike_train.csv",
    ],
)
def test_spike_files_of_other_tools_are_not_sortings(data: Path, path: str) -> None:
    with pytest.raises(RecordingError, match=r"not a sorting of a known kind: .* make_sorting"):
        open_sorting(data / path)


def test_an_nwb_file_opens(tmp_path: Path) -> None:
    """No real file has traces that fit its electrodes, so one is written."""
    pynwb, ecephys = pytest.importorskip("pynwb"), pytest.importorskip("pynwb.ecephys")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    file = pynwb.NWBFile(session_description="a", identifier="b", session_start_time=start)
    device = file.create_device(name="probe")
    group = file.create_electrode_group(name="shank", description="a", location="CA1", device=device)
    for k in range(4):
        file.add_electrode(group=group, location="CA1", rel_x=float(k % 2), rel_y=20.0 * k)
    counts = np.random.default_rng(0).integers(-500, 500, (900, 4)).astype("int16")
    file.add_acquisition(
        ecephys.ElectricalSeries(
            name="raw",
            data=counts,
            rate=30_000.0,
            starting_time=2.0,
            conversion=1e-6,
            electrodes=file.create_electrode_table_region(list(range(4)), "all"),
        )
    )
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as io:
        io.write(file)
    recording = open_recording(tmp_path / "a.nwb")
    np.testing.assert_array_equal(recording.values, counts)
    assert recording.y.values.tolist() == [0.0, 20.0, 40.0, 60.0]
    assert recording.gain_to_uv.values.tolist() == [1.0] * 4
    assert float(recording.time[30]) == pytest.approx(2.001)
