"""The comparison of sorters at a small size, without any peer: scores, stored results, and requirements."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def part(monkeypatch):
    """Import a module of the benchmark; its modules import each other from their own folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield lambda name: importlib.import_module(name)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("contest", "sorters", "harness"):
            del sys.modules[name]


@pytest.fixture
def small(part, monkeypatch):
    """Kinds of very small recordings."""
    sets = part("contest.sets")
    hard = sets.KINDS["hard"]._replace(duration_s=8.0, n_channels=16, n_units=4)
    hard = hard._replace(simulator={**hard.simulator, "stimulation_period_s": 2.0})
    static = sets.KINDS["static"]._replace(duration_s=2.0)
    monkeypatch.setitem(sets.KINDS, "hard", hard)
    monkeypatch.setitem(sets.KINDS, "static", static)
    return sets


def as_found(part, truth, units):
    """A sorting that holds some of the true units."""
    spikes = truth.select_units(units).to_spike_vector()
    return part("contest.scoring").Found(spikes["sample_index"], spikes["unit_index"], len(units))


def test_the_truth_scores_fully_and_half_of_it_half(part, small, tmp_path):
    recorded, score = small.recorded("quick:0", tmp_path), part("contest.scoring").score
    truth = recorded.truth
    whole = score(as_found(part, truth, truth.unit_ids), recorded)
    assert [whole[name] for name in ("accuracy", "well", "correct", "false positive", "split")] == [1.0, 4, 4, 0, 0]
    assert whole["coincident recall"] in (None, 1.0)
    assert (whole["double across"], whole["double chance"]) == (
        whole["truth double across"],
        whole["truth double chance"],
    )
    assert whole["double untrue"] == 0
    half = score(as_found(part, truth, truth.unit_ids[:2]), recorded)
    assert (half["accuracy"], half["well"], half["correct"]) == (0.5, 2, 2)
    nothing = score(part("contest.scoring").Found(np.zeros(0, np.int64), np.zeros(0, np.int64), 0), recorded)
    assert (nothing["accuracy"], nothing["well"], nothing["units"], nothing["split"]) == (0.0, 0, 0, 0)


def test_a_unit_in_two_pieces_counts_as_split_and_a_unit_found_twice_as_double(part, small, tmp_path):
    recorded, scoring = small.recorded("quick:0", tmp_path), part("contest.scoring")
    train = recorded.truth.get_unit_spike_train(0, segment_index=0)
    pieces = scoring.Found(train, np.arange(len(train)) % 2, 2)
    assert scoring.score(pieces, recorded)["split"] == 1
    twice = scoring.Found(np.sort(np.concatenate([train, train + 3])), np.tile([0, 1], len(train)), 2)
    scored = scoring.score(twice, recorded)
    assert scored["double across"] >= scored["double untrue"] >= len(train)


def test_unmatched_units_are_told_apart(part, small, tmp_path):
    recorded, scoring = small.recorded("hard:0", tmp_path), part("contest.scoring")
    truth, rate_hz = recorded.simulated_truth, 30_000
    artifact = np.concatenate([np.arange(a * rate_hz, b * rate_hz, 500) for a, b in truth.artifacts_s]).astype(int)
    trains = [
        artifact,
        np.arange(100, 8 * rate_hz - 100, 1013),  # regular, so neither far nor near any unit
        artifact[:2],  # hardly active
    ]
    found = scoring.Found(
        np.concatenate(trains), np.repeat(np.arange(3), [len(t) for t in trains]), 3, np.array([True, False, False])
    )
    scored = scoring.score(found, recorded)
    assert scored["kinds"] == {"artifact": 1, "fragment": 0, "far": 0, "other": 1}
    assert (scored["artifact units"], scored["good"], scored["unmatched active"]) == (2, 1, 2)


