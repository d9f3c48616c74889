"""Studies of four recordings and three sorters with one failing run, killed and resumed; tables, metrics, templates."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import spikeinterface.comparison as theirs

import xephys
from tests.pipeline.conftest import quick_sorter
from xephys.comparison import GroundTruthStudy
from xephys.errors import OutputError, ParameterError
from xephys.schema import make_recording
from xephys.testing import forbid_compute, simulate_recording

KMEANS = {"clusterer": "kmeans", "clusterer_kwargs": {"n_clusters": 2, "random_state": 0}, "seed": 0}
#: The second sorter finds no spikes to cluster in the last recording and fails.
NAMES = ("monday", "tuesday", "wednesday", "silent")

PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from tests.comparison import test_study
from xephys.comparison import GroundTruthStudy
test_study.unfinished({folder!r})
sorters = test_study.sorters()
sorters.pop("simple")  # which takes as long to import and compile as all others take to sort
GroundTruthStudy({folder!r}).run_sorters(sorters)
"""


def sorters():
    return {"ours": "xephys_default", "simple": ("simple", KMEANS), "quick": patient_sorter}


#: In the process that is killed: the folder of the study.
_unfinished: list[Path] = []


def unfinished(folder):
    """In this process, a study never ends: after four results, one sorter waits to be killed."""
    _unfinished.append(Path(folder))


def patient_sorter(recording):
    if _unfinished and n_results(_unfinished[0]) >= 4:
        time.sleep(240)
    return quick_sorter(recording)


def n_results(folder):
    return len(list(folder.glob("runs/*/*/run.json")))


def simulated(seed: int, **more):
    return simulate_recording(duration_s=2, n_channels=8, n_units=2, seed=seed, **more)


@pytest.fixture(scope="module")
def pairs():
    found = {name: simulated(seed) for seed, name in enumerate(NAMES[:3])}
    return found | {"silent": simulated(3, amplitude_range_uv=(1.0, 2.0), noise_uv=2.0)}


@pytest.fixture(scope="module")
def finished(pairs, tmp_path_factory):
    """The study, killed in the middle and resumed with one more sorter; and the runs from before it was killed."""
    folder = tmp_path_factory.mktemp("study") / "study"
    GroundTruthStudy.create(folder, pairs)
    program = PROGRAM.format(root=str(Path(__file__).parents[2]), folder=str(folder))
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while n_results(folder) < 4 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    study = GroundTruthStudy(folder)
    before = {key: record for key, record in study.runs.items() if record.failure is None}
    results = study.run_sorters(sorters())
    return study, before, results


@pytest.mark.slow
def test_eleven_results_and_one_classified_failure_after_a_kill(finished) -> None:
    study, before, results = finished
    assert 0 < len(before) < 11
    assert repr(study) == "<GroundTruthStudy: 4 recordings, 11 results, 1 failures>"
    assert list(results.failures) == [("silent", "simple")]
    assert results.failures["silent", "simple"].kind == "sorter"
    kept = results.table().set_index(["recording", "sorter"])["kept"]
    assert set(kept.index[kept]) == set(before)
    for key, record in before.items():
        assert study.runs[key] == record  # not run again


@pytest.mark.slow
def test_the_resumed_results_equal_those_of_an_uninterrupted_study(finished, pairs, tmp_path) -> None:
    study, _, _ = finished
    whole = GroundTruthStudy.create(tmp_path / "whole", pairs)
    whole.run_sorters(sorters())
    assert set(whole.runs) == set(study.runs)
    for name, sorter in study.runs:
        if sorter != "simple":  # its runs differ from each other
            one, other = study.get_sorting(sorter, name), whole.get_sorting(sorter, name)
            assert one["spikes"].to_dataset().identical(other["spikes"].to_dataset()), (name, sorter)
    with pytest.raises(ParameterError, match="'simple' has no sorting of 'silent': sorter: "):
        study.get_sorting("simple", "silent")


