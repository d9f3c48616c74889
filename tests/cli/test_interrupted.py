"""An interrupted or failed sort leaves results to resume from, or nothing; the next sort adds only what is missing."""

import os
import subprocess
import sys

import pytest

import xephys

from ..support.command_line import refused, run
from ..support.processes import hear_ctrl_c


def test_an_interrupt_says_how_to_resume(simulated, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr("xephys.sorter.run.sort_with", _interrupt)
    result = run("sort", simulated / "recording", "--out", out, expect=130)
    assert str(out / ".work") in result.stderr
    assert "resumes from there" in result.stderr
    monkeypatch.undo()
    run("sort", simulated / "recording", "--out", out)
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]


def _interrupt(*_, folder, **__):
    (folder / "chunk.npy").touch()
    raise KeyboardInterrupt


def test_an_interrupt_before_anything_is_finished_leaves_nothing(simulated, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("xephys.sorter.run.sort_with", interrupt)
    result = run("sort", simulated / "recording", "--out", tmp_path / "out", expect=130)
    assert "what was not finished has been removed" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_failure_in_the_middle_leaves_no_results(simulated, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xephys.io.export.phy.export_phy", fail)
    message = refused("sort", simulated / "recording", "--out", out, status=5)
    assert "no space left" in message
    assert "resumes from there" in message
    assert (out / ".work").is_dir()
    monkeypatch.undo()
    run("sort", simulated / "recording", "--out", out)  # sorting.zarr exists, phy does not: resumes without --overwrite
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]


def test_the_work_folder_is_removed_when_asked(simulated, tmp_path):
    out = tmp_path / "out"
    run("sort", simulated / "recording", "--out", out, "--discard-work")
    assert sorted(p.name for p in out.iterdir()) == ["phy", "sorting.zarr"]


def test_a_late_parameter_in_the_same_folder(simulated, tmp_path):
    """Only results that depend on the parameter are computed again."""
    out = tmp_path / "out"

    def files():
        return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (out / ".work").rglob("*") if p.is_file()}

    run("sort", simulated / "recording", "--out", out)
    first = files()
    assert any(p.name.startswith("chunk_") for p in first)
    run("sort", simulated / "recording", "--out", out, "--overwrite", "--set", "contamination_max=0.1")
    assert files() == first
    assert '"contamination_max": 0.1' in xephys.open_sorting(out / "sorting.zarr").attrs["parameters"]
    run("sort", simulated / "recording", "--out", out, "--overwrite", "--set", "match_threshold=15")
    second = files()
    assert {p: second[p] for p in first} == first
    new = {p.parent.name if p.name.startswith("chunk_") else p.name for p in set(second) - set(first)}
    # The threshold is first used in the refinements, so neither estimates nor detection nor clusters are repeated.
    again = {name.rsplit("-", 1)[0] for name in new}
    assert "match_and_project" in again
    assert again <= {
        "match_and_project", "refine_clusters", "estimate_noise_gain", "localize_center_of_mass", "sum_waveforms",
        "balance_thresholds", "match_and_look", "cluster_missed",
    }  # fmt: skip


#: The command line, whose process is interrupted as soon as it has finished a chunk.
INTERRUPTED = """
import os, signal
from pathlib import Path
from xephys.cli.app import main
replace, left = Path.replace, [signal.SIGINT]
def interrupting(self, target):
    replace(self, target)
    if Path(target).name.startswith("chunk_") and left:
        os.kill(os.getpid(), left.pop())
Path.replace = interrupting
main()
"""


@pytest.mark.slow
def test_ctrl_c_in_a_process(simulated, tmp_path):
    """A real SIGINT: status 130, one sentence, and the next run finishes the same sorting."""
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from xephys.cli.app import main; main()", "sort", str(simulated / "recording")]
    command += ["--out", str(out), "--chunk-duration-s", "0.2"]
    interrupted = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *command[3:]],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=hear_ctrl_c,
        timeout=300,
    )
    assert interrupted.returncode == 130, interrupted.stderr
    assert "Traceback" not in interrupted.stderr
    assert "resumes from there" in interrupted.stderr
    assert list((out / ".work").glob("*/chunk_*.npy"))
    assert not (out / "sorting.zarr").exists()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bar where there is no terminal
    assert sorted(p.name for p in out.iterdir()) == [".work", "phy", "sorting.zarr"]
