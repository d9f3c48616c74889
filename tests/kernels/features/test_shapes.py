"""Shapes learned from clips compare with scikit-learn's; isolated peaks equal those of a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from xephys.kernels.features.shapes import isolated_peaks, learn_shapes, standard_clips


def clips(n=300, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(31) - 10
    family = np.array([-np.exp(-0.5 * (time / w) ** 2) + a * np.exp(-0.5 * ((time - 8) / 4) ** 2) for w, a in
                       [(1.5, 0.1), (2.5, 0.4), (4.0, 0.2)]])  # fmt: skip
    return family[rng.integers(3, size=n)] * rng.uniform(1, 9, (n, 1)) + 0.02 * rng.standard_normal((n, 31))


def spread(units, centers):
    return ((units[:, None] - centers[None]) ** 2).sum(axis=2).min(axis=1).sum()


def test_centers_are_as_good_as_those_of_scikit_learn():
    given = clips()
    units = given / np.linalg.norm(given, axis=1, keepdims=True)
    for n_shapes in (2, 3, 5):
        found = learn_shapes(given, n_shapes=n_shapes)
        theirs = KMeans(n_shapes, n_init=10, random_state=0).fit(units).cluster_centers_
        theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
        assert spread(units, found) <= 1.01 * spread(units, theirs)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)


def test_three_kinds_of_clips_give_their_shapes_in_order_of_number():
    given = np.concatenate(
        [clips(n, seed=n)[:0] if n == 0 else np.repeat(clips(1, seed=n), n, axis=0) for n in (9, 5, 2)]
    )
    found = learn_shapes(given, n_shapes=3)
    for center, clip in zip(found, given[[0, 9, 14]], strict=True):
        np.testing.assert_allclose(center, clip / np.linalg.norm(clip), atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    assert learn_shapes(clips(), n_shapes=6, seed=3).tobytes() == learn_shapes(clips(), n_shapes=6, seed=3).tobytes()


@pytest.mark.parametrize("n_clips", [1, 2, 4])
def test_fewer_clips_than_shapes(n_clips):
    assert learn_shapes(clips(n_clips), n_shapes=6).shape == (n_clips, 31)


def test_identical_clips_give_one_shape():
    assert len(learn_shapes(np.tile(clips(1), (50, 1)), n_shapes=6)) == 1


def test_unusable_clips_are_left_out_or_refused():
    with pytest.raises(ValueError, match="none of 3 clips is usable"):
        learn_shapes(np.zeros((3, 5)), n_shapes=2)
    with pytest.raises(ValueError, match="n_shapes is 0; give at least 1"):
        learn_shapes(clips(), n_shapes=0)
    broken = np.concatenate([clips(4), np.full((1, 31), np.nan)])
    assert np.isfinite(learn_shapes(broken, n_shapes=2)).all()


def test_isolated_peaks_against_every_pair():
    rng = np.random.default_rng(0)
    samples = np.sort(rng.integers(0, 4000, 150))
    channels = rng.integers(0, 6, 150)
    near = np.abs(np.arange(6)[:, None] - np.arange(6)) <= 1
    found = isolated_peaks(samples, channels, near=near, exclude_sweep_samples=30)
    close = (np.abs(samples[:, None] - samples) <= 30) & near[channels][:, channels]
    np.testing.assert_array_equal(found, close.sum(axis=1) == 1)
    assert 0 < found.sum() < 150


def test_standard_clips_are_units_of_both_signs():
    family = standard_clips(61, nbefore=20, samples_per_ms=30.0)
    np.testing.assert_allclose(np.linalg.norm(family, axis=1), 1.0)
    assert set(np.sign(family[:, 20])) == {-1.0, 1.0}