@pytest.mark.slow
def test_tables_equal_spikeinterfaces(finished, pairs) -> None:
    study, _, _ = finished
    study.run_comparisons(exhaustive_gt=True)
    tables = study.aggregate_dataframes()
    assert set(tables["run_times"]["status"]) == {"done", "sorter"}
    assert len(tables["run_times"]) == 12
    assert len(tables["count_units"]) == 11
    assert len(tables["perf_by_unit"]) == 22
    reference = theirs.compare_sorter_to_ground_truth(
        xephys.to_spikeinterface(study.get_ground_truth("monday")),
        xephys.to_spikeinterface(study.get_sorting("ours", "monday")),
        exhaustive_gt=True,
    )
    ours = tables["perf_by_unit"].loc["monday", "ours"]
    np.testing.assert_array_equal(ours["accuracy"], reference.get_performance()["accuracy"].astype(float))
    counts = tables["count_units"].loc["monday", "ours"]
    assert counts["num_well_detected"] == reference.count_well_detected_units(0.8)
    assert sorted(path.name for path in (study.folder / "tables").iterdir()) == [
        f"{name}.csv" for name in sorted(tables)
    ]
    study.aggregate_dataframes()  # replaces the files of the first call


@pytest.fixture
def quick(pairs, tmp_path):
    study = GroundTruthStudy.create(tmp_path / "study", {name: pairs[name] for name in NAMES[:2]})
    study.run_sorters({"quick": quick_sorter})
    return study


def test_planning_computes_nothing(quick) -> None:
    with forbid_compute():
        runs = quick.plan_sorters(["xephys_default"])
    assert len(runs) == 2


def test_an_opened_study_knows_its_runs(quick, pairs) -> None:
    again = GroundTruthStudy(quick.folder)
    assert (again.rec_names, again.sorter_names) == (list(NAMES[:2]), ["quick"])
    np.testing.assert_array_equal(again.get_recording("monday"), pairs["monday"][0])
    assert again.run_sorters({"quick": quick_sorter}).table()["kept"].all()
    assert len(again.get_ground_truth("monday")["spikes"]["sample_index"]) == len(pairs["monday"][1].spikes)


def test_metrics_and_templates_of_the_truth(quick, pairs) -> None:
    recording, truth = pairs["monday"]
    filtered = recording.ephys.highpass_filter(freq_min_hz=300.0)
    expected = xephys.compute_quality_metrics(quick.get_ground_truth("monday"), filtered, ["snr"])
    np.testing.assert_allclose(quick.get_units_snr("monday")["snr"], expected["snr"])
    np.testing.assert_allclose(quick.get_metrics("monday")["snr"], expected["snr"])
    assert quick.concat_all_snr().shape == (4, 1)
    quick.compute_metrics("monday", ["num_spikes"])
    assert set(quick.get_metrics("monday")) == {"num_spikes"}
    templates = quick.get_templates("monday")
    assert templates.sizes["unit"] == truth.n_units
    assert quick.get_templates("monday", "quick", freq_min_hz=0).sizes["unit"] == 2


def test_recordings_in_memory_are_saved(tmp_path) -> None:
    values = np.random.default_rng(0).integers(-50, 50, (3000, 2)).astype(np.int16)
    recording = make_recording(values, sampling_frequency=30_000.0)
    truth = xephys.make_sorting(sample_index=[100, 2000], labels=[0, 1], recording=recording)
    study = GroundTruthStudy.create(tmp_path / "study", {"memory": (recording, truth)})
    np.testing.assert_array_equal(study.get_recording("memory"), values)


def test_bad_input_is_refused(quick, pairs, tmp_path) -> None:
    with pytest.raises(OutputError, match="holds no study"):
        GroundTruthStudy(tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        GroundTruthStudy.create(quick.folder, pairs)
    with pytest.raises(ParameterError, match="gt_dict is empty"):
        GroundTruthStudy.create(tmp_path / "none", {})
    with pytest.raises(ParameterError, match="cannot be the name of a folder"):
        GroundTruthStudy.create(tmp_path / "none", {"../up": pairs["monday"]})
    with pytest.raises(ParameterError, match=r"no recording 'mondy'; it has .*; did you mean 'monday'"):
        quick.get_recording("mondy")
    with pytest.raises(ParameterError, match="'quik' has not run on 'monday'; call run_sorters; did you mean 'quick'"):
        quick.get_sorting("quik", "monday")
    empty = GroundTruthStudy.create(tmp_path / "empty", {"monday": pairs["monday"]})
    with pytest.raises(ParameterError, match="no sorter has a result yet"):
        empty.aggregate_performance_by_unit()
