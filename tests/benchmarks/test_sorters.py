"""The comparison of sorters at a small size, without any peer: what is run, kept and planned."""

from __future__ import annotations

import importlib
import sys

import pytest


def test_our_kilosort4_preset_is_not_mistaken_for_the_peer(part, monkeypatch):
    running = part("contest.running")
    presets = importlib.import_module("xephys.sorter.presets").PRESETS
    monkeypatch.setitem(presets, "kilosort4", presets["default"])
    assert running.ours()["preset:kilosort4"] == "kilosort4"
    assert "kilosort4" not in running.ours()
    assert running.identity("kilosort4") == "kilosort4"


def test_stored_results_are_not_run_again(part, small, tmp_path, monkeypatch):
    sorters = part("sorters")
    pairs = [("quick:0", "default"), ("quick:0", "no_such_peer")]
    first = sorters.run(pairs, folder=tmp_path)
    assert first[0]["score"]["accuracy"] >= 0.9
    assert first[1]["state"] == "absent"
    assert "Not run: no_such_peer on quick:0 (absent)." in "".join(part("contest.report").report(first))
    assert "4/4" in (tmp_path / "TABLE.txt").read_text(encoding="utf-8")

    def forbidden(*_, **__):
        raise AssertionError("run again")

    monkeypatch.setattr(sorters.running, "run", forbidden)
    assert sorters.run(pairs[:1], folder=tmp_path) == first[:1]
    late = sorters.run([("quick:1", "default")], folder=tmp_path, minutes=0)
    assert late[0]["state"] == "no time left"
    assert not (tmp_path / "recordings" / "quick-1").exists()
    monkeypatch.setattr(part("contest.kept"), "identity", lambda sorter: f"{sorter}-other-code")
    with pytest.raises(AssertionError, match="run again"):
        sorters.run(pairs[:1], folder=tmp_path)


def test_a_sorter_that_exceeds_its_limit_is_reported(part, small, tmp_path):
    running, recorded = part("contest.running"), small.recorded("quick:0", tmp_path)
    made = running.run("default", recorded, tmp_path / "out", peers=sys.executable, limit_s=1)
    assert made["state"] == "over 1 s"
    assert "| quick:0 | default | over 1 s |" in "".join(part("contest.report").report([made]))


def test_lanes_of_one_core_share_the_sets_and_timed_sorts_have_the_machine_alone(part, small, tmp_path, monkeypatch):
    import os
    import threading

    sorters, seen = part("sorters"), []

    def one(name, sorter, **_):
        seen.append((name, sorter, threading.current_thread().name, len(os.sched_getaffinity(0))))
        return {"set": name, "sorter": sorter, "state": "absent"}

    monkeypatch.setattr(sorters, "one", one)
    pairs = [("hard:0", "a"), ("quick:0", "a"), ("quick:0", "b"), ("speed:0", "a"), sorters.SLOWEST, ("hard:0", "b")]
    runs = sorters.run(pairs, folder=tmp_path)
    assert [(made["set"], made["sorter"]) for made in runs] == pairs
    here, n_cores = threading.current_thread().name, len(os.sched_getaffinity(0))
    assert seen[:2] == [("speed:0", "a", here, n_cores), (*sorters.SLOWEST, here, n_cores)]
    assert {n for *_, thread, n in seen[2:] if thread != here} == {1}
    assert sorted(made[:2] for made in seen) == sorted(pairs)  # each pair once
    assert len({thread for name, _, thread, _ in seen if name == "quick:0"}) == 1
    assert len(os.sched_getaffinity(0)) == n_cores


def test_the_plan_covers_every_requirement(part):
    sorters, verdict = part("sorters"), part("contest.verdict")
    planned = sorters.plan()
    assert len(planned) == len(set(planned))
    drifting = {kind for kind in verdict.CHECKS if kind.startswith(("hard-", "easy-", "easy128-", "populous-"))}
    assert {name.partition(":")[0] for name, _ in planned} >= set(verdict.CHECKS) - {"easy300"} - drifting
    for name in {name for name, _ in planned}:
        names = {sorter for planned_name, sorter in planned if planned_name == name}
        assert "default" in names
        assert name.startswith("speed600") or names >= set(sorters.PEERS)
    assert sorters.SLOWEST in planned


def test_variants_of_our_preset_are_ours_without_being_presets(part):
    running = part("contest.running")
    assert running.ours()["drift:off"] == "default"
    assert "drift:off" not in running.presets()
    assert running.identity("drift:off") != running.identity("default")
