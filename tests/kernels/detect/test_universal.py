"""Universal templates: the grid, the scores, and one event per spike, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.universal import AFTER, BEFORE, POSITIONS, SWEEP, detected, grid, reference_events, with_spikes


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_events_are_the_largest_scores_of_their_neighborhood(seed):
    traces, table = with_spikes(seed=seed), grid()
    events, expected = detected(traces), reference_events(traces, table, 6.0)
    assert len(expected) >= 8
    names = ("sample_index", "place_index", "size_index", "shape_index", "sign")
    assert [tuple(int(event[n]) for n in names) for event in events] == [tuple(map(int, e[:5])) for e in expected]
    np.testing.assert_allclose(events["amplitude"], [e[5] for e in expected], rtol=1e-4)
    assert {-1, 1} <= set(events["sign"].tolist())


def test_equal_scores_give_one_event():
    traces = np.zeros((BEFORE + AFTER + 120, len(POSITIONS)), np.float32)
    for row in (40, 40 + SWEEP):  # the same score twice within the sweep: the first is taken
        traces[BEFORE + row, 4] = 12
    events = detected(traces)
    assert events["sample_index"].size == 1


def test_halo_and_threshold_are_checked():
    traces = with_spikes()
    with pytest.raises(ValueError, match=f"halo is 3 samples before .* need {BEFORE} and {AFTER}"):
        detected(traces, before=3)
    with pytest.raises(ValueError, match="threshold is 0; it must be positive"):
        detected(traces, threshold=0)


def test_no_position_and_no_spike_give_no_event():
    empty = grid(good=np.zeros(12, bool))
    assert len(empty.places) == 0
    assert len(detected(with_spikes(), table=empty)) == 0
    assert len(detected(np.zeros((200, 12), np.float32))) == 0


def test_bad_channels_are_left_out():
    good = np.ones(12, bool)
    good[[3, 4]] = False
    assert not np.isin(grid(good=good).contacts, [3, 4]).any()