def test_coincidences_beyond_chance(part):
    coincidence = part("contest.coincidence")
    rng = np.random.default_rng(0)
    a, b = (np.sort(rng.integers(0, 3_000_000, n)) for n in (2000, 3000))
    assert abs(coincidence.share_beyond_chance(a, b, 12, 30_000.0)) < 0.05
    both = np.sort(np.concatenate([a[::2] + 5, b]))
    assert abs(coincidence.share_beyond_chance(a, both, 12, 30_000.0) - 0.5) < 0.05
    places = {0: np.zeros(2), 1: np.array([0.0, 20.0]), 2: np.array([0.0, 40.0])}
    observed, expected = coincidence.doubles_across_units(
        {0: a, 1: b, 2: a}, places, rate_hz=30_000.0, duration_s=100.0
    )
    assert expected == pytest.approx(2 * 2000 * 3000 * 13 / 3_000_000)  # 0 and 2 are too far apart
    assert abs(observed - expected) < 5 * np.sqrt(expected)


def test_a_generated_recording_follows_its_setting_and_its_templates_find_its_spikes(part, small, tmp_path):
    from spikeinterface import load

    recorded, scoring = small.recorded("static:3", tmp_path), part("contest.scoring")
    recording = load(recorded.path)
    assert (recording.get_num_channels(), len(recorded.truth.unit_ids)) == (128, 40)
    noise_uv = float(recording.get_traces(return_in_uV=True).std(axis=0).min())
    assert 9.9 < noise_uv < 12.0  # white noise of 10 µV, raised a little by spikes
    peer = part("contest.peer")
    sample, unit = peer.matched(peer.prepared(recorded.path.parent), recorded.path.parent, "wobble")
    order = np.argsort(sample, kind="stable")
    scored = scoring.score(scoring.Found(sample[order].astype(int), unit[order].astype(int), 40), recorded)
    assert scored["well"] >= 36


def test_neighbors_share_noise_if_the_setting_demands_it(part):
    generated, sets = part("contest.generated"), part("contest.sets")
    setting = sets.KINDS["dense-np1"].generator._replace(n_units=2)
    made = generated.generate(setting, seed=3, duration_s=4.0)
    assert made.recording.get_channel_locations()[:3].tolist() == [[43.0, 0.0], [11.0, 0.0], [59.0, 20.0]]
    traces = made.recording.get_traces(return_in_uV=True)
    sizes = np.median(np.abs(traces), axis=0) / 0.6745
    np.testing.assert_allclose(sizes, np.sqrt(np.diag(made.noise_uv2)), rtol=0.03)
    assert 8.0 < sizes.min() < 8.3
    assert 9.7 < sizes.max() < 10.2
    correlation = made.noise_uv2 / np.outer(sizes, sizes)
    assert correlation[0, 1] == pytest.approx(np.exp(-32 / 25), rel=0.05)
    np.testing.assert_allclose(np.corrcoef(traces.T), correlation, atol=0.05)


def test_the_matcher_takes_shared_noise_into_account(part, small, tmp_path, monkeypatch):
    """For most of 120 units on 128 contacts, true templates whitened with the true covariance find the spikes."""
    monkeypatch.setitem(small.KINDS, "dense-np1", small.KINDS["dense-np1"]._replace(duration_s=2.5))
    recorded, scoring = small.recorded("dense-np1:3", tmp_path), part("contest.scoring")
    peer = part("contest.peer")
    sample, unit = peer.matched(peer.prepared(recorded.path.parent), recorded.path.parent, "wobble")
    order = np.argsort(sample, kind="stable")
    scored = scoring.score(scoring.Found(sample[order].astype(int), unit[order].astype(int), 120), recorded)
    assert scored["well"] >= 90


def test_removed_samples_are_made_again(part, small, tmp_path):
    recorded = small.recorded("quick:0", tmp_path)
    bits = next(recorded.path.glob("*.raw")).read_bytes()
    shutil.rmtree(recorded.path)
    assert next(small.restored(small.recorded("quick:0", tmp_path)).path.glob("*.raw")).read_bytes() == bits


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


