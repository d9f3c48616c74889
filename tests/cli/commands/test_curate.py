"""The command ``xephys curate`` writes the curated sorting and prints the reasons."""

import json

import xephys
from xephys.cli.paths import find_sorting
from xephys.curate.rules import curation_log

from ...support.command_line import refused, run


def test_rules_label_and_remove(sorted_folder, tmp_path):
    tree = find_sorting(sorted_folder)
    counts = tree["units"]["num_spikes"].values
    limit = int(sorted(counts)[1])
    text = run("curate", sorted_folder, "--rule", f"num_spikes >= {limit}", "--out", tmp_path / "a.zarr").stdout
    curated = xephys.open_sorting(tmp_path / "a.zarr")
    assert (curated["units"]["label"].values == "good").sum() == (counts >= limit).sum()
    assert f"num_spikes >= {limit}: num_spikes is {counts.min()}" in text
    run("curate", sorted_folder, "--rule", f"num_spikes >= {limit}", "--remove", "--out", tmp_path / "b.zarr")
    assert xephys.open_sorting(tmp_path / "b.zarr")["units"].sizes["unit"] == (counts >= limit).sum()
    strict = run("curate", sorted_folder, "--rule", "num_spikes > 1e9", "--remove", "--out", tmp_path / "none.zarr")
    assert "before, 0 after: " in strict.stdout
    assert "exists already" in refused(
        "curate", sorted_folder, "--rule", "snr > 1", "--out", tmp_path / "b.zarr", status=4
    )


def test_merges_bombcell_and_metrics_of_the_recording(simulated, sorted_folder, tmp_path):
    out = tmp_path / "c.zarr"
    options = ["--merge", "slay", "--bombcell", "--rule", "isi_violations_ratio < 10", "--rule", "snr > 0"]
    run("curate", sorted_folder, *options, "--recording", simulated / "recording", "--out", out)
    log = curation_log(xephys.open_sorting(out))
    assert [
        entry["step"] for entry in log if entry["step"] in ("find_merges", "label_like_bombcell", "curate_by_rules")
    ]
    assert log[-1]["rules"] == ["isi_violations_ratio < 10", "snr > 0"]
    bombcell = next(entry for entry in log if entry["step"] == "label_like_bombcell")
    assert not bombcell["left_out"]


def test_a_stored_curation_is_applied(sorted_folder, tmp_path):
    ids = find_sorting(sorted_folder)["units"]["unit_id"].values.tolist()
    curation = {"format_version": "2", "unit_ids": ids, "merges": [{"unit_ids": ids[:2], "new_unit_id": 77}]}
    (tmp_path / "curation.json").write_text(json.dumps(curation))
    text = run("curate", sorted_folder, "--curation", tmp_path / "curation.json", "--out", tmp_path / "d.zarr").stdout
    assert f"{len(ids)} units before, {len(ids) - 1} after" in text
    assert 77 in xephys.open_sorting(tmp_path / "d.zarr")["units"]["unit_id"].values


def test_wrong_curations_are_refused(sorted_folder, tmp_path):
    out = ["--out", tmp_path / "e.zarr"]
    assert "nothing is to be done" in refused("curate", sorted_folder, *out, status=2)
    assert "--recording PATH" in refused("curate", sorted_folder, "--merge", "slay", *out, status=2)
    assert "did you mean 'snr'" in refused("curate", sorted_folder, "--rule", "snrr > 5", *out, status=2)
    assert not (tmp_path / "e.zarr").exists()
