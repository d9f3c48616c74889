"""Scores: the truth scores fully, pieces and copies are counted, and units that match none are told apart."""

from __future__ import annotations

import numpy as np
import pytest


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