def test_an_unknown_set_is_refused(part, small, tmp_path):
    with pytest.raises(ValueError, match="no set 'drifting'"):
        small.recorded("drifting:0", tmp_path)
    with pytest.raises(ValueError, match="names no seed"):
        small.recorded("quick", tmp_path)


def made(sorter, name="dense:10", **scores):
    """A finished run with the given scores."""
    default = {"accuracy": 0.9, "well": 90, "truth units": 120, "false positive": 5, "redundant": 0, "overmerged": 0}
    default |= {"units": 100, "active": 100, "good": None, "double across": 0, "double chance": 1.0, "double same": 0}
    return {
        "set": name,
        "sorter": sorter,
        "identity": f"{sorter}-0123" if sorter == "default" else sorter,
        "state": "done",
        "when": "2026-01-01T00:00:00+00:00",
        "version": sorter,
        "wall_s": 10.0,
        "cpu_s": 10.0,
        "peak_bytes": 2**30,
        "load": 0.0,
        "cores": 2,
        "score": default | scores,
    }


def reached(part, runs):
    return [verdict.reached for verdict in part("contest.verdict").verdicts(runs)]


def test_two_thirds_of_the_gap_is_demanded(part):
    others = [
        made("lupin", well=99, **{"false positive": 17}),
        made("tridesclous2", well=80, **{"false positive": 1}),
        made("truth+wobble", well=112),
    ]
    assert reached(part, [made("default", well=108), *others]) == [True, True]  # 9 of the 13 between
    assert reached(part, [made("default", well=107, **{"false positive": 17}), *others]) == [False, False]
    assert reached(part, [made("default")]) == [None]


def test_ours_has_to_be_as_accurate_as_every_peer_without_more_extra_units(part):
    peers = [made("lupin", "static:10", accuracy=0.95), made("tridesclous2", "static:10", **{"false positive": 3})]
    assert reached(part, [made("default", "static:10"), *peers]) == [False, True, False, True, True]
    assert reached(part, [made("default", "static:10")]) == [None] * 5


def test_seeds_of_a_kind_are_judged_one_by_one_and_together(part):
    runs = [made("default", "static:10", accuracy=0.9), made("lupin", "static:10", accuracy=0.95)]
    runs += [made("default", "static:11", accuracy=0.99), made("lupin", "static:11", accuracy=0.92)]
    runs += [made("tridesclous2", "static:11", accuracy=1.0)]  # not on every seed, so left out of the pooled runs
    found = part("contest.verdict").verdicts(runs)
    names = ["static:10", "static:11", "static:10+11"]
    assert list(dict.fromkeys(verdict.name for verdict in found)) == names
    accuracy = {v.name: (v.measured, v.reached) for v in found if v.demand.startswith("accuracy")}
    assert accuracy == {
        "static:10": ("0.9000; lupin 0.9500", False),
        "static:11": ("0.9900; tridesclous2 1.0000", False),
        "static:10+11": ("0.9450; lupin 0.9350", True),
    }
    extra = next(v for v in found if v.name == "static:10+11" and v.demand.startswith("false positive"))
    assert extra.measured == "10; lupin 10"


def test_sets_that_drift_need_many_more_units_than_the_peers_find_and_few_copies(part):
    large = {"strata": {"SNR 10-inf": {"well": 19, "units": 20}}}
    peers = [
        made("lupin", "hard-slow:10", well=35, redundant=49),
        made("spykingcircus2", "hard-slow:10", well=20, redundant=5),
    ]
    ours = made("default", "hard-slow:10", well=49, redundant=1, **large)
    assert reached(part, [ours, *peers]) == [True, True, True]
    large["strata"]["SNR 10-inf"]["well"] = 18
    ours = made("default", "hard-slow:10", well=48, redundant=2, **large)
    assert reached(part, [ours, *peers]) == [False, False, False]
    assert reached(part, [ours]) == [None, False, None]


