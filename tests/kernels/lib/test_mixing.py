"""Channels mixed by sparse and dense weights equal NumPy's result in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.whitening import correlated, covariance_of
from xephys.kernels.lib.mixing import mix_channels, pack_dense, pack_sparse
from xephys.kernels.preprocess.whiten import (
    whitening_matrix_global,
    whitening_matrix_local,
)


@pytest.mark.parametrize("channels", [1, 5, 16, 17, 48, 100])
@pytest.mark.parametrize("order", ["along the probe", "shuffled"])
def test_sparse_application_equals_numpy(channels, order):
    rng = np.random.default_rng(channels)
    place = np.arange(channels) if order == "along the probe" else rng.permutation(channels)
    k = min(channels, 9)
    neighbors = np.argsort(abs(np.subtract.outer(place, place)), axis=1, kind="stable")[:, :k].astype("int32")
    weights = rng.normal(0, 1, (channels, k)).astype("float32")
    neighbors[::3, k // 2 + 1 :] = -1
    mean = rng.normal(0, 100, channels)
    traces = rng.normal(0, 10, (333, channels)).astype("float32")
    matrix = np.zeros((channels, channels))
    for c in range(channels):
        for i, weight in zip(neighbors[c], weights[c], strict=True):
            if i >= 0:
                matrix[i, c] += weight
    got = mix_channels(traces, before=3, after=30, **pack_sparse(neighbors, weights, mean=mean))
    np.testing.assert_allclose(got, ((traces - mean) @ matrix)[3:303], rtol=0, atol=3e-4)
    dense = mix_channels(traces, before=3, after=30, **pack_dense(matrix, mean=mean))
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
    neighbors = np.argsort(abs(np.subtract.outer(place, place)), axis=1, kind="stable")[:, :32]
    weights = np.ones((384, 32))
    in_order = pack_sparse(_band(384, 32), weights)
    assert pack_sparse(neighbors, weights)["counts"].mean() < 1.1 * in_order["counts"].mean() < 60


def _band(channels, k):
    return np.argsort(abs(np.subtract.outer(np.arange(channels), np.arange(channels))), axis=1, kind="stable")[:, :k]


def test_int16_is_converted_and_input_is_kept():
    traces = np.arange(60, dtype="int16").reshape(10, 6)
    traces.setflags(write=False)
    np.testing.assert_array_equal(mix_channels(traces, **pack_dense(np.eye(6))), traces.astype("float32"))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="weights are for 3"):
        mix_channels(np.zeros((5, 4)), **pack_dense(np.eye(3)))
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
    with pytest.raises(ValueError, match="at least the channel itself"):
        whitening_matrix_local(np.eye(2), np.eye(2), n_nearest=0)
    with pytest.raises(ValueError, match="do not fit"):
        mix_channels(np.zeros((5, 3)), before=4, after=4, **pack_dense(np.eye(3)))
