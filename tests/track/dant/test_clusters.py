"""Labels depend on similarities alone; where all units match, or none, there is a result too."""

import numpy as np
import pytest

from xephys.errors import ParameterError
from xephys.track.dant import cluster_similarities


def drawn(seed, *, n_neurons=12, n_sessions=4):
    rng = np.random.default_rng(seed)
    neuron, session = np.tile(np.arange(n_neurons), n_sessions), np.repeat(np.arange(n_sessions) + 1, n_neurons)
    kept = rng.uniform(size=len(neuron)) > 0.2
    neuron, session = neuron[kept], session[kept]
    same = neuron[:, None] == neuron[None]
    matrices = {}
    for name, mean, noise in (("Waveform", 2.5, 0.5), ("AutoCorr", 1.0, 0.6)):
        values = np.where(same, mean, 0.3) + noise * rng.standard_normal(same.shape)
        matrices[name] = (values + values.T) / 2
        np.fill_diagonal(matrices[name], 6.0)
    return matrices, session, 30.0 * neuron + rng.standard_normal(len(neuron)), neuron


@pytest.mark.parametrize("start", range(0, 100, 25))
def test_labels_are_identical_for_any_block_and_order(start):
    for seed in range(start, start + 25):
        matrices, session, depth, _ = drawn(seed)
        plain = cluster_similarities(matrices, session, depth)["cluster"].values
        for block in (1, 16):
            np.testing.assert_array_equal(
                cluster_similarities(matrices, session, depth, block=block)["cluster"].values, plain
            )
        order = np.random.default_rng(seed).permutation(len(session))
        turned = {name: matrix[np.ix_(order, order)] for name, matrix in matrices.items()}
        other = cluster_similarities(turned, session[order], depth[order])["cluster"].values
        expected = plain[order]
        assert (
            ((other[:, None] == other[None]) & (other > 0)) == ((expected[:, None] == expected[None]) & (expected > 0))
        ).all()


def test_neurons_are_found():
    matrices, session, depth, neuron = drawn(0)
    found = cluster_similarities(matrices, session, depth)
    cluster = found["cluster"].values
    joined = (cluster[:, None] == cluster[None]) & (cluster > 0)
    same = neuron[:, None] == neuron[None]
    np.fill_diagonal(joined, False)
    assert joined.any() and (joined & same).sum() / joined.sum() > 0.95
    assert found["weight"].sum() == pytest.approx(1.0)
    assert float(found["weight"].sel(feature="Waveform")) > float(found["weight"].sel(feature="AutoCorr"))


def test_matrices_on_disk_are_read_block_by_block(tmp_path):
    matrices, session, depth, _ = drawn(1)
    mapped = {}
    for name, matrix in matrices.items():
        np.save(tmp_path / f"{name}.npy", matrix)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    plain, read = (cluster_similarities(some, session, depth, block=8) for some in (matrices, mapped))
    assert plain.identical(read)


def test_all_units_match():
    session, matrix = np.tile([1, 2], 5), np.full((10, 10), -1.0)
    for k in range(0, 10, 2):
        matrix[k, k + 1] = matrix[k + 1, k] = 3.0
    found = cluster_similarities({"Waveform": matrix}, session, np.repeat(np.arange(5) * 200.0, 2))
    assert sorted(found["cluster"].values.tolist()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert float(found["threshold"]) == -np.inf


def test_one_round_learns_weights_too():
    matrices, session, depth, _ = drawn(2)
    found = cluster_similarities(matrices, session, depth, n_iter=1)
    assert np.isfinite(found["threshold"]) and found["weight"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("n", [1, 2])
def test_no_unit_matches(n):
    found = cluster_similarities({"Waveform": np.full((n, n), 1.0)}, np.arange(n), np.zeros(n))
    assert found["cluster"].values.tolist() == [-1] * n and float(found["threshold"]) == np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"similarities": {}}, "no similarity"),
        ({"similarities": {"ISI": np.zeros((2, 3))}}, "'ISI' has shape"),
        ({"similarities": {"ISI": np.full((3, 3), np.nan)}}, "'ISI' is not finite"),
        ({"depth_um": [0.0, 1.0]}, "3 sessions and 2 depths"),
        ({"depth_um": [0.0, 1.0, np.nan]}, "finite"),
        ({"distance_max_um": 0.0}, "distance_max_um"),
        ({"block": 0}, "block"),
        ({"n_iter": 0}, "n_iter"),
    ],
)
def test_bad_input(change, message):
    given = {"similarities": {"ISI": np.zeros((3, 3))}, "session": [1, 1, 2], "depth_um": np.zeros(3), **change}
    with pytest.raises(ParameterError, match=message):
        cluster_similarities(given.pop("similarities"), given.pop("session"), given.pop("depth_um"), **given)
