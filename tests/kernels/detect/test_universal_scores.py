"""Scores of universal templates against plain loops."""

from __future__ import annotations

import numpy as np

from tests.support.universal import (
    AFTER,
    BEFORE,
    N_SAMPLES,
    NBEFORE,
    POSITIONS,
    detected,
    grid,
    reference_events,
    shapes,
    with_spikes,
)


def test_the_bound_skips_no_event():
    """At a threshold that noise reaches everywhere, every position is evaluated; at a high one hardly any."""
    traces = with_spikes(noise=1.0)
    low = detected(traces, threshold=1.5)
    high = detected(traces, threshold=8.0)
    assert len(low) > 3 * len(high) > 0
    expected = reference_events(traces, grid(), 1.5)
    assert low["sample_index"].tolist() == [e[0] for e in expected]


def test_each_event_belongs_to_one_of_two_neighboring_cores():
    traces = with_spikes(n=900)
    whole = detected(traces)
    for border in (100, 333, int(whole["sample_index"][3]), int(whole["sample_index"][5]) + 1):
        left = detected(traces[: border + BEFORE + AFTER])
        right = detected(traces[border:], start=border)
        assert np.concatenate([left, right]).tobytes() == whole.tobytes()


def test_position_is_the_mean_of_contacts_by_score():
    traces = np.zeros((BEFORE + AFTER + 60, len(POSITIONS)), np.float32)
    traces[BEFORE + 30 - NBEFORE :][:N_SAMPLES, 4] = 20 * shapes()[0]
    traces[BEFORE + 30 - NBEFORE :][:N_SAMPLES, 5] = 10 * shapes()[0]
    (event,) = detected(traces)
    # A shape also matches what the others leave unexplained, so that only these two contacts count.
    expected = (2 * POSITIONS[4] + POSITIONS[5]) / 3
    np.testing.assert_allclose([event["x"], event["y"]], expected, atol=1e-4)
    assert (event["sample_index"], event["channel_index"], event["sign"]) == (30, 4, 1)
