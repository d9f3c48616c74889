"""Any sorter of the table from the shell:

the list, its output folder, its parameters, and the status of its failures.
"""

import json

import numpy as np

import xephys
from xephys.cli.paths import find_sorting

from ...support.command_line import refused, run

KMEANS = ("--set", "clusterer=kmeans", "--set", "clusterer_kwargs={'n_clusters': 4, 'random_state': 0}")


def test_another_sorter_is_run_and_kept(simulated, tmp_path):
    words = ("run-sorter", "simple", simulated / "recording", "--out", tmp_path / "run", *KMEANS)
    text = run(*words).stdout
    sorting = find_sorting(tmp_path / "run")
    assert f"{sorting['units'].sizes['unit']} units" in text
    assert sorting.attrs["preset"] == "simple"
    assert "mode='keep'" in refused(*words, status=4)
    record = (tmp_path / "run" / "run.json").stat().st_mtime_ns
    run(*words, "--mode", "keep")
    assert (tmp_path / "run" / "run.json").stat().st_mtime_ns == record
    assert json.loads((tmp_path / "run" / "run.json").read_text())["request"]["parameters"]["clusterer"] == "kmeans"


def test_a_raw_file_is_read_as_the_options_say(tmp_path):
    np.random.default_rng(0).normal(0, 9, (30_000, 4)).astype("int16").tofile(tmp_path / "raw.bin")
    words = ("run-sorter", "xephys_default", tmp_path / "raw.bin", "--out", tmp_path / "run", "--probe", "together")
    assert "without sampling_frequency" in refused(*words, "--n-channels", "4", status=2)
    reading = ("--n-channels", "4", "--sampling-frequency", "30000", "--reader", "offset_bytes=0")
    text = run(*words, *reading).stdout
    assert text.startswith("0 units, 0 spikes")


def test_each_kind_of_failure_has_its_status(simulated, tmp_path):
    recording, out = simulated / "recording", tmp_path / "run"
    assert "did you mean" in refused("run-sorter", "simpel", recording, "--out", out, status=2)
    assert "did you mean" in refused("run-sorter", "simple", recording, "--out", out, "--set", "freq_mim=1", status=2)
    both = ("--docker", "--singularity")
    assert "give one" in refused("run-sorter", "simple", recording, "--out", out, *both, status=2)
    assert "not installed" in refused("run-sorter", "mountainsort4", recording, "--out", out, status=5)
    unknown = ("--set", "clusterer=unknown")
    assert "unknown clustering method" in refused("run-sorter", "simple", recording, "--out", out, *unknown, status=6)


def test_the_list_says_which_sorters_are_installed():
    lines = run("sorters").stdout.splitlines()
    names = {line.split()[0]: line for line in lines if line.split()}
    assert set(xephys.available_sorters()) <= set(names)
    assert "yes" in names["simple"].split()[1:2]
    assert "yes" not in names["mountainsort4"].split()[1:2]


def test_the_parameters_of_one_sorter_are_listed():
    text = run("sorters", "simple").stdout
    assert all(row.name in text for row in xephys.sorter_parameters("simple").rows)
    assert "did you mean" in refused("sorters", "simpel", status=2)
