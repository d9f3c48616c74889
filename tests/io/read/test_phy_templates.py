"""Templates of clusters, in the forms in which programs store them."""

import numpy as np
import pytest

from xephys.errors import RecordingError
from xephys.io.read.phy_templates import cluster_templates, read_array, seen_places, usual_peak

RNG = np.random.default_rng(0)


def save(folder, **arrays):
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)


def found(folder, unit_index, template, clusters, size=None):
    return cluster_templates(folder, np.array(unit_index), np.array(template), clusters, size)


def test_a_merged_cluster_has_the_mean_of_its_templates_weighted_by_spikes(tmp_path):
    templates = RNG.normal(size=(3, 10, 4)).astype("f4") * 40
    save(tmp_path, templates=templates, channel_map=np.arange(4))
    mean = found(tmp_path, [0, 0, 0, 1], [0, 0, 2, 1], [3, 1])
    np.testing.assert_allclose(mean[0], (2 * templates[0] + templates[2]) / 3, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mean[1], templates[1], rtol=1e-6)


def test_whitening_is_undone(tmp_path):
    matrix = np.eye(4) + 0.2 * RNG.normal(size=(4, 4))  # not symmetric, so the order of the product matters
    templates = RNG.normal(size=(2, 10, 4)) * 40
    white = templates @ matrix.T
    arrays = {"templates": white.astype("f4"), "channel_map": np.arange(4)}
    save(tmp_path, **arrays, whitening_mat_inv=np.linalg.inv(matrix))
    np.testing.assert_allclose(found(tmp_path, [0, 1], [0, 1], [0, 1]), templates, atol=1e-3)
    (tmp_path / "whitening_mat_inv.npy").unlink()
    save(tmp_path, whitening_mat=matrix)
    np.testing.assert_allclose(found(tmp_path, [0, 1], [0, 1], [0, 1]), templates, atol=1e-3)


@pytest.mark.parametrize("name", ["template_ind", "templates_ind"])
@pytest.mark.parametrize("empty", [-1, 6])
def test_sparse_templates(tmp_path, name, empty):
    sparse = RNG.normal(size=(2, 10, 2)).astype("f4")
    sparse[1, :, 1] = 0
    save(tmp_path, templates=sparse, channel_map=np.arange(6), **{name: np.array([[4, 1], [0, empty]])})
    dense = found(tmp_path, [0, 1], [0, 1], [0, 1])
    assert dense.shape == (2, 10, 6)
    np.testing.assert_allclose(dense[0][:, [4, 1]], sparse[0], rtol=1e-6)
    np.testing.assert_allclose(dense[1][:, 0], sparse[1][:, 0], rtol=1e-6)
    assert np.count_nonzero(dense.any(axis=1)) == 3


def test_templates_of_norm_one_are_scaled_to_their_spikes(tmp_path):
    templates = RNG.normal(size=(2, 10, 4)).astype("f4")
    templates /= np.linalg.norm(templates.reshape(2, -1), axis=1)[:, None, None]
    save(tmp_path, templates=templates, channel_map=np.arange(4))
    size = np.array([10.0, 20.0, 40.0])
    np.testing.assert_allclose(
        found(tmp_path, [0, 0, 1], [0, 0, 1], [0, 1], size), templates * np.array([15, 40])[:, None, None], rtol=1e-5
    )


def test_places():
    templates = np.zeros((1, 10, 3), np.float32)
    templates[0, 6] = [-10, -30, 0]
    assert usual_peak(templates) == 6 and usual_peak(templates[:0]) == 0
    seen = seen_places(templates, {"x": np.array([0.0, 10, 20]), "y": np.array([0.0, 40, 80])})
    assert seen["channel_index"].tolist() == [1]
    assert (seen["x"][0], seen["y"][0]) == pytest.approx((7.5, 30.0))


def test_unreadable_templates_are_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"has no templates\.npy; copy the whole folder"):
        read_array(tmp_path, "templates")
    np.save(tmp_path / "templates.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(RecordingError, match="cannot be read as an array of numbers"):
        read_array(tmp_path, "templates")
    save(tmp_path, templates=np.ones((2, 3), "f4"))
    with pytest.raises(RecordingError, match=r"has shape \(2, 3\)"):
        found(tmp_path, [0], [0], [0])
    save(tmp_path, templates=np.ones((2, 3, 1), "f4"))
    with pytest.raises(RecordingError, match="spike_templates run from 0 to 2 and there are 2 templates"):
        found(tmp_path, [0, 0], [0, 2], [0])