def test_of_very_many_units_nearly_all_have_to_be_correct(part):
    assert reached(part, [made("default", "populous-medium:10", correct=558, **{"truth units": 600})]) == [True]
    assert reached(part, [made("default", "populous-medium:10", correct=557, **{"truth units": 600})]) == [False]


def test_a_page_keeps_the_rows_that_are_not_measured_again(part):
    page = part("drifting.page")
    row = "hard-slow:10    {:26s}  {}/80  0.6  9/{}/0  252/17/73"
    before = ["set  sorter", row.format("default-0123456789ab", 40, 1), row.format("lupin", 30, 9), "| set | demand |"]
    before += ["| hard-slow:10 | well | 40; lupin 30 | not |", "the machine"]
    again = [row.format("default-ba9876543210", 50, 0), row.format("preset:kilosort4-ba9876543210", 45, 0)]
    after = page.with_rows("\n".join(before), ["\n".join(again), "| hard-slow:10 | well | 50; lupin 30 | yes |"])
    assert after.splitlines() == [
        before[0], again[0], before[2], again[1], before[3], "| hard-slow:10 | well | 50; lupin 30 | yes |", before[5],
    ]  # fmt: skip
    (peer,) = page.peers_on(after)
    assert (peer["set"], peer["sorter"], peer["score"]) == ("hard-slow:10", "lupin", {"well": 30, "redundant": 9})
    ours = made("default", "hard-slow:10", well=50, redundant=0, strata={"SNR 10-inf": {"well": 19, "units": 20}})
    assert reached(part, [ours, peer]) == [True, True, True]


def test_speeds_are_not_pooled(part):
    pooled = part("contest.pooled").pooled
    assert pooled([made("default", "speed:10"), made("default", "speed:11")]) == []
    assert pooled([made("default", "dense:10")]) == []


def test_a_ratio_of_times_needs_an_idle_machine(part):
    ours, slow = made("default", "speed:10"), made("lupin", "speed:10") | {"wall_s": 40.0}
    assert reached(part, [ours, slow]) == [True, True, True]
    assert reached(part, [ours, slow | {"load": 1.0}]) == [True, True, None]
    assert reached(part, [ours | {"wall_s": 61.0, "peak_bytes": 4 * 2**30}]) == [False, False]
    assert reached(part, [ours | {"wall_s": 61.0, "load": 1.5}]) == [None, True]


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


def test_tissue_of_the_drifting_generator_stays_within_its_range(part):
    settings = part("contest.sets").KINDS
    for kind in ("np1-wander", "np1-steps", "np2-zigzag", "np2-bumps"):
        setting = settings[kind].generator
        course = setting.course(seed=3, duration_s=60.0)
        low, high = setting.range_um
        assert len(course) == 300
        assert low <= course.min() < course.max() <= high
        per_unit = setting.displacements(np.array([0.0, 500.0]), seed=3, duration_s=60.0)[0][:, :, 1]
        np.testing.assert_allclose(per_unit[:, 1], course)
        np.testing.assert_allclose(per_unit[:, 0], setting.gradient * course)


def test_spikes_of_measured_units_keep_their_refractory_period_and_tire_in_bursts(part):
    units = part("contest.real_units")
    for seed in range(8):
        train, sizes = units.spikes(20.0, np.random.default_rng(seed), far=False)
        assert np.diff(train).min() > units.REFRACTORY_MS * 30
        assert 0 < train[0] < train[-1] < 20 * units.RATE_HZ
        assert 0.2 < sizes.min() < sizes.max() <= 1.4
    template = np.zeros((1, 82, 3), np.float32)
    template[0, units.NBEFORE, 1] = -10.0
    traces = np.zeros((300, 3), np.float32)
    units.add(traces, template, np.array([100.0, 200.5]), np.array([1.0, 0.5]), np.array([0, 0]))
    assert traces[100, 1] == pytest.approx(-10.0, abs=1e-3)
    np.testing.assert_allclose(traces[[200, 201], 1], traces[201, 1], atol=0.2)
    assert not traces[:, [0, 2]].any()
