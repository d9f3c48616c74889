"""Pieces of a drifting neuron are joined; two neurons of similar shape are not."""

from __future__ import annotations

import numpy as np
import pytest

from xephys.kernels.curate.pieces import PIECE, find_pieces, join_pieces

GRID = np.arange(-20.0, 21.0, 2.0)
Y_UM = 20.0 * np.arange(12)
T = np.arange(40) - 15
COURSE = -10 * np.exp(-0.5 * (T / 3.0) ** 2) + 4 * np.exp(-0.5 * ((T - 9) / 5.0) ** 2)
RANGE = {"refractory_samples": 60, "dead_samples": 15, "duration_samples": 9_000_000}


def footprint(y_um: float, lag: int = 0, size: float = 1.0) -> np.ndarray:
    """(displacement, sample, channel)"""
    space = np.exp(-0.5 * ((Y_UM[None] - y_um - GRID[:, None]) / 30.0) ** 2)
    return (size * np.roll(COURSE, lag)[None, :, None] * space[:, None]).astype(np.float32)


def train(seed: int, n: int = 2000) -> np.ndarray:
    """A regular train whose spikes are at least 100 samples from those of other seeds."""
    return np.arange(n) * 4000 + 150 * seed


LOW = np.where(GRID < 0, 100, 0)
HIGH = np.where(GRID < 0, 0, 100)
BOTH = np.full(len(GRID), 60)


def pieces(templates, counts, trains):
    channels = np.tile(np.arange(12, dtype=np.int32), (len(templates), 1))
    return find_pieces(
        np.stack(templates), channels, np.stack(counts), trains, displacement_um=GRID, n_channels=12, **RANGE
    )


def test_two_pieces_that_take_turns_are_joined():
    found = pieces([footprint(110), footprint(110, size=1.1)], [LOW, HIGH], [train(0), train(1)])
    assert found[["unit", "piece_of"]].tolist() == [(0, 1)]  # the piece with fewer spikes is joined to the other
    assert abs(found["displacement_um"][0]) <= 4 and found["side_by_side"][0] < 0.1


def test_units_that_fire_simultaneously_are_two():
    assert len(pieces([footprint(110), footprint(112)], [BOTH, BOTH], [train(0), train(1)])) == 0


def test_units_of_another_shape_are_two():
    assert len(pieces([footprint(110), footprint(150)], [LOW, HIGH], [train(0), train(1)])) == 0


@pytest.mark.parametrize(("side_by_side", "joined"), [(0, 1), (15, 0)])
def test_the_more_two_units_overlap_in_time_the_more_similar_they_have_to_be(side_by_side, joined):
    """Templates that differ by half of their norm: interpolated where a neuron was seldom seen, or two neurons."""
    counts = [np.maximum(LOW, side_by_side), np.maximum(HIGH, side_by_side)]
    assert len(pieces([footprint(110), footprint(132)], counts, [train(0), train(1)])) == joined


def test_pieces_that_coincide_within_the_refractory_period_are_two():
    first = train(0)
    assert len(pieces([footprint(110), footprint(110)], [LOW, HIGH], [first, first + 30])) == 0


def test_three_pieces_are_joined():
    third = np.searchsorted([-8.0, 8.0], GRID)
    thirds = [np.where(third == number, 100, 0) for number in range(3)]
    found = pieces([footprint(110)] * 3, thirds, [train(0), train(1), train(2)])
    target, _ = join_pieces(np.arange(3), np.zeros(3, int), found)
    assert len(set(target.tolist())) == 1


@pytest.mark.parametrize("lag", [-4, 0, 3, 12])
def test_pieces_are_aligned(lag):
    """If the trough of a template is later, its spikes are reported earlier."""
    found = pieces([footprint(110), footprint(110, lag=lag)], [LOW, 2 * HIGH], [train(0), train(1)])
    assert found[["unit", "piece_of", "lag"]].tolist() == [(0, 1, -lag)]


def test_a_phase_in_common_is_not_enough():
    """Shifted by 25 samples the late phase of one template fits the early one of the other, but its early phase is then
    outside the other's window.
    """

    def two_phases(size: float) -> np.ndarray:
        course = -10 * np.exp(-0.5 * ((np.arange(40) - 33) / 2.0) ** 2)
        course += size * np.exp(-0.5 * ((np.arange(40) - 8) / 2.0) ** 2)
        return (footprint(110)[:, 15:16] / COURSE[15] * course[:, None]).astype(np.float32)

    assert len(pieces([two_phases(10.0), two_phases(-10.0)], [LOW, HIGH], [train(0), train(1)])) == 0


def test_dropped_units_stay_dropped():
    found = np.zeros(1, PIECE)
    found["unit"], found["piece_of"] = 1, 0
    target, shift = join_pieces(np.array([0, -1, 2]), np.array([0, 5, 0]), found)
    assert target.tolist() == [0, -1, 2] and shift.tolist() == [0, 5, 0]
