"""Every benchmark runs at a small size, so that it stays alive, and reports what it should."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

import xephys
from tests.support import device_arrays
from xephys.testing import simulate_session_recordings

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark by name; benchmarks import what they share from their own folder."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def of(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return of


def test_every_benchmark_is_run_here():
    here = Path(__file__).read_text(encoding="utf-8")
    names = {path.stem for path in FOLDER.glob("*.py")} - {"harness"}
    assert {name for name in names if f'load("{name}")' not in here} <= {
        "graph",
        "sorters",
    }  # they have their own files
    for name in names - {"kernels"}:  # it only prints its table
        assert (FOLDER / "results" / f"{name}.md").is_file(), f"run python benchmarks/{name}.py"


def test_kernels(load):
    rows = load("kernels").run(quick=True)
    assert len(rows) > 10
    assert all(row.ours_ms > 0 and row.peer_ms > 0 for row in rows)


def test_chain(load):
    chain = load("chain")
    result = chain.run(quick=True)
    assert result.difference > 0.99  # both do the same job
    assert result.ratio > 0
    assert str(result.best) in "".join(chain.report(result))


def test_chains(load):
    chains = load("chains")
    results, duration_s, n_channels = chains.run(quick=True)
    for result in results.values():
        assert result.difference > 0.97  # both do the same job, though the whitening uses other neighborhoods
        assert result.tasks_per_chunk == 1
        assert result.ratio > 0
    assert all(name in "".join(chains.report(results, duration_s, n_channels)) for name in chains.CHAINS)


def test_detection(load):
    detection = load("detection")
    result = detection.run(quick=True)
    assert result.n_ours > 50
    assert result.same > 0.97
    assert result.distance_um < 2
    assert f"{result.n_ours:,} peaks" in "".join(detection.report(result))


def test_looking_reads_two_chunks_at_most_and_takes_less_than_half_a_second(load):
    latency = load("latency")
    result = latency.run(quick=True)
    assert max(result.chunks) <= 2
    assert max(result.read_bytes) <= 2 * result.chunk_bytes
    assert float(np.median(result.looks_s)) < 0.5
    assert "10 ms" in "".join(latency.report(result))


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
        hours.Sorted(duration_s, harness.Process(9.0, 9.0, size, ""), n_spikes, 3, [0.99, accuracy, 0.0], [5000, 72, 0])
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


def test_gpu(load):
    """On arrays as strict as a GPU's: whatever is timed runs, and gives the same events."""
    gpu = load("gpu")
    with device_arrays.installed() as device:
        result = gpu.run(quick=True, device=device)
    assert result.difference < 1e-4
    assert all(row.n_events > 0 and row.same >= 0.999 for row in result.rows)
    assert "the whole sort" in "".join(gpu.report(result))


def test_gpu_says_why_nothing_is_measured(load, monkeypatch, capsys):
    gpu = load("gpu")

    def absent(name):
        raise xephys.ParameterError("no device here")

    monkeypatch.setattr("xephys.kernels.lib.dispatch.namespace_of_device", absent)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    gpu.main()
    assert "not measured: no device here" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--require"])
    with pytest.raises(SystemExit, match="no device here"):
        gpu.main()


def test_motion(load):
    motion = load("motion")
    rows, fields, hours = motion.run(quick=True)
    assert {row.kind for row in rows} == {"slow", "two shanks", "still"}
    for row in rows:
        assert row.ours[0] < 0.9
        assert row.ours[1] < 2.7
        assert row.known > 0.9
    assert hours[0].n_peaks > 50_000
    assert hours[0].error[0] < 0.9
    assert fields[0].ours[0] < 0.5 * fields[0].moved[0]
    assert "two shanks" in "".join(motion.report(rows, fields, hours))


def test_drift_names_sets_and_sorters_that_exist(load):
    drift = load("drift")
    from contest.sets import KINDS

    assert {name.split(":")[0] for name in drift.SETS} <= set(KINDS)
    assert {"default", "preset:kilosort4"} <= set(drift.SORTERS)


def test_analysis_reads_the_recording_once(load):
    analysis = load("analysis")
    result = analysis.run(quick=True, with_peer=False)
    assert result.passes == 1
    assert result.many.peak_bytes < 2 * 2**30
    assert "read the recording 1 time." in "".join(analysis.report(result))


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
    runs = [
        {"set": "hard:10", "sorter": "default", "state": "done", "score": score},
        {"set": "hard:11", "sorter": "default", "state": "done", "score": score | {"accuracy": 0.7, "well": 48}},
        {"set": "hard:12", "sorter": "default", "state": "failed: killed"},
        {"set": "tissue:10", "sorter": "default", "state": "done", "score": score},
    ]
    rows = again.compared(runs, before)
    assert [row.verdict for row in rows] == ["**worse**", "better"]
    assert "| default | 2 | 0.6280 → 0.6650 | 96 → 95 | 1 |" in "\n".join(again.report(rows))


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
    assert refused.refused == "n_channels is given without sampling_frequency; a raw binary file needs both"
    assert real.accuracy(inside - 40, inside, 30_000.0) == 1.0
    assert real.accuracy(inside[::2] - 40, inside, 30_000.0) == pytest.approx(0.5, abs=0.02)
    assert "| tetrode | `--n-channels 4" in "".join(real.report([found, refused]))


