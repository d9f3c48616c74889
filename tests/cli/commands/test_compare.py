"""The table of a comparison and its figure."""

import shutil

import xephys
from xephys.cli.paths import find_sorting

from ...support.command_line import refused, run


def test_compare_prints_the_table_and_draws(simulated, sorted_folder, tmp_path):
    figure = tmp_path / "report.png"
    text = run("compare", sorted_folder, simulated, "--figure", figure).stdout
    ours = xephys.compare(find_sorting(sorted_folder), find_sorting(simulated))
    assert f"mean accuracy {ours.summary['accuracy']:.3f}" in text
    assert "4 true and" in text
    assert figure.stat().st_size > 30_000
    assert "exists already" in refused("compare", sorted_folder, simulated, "--figure", figure, status=4)
    run("compare", sorted_folder, simulated, "--figure", figure, "--overwrite")
    run("compare", sorted_folder / "phy", simulated / "truth.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["report.png"]


def test_a_folder_with_recording_and_truth_is_compared_with_its_truth(simulated, sorted_folder, tmp_path):
    shutil.copytree(simulated / "truth.zarr", tmp_path / "truth.zarr")
    shutil.copytree(sorted_folder / "sorting.zarr", tmp_path / "sorting.zarr")
    assert run("compare", tmp_path, tmp_path).stdout == run("compare", sorted_folder, simulated).stdout


def test_several_sortings_agree(simulated, sorted_folder, tmp_path):
    truth = simulated / "truth.zarr"
    text = run("compare", sorted_folder, truth, sorted_folder / "phy", "--out", tmp_path / "agreed.zarr").stdout
    agreed = xephys.open_sorting(tmp_path / "agreed.zarr")
    assert (agreed["units"]["agreement_number"].values >= 2).all() and "in 3 or more" in text
    assert xephys.compare(agreed, find_sorting(truth)).summary["accuracy"] > 0.5
    two = run("compare", sorted_folder, truth, "--agreement").stdout
    assert "in 2 or more" in two and "accuracy" not in two


def test_wrong_comparisons_are_refused(sorted_folder, tmp_path):
    assert "give another" in refused("compare", sorted_folder, status=2)
    three = [sorted_folder] * 3
    assert "--figure draws" in refused("compare", *three, "--figure", tmp_path / "x.png", status=2)
    assert "--out writes" in refused("compare", *three[:2], "--out", tmp_path / "x.zarr", status=2)
