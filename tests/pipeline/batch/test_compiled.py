"""Compiled files hold what was sorted, without pickles unless they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from xephys.pipeline import read_compiled, sort_recording

from .conftest import QUICK


def test_files_of_one_recording(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    wanted = {
        "compile_to_mat": True, "save_dl_data": True, "compile_waveforms": True, "save_raw_pkl": True,
        "rec_chunks": [(0, 30_000), (30_000, 60_000)], "compiled_waveforms_ms_after": 3.0,
    }  # fmt: skip
    (result,) = sort_recording([well / "file0.bin"], **QUICK, **wanted)
    folder, data = result.folder / "compiled", result.spike_data
    content = read_compiled(folder / "sorted.npz")
    amplitudes = [unit["amplitudes"].max() for unit in content["units"]]
    assert len(amplitudes) == data.n_units >= 2 and amplitudes == sorted(amplitudes, reverse=True)
    trains = dict(zip(data.unit_ids.tolist(), data.samples, strict=True))
    for unit in content["units"]:
        np.testing.assert_array_equal(unit["spike_train"], trains[unit["unit_id"]])
        assert len(unit["template"]) == 60 + 90 and unit["peak_sign"] == "negative"
    assert content["locations"].shape == (8, 2) and content["fs"] == 30_000
    stored = loadmat(folder / "sorted.mat", squeeze_me=True, struct_as_record=False)
    assert [unit.unit_id for unit in stored["units"]] == [unit["unit_id"] for unit in content["units"]]
    halves = [read_compiled(folder / f"chunk{k}" / "sorted.npz")["units"] for k in range(2)]
    for k, unit in enumerate(content["units"]):
        np.testing.assert_array_equal(np.concatenate([half[k]["spike_train"] for half in halves]), unit["spike_train"])
    assert len(list(folder.glob("negative_peaks/*.npy"))) == data.n_units
    assert {path.name for path in folder.glob("*.pkl")} == {"sorted_spikedata.pkl", "sorted_spikedata_curated.pkl"}


def test_by_default_nothing_is_pickled(write_wells: Callable[..., list[Path]]) -> None:
    (well,) = write_wells(1)
    (result,) = sort_recording([well / "file0.bin"], save_spike_times=False, save_electrodes=False, **QUICK)
    assert not list(result.folder.rglob("*.pkl"))
    assert set(read_compiled(result.folder / "compiled" / "sorted.npz")["units"][0]) == {
        "unit_id", "x_max", "y_max", "template",
    }  # fmt: skip
    scaled = sort_recording([well / "file0.bin"], scale_compiled_waveforms=False, **QUICK)[0]
    gain = result.spike_data.metadata["gain_to_uv"][0]
    counts = read_compiled(scaled.folder / "compiled" / "sorted.npz")["units"][0]["template"].min()
    amplitude = max(row["amplitude"] for row in scaled.spike_data.neuron_attributes)
    assert -counts * gain == pytest.approx(amplitude, rel=1e-5)
