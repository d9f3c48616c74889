"""Checkpoints: whole or absent, never stale, resumed after SIGKILL, complete although workers are killed."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import dask
import numpy as np
import pytest

from xephys.errors import OutputError, ResourceError
from xephys.graph import checkpoint
from xephys.graph.build import root_plan, to_dask
from xephys.graph.checkpoint import content_token, run_events, run_partials
from xephys.graph.events import SpikeTable
from xephys.graph.plan import Stage
from xephys.graph.reduce import tree_sum
from xephys.graph.workers import local_cluster
from xephys.graph.writers import machine_token

from . import slow_toys, toys

ROOT = Path(__file__).parents[2]
NO_PROCESS = 2**22 + 1  # above the largest number that Linux gives


@pytest.fixture(scope="module")
def long_source(tmp_path_factory):
    return toys.write_binary(tmp_path_factory.mktemp("long"), toys.samples(12_000))


@pytest.fixture(scope="module")
def records(source):
    return toys.events_on(source).compute(scheduler="synchronous")


def test_records_counts_and_fields(source, records, tmp_path):
    events = run_events(toys.events_on(source), tmp_path)
    assert events.fields == toys.FEATURE_DTYPE.names
    assert events.count == len(records) > 100
    assert events.counts.tolist() == toys.events_on(source).count_per_chunk().tolist()
    assert events.load().tobytes() == records.tobytes()
    assert np.concatenate(list(events.iter_chunks())).tobytes() == records.tobytes()
    some = events.load(["wave", "sample_index"])
    assert some.dtype.names == ("wave", "sample_index")
    np.testing.assert_array_equal(some["wave"], records["wave"])
    with pytest.raises(KeyError, match="no field 'x'; these records have sample_index"):
        events.load(["x"])
    rows = np.array([0, 3, len(records) // 2, len(records) - 1])
    assert events.load(rows=rows).tobytes() == records[rows].tobytes()
    assert events.load(["amplitude"], rows=rows[:0]).shape == (0,)


def test_a_file_that_was_shortened_is_not_read(source, tmp_path):
    events = run_events(toys.events_on(source), tmp_path)
    assert np.load(events.paths[1]).tobytes() == events.chunk(1).tobytes()
    os.truncate(events.paths[1], events.paths[1].stat().st_size // 2)
    with pytest.raises(OutputError, match="has been shortened since it was written; remove it and run again"):
        events.load()


def test_progress_counts_every_chunk_and_starts_at_the_finished_ones(source, tmp_path):
    seen = []
    first = run_events(toys.events_on(source), tmp_path, progress=lambda *n: seen.append(n))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    first.paths[1].unlink()
    seen.clear()
    again = run_events(toys.events_on(source), tmp_path, progress=lambda *n: seen.append(n))
    assert seen == [(2, 3), (3, 3)]
    assert (first.n_computed, again.n_computed) == (3, 1)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_every_local_scheduler_stores_the_same_records(source, records, tmp_path, scheduler):
    with dask.config.set(scheduler=scheduler, num_workers=2):
        assert run_events(toys.events_on(source), tmp_path).load().tobytes() == records.tobytes()


def test_finished_chunks_are_not_touched_again(source, tmp_path):
    first = run_events(toys.events_on(source), tmp_path)
    times = [path.stat().st_mtime_ns for path in first.paths]
    again = run_events(toys.events_on(source), tmp_path)
    assert again.n_computed == 0
    assert [path.stat().st_mtime_ns for path in again.paths] == times


def test_a_truncated_file_is_computed_again_and_leftovers_are_removed(source, records, tmp_path):
    first = run_events(toys.events_on(source), tmp_path)
    os.truncate(first.paths[1], first.paths[1].stat().st_size - 10)
    os.truncate(first.paths[2], 0)
    leftover = first.folder / f"chunk.npy.tmp-{machine_token()}-{NO_PROCESS}-0123abcd"
    leftover.touch()
    again = run_events(toys.events_on(source), tmp_path)
    assert again.n_computed == 2
    assert again.load().tobytes() == records.tobytes()
    assert sorted(again.folder.iterdir()) == sorted(again.paths)


def test_files_that_another_run_is_writing_stay(source, tmp_path):
    """A live process of this machine, or any process of another, may be working in the same folder."""
    folder = run_events(toys.events_on(source), tmp_path).folder
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    live = folder / f"chunk.npy.tmp-{machine_token()}-{other.pid}-0123abcd"
    elsewhere = folder / f"chunk.npy.tmp-{'0' * 8}-{NO_PROCESS}-0123abcd"
    try:
        for path in (live, elsewhere):
            path.touch()
        run_events(toys.events_on(source), tmp_path)
        assert live.exists()
    finally:
        other.communicate(b"\n")
    run_events(toys.events_on(source), tmp_path)
    assert not live.exists()
    assert elsewhere.exists()


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path):
    def interrupted(file):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoint.write_atomically(tmp_path / "a.npy", interrupted)
    assert not list(tmp_path.iterdir())


def test_a_changed_parameter_file_or_kernel_never_uses_old_results(source, tmp_path, monkeypatch):
    def folder_of(plan):
        return run_events(SpikeTable.of_plan(plan), tmp_path).folder

    plan = toys.plan_on(source).then(toys.MINIMA)
    lower = dataclasses.replace(toys.MINIMA, parameters={"threshold": -100.0})
    folders = [
        folder_of(plan),
        folder_of(toys.plan_on(source).then(lower)),
        folder_of(dataclasses.replace(plan, source=dataclasses.replace(source, content="changed"))),
    ]
    monkeypatch.setattr(checkpoint, "__version__", "999")
    folders.append(folder_of(plan))
    monkeypatch.undo()
    monkeypatch.setattr(checkpoint, "_package_code", lambda: "edited")
    folders.append(folder_of(plan))
    assert len(set(folders)) == 5
    monkeypatch.undo()
    assert folder_of(plan) == folders[0]


def test_chunks_of_other_lengths_resume_from_finished_ones(source, records, tmp_path):
    first = run_events(toys.events_on(source), tmp_path)
    first.paths[1].unlink()
    kept = {path: path.stat().st_ino for path in (first.paths[0], first.paths[2])}
    plan = toys.events_on(source).plan
    again = run_events(SpikeTable.of_plan(plan.rechunked(700)), tmp_path)
    assert again.load().tobytes() == records.tobytes()
    assert again.token == first.token
    assert {path: path.stat().st_ino for path in again.paths if path in kept} == kept
    edges = plan.starts
    assert [path.name for path in again.paths if path not in kept] == [
        f"chunk_{a:012d}_{b:012d}.npy"
        for a, b in itertools.pairwise([edges[1], *range(700 * (edges[1] // 700 + 1), edges[2], 700), edges[2]])
    ]
    assert run_events(SpikeTable.of_plan(plan.rechunked(300)), tmp_path).n_computed == 0


def test_of_overlapping_files_the_longest_is_used_once(source, records, tmp_path):
    plan = toys.events_on(source).plan
    short = run_events(SpikeTable.of_plan(plan.rechunked(700)), tmp_path)
    whole = tmp_path / "whole"
    run_events(SpikeTable.of_plan(plan), whole)
    for path in whole.glob("*/chunk_*.npy"):
        path.rename(short.folder / path.name)
    both = run_events(SpikeTable.of_plan(plan.rechunked(300)), tmp_path)
    assert both.n_computed == 0
    assert both.load().tobytes() == records.tobytes()


def test_an_opaque_root_can_be_checkpointed(source, records, tmp_path):
    plan = root_plan(to_dask(toys.plan_on(source)) * 1, sampling_frequency=toys.RATE)
    for stage in (*toys.TRACE_CHAIN, toys.MINIMA, toys.WAVES):
        plan = plan.then(stage)
    assert run_events(SpikeTable.of_plan(plan), tmp_path).load().tobytes() == records.tobytes()


def test_a_table_without_a_plan_is_refused(source, tmp_path):
    with pytest.raises(ValueError, match="has no plan; checkpoint it before that"):
        run_events(toys.events_on(source).filter(toys.below), tmp_path)


def test_a_folder_that_cannot_be_made_is_named(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot create .*file.*; choose a folder that can be written"):
        run_events(toys.events_on(source), tmp_path / "file")


@pytest.mark.parametrize(
    "number, words", [(errno.ENOSPC, "no space left; free some"), (errno.EROFS, "make the folder writable")]
)
def test_a_full_disk_keeps_finished_chunks_and_leaves_no_partial_one(
    source, records, tmp_path, monkeypatch, number, words
):
    flush, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(OutputError, match=f"cannot write .*{words} and run again .the finished chunks are kept"):
            run_events(toys.events_on(source), tmp_path)
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(left) == 1
        assert left[0].suffix == ".npy"
        monkeypatch.undo()
        events = run_events(toys.events_on(source), tmp_path)
    assert events.n_computed == 2
    assert events.load().tobytes() == records.tobytes()


def test_a_killed_process_loses_only_its_unfinished_chunks(long_source, tmp_path):
    marks, folder = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    program = "from tests.graph.slow_toys import run_until_killed; run_until_killed()"
    command = [sys.executable, "-c", program, long_source.path, long_source.content, str(marks), str(folder)]
    paths = [str(ROOT), str(ROOT / "src")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    assert subprocess.run(command, env=environment, cwd=tmp_path, timeout=300).returncode == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npy")}
    assert 4 <= len(finished) < 12
    before = set(marks.iterdir())
    events = run_events(slow_toys.slow_events(long_source, marks, pause_s=0.1), folder)
    assert events.n_computed == 12 - len(finished)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    recomputed = {int(path.name.split("-")[0]) for path in set(marks.iterdir()) - before}
    assert recomputed.isdisjoint(int(path.name.split("_")[1]) for path in finished)
    assert events.load().tobytes() == slow_toys.reference(long_source).tobytes()
    assert sorted(events.folder.iterdir()) == sorted(events.paths)


def test_a_killed_worker_is_survived_with_identical_records(long_source, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    killed = []

    def kill_one(done, total):
        if done >= 3 and not killed:
            killed.append(next(iter(pids.values())))
            os.kill(killed[0], signal.SIGKILL)

    with local_cluster(n_workers=2, threads_per_worker=1) as client:
        pids = client.run(os.getpid)
        events = run_events(slow_toys.slow_events(long_source, marks, pause_s=0.2), tmp_path / "out", progress=kill_one)
    assert killed
    assert events.load().tobytes() == slow_toys.reference(long_source).tobytes()
    # Only tiles that the killed worker was computing, or had not yet reported, ran twice.
    assert 12 <= len(slow_toys.marked_tiles(marks)) <= 14


def test_workers_that_die_again_and_again_give_a_clear_error(long_source, tmp_path):
    stage = Stage(kill_own_process, dtype=toys.EVENT_DTYPE, emits="events")
    table = SpikeTable.of_plan(toys.plan_on(long_source, chunk_samples=12_000).then(stage))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        local_cluster(n_workers=1, threads_per_worker=1),
        pytest.raises(ResourceError, match=r"workers were killed repeatedly while computing .*kill_own_process"),
    ):
        run_events(table, tmp_path)


def kill_own_process(traces, *, before, after, start):
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_error_in_a_kernel_on_a_worker_arrives_unchanged(long_source, tmp_path):
    stage = Stage(refuse, dtype=toys.EVENT_DTYPE, emits="events")
    table = SpikeTable.of_plan(toys.plan_on(long_source).then(stage))
    with local_cluster(n_workers=1, threads_per_worker=1), pytest.raises(ValueError, match="sample 2000 is odd"):
        run_events(table, tmp_path)


def refuse(traces, *, before, after, start):
    if start == 2000:
        raise ValueError("sample 2000 is odd")
    return np.empty(0, toys.EVENT_DTYPE)


def test_sums_are_computed_once_and_do_not_depend_on_chunks(source, tmp_path, monkeypatch):
    plan = toys.plan_on(source).then(toys.MEAN).then(toys.SUMS)
    expected = tree_sum(plan)
    first = run_partials(plan, tmp_path / "new")
    monkeypatch.setattr(checkpoint, "tree_sum", lambda plan: pytest.fail("computed again"))
    again = run_partials(plan.rechunked(700), tmp_path / "new")
    for total in (first, again):
        assert total.keys() == expected.keys()
        assert all(total[name].tobytes() == expected[name].tobytes() for name in expected)
    monkeypatch.undo()
    other = toys.plan_on(source).then(toys.SUMS)
    assert content_token(other) != content_token(plan) == content_token(plan.rechunked(700))
    assert run_partials(other, tmp_path / "new")["total"].tobytes() != expected["total"].tobytes()


def test_interrupting_keeps_finished_chunks(long_source, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    table = slow_toys.slow_events(long_source, marks, pause_s=0.01)
    with pytest.raises(KeyboardInterrupt):
        run_events(table, tmp_path / "out", progress=interrupt)
    events = run_events(table, tmp_path / "out")
    assert events.n_computed <= 9
    assert events.load().tobytes() == slow_toys.reference(long_source).tobytes()
