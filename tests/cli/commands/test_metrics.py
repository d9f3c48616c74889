"""The table of metrics, printed and in a file."""

import csv

import numpy as np
import pytest
import xarray as xr

import xephys
from xephys.cli.commands.metrics import _print_table
from xephys.cli.paths import find_sorting
from xephys.io.store.sorting import save_sorting
from xephys.schema import make_recording
from xephys.sorting import build_sorting

from ...support.command_line import refused, run


def test_metrics_are_printed_and_written(simulated, sorted_folder, tmp_path):
    table = tmp_path / "metrics.csv"
    asked = ("--metric", "snr", "--metric", "num_spikes", "--freq-min-hz", "0", "--out", table)
    text = run("metrics", sorted_folder, simulated / "recording", *asked).stdout
    assert "snr" in text
    rows = list(csv.DictReader(table.open()))
    sorting = find_sorting(sorted_folder)
    expected = xephys.compute_quality_metrics(sorting, xephys.open_recording(simulated / "recording"), ["snr"])
    assert [int(row["num_spikes"]) for row in rows] == sorting["units"]["num_spikes"].values.tolist()
    np.testing.assert_allclose([float(row["snr"]) for row in rows], expected["snr"].values)
    assert "exists already" in refused("metrics", sorted_folder, simulated / "recording", *asked, status=4)


def test_an_unknown_metric_is_refused(simulated, sorted_folder):
    assert "did you mean" in refused("metrics", sorted_folder, simulated / "recording", "--metric", "snrr", status=2)


def test_no_units_are_said_instead_of_headers(capsys):
    _print_table(xr.Dataset({"snr": ("unit", np.empty(0))}, coords={"unit_id": ("unit", np.empty(0, np.int64))}))
    assert capsys.readouterr().out == "the sorting has no units, so there is nothing to measure\n"


@pytest.mark.parametrize("width", [None, 40])
def test_no_column_is_cut(capsys, monkeypatch, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    names = [f"a_metric_with_a_long_name_{k}" for k in range(12)]
    _print_table(xr.Dataset({name: ("unit", [0.1234]) for name in names}, coords={"unit_id": ("unit", [7])}))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [name for line in lines for name in line.split() if name.startswith("a_")] == names
    assert len(lines) == (2 if width is None else 2 * 12)
    assert width is None or max(map(len, lines)) <= width


def test_a_raw_file_is_described_as_for_sort(raw_single, tmp_path):
    file, sorting = raw_single
    described = ("--n-channels", 1, "--sampling-frequency", 30_000)
    assert "num_spikes" in run("metrics", sorting, file, *described, "--metric", "num_spikes").stdout
    run("export", sorting, "--to", "pynapple-npz", "--out", tmp_path / "p", "--recording", file, *described)
    kept = ("--rule", "num_spikes > 0", "--out", tmp_path / "curated.zarr")
    run("curate", sorting, "--recording", file, *described, *kept)


@pytest.fixture
def raw_single(tmp_path):
    samples = np.random.default_rng(0).normal(0, 30, (9000, 1)).astype("i2")
    samples.tofile(tmp_path / "one.dat")
    recording = make_recording(samples, sampling_frequency=30_000.0)
    spikes = {"sample_index": np.arange(300, 8700, 300), "unit_index": np.zeros(28, np.int64)}
    save_sorting(build_sorting(recording, spikes=spikes, units={"label": ["good"]}), tmp_path / "sorting.zarr")
    return tmp_path / "one.dat", tmp_path / "sorting.zarr"
