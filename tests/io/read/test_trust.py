"""Files made to run code are refused in one sentence, and nothing in them is run. Harmless files open as before."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import xephys
from tests.support.command_line import refused, run
from xephys.cli.paths import find_sorting
from xephys.errors import RecordingError
from xephys.graph.results import CallOnce
from xephys.io.read.sortings import open_sorting
from xephys.io.store.sorting import save_sorting
from xephys.schema import make_recording
from xephys.sorting import build_sorting


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


Make = Callable[[Path, str], Path]


def recording() -> Any:
    return make_recording(
        np.zeros((300, 2), "int16"), sampling_frequency=1000.0, coordinates={"gain_to_uv": [1.0, 1.0]}
    )


def si_folder(folder: Path) -> Path:
    import spikeinterface.core as si

    theirs = si.NumpyRecording([np.zeros((300, 2), "int16")], sampling_frequency=1000.0)
    theirs.save(folder=folder, verbose=False, progress_bar=False)
    return folder


def pickled_dump(folder: Path, command: str) -> Path:
    (folder / "dump.pkl").write_bytes(pickle.dumps(Evil(command)))
    return folder / "dump.pkl"


def dump_that_calls(folder: Path, command: str) -> Path:
    described = {"class": "subprocess.Popen", "module": "subprocess", "version": "3", "annotations": {}}
    described |= {"kwargs": {"args": command, "shell": True}, "properties": {}}
    (folder / "dump.json").write_text(json.dumps(described))
    return folder / "dump.json"


def dump_that_calls_deep_inside(folder: Path, command: str) -> Path:
    path = dump_that_calls(folder, command)
    outer = {"class": "spikeinterface.core.channelslice.ChannelSliceRecording", "module": "spikeinterface"}
    outer |= {"version": "0", "annotations": {}, "properties": {}}
    outer["kwargs"] = {"recording": json.loads(path.read_text())}
    path.write_text(json.dumps(outer))
    return path


def dump_of_a_reader_that_runs_code(folder: Path, command: str) -> Path:
    phy = folder / "curated"
    phy.mkdir()
    (phy / "params.py").write_text(f"import os\nos.system({command!r})\n")
    described = {"class": "spikeinterface.extractors.phykilosortextractors.PhySortingExtractor"}
    described |= {"module": "spikeinterface", "version": "0", "annotations": {}, "properties": {}}
    (folder / "dump.json").write_text(json.dumps({**described, "kwargs": {"folder_path": str(phy)}}))
    return folder / "dump.json"


def folder_with_pickled_properties(folder: Path, command: str) -> Path:
    saved = si_folder(folder / "saved")
    np.save(saved / "properties" / "anything.npy", np.array([Evil(command), None], object), allow_pickle=True)
    return saved


def folder_with_a_bare_pickle_as_property(folder: Path, command: str) -> Path:
    saved = si_folder(folder / "saved")
    (saved / "properties" / "anything.npy").write_bytes(pickle.dumps(Evil(command)))
    return saved


def folder_of_old(folder: Path, command: str) -> Path:
    saved = si_folder(folder / "saved")
    (saved / "si_folder.json").unlink()
    (saved / "cached.pkl").write_bytes(pickle.dumps(Evil(command)))
    return saved


def zarr_with_pickles(folder: Path, command: str) -> Path:
    import numcodecs

    xephys.save_recording(recording(), folder / "saved.zarr")
    group = zarr.open_group(str(folder / "saved.zarr"), mode="a")
    values = np.array([Evil(command), Evil(command)], object)
    group["properties"].create_dataset("anything", data=values, object_codec=numcodecs.Pickle())
    return folder / "saved.zarr"


def zarr_with_pickles_in_its_attributes(folder: Path, command: str) -> Path:
    import base64

    xephys.save_recording(recording(), folder / "saved.zarr")
    group = zarr.open_group(str(folder / "saved.zarr"), mode="a")
    text = base64.b64encode(pickle.dumps(Evil(command))).decode()
    ours = dict(group.attrs["xephys"])
    group.attrs["xephys"] = {**ours, "properties": {"anything": {"dtype": "pickle", "data": text}}}
    return folder / "saved.zarr"


def dump_with_a_step_from_elsewhere(folder: Path, command: str) -> Path:
    raw = folder / "raw.bin"
    np.zeros((300, 2), "int16").tofile(raw)
    opened = xephys.open_recording(raw, sampling_frequency=1000.0, n_channels=2)
    xephys.to_spikeinterface(xephys.highpass_filter(opened, freq_min_hz=50.0)).dump_to_json(folder / "dump.json")
    described = json.loads((folder / "dump.json").read_text())
    described["kwargs"]["segments"][0]["plan"]["stages"][0]["func"] = "os:system"
    (folder / "dump.json").write_text(json.dumps(described))
    return folder / "dump.json"


def dump_with_a_source_from_elsewhere(folder: Path, command: str) -> Path:
    path = dump_with_a_step_from_elsewhere(folder, command)
    described = json.loads(path.read_text())
    source = {"class": "subprocess:Popen", "fields": {"args": command, "shell": True}}
    described["kwargs"]["segments"][0]["plan"] = {**described["kwargs"]["segments"][0]["plan"], "stages": []}
    described["kwargs"]["segments"][0]["plan"]["source"] = source
    path.write_text(json.dumps(described))
    return path


RECORDINGS: list[tuple[Make, str]] = [
    (pickled_dump, "is a pickle; loading it would run code of whoever wrote it: .* give trust=True"),
    (dump_that_calls, r"would call subprocess\.Popen"),
    (dump_that_calls_deep_inside, r"would call subprocess\.Popen"),
    (dump_of_a_reader_that_runs_code, r"would call spikeinterface\.extractors\.phykilosort"),
    (folder_with_pickled_properties, r"holds objects in properties/anything\.npy, which are pickles"),
    (folder_with_a_bare_pickle_as_property, r"holds objects in properties/anything\.npy, which are pickles"),
    (folder_of_old, r"holds a pickle \(cached\.pkl\)"),
    (zarr_with_pickles, "holds pickles in its array 'properties/anything'"),
    (zarr_with_pickles_in_its_attributes, "an array of type 'pickle' is not read from text"),
    (dump_with_a_step_from_elsewhere, "names the step 'os:system', which"),
    (dump_with_a_source_from_elsewhere, "names the source 'subprocess:Popen'"),
]


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.mark.parametrize(("make", "message"), RECORDINGS, ids=lambda value: getattr(value, "__name__", ""))
def test_recordings(tmp_path: Path, ran: Path, make: Make, message: str) -> None:
    path = make(tmp_path, f"touch {ran}")
    with pytest.raises(RecordingError, match=message):
        xephys.open_recording(path)
    assert not ran.exists()


@pytest.mark.parametrize("make", [pickled_dump, dump_that_calls, folder_with_pickled_properties])
def test_on_the_command_line(tmp_path: Path, ran: Path, make: Make) -> None:
    path = make(tmp_path, f"touch {ran}")
    assert "--trust" in refused("info", path, status=3)
    assert "--trust" in refused("sort", path, "--out", tmp_path / "out", status=3)
    assert not ran.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text", ["import os\nos.system({!r})\n", "channel_groups = {{0: __import__('os').system({!r})}}\n"]
)
def test_probe_files(tmp_path: Path, ran: Path, text: str) -> None:
    raw, probe = tmp_path / "raw.bin", tmp_path / "evil.prb"
    np.zeros((300, 2), "int16").tofile(raw)
    probe.write_text(text.format(f"touch {ran}"))
    with pytest.raises(RecordingError, match="nothing in a file is run"):
        xephys.open_recording(raw, sampling_frequency=1000.0, n_channels=2, probe=probe)
    (tmp_path / "raw.json").write_text('{"sampling_frequency": 1000.0, "n_channels": 2, "probe": "evil.prb"}')
    with pytest.raises(RecordingError, match="nothing in a file is run"):
        xephys.open_recording(raw)
    said = refused("info", raw, "--n-channels", 2, "--sampling-frequency", 1000, "--probe", probe, status=3)
    assert "nothing in a file is run" in said
    assert not ran.exists()


def phy_folder(folder: Path, command: str) -> Path:
    folder = folder / "phy"
    folder.mkdir()
    for name in ("spike_times", "spike_clusters"):
        np.save(folder / f"{name}.npy", np.arange(3))
    (folder / "params.py").write_text(f"sample_rate = 1000.0\nimport os; os.system({command!r})\n")
    return folder


def analyzer_with_pickles(folder: Path, command: str) -> Path:
    import spikeinterface.core as si

    theirs, sorting = si.generate_ground_truth_recording(durations=[2.0], num_channels=4, num_units=2, seed=0)
    place = folder / "analyzer"
    si.create_sorting_analyzer(sorting, theirs, format="binary_folder", folder=place, sparse=False)
    (place / "recording.json").unlink(missing_ok=True)
    (place / "recording.pickle").write_bytes(pickle.dumps(Evil(command)))
    return place


def sorting_with_pickles(folder: Path, command: str) -> Path:
    import numcodecs

    made = build_sorting(recording(), spikes={"sample_index": [3], "unit_index": [0]}, units={"label": ["good"]})
    save_sorting(made, folder / "sorting.zarr")
    group = zarr.open_group(str(folder / "sorting.zarr"), mode="a")
    values = np.array([Evil(command)], object)
    stored = group["units"].create_dataset("anything", data=values, object_codec=numcodecs.Pickle())
    stored.attrs["_ARRAY_DIMENSIONS"] = ["unit"]
    return folder / "sorting.zarr"


def arrays_that_are_pickles(folder: Path, command: str) -> Path:
    objects = np.array([Evil(command)], object)
    np.savez(folder / "sorting.npz", sample=objects, unit=np.zeros(1, int), sampling_frequency=1000.0)
    return folder / "sorting.npz"


def bare_pickle_as_arrays(folder: Path, command: str) -> Path:
    (folder / "sorting.npz").write_bytes(pickle.dumps(Evil(command)))
    return folder / "sorting.npz"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (phy_folder, r"params\.py line 2: an import is not read, because nothing in a file is run"),
        (pickled_dump, "is a pickle"),
        (dump_of_a_reader_that_runs_code, "would call"),
        (analyzer_with_pickles, r"holds a pickle \(recording\.pickle\)"),
        (sorting_with_pickles, "holds pickles in its array 'units/anything'"),
        (arrays_that_are_pickles, "not an .npz file of arrays .*Object arrays cannot be loaded"),
        (bare_pickle_as_arrays, "not an .npz file of arrays"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_sortings(tmp_path: Path, ran: Path, make: Make, message: str) -> None:
    path = make(tmp_path, f"touch {ran}")
    with pytest.raises(RecordingError, match=message):
        find_sorting(path)
    if path.suffix == ".zarr":
        with pytest.raises(RecordingError, match=message):
            open_sorting(path)
    refused("compare", path, path, status=3)
    assert not ran.exists()


def test_a_work_folder_holds_data_only(tmp_path: Path, ran: Path) -> None:
    """Results that someone else put into a work folder are read as data, or computed again."""
    CallOnce(tmp_path)(np.linspace, 0.0, 1.0, num=3)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(pickle.dumps(Evil(f"touch {ran}")))
    assert CallOnce(tmp_path)(np.linspace, 0.0, 1.0, num=3).tolist() == [0.0, 0.5, 1.0]
    assert not ran.exists()


def test_trusted_files_are_opened(tmp_path: Path, ran: Path) -> None:
    """Own files that hold pickles open with ``trust=True``."""
    import spikeinterface.core as si

    theirs = si.load(si_folder(tmp_path / "own"))
    theirs.dump_to_pickle(tmp_path / "own.pkl")
    np.testing.assert_array_equal(xephys.open_recording(tmp_path / "own.pkl", trust=True).values, theirs.get_traces())
    assert "300" in run("info", tmp_path / "own.pkl", "--trust").stdout
    saved = folder_with_pickled_properties(tmp_path, f"touch {ran}")
    assert xephys.open_recording(saved, trust=True).sizes["time"] == 300
    assert ran.exists()  # the pickle was loaded, as trust allows


def test_harmless_files_need_no_trust(tmp_path: Path) -> None:
    import spikeinterface.core as si
    import spikeinterface.preprocessing as spre

    saved = si_folder(tmp_path / "saved")
    (saved / "provenance.pkl").write_bytes(
        pickle.dumps({})
    )  # SpikeInterface's record of a chain, which is never loaded
    assert xephys.open_recording(saved).sizes["time"] == 300
    chain = spre.common_reference(si.load(saved).frame_slice(0, 200))
    chain.dump_to_json(tmp_path / "chain.json")
    assert xephys.open_recording(tmp_path / "chain.json").sizes["time"] == 200
    theirs, sorting = si.generate_ground_truth_recording(durations=[2.0], num_channels=4, num_units=2, seed=0)
    sorting.save(folder=tmp_path / "sorting")
    assert find_sorting(tmp_path / "sorting")["units"].sizes["unit"] == 2
    theirs.save(folder=tmp_path / "theirs.zarr", format="zarr")
    assert xephys.open_recording(tmp_path / "theirs.zarr").sizes["channel"] == 4
