"""The table of metrics, printed and in a file."""

import csv

import numpy as np

import xephys
from xephys.cli.paths import find_sorting

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
