"""Demands on a sort: which are reached, over one seed and over several, and how a page keeps its rows."""

from __future__ import annotations


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
