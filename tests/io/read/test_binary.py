from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from xephys.errors import ParameterError, RecordingError
from xephys.graph.build import count_tasks, plan_of
from xephys.io.read.open import open_recording


def test_both_time_axes_and_a_header(tmp_path: Path, samples: np.ndarray) -> None:
    for time_axis, stored in ((0, samples), (1, samples.T)):
        path = tmp_path / f"axis{time_axis}.raw"
        path.write_bytes(b"x" * 13 + np.ascontiguousarray(stored).tobytes())
        recording = open_recording(
            path, sampling_frequency=1000.0, n_channels=5, time_axis=time_axis, offset_bytes=13, chunk_duration_s=0.31
        )
        np.testing.assert_array_equal(recording.values, samples)
        np.testing.assert_array_equal(recording[4321:4700, 1:3].values, samples[4321:4700, 1:3])


def test_lazy_small_and_one_task_per_chunk(raw_file: Path) -> None:
    recording = open_recording(raw_file, sampling_frequency=1000.0, n_channels=5, chunk_duration_s=1.0)
    assert count_tasks(recording) == 8
    assert len(pickle.dumps(recording)) < 20_000
    plan = plan_of(recording)
    assert plan is not None
    assert len(pickle.dumps(plan.source)) < 1000


def test_token_follows_the_file(raw_file: Path, samples: np.ndarray) -> None:
    import os

    options = {"sampling_frequency": 1000.0, "n_channels": 5}
    one, again = open_recording(raw_file, **options), open_recording(raw_file, **options)
    assert one.data.name == again.data.name
    (samples + 1).tofile(raw_file)
    os.utime(raw_file, ns=(1, 1))
    assert open_recording(raw_file, **options).data.name != one.data.name


def test_scaling_probe_and_ids(raw_file: Path) -> None:
    recording = open_recording(
        raw_file,
        sampling_frequency=1000.0,
        n_channels=5,
        gain_to_uv=0.195,
        channel_ids=list("abcde"),
        probe=np.arange(10.0).reshape(5, 2),
    )
    assert recording.gain_to_uv.values.tolist() == [0.195] * 5
    assert recording.offset_to_uv.values.tolist() == [0.0] * 5
    assert recording.x.values.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert recording.channel.values.tolist() == list("abcde")


def test_probe_file_is_put_in_the_order_of_the_channels(tmp_path: Path, raw_file: Path) -> None:
    from probeinterface import Probe, write_probeinterface

    probe = Probe()
    probe.set_contacts(positions=np.arange(12.0).reshape(6, 2), shapes="circle", shape_params={"radius": 5})
    probe.set_device_channel_indices([4, -1, 2, 0, 1, 3])
    write_probeinterface(tmp_path / "probe.json", probe)
    recording = open_recording(raw_file, sampling_frequency=1000.0, n_channels=5, probe=tmp_path / "probe.json")
    assert recording.x.values.tolist() == [6.0, 8.0, 4.0, 10.0, 0.0]


def test_a_sidecar_describes_the_file(raw_file: Path, samples: np.ndarray) -> None:
    said = {"sampling_frequency": 1000.0, "n_channels": 5, "dtype": "int16", "gain_to_uv": 0.5, "start_s": 3.0}
    raw_file.with_suffix(".json").write_text(json.dumps(said))
    recording = open_recording(raw_file)
    np.testing.assert_array_equal(recording.values, samples)
    assert float(recording.time[0]) == 3.0
    assert recording.gain_to_uv.values[0] == 0.5


def test_explicit_arguments_override_the_sidecar(raw_file: Path, samples: np.ndarray) -> None:
    raw_file.write_bytes(np.ascontiguousarray(samples.T).tobytes())
    said = {"sampling_frequency": 1000.0, "n_channels": 5, "time_axis": 0, "offset_bytes": 10, "gain_to_uv": 0.5}
    raw_file.with_suffix(".json").write_text(json.dumps(said))
    recording = open_recording(raw_file, time_axis=1, offset_bytes=0, sampling_frequency=2000.0)
    np.testing.assert_array_equal(recording.values, samples)
    assert recording.attrs["sampling_frequency"] == 2000.0
    assert recording.gain_to_uv.values[0] == 0.5
    with pytest.raises(ParameterError, match=r"'dtpye' for a raw binary file.*did you mean 'dtype'"):
        open_recording(raw_file, dtpye="int32")


