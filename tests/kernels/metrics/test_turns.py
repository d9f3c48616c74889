"""Parts that take turns are one drifting neuron; parts that fire simultaneously are two neurons."""

import numpy as np
import pytest

from xephys.kernels.metrics.turns import join_turns, turn_taking


def as_written(second, block):
    """The index from its definition: the chance that two different spikes of a block are of different groups."""
    blocks = [second[k : k + block] for k in range(0, len(second) - block + 1, block)]
    used = np.concatenate(blocks)

    def differ(x):
        return np.mean([x[i] != x[j] for i in range(len(x)) for j in range(len(x)) if i != j])

    return 1 - np.mean([differ(b) for b in blocks]) / differ(used)


def test_the_index_equals_its_definition():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5):
        second = rng.random(73) < np.linspace(0, 2 * share, 73)
        assert turn_taking(second) == pytest.approx(as_written(second, 10))
        assert turn_taking(second, block=6) == pytest.approx(as_written(second, 6))


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("n_spikes", [60, 1000])
def test_mixed_trains_do_not_take_turns(share, n_spikes):
    rng = np.random.default_rng(1)
    found = [turn_taking(rng.random(n_spikes) < share) for _ in range(200)]
    assert abs(np.mean(found)) < 0.03
    assert np.quantile(found, 0.99) < 0.3


def test_single_groups_and_blocks_have_an_index_of_zero():
    assert turn_taking(np.zeros(100, bool)) == 0.0
    assert turn_taking(np.zeros(0, bool)) == 0.0
    assert turn_taking(np.array([True] * 10 + [False] * 9)) == 0.0  # one block


def test_a_drifting_neuron_is_joined_and_its_neighbor_kept_apart():
    """Three parts, one after another, and a neuron that fires throughout."""
    rng = np.random.default_rng(2)
    place = np.repeat([0, 1, 2], [400, 300, 200])
    labels = np.where(rng.random(900) < 0.2, 3, place).astype(np.int32)
    labels[::50] = -1
    neighbor = labels == 3
    joined = join_turns(labels, turn_taking_max=0.4)
    assert set(joined[neighbor]) == {1}
    assert set(joined[~neighbor & (labels >= 0)]) == {0}
    assert (joined[labels < 0] == -1).all()


def test_two_neurons_with_different_rates_stay_apart():
    """Each three times as active in one half of the recording as in the other."""
    rng = np.random.default_rng(3)
    labels = (rng.random(600) < np.repeat([0.25, 0.75], 300)).astype(np.int32)
    assert join_turns(labels, turn_taking_max=0.4).max() == 1
    assert join_turns(np.zeros(0, np.int32), turn_taking_max=0.4).size == 0
