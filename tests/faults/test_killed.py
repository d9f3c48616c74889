"""A worker or the whole process is killed during a sort: finished work is kept, and the sorting is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import xephys
from tests.support.sortings import assert_identical
from xephys.graph.workers import local_cluster

CHUNK_S = 0.5
N_CHUNKS = 24
N_PASSES = 4  # detection, two refinements, matching

pytestmark = pytest.mark.slow


def test_workers_killed_during_a_sort(opened, expected, tmp_path):
    """One is killed in each of three stages, and the cluster starts another for it."""
    killed = {}
    with local_cluster(n_workers=2, threads_per_worker=1) as client:

        def kill_one(stage, done, total):
            if stage in ("detect", "refine 1", "match") and done >= 5 and stage not in killed:
                assert done < total
                # From the second pass on, both read white traces that either of them has written.
                assert stage == "detect" or len(list(tmp_path.glob("kept-*/tile_*.bin"))) >= N_CHUNKS * CHUNK_S
                killed[stage] = next(iter(client.run(os.getpid).values()))
                os.kill(killed[stage], signal.SIGKILL)

        sorting = xephys.sort(opened(CHUNK_S), folder=tmp_path, progress=kill_one)
    assert len(set(killed.values())) == 3
    assert_identical(sorting, expected)


def test_workers_that_come_and_go(opened, expected, tmp_path):
    """A worker joins during detection, the first leaves during matching, and the last pass scales adaptively."""
    changed = []
    with local_cluster(n_workers=1, threads_per_worker=1) as client:
        (first,) = client.scheduler_info()["workers"]

        def change(stage, done, total):
            if done < 5 or stage in changed:
                return
            assert done < total
            changed.append(stage)
            if stage == "detect":
                client.cluster.scale(2)
                client.wait_for_workers(2)
            elif stage == "refine 1":
                client.retire_workers([first])
                assert first not in client.scheduler_info()["workers"]
            elif stage == "match":
                client.cluster.adapt(minimum=1, maximum=2, interval="50ms", wait_count=1)

        sorting = xephys.sort(opened(CHUNK_S), folder=tmp_path, progress=change)
    assert changed == ["detect", "refine 1", "refine 2", "match"]
    assert_identical(sorting, expected)


#: The command line, whose process is killed as soon as it has finished a number of chunks.
KILLED = """
import os, signal
from itertools import count
from pathlib import Path
from xephys.cli.app import main
replace, finished = Path.replace, count(1)
def counted(self, target):
    replace(self, target)
    if Path(target).name.startswith("chunk_") and next(finished) == {n_finished}:
        os.kill(os.getpid(), signal.SIGKILL)
Path.replace = counted
main()
"""


def chunk_files(folder):
    return sorted(folder.glob("*/chunk_*.npy"))


def state(paths):
    """Inode and modification time of each file."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


@pytest.mark.parametrize("n_finished", [6, N_CHUNKS + 6, 3 * N_CHUNKS + 6], ids=["detect", "refine 1", "match"])
def test_the_process_killed_during_a_sort(simulated, opened, expected, tmp_path, n_finished):
    out = tmp_path / "out"
    sort = ["sort", str(simulated[0]), "--out", str(out), "--chunk-duration-s", str(CHUNK_S)]
    killed = subprocess.run([sys.executable, "-c", KILLED.format(n_finished=n_finished), *sort], timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in out.iterdir()] == [".work"]
    assert n_finished <= len(chunk_files(out / ".work")) < N_PASSES * N_CHUNKS
    finished = state(path for path in (out / ".work").rglob("*") if path.is_file() and ".tmp-" not in path.name)
    assert {"estimates", "components"} <= {path.name.split("-")[0] for path in finished}

    # The command would remove its work folder; the function leaves it, so that the files can be inspected.
    assert_identical(xephys.sort(opened(CHUNK_S), folder=out / ".work"), expected)
    every = chunk_files(out / ".work")
    assert len(every) == N_PASSES * N_CHUNKS
    assert state(finished) == finished
    assert not list((out / ".work").rglob("*.tmp-*"))

    if n_finished < 3 * N_CHUNKS:
        return  # the folder is complete now, and the command meets the same whenever the process was killed
    done = subprocess.run([sys.executable, "-m", "xephys", *sort], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [".work", "phy", "sorting.zarr"]
    stored = xephys.open_sorting(out / "sorting.zarr")
    for group in ("spikes", "units", "templates"):
        for name, variable in expected[group].data_vars.items():
            assert stored[group][name].values.tobytes() == variable.values.tobytes(), f"{group}/{name}"


def test_the_same_command_resumes(simulated, expected, tmp_path):
    """The same command without any option: only the missing chunks are computed."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "xephys", "sort", str(simulated[0]), "--out", str(out)]
    command += ["--chunk-duration-s", str(CHUNK_S)]
    xephys.sort(xephys.open_recording(simulated[0], chunk_duration_s=CHUNK_S), folder=out / ".work")
    every = chunk_files(out / ".work")
    for path in every[::3]:
        path.unlink()
    kept = state(set(every) - set(every[::3]))
    hard_links = tmp_path / "links"
    hard_links.mkdir()
    for number, path in enumerate(kept):
        os.link(path, hard_links / str(number))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for number, (inode, written) in enumerate(kept.values()):
        status = (hard_links / str(number)).stat()
        assert (status.st_ino, status.st_mtime_ns) == (inode, written)
    stored = xephys.open_sorting(out / "sorting.zarr")
    assert stored["spikes"]["sample_index"].values.tobytes() == expected["spikes"]["sample_index"].values.tobytes()