def test_giving_the_number_of_channels_does_not_hide_the_sidecar(raw_file: Path, samples: np.ndarray) -> None:
    said = {"sampling_frequency": 1000.0, "n_channels": 1, "dtype": "int16", "gain_to_uv": 0.5, "start_s": 3.0}
    raw_file.with_suffix(".json").write_text(json.dumps(said))
    recording = open_recording(raw_file, n_channels=5)
    np.testing.assert_array_equal(recording.values, samples)
    assert (recording.attrs["sampling_frequency"], float(recording.time[0])) == (1000.0, 3.0)
    assert recording.gain_to_uv.values.tolist() == [0.5] * 5
    raw_file.with_suffix(".json").write_text(json.dumps(said | {"channel_ids": ["a"]}))
    with pytest.raises(RecordingError, match="1 channel_ids for 5 channels"):
        open_recording(raw_file, n_channels=5)


def test_numbers_of_a_sidecar_may_be_texts_or_floats(raw_file: Path, samples: np.ndarray) -> None:
    raw_file.write_bytes(b"x" * 1024 + np.ascontiguousarray(samples.T).tobytes())
    said = {"sampling_frequency": "1000", "n_channels": 5.0, "offset_bytes": 1024.0, "time_axis": "1", "start_s": "3"}
    raw_file.with_suffix(".json").write_text(json.dumps(said))
    recording = open_recording(raw_file)
    np.testing.assert_array_equal(recording.values, samples)
    assert float(recording.time[0]) == 3.0


def _options(**more: object) -> dict:
    return {"sampling_frequency": 1000.0, "n_channels": 5, **more}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (_options(n_channels=4), RecordingError, r"8751 samples of 4 channels of int16 and 2 bytes more: n_channels"),
        (_options(n_channels=0), ParameterError, "n_channels is 0"),
        (_options(time_axis=2), ParameterError, "time_axis is 2"),
        (_options(sampling_frequency=-1.0), ParameterError, "sampling_frequency is -1"),
        (_options(offset_bytes=10**9), RecordingError, "not one sample"),
        (_options(gain_to_uv=[1.0, 2.0]), RecordingError, r"gain_to_uv has shape \(2,\) for 5 channels"),
        (_options(offset_to_uv=1.0), ParameterError, "without gain_to_uv"),
        (_options(channel_ids=[1, 2]), RecordingError, "2 channel_ids for 5 channels"),
        (_options(chunk_duration_s=0.0), ParameterError, "chunk_duration_s is 0"),
        ({"n_channels": 5}, ParameterError, "without sampling_frequency"),
        ({}, RecordingError, "in no format that is known"),
        ({"format": "spikegl"}, ParameterError, "nearest is 'spikeglx'"),
        (_options(probe="nowhere.json"), FileNotFoundError, "nowhere.json does not exist"),
        (_options(gain_to_uV=0.2), ParameterError, "no parameter 'gain_to_uV' for a raw binary file.*'gain_to_uv'"),
        (_options(stream_id="0"), ParameterError, "stream_id is '0'.* has no streams"),
        (_options(segment=1), RecordingError, "segment 1 does not exist"),
        (_options(format="zarr"), ParameterError, "format is 'zarr' and n_channels describes a raw binary file"),
    ],
)
def test_bad_descriptions_are_refused(raw_file: Path, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        open_recording(raw_file, **options)


def test_a_missing_file_is_refused_with_the_nearest_name(raw_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ra\.bin does not exist.*there is 'raw\.bin'"):
        open_recording(raw_file.with_name("ra.bin"), **_options())


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.bin").touch()
    with pytest.raises(RecordingError, match=r"empty \(0 bytes\)"):
        open_recording(tmp_path / "empty.bin", **_options())


def test_cut_file(raw_file: Path, samples: np.ndarray) -> None:
    with raw_file.open("r+b") as file:
        file.truncate(samples.nbytes - 3)
    with pytest.raises(RecordingError, match=r"7000 samples of 5 channels .* and 7 bytes more.*ignore_trailing_bytes"):
        open_recording(raw_file, **_options())
    recording = open_recording(raw_file, **_options(ignore_trailing_bytes=True))
    np.testing.assert_array_equal(recording.values, samples[:-1])
    with pytest.raises(RecordingError, match="cannot be told apart"):
        open_recording(raw_file, **_options(ignore_trailing_bytes=True, time_axis=1))


def test_file_that_shrinks_after_opening(raw_file: Path) -> None:
    recording = open_recording(raw_file, **_options())
    with raw_file.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(OSError, match="shortened since it was opened"):
        recording.values  # noqa: B018
