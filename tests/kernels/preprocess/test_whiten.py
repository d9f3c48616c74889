"""Whitening: matrices against their definition, application against NumPy in float64."""

import numpy as np
import pytest

from xephys.kernels.lib.mixing import mix_channels, pack_dense, pack_sparse
from xephys.kernels.preprocess.whiten import (
    covariance_sums,
    default_eps,
    whiten_dense,
    whiten_sparse,
    whitening_matrix_global,
    whitening_matrix_local,
)


def correlated(rows, channels, seed=0):
    rng = np.random.default_rng(seed)
    distance = abs(np.subtract.outer(np.arange(channels), np.arange(channels)))
    mixing = np.linalg.cholesky(np.exp(-distance / 4.0))
    return (rng.normal(0, 10, (rows, channels)) @ mixing.T).astype("float32")


def covariance_of(traces):
    sum_x, sum_xx, n = covariance_sums(traces)
    return sum_xx / n - np.outer(sum_x / n, sum_x / n)


def test_covariance_sums_add_up_in_double_precision():
    traces = correlated(9000, 12) + np.float32(3000)
    np.testing.assert_allclose(covariance_of(traces), np.cov(traces.T.astype("float64"), bias=True), atol=1e-6)


def test_global_whitening_gives_the_identity():
    traces = correlated(20_000, 24)
    matrix = whitening_matrix_global(covariance_of(traces))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    whitened = whiten_dense(traces, matrix=matrix)
    np.testing.assert_allclose(covariance_of(whitened), np.eye(24), atol=1e-5)


def test_regularisation_and_eps():
    assert default_eps(0.0) == default_eps(40.0) == 1e-16
    assert default_eps(0.2) == pytest.approx(2e-4)
    np.testing.assert_allclose(whitening_matrix_global(np.diag([4.0, 9.0]), eps=16.0), np.diag([20**-0.5, 0.2]))
    relative = whitening_matrix_global(np.diag([4.0, 10.0, 22.0]), regularization=0.5)
    np.testing.assert_allclose(relative, np.diag([9**-0.5, 15**-0.5, 27**-0.5]))


def test_directions_without_variance_are_left_out():
    traces = correlated(20_000, 10)
    traces[:, 3] = 0
    traces[:, 4:] -= traces[:, 4:].mean(axis=1, keepdims=True)
    matrix = whitening_matrix_global(np.cov(traces.T.astype("float64")))
    assert np.abs(matrix).max() < 1 and not matrix[3].any()
    whitened = np.cov((traces @ matrix).T)
    assert np.sort(np.linalg.eigvalsh(whitened)) == pytest.approx([0, 0, 1, 1, 1, 1, 1, 1, 1, 1], abs=1e-6)


def test_local_rows_whiten_their_neighbourhood():
    rng = np.random.default_rng(5)
    positions = rng.permutation(np.stack([np.arange(40) % 2 * 32.0, np.arange(40) * 10.0], axis=1))
    covariance = covariance_of(correlated(5000, 40))
    good = np.ones(40, bool)
    good[[4, 17]] = False
    neighbours, weights = whitening_matrix_local(covariance, positions, n_nearest=8, good=good)
    assert neighbours.dtype == np.int32 and weights.dtype == np.float32 and neighbours.shape == (40, 8)
    for c in range(40):
        if not good[c]:
            assert (neighbours[c] == -1).all() and not weights[c].any()
            continue
        distance = np.linalg.norm(positions - positions[c], axis=1)
        near = [i for i in np.argsort(distance, kind="stable") if good[i]][:8]
        assert set(near) == set(neighbours[c]) and neighbours[c, 0] == c
        value, vector = np.linalg.eigh(covariance[np.ix_(near, near)])
        whitening = vector @ np.diag(value**-0.5) @ vector.T
        np.testing.assert_allclose(weights[c, np.argsort(neighbours[c])], whitening[0][np.argsort(near)], rtol=1e-5)


