"""Learned components equal the singular vectors of unit snippets."""

import numpy as np
import pytest

from xephys.kernels.features.components import learn_components

T = 21


def test_learn_components_is_the_svd_of_unit_snippets():
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.standard_normal((T, 3)))[0].T
    waveforms = (rng.standard_normal((400, 3)) * [9, 4, 2]) @ basis + 0.05 * rng.standard_normal((400, T))
    waveforms = waveforms.astype(np.float32)
    waveforms[7] = 0
    waveforms[8, 3] = np.nan
    components = learn_components(waveforms, n_components=3)
    good = np.delete(waveforms, [7, 8], axis=0).astype(np.float64)
    _, _, expected = np.linalg.svd(good / np.linalg.norm(good, axis=1, keepdims=True), full_matrices=False)
    expected = expected[:3]
    expected *= -np.sign(expected[np.arange(3), np.abs(expected).argmax(axis=1)])[:, None]
    np.testing.assert_allclose(components, expected, atol=1e-6)
    assert components.dtype == np.float32
    assert np.array_equal(components, learn_components(waveforms, n_components=3))
    with pytest.raises(ValueError, match="2 of 2 snippets are usable for 3 components"):
        learn_components(waveforms[:2], n_components=3)
    with pytest.raises(ValueError, match="n_components is 22"):
        learn_components(waveforms, n_components=22)
