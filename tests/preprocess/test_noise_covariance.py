"""The covariance that whitening starts from, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.correlated import TRACES, N, noise_recording
from xephys import RecordingError
from xephys.preprocess.noise_covariance import noise_covariance


def test_it_is_the_covariance_of_all_excerpts_together():
    excerpts = [TRACES[:500], TRACES[10_000:10_300]]
    found = noise_covariance(noise_recording(), excerpts, regularization=0.25)
    expected = np.cov(np.concatenate(excerpts).T.astype("f8"), bias=True)
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-9, atol=1e-9)
    assert found.eps == pytest.approx(0.25 * np.median(np.diag(expected)))
    assert found.good.all()


def test_bad_and_constant_channels_are_left_out():
    traces = TRACES[:500].copy()
    traces[:, 3] = 7
    found = noise_covariance(noise_recording(bad=np.arange(N) == 1), [traces], regularization=0.1)
    assert np.flatnonzero(~found.good).tolist() == [1, 3]
    assert found.eps == pytest.approx(0.1 * np.median(np.diag(found.matrix)[found.good]))


def test_bad_input_is_refused():
    with pytest.raises(RecordingError, match="every channel is marked bad"):
        noise_covariance(noise_recording(bad=np.ones(N, bool)), [TRACES[:9]], regularization=0.1)
    with pytest.raises(RecordingError, match="all channels are constant"):
        noise_covariance(noise_recording(), [np.zeros((9, N), "f4")], regularization=0.1)
