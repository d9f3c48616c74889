"""Benchmarks of single operations and chains of them run at a small size, and report what they should."""

from __future__ import annotations

import sys

import pytest

import xephys
from tests.support import device_arrays


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
    parts = motion.report(rows, fields, hours)
    assert "two shanks" in "".join(parts)
    text = "\n\n".join(parts)
    first = rows[0]
    other = first._replace(ours=(9.87, 9.99))
    replaced = motion.renewed(text, motion.report([other], [], []))
    (line,) = [new for old, new in zip(text.splitlines(), replaced.splitlines(), strict=True) if old != new]
    assert line.startswith(f"| {first.kind} | {first.seed} |")
    assert "9.87 / 9.99" in line
    compared = first._replace(theirs=(1.23, 4.56))
    kept = motion.renewed(motion.report([compared], [], [])[2], motion.report([other], [], []))
    assert "| 9.87 / 9.99 | 1.23 / 4.56 |" in kept
    assert motion.peer_for("walk", 10, "python", [10]) is None
    assert motion.peer_for("slow", 10, "python", [10]) == "python"


def test_analysis_reads_the_recording_once(load):
    analysis = load("analysis")
    result = analysis.run(quick=True, with_peer=False)
    assert result.passes == 1
    assert result.many.peak_bytes < 2 * 2**30
    assert "read the recording 1 time." in "".join(analysis.report(result))


def test_subtraction(load):
    subtraction = load("subtraction")
    errors, rests, same = subtraction.run(quick=True)
    assert all(row.shrunk < row.projected < row.raw for row in errors)
    assert all(rest.near < 1.3 * rest.far < rest.before for rest in rests)
    assert [(row.n_ways, row.n_results) for row in same] == [(5, 1)] and same[0].n_events > 20
    assert "| 3 to 6 |" in "".join(subtraction.report(errors, rests, same))


def test_unit_table(load):
    unit_table = load("unit_table")
    result = unit_table.run(quick=True, n_reads=5)
    assert result.peak_bytes > 1e8 and min(result.ours_s, result.plainly_s, result.lazily_s) > 0
    assert f"{result.peak_bytes / 2**30:.2f} GiB" in "".join(unit_table.report(result))


def test_mixture_improves_wrong_labels(load):
    mixture = load("mixture")
    rows, fits = mixture.run(quick=True)
    assert fits[0].after > fits[0].before
    assert rows[0].mixture > max(rows[0].start, 0.9)
    assert all(row.rises for row in rows)
    assert "pairs merged" in "".join(mixture.report(rows, fits))