def test_local_radius_pads_short_neighbourhoods():
    positions = np.stack([np.zeros(6), [0, 20, 40, 60, 80, 500]], axis=1)
    covariance = covariance_of(correlated(3000, 6))
    neighbours, weights = whitening_matrix_local(covariance, positions, n_nearest=None, radius_um=45)
    assert [set(row) - {-1} for row in neighbours.tolist()] == [
        {0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4}, {1, 2, 3, 4}, {2, 3, 4}, {5},
    ]  # fmt: skip
    assert not weights[neighbours == -1].any()
    assert weights[5, 0] == pytest.approx(covariance[5, 5] ** -0.5)


@pytest.mark.parametrize("channels", [1, 5, 16, 17, 48, 100])
@pytest.mark.parametrize("order", ["along the probe", "shuffled"])
def test_sparse_application_equals_numpy(channels, order):
    rng = np.random.default_rng(channels)
    place = np.arange(channels) if order == "along the probe" else rng.permutation(channels)
    k = min(channels, 9)
    neighbours = np.argsort(abs(np.subtract.outer(place, place)), axis=1, kind="stable")[:, :k].astype("int32")
    weights = rng.normal(0, 1, (channels, k)).astype("float32")
    neighbours[::3, k // 2 + 1 :] = -1
    mean = rng.normal(0, 100, channels)
    traces = rng.normal(0, 10, (333, channels)).astype("float32")
    matrix = np.zeros((channels, channels))
    for c in range(channels):
        for i, weight in zip(neighbours[c], weights[c], strict=True):
            if i >= 0:
                matrix[i, c] += weight
    got = whiten_sparse(traces, before=3, after=30, neighbours=neighbours, weights=weights, mean=mean)
    np.testing.assert_allclose(got, ((traces - mean) @ matrix)[3:303], rtol=0, atol=3e-4)
    dense = whiten_dense(traces, before=3, after=30, matrix=matrix, mean=mean)
    np.testing.assert_allclose(dense, ((traces - mean) @ matrix)[3:303], rtol=0, atol=3e-4)


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_rows_do_not_depend_on_their_block(kind):
    traces = correlated(30_000, 41)
    covariance = covariance_of(traces[:3000])
    if kind == "dense":
        packed = pack_dense(whitening_matrix_global(covariance), mean=traces.mean(axis=0))
    else:
        positions = np.stack([np.zeros(41), np.arange(41.0)], axis=1)
        packed = pack_sparse(*whitening_matrix_local(covariance, positions, n_nearest=7))
    whole = mix_channels(traces, **packed)
    for rows, stop in ((1, 300), (7, 3000), (512, 30_000)):
        parts = [mix_channels(traces[i : min(i + rows, stop)], **packed) for i in range(0, stop, rows)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[:stop])


def test_shuffled_probe_is_regrouped():
    rng = np.random.default_rng(0)
    place = rng.permutation(384)
    neighbours = np.argsort(abs(np.subtract.outer(place, place)), axis=1)[:, :32]
    weights = np.ones((384, 32))
    in_order = pack_sparse(_band(384, 32), weights)
    assert pack_sparse(neighbours, weights)["counts"].mean() < 1.1 * in_order["counts"].mean() < 60


def _band(channels, k):
    return np.argsort(abs(np.subtract.outer(np.arange(channels), np.arange(channels))), axis=1)[:, :k]


def test_int16_is_converted_and_input_is_kept():
    traces = np.arange(60, dtype="int16").reshape(10, 6)
    traces.setflags(write=False)
    np.testing.assert_array_equal(whiten_dense(traces, matrix=np.eye(6)), traces.astype("float32"))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="weights are for 3"):
        whiten_dense(np.zeros((5, 4)), matrix=np.eye(3))
    with pytest.raises(ValueError, match="channel, channel"):
        pack_dense(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="below 2"):
        pack_sparse(np.array([[0], [2]]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="both be"):
        pack_sparse(np.zeros((2, 1), int), np.ones((2, 2)))
    with pytest.raises(ValueError, match="not finite"):
        whitening_matrix_global(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="negative"):
        whitening_matrix_global(np.eye(2), eps=-1)
    with pytest.raises(ValueError, match="n_nearest or radius_um"):
        whitening_matrix_local(np.eye(2), np.eye(2), n_nearest=None)
    with pytest.raises(ValueError, match="do not fit"):
        whiten_dense(np.zeros((5, 3)), before=4, after=4, matrix=np.eye(3))
