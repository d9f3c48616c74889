"""Similarities are those of every pair by itself, whatever is written at once."""

import numpy as np
import pytest

from xephys.kernels.track.dant.similarity import row_similarity, waveform_similarity, weighted_similarity


def fisher_of(a, b):
    return np.arctanh(np.clip(np.corrcoef(a, b)[0, 1], -np.tanh(6), np.tanh(6)))


@pytest.mark.parametrize("block", [1, 5, 100])
def test_waveforms_are_compared_on_the_channels_of_either_unit(block):
    rng = np.random.default_rng(0)
    waveforms = rng.standard_normal((12, 6, 7, 2))
    channels = np.stack([[rng.permutation(6)[:4] for _ in range(12)] for _ in range(2)], axis=2)
    channels[3, 2:, 1] = -1
    out = np.empty((12, 12))
    waveform_similarity(out, waveforms, channels, block=block)

    def on_channels_of(i, i_other, k):
        near = channels[i, :, k][channels[i, :, k] >= 0]
        return fisher_of(*(waveforms[unit][near][..., k].ravel() for unit in (i, i_other)))

    expected = [
        [max(on_channels_of(*pair, k) for pair in ((i, j), (j, i)) for k in range(2)) for j in range(12)]
        for i in range(12)
    ]
    np.fill_diagonal(expected := np.array(expected), 6.0)
    np.testing.assert_allclose(out, expected, atol=1e-9)


@pytest.mark.parametrize("block", [1, 100])
def test_rows_are_compared_where_both_have_values(block):
    rng = np.random.default_rng(1)
    rows = 1e-9 * rng.standard_normal((10, 20))
    rows[rng.uniform(size=rows.shape) < 0.2] = np.nan
    rows[0], rows[1, :10], rows[2, 10:], rows[3] = np.nan, np.nan, np.nan, 2.0
    out = np.empty((10, 10))
    row_similarity(out, rows, block=block)
    assert out[0, 1:].tolist() == [0.0] * 9 and out[1, 2] == 0 and not np.delete(out[3], 3).any()
    for i in range(4, 10):
        for j in range(4, i):
            both = np.isfinite(rows[i]) & np.isfinite(rows[j])
            np.testing.assert_allclose(out[i, j], fisher_of(rows[i, both], rows[j, both]), atol=1e-9)
    whole = np.nan_to_num(rows)
    row_similarity(out, whole, block=block)
    np.testing.assert_allclose(out[5, 6], fisher_of(whole[5], whole[6]), atol=1e-9)


def test_blocks_do_not_change_the_sum():
    matrices = list(np.random.default_rng(2).standard_normal((2, 9, 9)))
    out = [(np.empty((9, 9)), np.empty((9, 9))) for _ in range(2)]
    for (total, distance), block in zip(out, (2, 100), strict=True):
        weighted_similarity(total, distance, matrices, np.array([0.75, 0.25]), block=block)
    np.testing.assert_array_equal(*(total for total, _ in out))
    np.testing.assert_allclose(out[0][0], 0.75 * matrices[0] + 0.25 * matrices[1])
    assert not np.diag(out[0][1]).any() and out[0][1][0, 1] == pytest.approx(1 / (1 + np.tanh(out[0][0][0, 1])))
