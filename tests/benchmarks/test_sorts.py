"""Benchmarks of whole sorts run at a small size, and report what they should."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import pytest

import xephys

from .conftest import FOLDER


def kernels_except(room, folder):
    """A cache of the kernels that are compiled beside the source, except for one room: compiling all takes a minute."""
    from numba.core.caching import _CacheLocator

    for path in Path(xephys.__file__).parent.joinpath("kernels").glob("*/__pycache__/*.nb[ic]"):
        if path.parent.parent.name != room:
            place = folder / _CacheLocator.get_suitable_cache_subpath(str(path.parent.parent / "module.py"))
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
    return folder


@pytest.mark.slow
def test_sort(load, tmp_path):
    sort = load("sort")
    kernels = kernels_except("templates", tmp_path / "kernels")
    kernels.mkdir(exist_ok=True)
    runs = sort.run(quick=True, kernels=kernels)
    assert [run.cache for run in runs] == ["cold", "warm"]
    assert all(run.comparison.summary["accuracy"] >= 0.9 for run in runs)
    assert runs[1].process.cpu_s < runs[0].process.cpu_s
    assert "mean accuracy" in "".join(sort.report(runs))


@pytest.mark.slow
def test_memory(load):
    memory = load("memory")
    result = memory.run(quick=True)
    short, long = result.runs
    assert long.n_spikes > short.n_spikes
    assert long.process.peak_bytes < 2**30
    assert "per spike" in "".join(memory.report(result))


def test_hours_counts_the_units_that_fire_rarely(load):
    hours, harness = load("hours"), load("harness")
    short, long = (
        hours.Sorted(
            duration_s, harness.Process(9.0, 9.0, size, ""), size, n_spikes, 3, [0.99, accuracy, 0.0], [5000, 72, 0]
        )
        for duration_s, size, n_spikes, accuracy in ((600.0, 2**28, 400, 0.0), (7200.0, 2**29, 5000, 0.9))
    )
    assert long.of_rare() == [(72, 0.9)]
    given = Namespace(n_channels=4, n_units=3, n_rare=1, cache="none")
    text = "".join(hours.report([short, long], given))
    assert "Of the 1 units that fire rarely, 1 are well detected" in text and "of the others 1 of 2" in text


@pytest.mark.slow
def test_scaling(load, tmp_path):
    scaling = load("scaling")
    duration_s = scaling.simulate(tmp_path / "recording", quick=True, duration_s=0.0)
    found = scaling.measure(tmp_path / "recording", cores=[2], duration_s=duration_s, device=None)
    for stages in found.values():
        whole = stages.pop("whole sort")
        assert len(stages) > 10
        assert sum(stage.wall_s for stage in stages.values()) == pytest.approx(whole.wall_s)
        assert sum(stage.cpu_s for stage in stages.values()) == pytest.approx(whole.cpu_s)


@pytest.mark.slow
def test_scaling_on_worker_processes(load, tmp_path):
    scaling = load("scaling")
    duration_s = scaling.simulate(tmp_path / "recording", quick=True, duration_s=0.0)
    found = scaling.measure(tmp_path / "recording", cores=[2], duration_s=duration_s, device=None, processes=True)
    table = "".join(scaling.report_processes(found))
    assert "| whole sort |" in table and "| times one process | 1.00 |" in table


def test_serial_time_follows_from_two_wall_times(load):
    scaling = load("scaling")
    assert scaling.alone_s(10.0, 5.0, 2) == 0.0
    assert scaling.alone_s(10.0, 10.0, 2) == 10.0
    assert scaling.alone_s(16.0, 2.0, 16) == pytest.approx(16 / 15)
    use = scaling.Use(1.0, 1.0, 0.1, 10, 3)
    table = "".join(scaling.report({1: {"whole sort": use}, 2: {"whole sort": use}}, duration_s=6.0))
    assert "wall at 16" in table


def test_drift_names_sets_and_sorters_that_exist(load):
    drift = load("drift")
    from contest.kinds import KINDS

    assert {name.split(":")[0] for name in drift.SETS} <= set(KINDS)
    assert {"default", "preset:kilosort4"} <= set(drift.SORTERS)


def test_anchor_reports_medians_over_the_rounds(load):
    anchor, harness = load("anchor"), load("harness")
    _, truth = xephys.testing.simulate_recording(duration_s=3, n_channels=8, n_units=2, seed=0)
    processes = [harness.Process(wall_s=wall, cpu_s=2 * wall, peak_bytes=2**30, output="") for wall in (1.0, 9.0, 2.0)]
    row = anchor.row("xephys", processes, xephys.compare(truth, truth))
    assert row == ("xephys", "2.0", "4.0", "1.00", "2 of 2", "1.000")


def test_synchrony(load):
    synchrony = load("synchrony")
    (row,) = synchrony.run(quick=True)
    assert (row.n_units, row.n_sums) == (2, 0)
    assert min(row.recall_together, row.recall, row.precision) > 0.95
    assert "| default | far | 20 % |" in "".join(synchrony.report([row]))


def test_again(load):
    again = load("again")
    before = again.stored((FOLDER / "results" / "sorters.md").read_text(encoding="utf-8"))
    assert before["hard:10", "default"] == (0.631, 48, 80, (9, 0, 0))
    assert ("hard:10", "lupin") not in before
    score = {"accuracy": 0.63, "well": 47, "truth units": 80} | dict.fromkeys(again.EXTRA, 0)
    done = {"sorter": "default", "state": "done", "identity": "default-0123456789ab"}
    runs = [
        {"set": "hard:10", "score": score, **done},
        {"set": "hard:11", "score": score | {"accuracy": 0.7, "well": 48}, **done},
        {"set": "hard:12", "sorter": "default", "state": "failed: killed"},
        {"set": "tissue:10", "score": score, **done},
    ]
    rows = again.compared(runs, before)
    assert [row.verdict for row in rows] == ["**worse**", "better"]
    text = "\n".join(again.report(rows))
    assert "| default | 2 | 0.6280 → 0.6650 | 96 → 95 | 1 |" in text
    older = text.replace("0.630 |", "0.640 |").replace("0123456", "fedcba9")
    whole = again.completed(rows[1:], before, older)
    assert [(row.set, row.now.accuracy, row.code) for row in whole] == [
        ("hard:10", 0.64, "fedcba9"), ("hard:11", 0.7, "0123456")
    ]  # fmt: skip
    unnamed = again.completed([], before, older.replace(" fedcba9 |", "").replace(" 0123456 |", ""))
    assert [(row.set, row.code) for row in unnamed] == [("hard:10", again.EARLIER), ("hard:11", again.EARLIER)]


def test_real(load, tmp_path):
    real = load("real")
    recording, truth = xephys.testing.simulate_recording(
        duration_s=8.0, n_channels=4, n_units=2, probe="tetrode", seed=0
    )
    recording.values.tofile(tmp_path / "raw.bin")
    (unit_0, rate) = truth.spikes["unit_index"] == 0, "--sampling-frequency 30000"
    inside = truth.spikes["sample_index"][unit_0] + 40  # a spike inside a cell peaks at another time
    files = (
        real.File("tetrode", "raw.bin", f"--n-channels 4 {rate} --probe together"),
        real.File("no rate", "raw.bin", "--n-channels 4", lambda data, folder: (data / "raw.bin", inside)),
        real.File("elsewhere", "nowhere.bin"),
    )
    found, refused = real.run(tmp_path, files=files, presets=("default",))
    assert (found.n_units, found.accuracy) == (2, None)
    assert found.n_spikes > 100 and found.violations < 0.01
    assert refused.refused == "--n-channels is given without sampling_frequency; a raw binary file needs both"
    assert real.accuracy(inside - 40, inside, 30_000.0) == 1.0
    assert real.accuracy(inside[::2] - 40, inside, 30_000.0) == pytest.approx(0.5, abs=0.02)
    assert "| tetrode | `--n-channels 4" in "".join(real.report([found, refused]))


def test_silence(load):
    silence = load("silence")
    (row,) = silence.run(quick=True)
    assert row.n_units == row.n_units_whole == 3
    assert max(row.lost_worst, row.false_worst) <= 0.01
    assert "3 of 3" in "".join(silence.report([row]))


def test_the_mixture_takes_the_place_of_the_first_clusters(load, tmp_path):
    sorts = load("mixture_sorts")
    plain, mixed = sorts.run(quick=True, folder=tmp_path)
    assert plain["accuracy"] > 0.9 and not plain["mixed"] and mixed["mixed"]
    assert sorts.run(quick=True, folder=tmp_path) == [plain, mixed]  # read, not sorted again
    assert "| default | quick:0 |" in "".join(sorts.report([plain, mixed]))


def test_dartsort_with_the_motion_of_others(load, tmp_path):
    motions = load("dartsort_motion")
    (row,) = motions.run(quick=True, folder=tmp_path)
    none, estimated, si, dredge, true = row.accuracy
    assert min(none, estimated, true) > 0.9 and si is None and dredge is None
    assert "| quick:0 |" in "".join(motions.report([row]))


def test_files_of_dartsort_are_compared_array_by_array(load, tmp_path):
    pytest.importorskip("h5py")
    files = load("dartsort_files")
    rows = files.run(peer=None, folder=tmp_path)
    assert {row.file for row in rows} == {"dartsort_sorting.npz", "matching1.h5"}
    assert all(row.n_spikes > 100 and row.n_arrays >= 6 and row.differ == () for row in rows)
    path = tmp_path / "ours" / "dartsort_sorting.npz"
    sorting = files._sorting(path)
    told = files.described(sorting, [*files.OWN, "point_source_localizations", "no_such"])
    sorting.point_source_localizations[0] += 1
    other = files.described(sorting, ["point_source_localizations"])
    row = files.compared(path, told | other, "dartsort", "xephys")
    assert row.differ == ("point_source_localizations",) and told["no_such"] is None
    assert "| `dartsort_sorting.npz` | dartsort | xephys |" in "".join(files.report([row]))


def test_dartsort_beside_itself_and_default(load, tmp_path):
    dartsort = load("dartsort")
    from contest.kinds import KINDS

    assert {name.split(":")[0] for name, _ in dartsort.pairs()} <= set(KINDS)
    assert {sorter for _, sorter in dartsort.pairs(["short:10"])} == {dartsort.OURS, dartsort.DEFAULT, *dartsort.PEERS}

    def made(sorter, accuracy, cpu_s, state="done"):
        extra = {"false positive": 1, "redundant": 0, "overmerged": 0}
        score = {"accuracy": accuracy, "well": 3, "truth units": 4, **extra}
        known = {"set": "short:10", "sorter": sorter, "version": "dartsort 0", "state": state}
        run = {"when": "2026-11-28T01:00:00", "identity": f"{sorter}-1f", "cpu_s": cpu_s}
        return {**known, **run, "score": score}

    page = "".join(
        dartsort.report(
            [
                made(dartsort.OURS, 0.75, 4.0),
                made(dartsort.DEFAULT, 0.5, 2.0),
                made("dartsort-still", 0.625, 200.0),
                made("dartsort", 0.0, 0.0, "over 60 s"),
                {**made(dartsort.OURS, 0.5, 4.0), "set": "hard:10"},
                {**made(dartsort.OURS, 0.5, 4.0), "set": "short-slow:10"},
                {**made("dartsort-pretrained", 0.25, 400.0), "set": "short-slow:10"},
            ]
        )
    )
    ours = {**made(dartsort.OURS, 0.5, 4.0), "set": "short16:10"}
    rows = dartsort.with_earlier([ours])
    assert {row["sorter"] for row in rows[1:]} == set(dartsort.PEERS)  # runs of an earlier folder
    assert dartsort.with_earlier(rows) == rows and "no motion, earlier |" in "".join(dartsort.report(rows))
    kept_there = tmp_path / "runs" / "short16-10" / "x"
    kept_there.mkdir(parents=True)
    (kept_there / "run.json").write_text(json.dumps(ours))
    missing = {"set": "short16:10", "sorter": dartsort.OURS, "state": "no time left"}
    (older,) = dartsort.with_earlier_code([missing], tmp_path)
    assert older == {**ours, "earlier code": True} and dartsort.with_earlier_code([older], tmp_path) == [older]
    still = {**made("dartsort-still", 0.5, 200.0), "set": "short16:10"}
    marked = "".join(dartsort.report([older, still]))
    assert "On 1 set, marked, the last run of ours is of earlier code." in marked
    assert '`preset="dartsort"`, earlier code | 0.500' in marked and "50 ×" not in marked
    assert "no motion | 1 still | 0.750 | 0.625 | 50 × |" in page
    assert "no motion | 0.625 | 3 of 4 | 1 / 0 / 0 | 200 | 50 × |" in page
    assert "more on 2 of 2;\nthe least difference is +0.125 (short:10)" in page
    assert "Ours ran on 2026-11-28; digest of code and parameters: 1f." in page
    assert "its defaults | over 60 s |" in page
    assert "published weights | 1 drifting | 0.500 | 0.250 | 100 × |" in page
    assert "took 0.21 to 0.42 CPU seconds" in page and "(hard:10) would take 0.9 to 1.8 hours" in page
    assert "more accurate on 1 of 1 sets, `default` on 0; the mean difference is +0.250." in page
