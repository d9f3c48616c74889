"""What is doubted of a candidate: nothing far from other spikes, a share beside one, everything in a dead time."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.matching import make_model, make_templates
from xephys.kernels.match.candidates import SEARCH_SAMPLES, Board, Events, doubt_of
from xephys.kernels.match.limits import checked_limits
from xephys.kernels.match.templates import pairs_of_model

AT, SIZE = 100, 1.2


@pytest.mark.parametrize("lag", [-90, -16, -11, -10, 0, 7, 10, 11, 15, 16, 40])
@pytest.mark.parametrize("unit", [0, 1])
def test_a_candidate_is_doubted_beside_a_spike(lag: int, unit: int) -> None:
    model = make_model(make_templates(2, seed=0))
    pairs, limits = pairs_of_model(model, None), checked_limits(noise_gain=2.0, mismatch=0.03)
    empty = np.empty(0)
    board = Board(empty, model["energies"], empty, empty, empty, empty, empty, np.full(10, -1))  # type: ignore[arg-type]
    events = Events(*(np.array([value]) for value in (0, AT, 2, -1, SIZE, 50.0)))
    board.first_event[AT // SEARCH_SAMPLES] = 0
    likeness = pairs.likeness[pairs.starts[0] : pairs.starts[1]][pairs.units[: pairs.starts[1]] == unit]
    expected = 0.03 * SIZE**2 * likeness.sum() / 2.0 if abs(lag) <= 10 else 0.0
    if unit == 0 and abs(lag) <= 15:
        expected = np.inf
    assert doubt_of.py_func(board, events, pairs, limits, unit, AT + lag) == pytest.approx(expected)