def test_silence(load):
    silence = load("silence")
    (row,) = silence.run(quick=True)
    assert row.n_units == row.n_units_whole == 3
    assert max(row.lost_worst, row.false_worst) <= 0.01
    assert "3 of 3" in "".join(silence.report([row]))


def test_dant_labels(load, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    assert "identical labels" in load("dant_labels").large(20, 3)


def test_tracking(load):
    tracking = load("tracking")
    sets = [
        (name, keywords, seeds[:1]) for name, keywords, seeds in tracking.SETS if name in ("20 % missing", "disjoint")
    ]
    found, calibration = tracking.accuracy(sets, None)
    assert "| 20 % missing | 1 | xephys | 1.000" in found and "nearest" in found
    assert "Brier score 0.0" in calibration
    assert "units" in tracking.cost(((20, 2, 96),)) and "takes" in tracking.added(20, 3)


def test_tracking_of_recordings(load, tmp_path):
    recordings = load("tracking_recordings")
    made = simulate_session_recordings(n_sessions=2, duration_s=10.0, n_channels=16, seed=1)
    found = recordings.outcome(made, tmp_path)
    assert found.precision == 1.0 and found.recall == 1.0 and found.n_neurons >= 4


def test_mixture_improves_wrong_labels(load):
    mixture = load("mixture")
    rows, fits = mixture.run(quick=True)
    assert fits[0].after > fits[0].before
    assert rows[0].mixture > max(rows[0].start, 0.9)
    assert all(row.rises for row in rows)
    assert "pairs merged" in "".join(mixture.report(rows, fits))


def test_the_mixture_takes_the_place_of_the_first_clusters(load, tmp_path):
    sorts = load("mixture_sorts")
    plain, mixed = sorts.run(quick=True, folder=tmp_path)
    assert plain["accuracy"] > 0.9 and not plain["mixed"] and mixed["mixed"]
    assert sorts.run(quick=True, folder=tmp_path) == [plain, mixed]  # read, not sorted again
    assert "| default | quick:0 |" in "".join(sorts.report([plain, mixed]))


def test_subtraction(load):
    subtraction = load("subtraction")
    errors, rests = subtraction.run(quick=True)
    assert all(row.shrunk < row.projected < row.raw for row in errors)
    assert all(rest.near < 1.3 * rest.far < rest.before for rest in rests)
    assert "| 3 to 6 |" in "".join(subtraction.report(errors, rests))


def test_dartsort_beside_itself_and_default(load):
    dartsort = load("dartsort")
    from contest.sets import KINDS

    assert {name.split(":")[0] for name, _ in dartsort.pairs()} <= set(KINDS)
    assert {sorter for _, sorter in dartsort.pairs(["short:10"])} == {dartsort.OURS, dartsort.DEFAULT, *dartsort.PEERS}

    def made(sorter, accuracy, cpu_s, state="done"):
        extra = {"false positive": 1, "redundant": 0, "overmerged": 0}
        score = {"accuracy": accuracy, "well": 3, "truth units": 4, **extra}
        known = {"set": "short:10", "sorter": sorter, "when": "", "version": "dartsort 0", "state": state}
        return {**known, "score": score, "cpu_s": cpu_s}

    page = "".join(
        dartsort.report(
            [
                made(dartsort.OURS, 0.75, 4.0),
                made(dartsort.DEFAULT, 0.5, 2.0),
                made("dartsort-still", 0.625, 200.0),
                made("dartsort", 0.0, 0.0, "over 60 s"),
            ]
        )
    )
    assert "no motion | 1 | 0.750 | 0.625 | 50 to 50 × |" in page
    assert "its defaults | over 60 s |" in page
    assert "more accurate on 1 of 1 sets, `default` on 0; the mean difference is +0.250." in page


def test_realtime(load, tmp_path):
    realtime = load("realtime")
    given = Namespace(
        probe="neuropixels-1", preset="easy", channels=16, units=4, duration=8.0, rate=None, drift="none",
        drift_um=20.0, minutes=0.05, buffer_s=3.0, parameters="{}", seed=1, out=str(tmp_path / "live.npz"),
    )  # fmt: skip
    result = realtime.accuracy(given)
    assert result["at least 0.8"] >= 2 and result["MB on disk"] > 0
    result = realtime.live(given)
    assert result["blocks"] == 600 and result["identical to offline"]
    result = realtime.paced(given)
    assert result["blocks"] == result["read"] == 600
    given.page = str(tmp_path / "page.md")
    Path(given.page).write_text("# Before\n\n<!-- live -->\nold\n<!-- end -->\n\nAfter\n", encoding="utf-8")
    assert realtime.picture(given)["blocks"] == 600
    assert (tmp_path / "live.png").stat().st_size > 5_000
    page = Path(given.page).read_text(encoding="utf-8")
    p99 = result["wall p50 p99 p99.9 max ms"][1]
    assert f"**{p99:.2f}**" in page and "600 blocks" in page and "16 channels" in page
    assert page.startswith("# Before\n") and page.endswith("After\n") and "old" not in page
    assert (tmp_path / "realtime_blocks.png").stat().st_size > 5_000


def test_unit_table(load):
    unit_table = load("unit_table")
    result = unit_table.run(quick=True, n_reads=5)
    assert result.peak_bytes > 1e8 and min(result.ours_s, result.plainly_s, result.lazily_s) > 0
    assert f"{result.peak_bytes / 2**30:.2f} GiB" in "".join(unit_table.report(result))


def test_batch(load, tmp_path):
    batch = load("batch")
    wells = batch.write_wells(tmp_path / "data", n_channels=8, duration_s=4.0, n_units=3)
    whole = batch.sort(wells, tmp_path / "whole")
    assert [number for number, result in enumerate(whole) if result.failure] == [4, 8, 9]
    assert batch.same_spikes(whole, batch.sort(wells, tmp_path / "whole"))


def test_contacts_without_a_row_are_found_from_the_rows_of_the_units(load, monkeypatch):
    """Contacts are left out at random; each unit's rows are those of its 14 nearest contacts."""
    monkeypatch.syspath_prepend(FOLDER)
    contacts = load("rat_contacts")
    rng = np.random.default_rng(0)
    left_out = np.zeros(contacts.N_CONTACTS, np.bool_)
    left_out[rng.choice(np.arange(20, 120), 8, replace=False)] = True
    unit = rng.choice(np.flatnonzero(~left_out)[:130], 120)
    sites = contacts.sites_of(unit, left_out)
    rows = (np.cumsum(~left_out) - 1)[sites]
    found = contacts.contacts_left_out(unit, rows, (sites == unit[:, None]).argmax(axis=1))
    assert (contacts.sites_of(unit, found) == sites).mean() > 0.99


def test_tracking_of_a_rat_compares_intervals_of_tracks_and_of_neighbors(load, tmp_path):
    """Two days of made-up units in the stored layout: the same waveforms at the same sites, and regular intervals."""
    rat = load("tracking_rat")
    rng = np.random.default_rng(0)
    n_units, n_spikes = 8, 400
    shapes = -60 * np.hanning(40)[None, :, None] * np.exp(-0.3 * np.abs(np.arange(14) - 7))[None, None]
    contact = 21 + 40 * np.arange(n_units)
    rows = contact[:, None] - 7 + np.arange(14)
    days = []
    for day in range(2):
        intervals = (20 + 8 * np.arange(n_units))[:, None] + rng.normal(0, 1, (n_units, n_spikes))
        spikes = (np.cumsum(intervals, axis=1) * 30).astype(np.int64)
        waveforms = shapes * (1 + 0.2 * np.arange(n_units))[:, None, None]
        days.append(tmp_path / f"day{day}.npz")
        np.savez(
            days[-1], mean_waveforms=waveforms.astype(np.float32), site_rows=rows,
            electrode=rat.FIRST_ELECTRODE + contact,
            peak_waveform_uv=waveforms[:, :, 7], spike_samples=spikes.ravel(),
            unit_offsets=np.arange(n_units + 1) * n_spikes,
        )  # fmt: skip
    first = rat.session(days[0])
    assert first["templates"].values.min(axis=1).argmin(axis=1).tolist() == contact.tolist()
    histograms = [rat.interval_histograms(day) for day in days]
    own = [float(a @ b) for a, b in zip(*histograms, strict=True)]
    assert min(own) > 0.7
    tracks = xephys.track_units(map(rat.session, days), names=["one", "two"])
    units, single = tracks["units"].to_dataset(), [np.arange(n_units) < 5] * 2
    assert all(rat.isolated(day).sum() == 0 for day in days)  # spikes in the first minute only
    *_, every, alone = rat.compared(units, units["track"].values, ["one", "two"], histograms, {"single": single})
    assert (every[0], every[1], alone[0], alone[1]) == ("all", n_units, "all, single", 5)
    assert float(every[2]) > 0.7
