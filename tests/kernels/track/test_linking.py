"""Tracks follow the requested strictness, with one unit per session, for any order of equally probable pairs."""

import numpy as np
import pytest

from xephys.kernels.track.linking import CONSERVATIVE, INTERMEDIATE, link_units

LIBERAL = 0
NONE = np.empty(0, np.int64)


def link(pairs, session, strictness=INTERMEDIATE, *, neuron=None, fixed=NONE):
    first, second, chance = (np.array(column) for column in zip(*sorted(pairs, key=lambda p: -p[2]), strict=True))
    session = np.array(session)
    neuron = np.arange(len(session)) if neuron is None else np.array(neuron)
    return link_units(first, second, chance, session, neuron, 0.5, strictness, fixed).tolist()


@pytest.mark.parametrize("strictness", [LIBERAL, INTERMEDIATE, CONSERVATIVE])
def test_a_track_has_one_unit_per_session(strictness):
    assert link([(0, 1, 0.9), (0, 2, 0.8), (1, 3, 0.9), (2, 3, 0.6)], [0, 1, 1, 2], strictness)[2] == 2


def test_strictness_decides_about_chains():
    chain = [(0, 1, 0.9), (1, 2, 0.9), (0, 2, 0.2)]
    assert link(chain, [0, 1, 2], LIBERAL) == [0, 0, 0]
    assert link(chain, [0, 1, 2], INTERMEDIATE) == [0, 0, 0]  # log odds of 2.2 and -1.4
    assert link(chain, [0, 1, 2], CONSERVATIVE) == [0, 0, 2]
    apart = [(0, 1, 0.9), (1, 2, 0.9)]  # 0 and 2 are not a pair
    assert link(apart, [0, 1, 2], LIBERAL) == [0, 0, 0]
    assert link(apart, [0, 1, 2], INTERMEDIATE) == [0, 0, 2]


def test_parts_of_one_neuron_share_a_track():
    pairs = [(0, 1, 0.9), (0, 2, 0.8)]
    assert link(pairs, [0, 1, 1], neuron=[0, 1, 1]) == [0, 0, 0]
    assert link(pairs, [0, 1, 1]) == [0, 0, 2]


def test_improbable_pairs_join_nothing():
    assert link([(0, 1, 0.4)], [0, 1], LIBERAL) == [0, 1]


def test_known_tracks_are_kept():
    fixed = np.array([0, 0, 2])
    assert link([(1, 3, 0.9), (0, 2, 0.95)], [0, 1, 2, 3], LIBERAL, fixed=fixed) == [0, 0, 2, 0]
